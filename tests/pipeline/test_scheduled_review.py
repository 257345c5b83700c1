"""A review that a scheduler runs step by step waits, says so, and reads only what was there when it began."""

from __future__ import annotations

import errno
import shutil
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.completeness import judge_completeness
from pipeline.errors import VitalsError
from pipeline.review import STEPS
from pipeline.runlog import RunLog, read_runs
from pipeline.warehouse import Warehouse
from pipeline.workspace import WORKSPACES_FOLDER, find_workspace
from tests.business import Business, copy_business, run_log

A_DAY_LATER = timedelta(days=1)
# Beyond what the kernel numbers.
NO_PROCESS = 2**22 + 1


@pytest.fixture
def business(reviewed: Business, tmp_path: Path) -> Business:
    return copy_business(reviewed, tmp_path / "demo")


def last_file(business: Business) -> Path:
    return max(business.landing.iterdir())


def land_a_day_later(business: Business) -> Path:
    """One more file, with the events of the last day a day later."""
    last = last_file(business)
    day = date.fromisoformat(last.name.removeprefix("events-").removesuffix(".jsonl"))
    text = last.read_text(encoding="utf-8").replace(str(day), str(day + A_DAY_LATER))
    # A share of the lines is from days before: their ids come a second time, which is no matter here.
    following = last.with_name(last.name.replace(str(day), str(day + A_DAY_LATER)))
    following.write_text(text, encoding="utf-8")
    return following


def test_a_week_that_stands_published_is_left_as_it_is(business: Business) -> None:
    released = business.current.resolve()
    answer = business.vitals("load", "--for-review", VITALS_RUN_ID="airflow-second")
    assert answer.code == 99
    assert "stands published" in answer.said
    assert "nothing is published twice" in answer.said
    assert business.current.resolve() == released


def test_a_review_refused_after_loading_says_why(business: Business) -> None:
    refused = business.vitals("load", "--for-review", "--week", "2001-01-01", VITALS_RUN_ID="airflow-old")
    assert refused.code == 2
    assert "lies before the data" in refused.said
    last = run_log(business)[-1]
    assert (last["run_id"], last["event"]) == ("airflow-old", "run_failed")
    assert "lies before the data" in business.vitals("status").said.partition("why airflow-old failed: ")[2]


def test_files_that_land_during_a_review_wait_for_its_end(business: Business) -> None:
    begun = business.vitals("load", "--for-review", "--again", VITALS_RUN_ID="airflow-first")
    assert begun.code == 0, begun.said
    assert "is complete" in begun.said
    following = land_a_day_later(business)
    held = business.vitals("load")
    assert held.code == 0, held.said
    assert "nothing is loaded now: the review airflow-first" in held.said
    assert business.vitals("load", "--if-new").code == 99
    assert business.vitals("load", "--for-review", VITALS_RUN_ID="airflow-second").code == 75
    other = business.vitals("run")
    assert other.code == 1
    assert "the review airflow-first" in other.said
    for step in STEPS[1:]:
        done = business.vitals(step, VITALS_RUN_ID="airflow-first")
        assert done.code == 0, done.said
    assert business.current.resolve().name == "airflow-first"
    files = "select count(*) from ops.loads where file_name = '" + following.name + "'"
    assert business.published(files) == [(0,)]
    after = business.vitals("load", "--if-new")
    assert after.code == 0, after.said
    assert "1 new files" in after.said


def test_a_workspace_that_was_moved_goes_on(business: Business, tmp_path: Path) -> None:
    released = business.current.resolve().name
    moved = Business(business.folder.rename(tmp_path / "elsewhere"))
    assert moved.vitals("load", "--for-review", VITALS_RUN_ID="airflow-moved").code == 99
    assert moved.current.resolve().name == released
    assert land_a_day_later(moved).is_file()
    loaded = moved.vitals("load", "--if-new")
    assert loaded.code == 0, loaded.said
    assert "1 new files" in loaded.said
    published = moved.vitals("run")
    assert published.code == 0, published.said
    assert moved.current.resolve().parent == tmp_path / "elsewhere" / "data" / "serving" / "releases"


