"""Comparing tables to the row, and telling a difference by table, row and column with both values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow

from pipeline.warehouse import Warehouse

# What names a load or a moment of the machine's clock, and not what happened.
NAMES_OF_LOADS = frozenset({"load_id", "loaded_at", "modified_at", "seconds", "sha256", "file_name"})
KEYS = ("customer_id", "review_week")
# A fault shows in many rows; the first ones say what it is.
MOST_TOLD = 12

Tables = Mapping[str, pyarrow.Table]


def tables_of(warehouse: Warehouse, *schemas: str) -> dict[str, list[str]]:
    """The stored tables of some schemas, with their columns but for those that name loads."""
    rows = warehouse.rows(
        """
        select columns.table_schema || '.' || columns.table_name, columns.column_name
        from information_schema.columns as columns
        inner join information_schema.tables as tables using (table_schema, table_name)
        where list_contains(?, columns.table_schema) and tables.table_type = 'BASE TABLE'
        order by 1, columns.ordinal_position
        """,
        [schemas],
    )
    found: dict[str, list[str]] = {}
    for table, column in rows:
        found.setdefault(table, [])
        if column not in NAMES_OF_LOADS:
            found[table].append(column)
    return found


def content(warehouse: Warehouse, *schemas: str) -> dict[str, pyarrow.Table]:
    """Everything that the tables of some schemas hold."""
    return {
        table: warehouse.connection.sql(f"select {_listed(columns)} from {table}").to_arrow_table()
        for table, columns in tables_of(warehouse, *schemas).items()
    }


def differences(warehouse: Warehouse, expected: Tables, where: str = "true") -> list[str]:
    """How tables of a warehouse differ from what is expected of them; rows may come in any order.

    `where` speaks of review_week and holds for the tables that have it.
    """
    told = []
    for table, rows in expected.items():
        told += _differences(warehouse, table, rows, where if "review_week" in rows.column_names else "true")
    return told


def _differences(warehouse: Warehouse, table: str, expected: pyarrow.Table, where: str) -> list[str]:
    columns = expected.column_names
    found = tables_of(warehouse, table.split(".", maxsplit=1)[0]).get(table)
    if found != columns:
        return [f"{table} has the columns {found} instead of {columns}"]
    with warehouse.registered("expected_rows", expected):
        here = f"select {_listed(columns)} from {table} where {where}"
        there = f"select {_listed(columns)} from expected_rows where {where}"
        only_here = warehouse.rows(f"{here} except all {there}")
        only_there = warehouse.rows(f"{there} except all {here}")
    return _told(table, columns, only_here, only_there)


def _told(table: str, columns: list[str], only_here: list[tuple], only_there: list[tuple]) -> list[str]:
    """Rows with one key on both sides are told by the columns in which they differ, the others whole."""
    places = [columns.index(key) for key in KEYS if key in columns]
    here, there = (_by_key(rows, places) for rows in (only_here, only_there))
    told = []
    for key in sorted({*here, *there}, key=str):
        name = f"{table} of {', '.join(map(str, key))}"
        if len(here.get(key, ())) == len(there.get(key, ())) == 1:
            pairs = zip(columns, here[key][0], there[key][0], strict=True)
            told += [
                f"{name}: {column} is {value!r} instead of {wanted!r}"
                for column, value, wanted in pairs
                if repr(value) != repr(wanted)
            ]
        else:
            told += [f"{name}: a row too many: {_row(columns, row)}" for row in here.get(key, ())]
            told += [f"{name}: no row like {_row(columns, row)}" for row in there.get(key, ())]
    return told


def _by_key(rows: list[tuple], places: list[int]) -> dict[tuple, list[tuple]]:
    found: dict[tuple, list[tuple]] = {}
    for row in rows:
        found.setdefault(tuple(row[place] for place in places), []).append(row)
    return found


def _row(columns: list[str], row: tuple) -> str:
    named = zip(columns, row, strict=True)
    return ", ".join(f"{column} {value!r}" for column, value in named if value is not None)


def _listed(columns: list[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def told_briefly(told: list[str]) -> str:
    """The first differences, and how many each table and column has."""
    places = Counter(_place(each) for each in told)
    counted = ", ".join(f"{place} ({count})" for place, count in places.most_common())
    return "\n".join([f"{len(told)} differences in {counted}", *told[:MOST_TOLD]])


def _place(told: str) -> str:
    table, _, rest = told.partition(" of ")
    column = rest.partition(": ")[2].split(" ")[0]
    return table if column in ("a", "no", "") else f"{table}.{column}"


class Coverage:
    """Which columns have held values, and whether more than one: what never varies is not proven."""

    def __init__(self) -> None:
        self._seen: dict[str, set[Any]] = {}

    def note(self, warehouse: Warehouse, *tables: str) -> None:
        """Take note of all columns of some tables."""
        for table in tables:
            columns = tables_of(warehouse, table.split(".", maxsplit=1)[0])[table]
            extremes = ", ".join(
                f'cast(min("{column}") as varchar), cast(max("{column}") as varchar)' for column in columns
            )
            (row,) = warehouse.rows(f"select {extremes} from {table}")
            for place, column in enumerate(columns):
                seen = self._seen.setdefault(f"{table}.{column}", set())
                seen |= {value for value in row[2 * place : 2 * place + 2] if value is not None}

    def unproven(self) -> dict[str, str]:
        """Columns that were always NULL, or always the same."""
        return {
            column: f"always {next(iter(seen))}" if seen else "always NULL"
            for column, seen in self._seen.items()
            if len(seen) < 2
        }
