"""What SQL of a workspace may read and call, judged from DuckDB's own parse of it, and tried on empty tables.

Allowed is what gives the same answer whenever it is asked: no clock, no random number, no file, no table but
those that end with the reviewed week. What takes one of several rows needs an order; whether the order leaves
ties cannot be seen in the SQL.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import duckdb

from pipeline.warehouse import scratch_database

# Written without brackets, so that the parser takes them for columns; and functions that ask the clock or
# the machine although the engine calls them consistent.
_OF_THE_MOMENT = {
    "age",
    "ago",
    "current_date",
    "current_localtime",
    "current_localtimestamp",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "get_block_size",
    "localtime",
    "localtimestamp",
    "session_user",
    "user",
    "version",
}
# Without an order they take whichever row comes first, and that differs from run to run.
_NEED_AN_ORDER = {"any_value", "arbitrary", "first", "group_concat", "last", "listagg", "string_agg"}
_WINDOWS_NEED_AN_ORDER = _NEED_AN_ORDER | {
    "first_value",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "ntile",
    "row_number",
}
_TABLE_FUNCTIONS = {"generate_series", "range", "unnest"}


class RuleBrokenError(Exception):
    """What is wrong with the SQL, as the middle of a sentence."""


class SqlRules:
    """A scratch database with empty tables, on which SQL is parsed and tried. Use as a context manager."""

    def __init__(self, tables: Mapping[str, Mapping[str, str]]) -> None:
        """`tables`: schema.table -> column -> type."""
        self.connection = scratch_database()
        for table, columns in tables.items():
            self.connection.execute(f"create schema if not exists {table.partition('.')[0]}")
            described = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
            self.connection.execute(f"create table {table} ({described})")
        self._aggregates, self._unsteady = _kinds_of_functions()

    def __enter__(self) -> SqlRules:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def check_query(self, sql: str, readable: set[str]) -> None:
        """One SELECT that reads only `readable` (schema.table) and its own steps, the same every time.

        Raises RuleBrokenError.
        """
        node = self._parsed(sql)
        steps = {
            each["key"].lower()
            for part in _parts(node)
            if "cte_map" in part
            for each in part["cte_map"]["map"]
        }
        for part in _parts(node):
            if part.get("type") == "BASE_TABLE":
                names = part["qualified_name"]["path"]
                table = ".".join(names)
                # A step has no schema; one that is named "raw.events" is not the table.
                is_step = len(names) == 1 and table.lower() in steps
                if table not in readable and not is_step:
                    raise RuleBrokenError(f"reads {table!r}")
            elif part.get("type") == "TABLE_FUNCTION" and "function" in part:
                name = part["function"].get("function_name", "").lower()
                if name not in _TABLE_FUNCTIONS:
                    raise RuleBrokenError(f"reads {name}()")
            if part.get("sample"):
                raise RuleBrokenError("draws a sample, which differs from run to run")
            _check_that_rows_are_taken_in_order(part)
        self._check_steady(node, known_columns=set())

    def check_condition(self, condition: str, table: str, columns: set[str]) -> None:
        """One true-or-false expression over a single row of a table. Raises RuleBrokenError."""
        framed = f"select * from {table} where (\n{condition}\n)"
        node = self._parsed(framed)
        where = node.pop("where_clause", None)
        plain = self._parsed(f"select * from {table} where (\ntrue\n)")
        plain.pop("where_clause")
        if _without_places(node) != _without_places(plain):
            raise RuleBrokenError("is more than one condition; give one true-or-false expression")
        self._check_closed(condition, table, where)
        for part in _parts(where):
            kind = part.get("class")
            if kind == "SUBQUERY":
                raise RuleBrokenError("has a query in it; a condition sees one row only")
            if kind == "WINDOW" or (kind == "FUNCTION" and part["function_name"].lower() in self._aggregates):
                name = part["function_name"].lower()
                raise RuleBrokenError(
                    f"calls {name}(), which sees several rows; a condition sees one row only"
                )
            if kind in ("STAR", "PARAMETER"):
                raise RuleBrokenError("names no column; write each column out")
        self._check_steady(where, known_columns=columns)
        for part in _parts(where):
            if part.get("class") == "COLUMN_REF" and ".".join(part["column_names"]) not in columns:
                raise RuleBrokenError(
                    f"names {'.'.join(part['column_names'])!r}, which is no column of the row"
                )
        (described,) = self.columns_of(f"select ({condition}\n) as condition from {table}")
        if described[1] != "BOOLEAN":
            raise RuleBrokenError(f"gives {described[1]}; give what is true or false")

    def _check_closed(self, condition: str, table: str, within_brackets: Any) -> None:
        """The condition says without brackets around it what it says within them: `a) or (b` does not."""
        try:
            alone = self._parsed(f"select * from {table} where\n{condition}\n").get("where_clause")
        except RuleBrokenError:
            alone = None
        if _without_places(alone) != _without_places(within_brackets):
            raise RuleBrokenError(
                "is more than one condition, or closes a bracket that it did not open; give one "
                "true-or-false expression"
            )

    def columns_of(self, sql: str) -> list[tuple[str, str]]:
        """Names and types of the columns of a query, tried on the empty tables. Raises RuleBrokenError."""
        try:
            rows = self.connection.execute(f"describe {sql}").fetchall()
        except duckdb.Error as error:
            raise RuleBrokenError(f"cannot be run: {_in_a_line(str(error))}") from None
        return [(name, kind) for name, kind, *_ in rows]

    def _parsed(self, sql: str) -> dict[str, Any]:
        text = self.connection.execute("select json_serialize_sql(?)", [sql]).fetchall()[0][0]
        parsed = json.loads(text)
        if parsed["error"]:
            if parsed["error_type"] == "not implemented":
                raise RuleBrokenError("does more than read; give one SELECT")
            raise RuleBrokenError(f"cannot be read as SQL: {_in_a_line(parsed['error_message'])}")
        if len(parsed["statements"]) != 1:
            raise RuleBrokenError("is more than one statement; give one SELECT")
        return parsed["statements"][0]["node"]

    def _check_steady(self, node: Any, known_columns: set[str]) -> None:
        for part in _parts(node):
            kind = part.get("class")
            if kind == "FUNCTION":
                name = part["function_name"].lower()
                if name in self._unsteady:
                    raise RuleBrokenError(
                        f"calls {name}(), which depends on when or where it runs; "
                        "count days from the end of the week"
                    )
                if name in _NEED_AN_ORDER and not part["order_bys"]["orders"]:
                    raise RuleBrokenError(
                        f"calls {name}() without an order, which differs from run to run; use min, max or "
                        f"{name}(… order by …)"
                    )
            elif kind == "COLUMN_REF" and len(part["column_names"]) == 1:
                name = part["column_names"][0].lower()
                if name in self._unsteady and name not in known_columns:
                    raise RuleBrokenError(
                        f"asks for {name}, which depends on when it runs; count days from the end of the week"
                    )


@cache
def _kinds_of_functions() -> tuple[frozenset[str], frozenset[str]]:
    """The engine's functions over several rows, and those that depend on when or where they run."""
    with scratch_database() as connection:
        kinds = connection.execute(
            "select function_name, function_type, stability from duckdb_functions()"
        ).fetchall()
    of_one_row = {name for name, kind, _ in kinds if kind in ("scalar", "macro")}
    aggregates = {name for name, kind, _ in kinds if kind == "aggregate"} - of_one_row
    unsteady = {name for name, kind, stability in kinds if kind == "scalar" and stability != "CONSISTENT"}
    return frozenset(aggregates), frozenset(_OF_THE_MOMENT | unsteady)