def test_a_review_that_failed_gives_way(business: Business) -> None:
    assert business.vitals("load", "--for-review", "--again", VITALS_RUN_ID="airflow-first").code == 0
    shutil.rmtree(business.data / "build" / "candidate")
    failed = business.vitals("publish", VITALS_RUN_ID="airflow-first")
    assert failed.code == 1
    assert "has no page" in failed.said
    # What landed waits all the same: the task may be tried again.
    assert business.vitals("load", "--if-new").code == 99
    begun = business.vitals("load", "--for-review", "--again", VITALS_RUN_ID="airflow-second")
    assert begun.code == 0, begun.said


def test_a_review_whose_process_was_killed_gives_way(business: Business) -> None:
    assert business.vitals("load", "--for-review", "--again", VITALS_RUN_ID="airflow-first").code == 0
    # As a kill amid `features` leaves the run log.
    killed = RunLog(business.data / "build" / "runs.jsonl", "airflow-first")
    killed.write("run_started", steps=["features"], process=NO_PROCESS)
    killed.write("step_started", step="features", review_week=week_of(business), process=NO_PROCESS)
    held = business.vitals("load")
    assert held.code == 0, held.said
    assert "failed in a step and may be repeated" in held.said
    assert "failed in a step and may be repeated" in business.vitals("status").said
    begun = business.vitals("load", "--for-review", "--again", VITALS_RUN_ID="airflow-second")
    assert begun.code == 0, begun.said


def test_status_shows_a_review_under_way_and_one_that_waits(business: Business) -> None:
    assert "review:" not in business.vitals("status").said
    week = week_of(business)
    begun = business.vitals("load", "--for-review", "--again", VITALS_RUN_ID="airflow-first")
    assert begun.code == 0, begun.said
    waits = business.vitals("load", "--for-review", "--again", "--week", week, VITALS_RUN_ID="airflow-second")
    assert waits.code == 75
    coming = business.vitals(
        "load", "--for-review", "--week", this_week(business), VITALS_RUN_ID="airflow-third"
    )
    assert coming.code == 75
    said = business.vitals("status").said
    assert f"review: the review airflow-first of the week of {week} is under way" in said
    assert "waiting: airflow-second, last looked " in said
    assert "this one waits until it is published" in said
    assert "waiting: airflow-third, last looked " in said
    assert len(said.splitlines()) <= 24
    samples = (business.data / "metrics" / "vitals.prom").read_text(encoding="utf-8")
    assert 'status="waiting"' not in samples
    for step in STEPS[1:]:
        assert business.vitals(step, VITALS_RUN_ID="airflow-first").code == 0
    after = business.vitals("status").said
    assert "review:" not in after
    # It has not looked since.
    assert "waiting: airflow-second" in after


def test_a_week_whose_last_day_is_missing_is_gone_on_with_and_said(business: Business) -> None:
    last_file(business).unlink()
    (business.data / "build" / "build.duckdb").unlink()
    begun = business.vitals("load", "--for-review", "--week", week_of(business), VITALS_RUN_ID="airflow-late")
    assert begun.code == 0, begun.said
    assert "not complete, and the deadline has passed" in begun.said
    assert "collector has come to" in begun.said
    [entry] = [line for line in run_log(business) if line["event"] == "review_begun"]
    assert entry["is_complete"] is False


def this_week(business: Business) -> str:
    """A day of the week that has begun, of which the demo has no events."""
    zone = find_workspace(str(business.folder)).settings.time_zone
    return str(datetime.now(ZoneInfo(zone)).date())


def week_of(business: Business) -> str:
    return str(business.published("select max(review_week) from marts.customer_weeks")[0][0])


