"""The DAGs as Airflow reads them: their schedules, their tasks, and what their commands are given."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline import cli
from pipeline.review import STEPS
from pipeline.workspace import WORKSPACES_FOLDER, find_workspace

PROJECT = Path(__file__).resolve().parents[2]
# A tag is a filter in Airflow's list of DAGs; a new one has to be worth a place here.
TAGS = {"vitals", "weekly", "hourly"}
NOT_AT_DAG_IMPORT = {
    "dbt",
    "duckdb",
    "great_expectations",
    "pandas",
    "plotly",
    "pyarrow",
    "sklearn",
    "sqlalchemy",
}
OURS = {"expectations", "ml", "pipeline", "report", "simulation"}

# What a manual run is asked for, and the week that the demo (Europe/Berlin) is to review then.
WEEKS = {
    "Monday at five in winter": ("2025-12-22T05:00+01:00", None, "2025-12-21"),
    "a minute before it": ("2025-12-22T04:59+01:00", None, "2025-12-14"),
    "Monday at five in summer": ("2025-07-07T05:00+02:00", None, "2025-07-06"),
    "a minute before it in summer": ("2025-07-07T04:59+02:00", None, "2025-06-29"),
    "the Monday after the clocks went forward": ("2025-03-31T05:00+02:00", None, "2025-03-30"),
    "the Monday after the clocks went back": ("2025-10-27T05:00+01:00", None, "2025-10-26"),
    "a Tuesday": ("2025-12-23T00:00+00:00", None, "2025-12-21"),
    "a Sunday": ("2025-12-28T23:59+01:00", None, "2025-12-21"),
    "the parameter before the date": ("2025-12-23T00:00+00:00", "2025-11-05", "2025-11-05"),
    "the parameter alone": (None, "2025-11-05", "2025-11-05"),
    "neither: the command chooses": (None, None, ""),
}
REFUSED = ("2025-13-01", "last week", "", "2025-12-22; reboot", "{{ 7 * 7 }}", 20251222)
RUN_IDS = (
    "manual__2026-11-22T14:04:10.701581+00:00",
    "scheduled__2025-12-22T04:00:00+00:00",
    "../../etc; $(reboot) `x` 'y' \"z\" Größe",
    "--workspace",
    "x" * 250,
)


@pytest.fixture(scope="module")
def answer(airflow_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What read_dags.py says: of the demo, of a workspace in Auckland, of one that is not there."""
    auckland = tmp_path_factory.mktemp("workspace in Auckland")
    (auckland / "review.toml").write_text('time_zone = "Pacific/Auckland"\n', encoding="utf-8")
    runs = [{"run_id": "r", "logical_date": date, "week": week} for date, week, _ in WEEKS.values()]
    runs += [{"run_id": "r", "logical_date": None, "week": week} for week in REFUSED]
    runs += [{"run_id": run_id, "logical_date": None, "week": None} for run_id in RUN_IDS]
    finished = subprocess.run(
        [sys.executable, Path(__file__).with_name("read_dags.py")],
        input=json.dumps(
            {
                "workspaces": [None, str(auckland), "nowhere"],
                "alert_after": "soon",
                "runs": runs,
                "exit_codes": [0, 1, 2, 75, 99],
            }
        ),
        env=airflow_environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout.splitlines()[-1])


@pytest.fixture
def review(answer: dict[str, Any]) -> dict[str, Any]:
    return answer["workspaces"][0]["dags"]["weekly_review"]


@pytest.fixture
def review_in_auckland(answer: dict[str, Any]) -> dict[str, Any]:
    return answer["workspaces"][1]["dags"]["weekly_review"]


def test_there_are_dags_and_all_can_be_read(answer: dict[str, Any]) -> None:
    for workspace in answer["workspaces"][:2]:
        assert set(workspace["dags"]) == {"load_events", "weekly_review"}
        assert workspace["import_errors"] == {}


def test_a_workspace_that_is_not_there_is_named(answer: dict[str, Any]) -> None:
    nowhere = answer["workspaces"][2]
    assert nowhere["dags"] == {}
    assert len(nowhere["import_errors"]) == 2
    for message in nowhere["import_errors"].values():
        assert str(WORKSPACES_FOLDER / "nowhere" / "review.toml") in message


def test_an_alert_after_no_number_of_hours_is_refused(answer: dict[str, Any]) -> None:
    (message,) = [text for text in answer["errors_of_alert_after"].values() if "ALERT" in text]
    assert "VITALS_ALERT_AFTER_HOURS is 'soon', which is no number of hours such as 24" in message


def test_reading_the_dags_is_cheap(answer: dict[str, Any]) -> None:
    assert answer["workspaces"][0]["seconds"] < 1
    assert not set(answer["modules"]) & (NOT_AT_DAG_IMPORT | OURS)


def test_tasks_are_the_steps_one_after_another(review: dict[str, Any]) -> None:
    assert [task["id"] for task in review["tasks"]] == list(STEPS)
    assert [task["after"] for task in review["tasks"]] == [[], *([step] for step in STEPS[:-1])]


def test_every_task_takes_the_slot_of_the_warehouse_and_is_tried_again(answer: dict[str, Any]) -> None:
    for dag in answer["workspaces"][0]["dags"].values():
        for task in dag["tasks"]:
            assert task["pool"] == "vitals_warehouse"
            assert (task["retries"], task["retry_delay_seconds"]) == (2, 300)
            assert 0 < task["timeout_hours"] <= 24
            assert task["on_failure"] == ["say_what_failed"]
            assert f"vitals {task['id']}" in task["doc"]