def _check_that_rows_are_taken_in_order(part: dict[str, Any]) -> None:
    """Raises RuleBrokenError for a part of a query that takes whichever rows come first."""
    modifiers = {each["type"]: each for each in part.get("modifiers") or []}
    if "ORDER_MODIFIER" not in modifiers:
        which = None
        if any(kind.startswith("LIMIT") for kind in modifiers):
            which = "limit"
        elif modifiers.get("DISTINCT_MODIFIER", {}).get("distinct_on_targets"):
            which = "distinct on"
        if which:
            raise RuleBrokenError(
                f"has a {which} without an order, which differs from run to run; add an order by that "
                "leaves no ties"
            )
    if part.get("class") == "WINDOW" and not (part["orders"] or part["arg_orders"]):
        name = part["function_name"].lower()
        if name in _WINDOWS_NEED_AN_ORDER:
            raise RuleBrokenError(
                f"calls {name}() over rows without an order, which differs from run to run; add an order by "
                "that leaves no ties to its window"
            )


def _parts(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of a parsed statement."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _parts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _parts(value)


def _without_places(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_places(value) for key, value in node.items() if "location" not in key}
    return [_without_places(value) for value in node] if isinstance(node, list) else node


def _in_a_line(message: str) -> str:
    first = message.strip().splitlines()[0]
    return first.removeprefix("Binder Error: ").removeprefix("Parser Error: ").rstrip(".!")