def test_before_the_deadline_it_is_waited_for(business: Business, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = find_workspace(str(business.folder))
    week = date.fromisoformat(week_of(business))
    with Warehouse(workspace.build_database, workspace.settings.warehouse) as warehouse:
        found = judge_completeness(warehouse, workspace.settings, week)
        assert found.is_complete
        # Monday 17:00, business time.
        assert f"{found.deadline:%A %H:%M}" == "Monday 17:00"
        warehouse.run("delete from raw.events where occurred_at >= ?", [week + timedelta(days=6)])
        found = judge_completeness(warehouse, workspace.settings, week)
    assert not found.is_complete
    monkeypatch.setattr("pipeline.completeness.Completeness.is_past_deadline", False)
    assert "It is waited for until" in found.in_words()


def test_a_week_whose_data_is_still_to_come_is_waited_for(business: Business) -> None:
    week = this_week(business)
    answer = business.vitals("load", "--for-review", "--week", week, VITALS_RUN_ID="airflow-coming")
    assert answer.code == 75
    assert "has no data" in answer.said
    assert "It is waited for until" in answer.said


def test_a_week_that_cannot_come_is_refused_and_not_waited_for(business: Business) -> None:
    # One that is over, one that has not begun, and days beyond what calendars and time zones know.
    for week, remedy in (
        ("1999-03-05", "Give --week a day between them"),
        ("2199-03-05", "Give --week a day between them"),
        ("0001-01-01", "give a day of the years 1970 to 2200"),
        ("9999-12-31", "give a day of the years 1970 to 2200"),
    ):
        answer = business.vitals("load", "--for-review", "--week", week, VITALS_RUN_ID="airflow-missing")
        assert answer.code == 2, week
        assert remedy in answer.said
        assert "Traceback" not in answer.said


def test_a_week_with_a_few_events_that_has_not_begun_is_not_waited_for(
    business: Business, monkeypatch: pytest.MonkeyPatch
) -> None:
    last_file(business).unlink()
    (business.data / "build" / "build.duckdb").unlink()
    monkeypatch.setattr("pipeline.completeness.Completeness.is_past_deadline", False)
    monkeypatch.setattr("pipeline.beginning.has_begun", lambda *_: False)
    monkeypatch.setenv("VITALS_RUN_ID", "monday")
    done = CliRunner().invoke(
        app, ["load", "--for-review", "--workspace", str(business.folder), "--week", week_of(business)]
    )
    assert done.exit_code == 2
    said = " ".join(done.output.split())
    assert "has not begun yet" in said
    assert "Give --week a day that has been" in said


def test_a_review_needs_the_id_of_its_run(business: Business) -> None:
    answer = business.vitals("load", "--for-review", VITALS_RUN_ID="")
    assert answer.code == 2
    assert "VITALS_RUN_ID=monday" in answer.said


def test_again_belongs_to_a_review(business: Business) -> None:
    answer = business.vitals("load", "--again")
    assert answer.code == 2
    assert "--for-review" in answer.said


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("Permission denied", "Give whoever runs `vitals` the right to write there"),
        ("Read-only file system", "Give whoever runs `vitals` the right to write there"),
        ("No space left on device", "Make room"),
        ("No such words", "Move the file away and run `vitals run`"),
    ],
)
def test_a_review_that_cannot_open_its_database_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, remedy: str
) -> None:
    folder = tmp_path / "Permission denied"
    shutil.copytree(WORKSPACES_FOLDER / "demo", folder, ignore=shutil.ignore_patterns("data"))

    connect = duckdb.connect

    def refuse(path: str, **options: Any) -> duckdb.DuckDBPyConnection:
        if path == ":memory:":
            return connect(path, **options)
        # As the engine does where there is no room for the first page.
        Path(path).touch()
        raise duckdb.IOException(f'IO Error: Cannot open file "{path}": {words}')

    monkeypatch.setattr("pipeline.warehouse.duckdb.connect", refuse)
    monkeypatch.setenv("VITALS_RUN_ID", "monday")
    done = CliRunner().invoke(app, ["load", "--for-review", "--workspace", str(folder)])
    assert done.exit_code == 1
    said = " ".join(done.output.split())
    assert remedy in said
    assert "Traceback" not in said
    assert not (folder / "data" / "build" / "build.duckdb").exists()
    (run,) = read_runs(folder / "data" / "build" / "runs.jsonl")
    assert run.has_failed
    assert remedy in " ".join(run.message.split())
    assert "vitals_run_succeeded" in (folder / "data" / "metrics" / "vitals.prom").read_text(encoding="utf-8")


def test_a_review_without_the_right_to_make_its_folder_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "demo"
    shutil.copytree(WORKSPACES_FOLDER / "demo", folder, ignore=shutil.ignore_patterns("data"))

    def refuse(path: Path, **_: bool) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setenv("VITALS_RUN_ID", "monday")
    done = CliRunner().invoke(app, ["load", "--for-review", "--workspace", str(folder)])
    assert done.exit_code == 2
    assert "Permission denied" in " ".join(done.output.split())
    with pytest.raises(VitalsError, match="Give whoever runs `vitals` the right to write there"):
        Warehouse(folder / "data" / "build.duckdb", find_workspace(str(folder)).settings.warehouse)