def test_what_another_try_cannot_mend_is_not_tried_again(answer: dict[str, Any]) -> None:
    for name, dag in answer["workspaces"][0]["dags"].items():
        assert dag["answers"] | {"75": ""} == {
            "0": "True",
            "1": "AirflowException: it said so",
            "2": "AirflowFailException: it said so",
            "75": "",
            "99": "AirflowSkipException: it said so",
        }
        if name == "weekly_review":
            assert dag["answers"]["75"] == "False"


def test_waiting_leaves_the_slot_to_others(review: dict[str, Any]) -> None:
    assert all(task["frees_its_slot"] for task in review["tasks"])


def test_a_review_that_is_late_is_told(review: dict[str, Any]) -> None:
    assert review["deadline_hours"] == [24]


def test_one_step_of_one_week_can_be_asked_for(review: dict[str, Any]) -> None:
    assert set(review["params"]) == {"week", "step", "again"}
    assert review["params"]["step"]["enum"] == [None, *STEPS]
    # A step that is left out must not leave out those after it.
    assert {task["trigger_rule"] for task in review["tasks"]} == {"none_failed"}


def test_the_page_is_linked(review: dict[str, Any]) -> None:
    page = find_workspace("demo").current_release / "report" / "index.html"
    assert f"({page.as_uri()})" in review["doc"]


def test_publishing_is_told_to_airflow(review: dict[str, Any]) -> None:
    outlets = {task["id"]: task["outlets"] for task in review["tasks"] if task["outlets"]}
    assert outlets == {"publish": ["vitals_release"]}
    assert review["tasks"][0]["inlets"] == ["vitals_events"]


def test_loading_is_hourly_and_told_to_airflow(answer: dict[str, Any]) -> None:
    load_events = answer["workspaces"][0]["dags"]["load_events"]
    assert load_events["timetable"]["expression"] == "0 * * * *"
    assert not load_events["catchup"]
    assert load_events["max_active_runs"] == 1
    assert [(task["id"], task["outlets"]) for task in load_events["tasks"]] == [("load", ["vitals_events"])]


def test_schedule_is_monday_at_five_where_the_business_is(
    review: dict[str, Any], review_in_auckland: dict[str, Any]
) -> None:
    zone = find_workspace("demo").settings.time_zone
    assert review["timetable"] == {"expression": "0 5 * * MON", "timezone": zone}
    assert review["scheduled"]["at"] == "2025-12-22 04:00:00+00:00"
    assert review_in_auckland["timetable"]["timezone"] == "Pacific/Auckland"
    # Five in the morning there is the afternoon of Sunday in UTC.
    assert review_in_auckland["scheduled"]["at"] == "2025-12-21 16:00:00+00:00"
    assert not review["catchup"]
    # One that waits for its week must not keep others from theirs.
    assert review["max_active_runs"] > 1


def test_scheduled_run_reviews_the_week_that_ended_at_midnight(
    review: dict[str, Any], review_in_auckland: dict[str, Any]
) -> None:
    for dag in (review, review_in_auckland):
        weeks = {environment["VITALS_WEEK"] for environment in dag["scheduled"]["environments"]}
        assert weeks == {"2025-12-21"}


@pytest.mark.parametrize("case", WEEKS)
def test_manual_run_reviews_what_it_is_asked_for(review: dict[str, Any], case: str) -> None:
    run = review["runs"][list(WEEKS).index(case)]
    assert {environment["VITALS_WEEK"] for environment in run["environments"]} == {WEEKS[case][-1]}


@pytest.mark.parametrize("week", REFUSED)
def test_what_is_no_date_is_refused_before_anything_runs(review: dict[str, Any], week: Any) -> None:
    run = review["runs"][len(WEEKS) + REFUSED.index(week)]
    assert "week" in run["refused"]


@pytest.mark.parametrize("run_id", RUN_IDS)
def test_all_tasks_of_a_run_share_an_id_that_the_command_takes(review: dict[str, Any], run_id: str) -> None:
    run = review["runs"][len(WEEKS) + len(REFUSED) + RUN_IDS.index(run_id)]
    ids = {environment["VITALS_RUN_ID"] for environment in run["environments"]}
    assert len(run["environments"]) == len(STEPS)
    assert len(ids) == 1
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", ids.pop())


def test_tasks_work_in_the_workspace_whose_zone_was_read(
    review: dict[str, Any], review_in_auckland: dict[str, Any]
) -> None:
    for task in review["tasks"]:
        assert find_workspace(task["environment"]["VITALS_WORKSPACE"]) == find_workspace("demo")
    for task in review_in_auckland["tasks"]:
        assert Path(task["environment"]["VITALS_WORKSPACE"]).name.startswith("workspace in Auckland")


def test_tags_are_of_the_closed_list_and_the_docstring_is_shown(answer: dict[str, Any]) -> None:
    for name, dag in answer["workspaces"][0]["dags"].items():
        assert dag["tags"]
        assert set(dag["tags"]) <= TAGS
        assert dag["doc"].split("\n[")[0].strip() in (PROJECT / "dags" / f"{name}.py").read_text(
            encoding="utf-8"
        )


def test_an_empty_week_lets_the_command_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("pipeline.review.run_review", lambda *arguments: asked.append(arguments[2]))
    for week in ("", "2025-12-21"):
        monkeypatch.setenv("VITALS_WEEK", week)
        assert CliRunner().invoke(cli.app, ["features"]).exit_code == 0
    assert [str(week) for week in asked] == ["None", "2025-12-15"]
