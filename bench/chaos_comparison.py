"""Rows that a build lost or doubled, against that of an undisturbed run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

SCHEMAS = ("raw", "intermediate", "features", "scores", "marts")
# They name a run, a load, or a moment of the machine's clock.
OF_ONE_RUN = ("run_id", "load_id", "loaded_at", "seconds", "modified_at")


@dataclass
class Difference:
    """Rows by table. lost: in the undisturbed build and not here; doubled: here more often than there."""

    lost: dict[str, int] = field(default_factory=dict)
    doubled: dict[str, int] = field(default_factory=dict)

    @property
    def is_none(self) -> bool:
        return not self.lost and not self.doubled


def difference(undisturbed: Path, found: Path, schemas: tuple[str, ...] = SCHEMAS) -> Difference:
    """Compare all tables of two databases, row by row where their sums differ; a missing table is lost."""
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")
        connection.execute("set memory_limit = '1GB'")
        for name, path in (("undisturbed", undisturbed), ("found", found)):
            connection.execute(f"attach '{path}' as {name} (read_only)")
        tables = {name: _tables(connection, name, schemas) for name in ("undisturbed", "found")}
        differs = Difference()
        for table, columns in tables["undisturbed"].items():
            if tables["found"].get(table) != columns:
                counted = connection.execute(f"select count(*) from undisturbed.{table}").fetchone()
                differs.lost[table] = max(counted[0], 1)
                continue
            sums = [
                connection.execute(
                    f"select count(*), sum(hash({', '.join(columns)})::hugeint) from {name}.{table}"
                ).fetchone()
                for name in ("undisturbed", "found")
            ]
            if sums[0] == sums[1]:
                continue
            sides = [f"select {', '.join(columns)} from {name}.{table}" for name in ("undisturbed", "found")]
            for side, (one, other) in ((differs.lost, sides), (differs.doubled, reversed(sides))):
                rows = connection.execute(f"select count(*) from ({one} except all {other})").fetchone()[0]
                if rows:
                    side[table] = rows
        for table in set(tables["found"]) - set(tables["undisturbed"]):
            differs.doubled[table] = connection.execute(f"select count(*) from found.{table}").fetchone()[0]
    return differs


def _tables(
    connection: duckdb.DuckDBPyConnection, database: str, schemas: tuple[str, ...]
) -> dict[str, list[str]]:
    rows = connection.execute(
        """
        select schema_name || '.' || table_name, list('"' || column_name || '"' order by column_index)
        from duckdb_columns()
        inner join duckdb_tables() using (database_name, schema_name, table_name)
        where database_name = ? and list_contains(?, schema_name) and not list_contains(?, column_name)
        group by all order by all
        """,
        [database, list(schemas), list(OF_ONE_RUN)],
    ).fetchall()
    return dict(rows)
