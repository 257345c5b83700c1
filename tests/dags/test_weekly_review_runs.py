"""`airflow dags test` reviews a small simulated world as `vitals run` does; a failure publishes nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from shutil import copytree

import duckdb
import pytest

from pipeline.review import STEPS
from pipeline.weeks import WEEK, monday_of
from pipeline.workspace import Workspace, find_workspace

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
# What says when or by which run a row was written, and differs between two equal reviews.
OF_ONE_RUN = {"run_id", "seconds", "loaded_at", "trained_at"}

Airflow = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class World:
    """A workspace with what landed up to some Sunday, and the same once more for `vitals run`."""

    workspace: Workspace
    twin: Workspace
    newest_week: date

    @property
    def week(self) -> date:
        """Not the newest, so that a week that is not handed over shows."""
        return self.newest_week - WEEK


def called(program: str, *arguments: object, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / program, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


@pytest.fixture(scope="module")
def world(airflow_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("workspaces")
    for arguments in (
        ("init", folder / "world", "--from", "demo"),
        ("simulate", "--customers", 300, "--weeks", 30, "--workspace", folder / "world"),
    ):
        finished = called("vitals", *arguments, environment=airflow_environment)
        assert finished.returncode == 0, finished.stderr
    copytree(folder / "world", folder / "twin")
    workspace = find_workspace(str(folder / "world"))
    last_file = max(path.name for path in workspace.landing.iterdir())
    last_day = date.fromisoformat(last_file.removeprefix("events-").removesuffix(".jsonl"))
    assert last_day.isoweekday() == 7
    return World(workspace, find_workspace(str(folder / "twin")), monday_of(last_day))


@pytest.fixture(scope="module")
def airflow(airflow_environment: dict[str, str], world: World) -> Airflow:
    """The command `airflow`, set up as docs/airflow.md says, for the workspace of the world."""
    # Retries are there, without their five minutes.
    settings = {
        "VITALS_WORKSPACE": str(world.workspace.folder),
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
    }

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return called("airflow", *arguments, environment=airflow_environment | settings)

    for arguments in (("db", "migrate"), ("pools", "set", "vitals_warehouse", "1", "one writer")):
        finished = run(*arguments)
        assert finished.returncode == 0, finished.stderr
    return run


def day_after_monday(week: date) -> str:
    """A logical date whose data interval ends on the Monday after the week, in whatever time zone."""
    return str(week + WEEK + timedelta(days=1))


@pytest.fixture(scope="module")
def reviewed(airflow: Airflow, world: World) -> subprocess.CompletedProcess[str]:
    return airflow("dags", "test", "weekly_review", day_after_monday(world.week))


def newest_run(environment: dict[str, str]) -> tuple[str, dict[str, tuple[str, int]]]:
    """The id of the last DAG run, and the state and number of tries of each of its tasks."""
    with sqlite3.connect(Path(environment["AIRFLOW_HOME"]) / "airflow.db") as metadata:
        [run_id] = metadata.execute("select run_id from dag_run order by id desc limit 1").fetchone()
        rows = metadata.execute(
            "select task_id, state, try_number from task_instance where run_id = ?", [run_id]
        ).fetchall()
    return run_id, {task: (state, tries) for task, state, tries in rows}


def releases(workspace: Workspace) -> set[str]:
    return {path.name for path in workspace.releases.iterdir()}


def published_week(workspace: Workspace) -> date:
    with duckdb.connect(str(workspace.published_database), read_only=True) as connection:
        [[week]] = connection.sql("select distinct review_week from marts.customers").fetchall()
    return week


def differences(one: Path, other: Path) -> dict[str, int]:
    """Rows of either published warehouse that the other lacks, by table; tables without any are left out."""
    found = {}
    with duckdb.connect() as connection:
        for name, path in (("one", one), ("other", other)):
            connection.sql(f"attach '{path}' as {name} (read_only)")
        columns: dict[str, list[str]] = {}
        for table, column in connection.sql(
            "select schema_name || '.' || table_name, column_name from duckdb_columns() "
            "where database_name = 'one' and schema_name in ('marts', 'ops') order by column_index"
        ).fetchall():
            columns.setdefault(table, []).append(column)
        assert {"marts.customers", "ops.model_metrics"} <= set(columns)
        for table in set(columns) - {"ops.runs"}:
            compared = ", ".join(name for name in columns[table] if name not in OF_ONE_RUN)
            sides = [f"select {compared} from {name}.{table}" for name in ("one", "other")]
            [[rows]] = connection.sql(
                f"select count(*) from ((({sides[0]}) except all ({sides[1]})) "
                f"union all (({sides[1]}) except all ({sides[0]})))"
            ).fetchall()
            if rows:
                found[table] = rows
    return found


def test_all_steps_succeed_and_the_week_is_published(
    airflow_environment: dict[str, str], reviewed: subprocess.CompletedProcess[str], world: World
) -> None:
    assert reviewed.returncode == 0, reviewed.stdout[-4000:]
    run_id, tasks = newest_run(airflow_environment)
    assert tasks == dict.fromkeys(STEPS, ("success", 1))
    release = world.workspace.current_release.resolve()
    # One id for the run and its release, in the letters that a folder can bear.
    assert release.name == "airflow-" + run_id.replace(":", "-").replace("+", "-")
    assert published_week(world.workspace) == world.week
    assert (release / "report" / "index.html").is_file()
    assert list((release / "lists").glob("*.csv"))


def test_tables_are_those_of_vitals_run(
    airflow_environment: dict[str, str], reviewed: subprocess.CompletedProcess[str], world: World
) -> None:
    assert reviewed.returncode == 0
    finished = called(
        "vitals",
        *("run", "--workspace", world.twin.folder, "--week", world.week),
        environment=airflow_environment,
    )
    assert finished.returncode == 0, finished.stderr
    assert differences(world.workspace.published_database, world.twin.published_database) == {}


def test_publishing_once_more_is_a_release_of_its_own(
    airflow: Airflow,
    airflow_environment: dict[str, str],
    reviewed: subprocess.CompletedProcess[str],
    world: World,
) -> None:
    assert reviewed.returncode == 0
    before = world.workspace.current_release.resolve()
    run_id, _ = newest_run(airflow_environment)
    # As when the task of a finished run is cleared: the same run, and so the same id.
    finished = airflow("tasks", "test", "weekly_review", "publish", run_id)
    assert finished.returncode == 0, finished.stdout[-4000:]
    after = world.workspace.current_release.resolve()
    assert after.name == f"{before.name}-2"
    assert differences(before / "warehouse.duckdb", after / "warehouse.duckdb") == {}


def test_failed_review_leaves_the_release_as_it_was(
    airflow: Airflow,
    airflow_environment: dict[str, str],
    reviewed: subprocess.CompletedProcess[str],
    world: World,
) -> None:
    assert reviewed.returncode == 0
    workspace = world.workspace
    release, known = workspace.current_release.resolve(), releases(workspace)
    published = workspace.published_database.read_bytes()
    good = workspace.events_file.read_bytes()
    workspace.events_file.write_bytes(good + b"neither,enough\n")
    failed = airflow("dags", "test", "weekly_review", day_after_monday(world.newest_week))
    workspace.events_file.write_bytes(good)
    assert failed.returncode != 0
    # The log of the task says what to mend.
    assert str(workspace.events_file) in failed.stdout
    first, *others = STEPS
    _, tasks = newest_run(airflow_environment)
    assert tasks == {first: ("failed", 1)} | dict.fromkeys(others, ("upstream_failed", 0))
    assert workspace.current_release.resolve() == release
    assert releases(workspace) == known
    assert workspace.published_database.read_bytes() == published
