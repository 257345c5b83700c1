"""A running Airflow on loopback, worked through its REST API: reviews to success, to failure, and twice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from bench.running_airflow import Running, free_port, started
from pipeline.review import STEPS
from pipeline.weeks import WEEK
from tests.business import Business, copy_business, copy_workspace

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def business(tmp_path_factory: pytest.TempPathFactory) -> Business:
    made = copy_workspace(tmp_path_factory.mktemp("running") / "world")
    simulated = made.vitals("simulate", "--customers", "250", "--weeks", "30")
    assert simulated.code == 0, simulated.said
    return made


@pytest.fixture(scope="module")
def twin(business: Business, tmp_path_factory: pytest.TempPathFactory) -> Business:
    """The same business before its first review."""
    return copy_business(business, tmp_path_factory.mktemp("twin") / "world")


@pytest.fixture(scope="module")
def airflow(
    airflow_environment: dict[str, str],
    business: Business,
    twin: Business,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:
    """`airflow standalone` as docs/airflow.md says, with the retries of the DAGs at once."""
    port = free_port()
    environment = airflow_environment | {
        "VITALS_WORKSPACE": str(business.folder),
        # Less than any whole review takes.
        "VITALS_ALERT_AFTER_HOURS": str(10 / 3600),
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
    }
    for arguments in (("db", "migrate"), ("pools", "set", "vitals_warehouse", "1", "one writer")):
        done = subprocess.run(
            [BIN / "airflow", *arguments], env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
    said = tmp_path_factory.mktemp("log") / "standalone.log"
    with said.open("w") as log:
        process = subprocess.Popen(
            [BIN / "airflow", "standalone"], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield started(f"http://127.0.0.1:{port}", Path(environment["AIRFLOW_HOME"]), said)
    finally:
        # It ends its own processes on an interrupt.
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
        # Where it is slow to end them, some of its own outlive it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def first_review(airflow: Running) -> str:
    """The DAG run of a first review, triggered through the API."""
    # Not scheduled yet: the schedule is looked at by a test of its own.
    run_id = airflow.trigger("weekly_review")
    airflow.unpause("weekly_review")
    began = time.monotonic()
    state = airflow.wait_for("weekly_review", run_id)
    assert state == "success", airflow.tasks("weekly_review", run_id)
    print(f"from trigger to success: {time.monotonic() - began:.0f} s")
    return run_id


def test_a_review_is_triggered_to_success(airflow: Running, business: Business, first_review: str) -> None:
    assert airflow.tasks("weekly_review", first_review) == dict.fromkeys(STEPS, "success")
    assert (business.current / "report" / "index.html").is_file()
    assert "is complete" in airflow.log("weekly_review", first_review, "load")


def test_a_review_that_takes_too_long_raises_the_alert(
    airflow_environment: dict[str, str], first_review: str
) -> None:
    logs = Path(airflow_environment["AIRFLOW_HOME"]) / "logs" / "executor_callbacks" / "weekly_review"
    ends_at = time.monotonic() + 60
    said = ""
    while "is not published yet" not in said and time.monotonic() < ends_at:
        said = "".join(path.read_text() for path in logs.glob(f"{first_review}/*"))
        time.sleep(1)
    assert f"The weekly review {first_review} is not published yet" in said
    assert "readers still see the last release: file://" in said


def test_a_manual_run_does_not_disturb_the_schedule(airflow: Running, first_review: str) -> None:
    runs = airflow.ask("GET", "/api/v2/dags/weekly_review/dagRuns")["dag_runs"]
    scheduled = [run for run in runs if run["run_type"] == "scheduled"]
    assert len(scheduled) == 1
    following = airflow.ask("GET", "/api/v2/dags/weekly_review")["next_dagrun_data_interval_start"]
    assert following == scheduled[0]["data_interval_end"]


def test_two_runs_of_one_week_publish_once(airflow: Running, business: Business, first_review: str) -> None:
    released = business.current.resolve()
    run_id = airflow.trigger("weekly_review", week=published_week(business))
    assert airflow.wait_for("weekly_review", run_id) == "success"
    assert airflow.tasks("weekly_review", run_id) == dict.fromkeys(STEPS, "skipped")
    assert "nothing is published twice" in airflow.log("weekly_review", run_id, "load")
    assert business.current.resolve() == released


def test_one_step_of_one_week_is_run_again(airflow: Running, business: Business, first_review: str) -> None:
    released = business.current.resolve()
    run_id = airflow.trigger("weekly_review", week=published_week(business), step="report")
    assert airflow.wait_for("weekly_review", run_id) == "success"
    assert airflow.tasks("weekly_review", run_id) == dict.fromkeys(STEPS, "skipped") | {"report": "success"}
    assert business.current.resolve() == released


def test_a_run_that_fails_publishes_nothing_and_says_why(
    airflow: Running, business: Business, first_review: str
) -> None:
    released = business.current.resolve()
    catalogue = business.folder / "events.csv"
    good = catalogue.read_bytes()
    catalogue.write_bytes(good + b"neither,enough\n")
    try:
        run_id = airflow.trigger("weekly_review", week=published_week(business), again=True)
        assert airflow.wait_for("weekly_review", run_id) == "failed"
    finally:
        catalogue.write_bytes(good)
    first, *others = STEPS
    assert airflow.tasks("weekly_review", run_id) == {first: "failed"} | dict.fromkeys(
        others, "upstream_failed"
    )
    assert business.current.resolve() == released
    # Settings that cannot be used: another try would end as the first.
    said = airflow.log("weekly_review", run_id, first)
    assert "The review failed at load: vitals: " in said
    assert str(catalogue) in said


def test_hourly_loading_is_skipped_where_nothing_is_new(
    airflow: Running, business: Business, first_review: str
) -> None:
    airflow.unpause("load_events")
    run_id = airflow.trigger("load_events")
    assert airflow.wait_for("load_events", run_id) == "success"
    assert airflow.tasks("load_events", run_id) == {"load": "skipped"}


def test_a_run_in_the_place_of_the_schedules_own_is_refused(airflow: Running, first_review: str) -> None:
    # A Monday 05:00 in Berlin.
    run_id = airflow.trigger("weekly_review", logical_date="2025-12-22T04:00:00Z")
    assert airflow.wait_for("weekly_review", run_id) == "failed"
    assert "belongs to the schedule" in airflow.log("weekly_review", run_id, "load")


def test_backfill_gives_what_the_command_gives(
    airflow: Running, business: Business, twin: Business, first_review: str
) -> None:
    airflow.end_scheduled_runs("weekly_review")
    newest = date.fromisoformat(published_week(business))
    first, last = newest - 3 * WEEK, newest - 2 * WEEK
    backfill = airflow.ask(
        "POST",
        "/api/v2/backfills",
        {
            "dag_id": "weekly_review",
            "from_date": f"{first}T00:00:00Z",
            "to_date": f"{last + timedelta(days=1)}T00:00:00Z",
            "max_active_runs": 1,
        },
    )
    runs = airflow.wait_for_backfill("weekly_review", backfill["id"], weeks=2)
    assert list(runs.values()) == ["success", "success"]
    for arguments in (("run",), ("backfill", "--from", str(first), "--to", str(last))):
        done = twin.vitals(*arguments)
        assert done.code == 0, done.said
    assert reviewed_weeks(business) == reviewed_weeks(twin) == [first, last, newest]
    # What says by which run or when a row was written is left out.
    assert business.fingerprints("marts", "features") == twin.fingerprints("marts", "features")


def reviewed_weeks(business: Business) -> list[date]:
    return [week for (week,) in business.built("select review_week from ops.reviewed_weeks order by all")]


def published_week(business: Business) -> str:
    return str(business.published("select max(review_week) from marts.customer_weeks")[0][0])
