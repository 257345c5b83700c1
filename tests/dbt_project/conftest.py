"""A small warehouse, and what dbt made of it: built once for all tests of this folder."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

PROJECT = Path(__file__).parents[2] / "dbt_project"
DEMO = Path(__file__).parents[2] / "workspaces" / "demo"
SMALL_WORLD = Path(__file__).with_name("small_world.sql")
# They show the weeks to build and keep nothing.
VIEWS_OF_WEEKS_TO_BUILD = ("days_of_weeks", "events_of_weeks")
# The newest reviewed week and the five before it; events go on for five weeks after it.
WEEKS = [date(2025, 6, 30) - timedelta(weeks=weeks) for weeks in range(5, -1, -1)]


class SmallWarehouse:
    """One database and one dbt in this process, which keeps the file open until it ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connection = duckdb.connect(str(folder / "small.duckdb"))
        self.connection.execute("set global TimeZone = 'UTC'")
        self.connection.execute(SMALL_WORLD.read_text(encoding="utf-8"))
        self.connection.execute("create table main.all_events as select * from raw.events")
        _write_seeds(folder / "seeds")
        self._runner: Any = None

    def dbt(self, *arguments: str) -> Any:
        """What a dbt command returns; one dbt for all commands, because starting it costs seconds."""
        os.environ.update(
            VITALS_BUILD_DATABASE=str(self.folder / "small.duckdb"),
            VITALS_SEEDS=os.path.relpath(self.folder / "seeds", PROJECT),
            DBT_TARGET_PATH=str(self.folder / "target"),
            DBT_LOG_PATH=str(self.folder / "logs"),
            DBT_SEND_ANONYMOUS_USAGE_STATS="false",
            DO_NOT_TRACK="1",
        )
        if self._runner is None:
            from dbt.cli.main import dbtRunner

            self._runner = dbtRunner()
        folders = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
        quiet = ["--quiet", "--log-level", "none", "--no-print"]
        result = self._runner.invoke([*quiet, arguments[0], *folders, *arguments[1:]])
        assert result.exception is None, result.exception
        return result.result

    def build_weeks(self, weeks: Sequence[date], *arguments: str) -> Any:
        """Build the models with these weeks to build; fails with what dbt says about each node."""
        self.connection.execute("delete from ops.weeks_to_build")
        rows = [[week, week + timedelta(weeks=1)] for week in weeks]
        self.connection.executemany("insert into ops.weeks_to_build values (?, ?)", rows)
        result = self.dbt(*arguments)
        broken = failures(result)
        assert not broken, "\n\n".join(broken)
        return result

    def end_events_at(self, day: date | None) -> None:
        """Let the stream end at 00:00 of a day in Berlin; None brings all events back."""
        self.connection.execute("delete from raw.events")
        self.connection.execute(
            """
            insert into raw.events
            select * from main.all_events
            where $day is null or occurred_at < timezone('UTC', timezone('Europe/Berlin', $day::timestamp))
            """,
            {"day": day},
        )

    def tables(self, schema: str) -> dict[str, list[str]]:
        """The tables of a schema, with their columns."""
        rows = self.connection.execute(
            """
            select table_name, list(column_name order by ordinal_position)
            from information_schema.columns
            where table_schema = ? group by table_name order by table_name
            """,
            [schema],
        ).fetchall()
        return dict(rows)

    def keep(self, name: str, *schemas: str) -> None:
        """Copy the tables of some schemas aside, into schemas that carry `name`; views hold nothing."""
        for schema in schemas:
            self.connection.execute(f"create schema {name}_{schema}")
            for table in set(self.tables(schema)) - set(VIEWS_OF_WEEKS_TO_BUILD):
                self.connection.execute(f"create table {name}_{schema}.{table} as from {schema}.{table}")

    def differences(self, kept: str, schema: str, table: str, where: str = "true") -> list[str]:
        """Columns of a table that differ from its kept copy, with an example row on each side."""
        if table in VIEWS_OF_WEEKS_TO_BUILD:
            return []
        here = f"(from {schema}.{table} where {where})"
        there = f"(from {kept}_{schema}.{table} where {where})"
        count = f"select (select count(*) from {here}), (select count(*) from {there})"
        now, before = self.connection.execute(count).fetchone() or (0, 0)
        found = [] if now == before else [f"{schema}.{table}: {now} rows instead of {before}"]
        example = self.connection.execute(f"from {here} except all from {there} limit 1").fetchone()
        if example:
            found.append(f"{schema}.{table}: a row that was not there before: {example}")
        return found


def failures(result: Any) -> list[str]:
    """What went wrong, a paragraph for each node."""
    return [
        f"{each.node.resource_type} {each.node.name}: {each.status}\n{each.message}"
        for each in result.results
        if each.status not in ("success", "pass", "no-op")
    ]


def _write_seeds(folder: Path) -> None:
    folder.mkdir()
    shutil.copy(DEMO / "events.csv", folder)
    with (DEMO / "playbook.csv").open(encoding="utf-8", newline="") as given:
        rows = [{"position": number, **row} for number, row in enumerate(csv.DictReader(given), start=1)]
    with (folder / "playbook.csv").open("w", encoding="utf-8", newline="") as written:
        writer = csv.DictWriter(written, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> SmallWarehouse:
    return SmallWarehouse(tmp_path_factory.mktemp("dbt_project"))


@pytest.fixture(scope="session")
def built(warehouse: SmallWarehouse) -> Any:
    """The result of one build of all weeks with all events, with every data test and unit test."""
    result = warehouse.build_weeks(WEEKS, "build")
    warehouse.keep("at_once", "intermediate", "features", "marts")
    return result
