"""Rows that a build lost or doubled, against that of an undisturbed run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import duckdb

SCHEMAS = ("raw", "intermediate", "features", "scores", "marts")
# They name a run, a load, or a moment of the machine's clock.
OF_ONE_RUN = ("run_id", "load_id", "loaded_at", "seconds", "modified_at")
# Tables that hold what the weeks of one build need: a run that finds less to build leaves less in them.
OF_ONE_BUILD = re.compile(
    r"intermediate\.int_((?!plans_)\w+_to_weeks|days_known_in_parts|customers_reviewed|weeks_looked_back_on)"
)


@dataclass
class Difference:
    """Rows by table. lost: in the undisturbed build and not here; doubled: here more often than there."""

    lost: dict[str, int] = field(default_factory=dict)
    doubled: dict[str, int] = field(default_factory=dict)

    @property
    def is_none(self) -> bool:
        return not self.lost and not self.doubled


class TableSum(NamedTuple):
    """What a table holds, whatever the order of its rows."""

    columns: tuple[str, ...]
    rows: int
    hashes: int | None


def sums_of(database: Path) -> dict[str, TableSum]:
    """The sum of every table of a database."""
    with _attached(found=database) as connection:
        return _sums(connection, "found")


def difference(
    undisturbed: Path, found: Path, undisturbed_sums: Mapping[str, TableSum] | None = None
) -> Difference:
    """Compare all tables of two databases, row by row where their sums differ; a missing table is lost.

    undisturbed_sums: what `sums_of` says of the undisturbed one, where it is known already.
    """
    with _attached(undisturbed=undisturbed, found=found) as connection:
        wanted, there = undisturbed_sums or _sums(connection, "undisturbed"), _sums(connection, "found")
        differs = Difference()
        for table, known in wanted.items():
            if table not in there or there[table].columns != known.columns:
                differs.lost[table] = max(known.rows, 1)
                continue
            if there[table] == known:
                continue
            columns = ", ".join(known.columns)
            sides = [f"select {columns} from {name}.{table}" for name in ("undisturbed", "found")]
            for side, (one, other) in ((differs.lost, sides), (differs.doubled, reversed(sides))):
                rows = connection.execute(f"select count(*) from ({one} except all {other})").fetchone()[0]
                if rows:
                    side[table] = rows
        differs.doubled |= {table: there[table].rows for table in there.keys() - wanted.keys()}
    return differs


@contextmanager
def _attached(**databases: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")
        connection.execute("set memory_limit = '1GB'")
        for name, path in databases.items():
            connection.execute(f"attach '{path}' as {name} (read_only)")
        yield connection


def _sums(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, TableSum]:
    return {
        table: TableSum(
            tuple(columns),
            *connection.execute(
                f"select count(*), sum(hash({', '.join(columns)})::hugeint) from {database}.{table}"
            ).fetchone(),
        )
        for table, columns in _tables(connection, database).items()
    }


def _tables(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, list[str]]:
    rows = connection.execute(
        """
        select schema_name || '.' || table_name, list('"' || column_name || '"' order by column_index)
        from duckdb_columns()
        inner join duckdb_tables() using (database_name, schema_name, table_name)
        where database_name = ? and list_contains(?, schema_name) and not list_contains(?, column_name)
        group by all order by all
        """,
        [database, list(SCHEMAS), list(OF_ONE_RUN)],
    ).fetchall()
    return {table: columns for table, columns in rows if not OF_ONE_BUILD.fullmatch(table)}
