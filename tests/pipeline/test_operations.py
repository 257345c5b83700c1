"""What the operator sees: ops.runs, status, the lock, logs as JSON lines, metrics and lineage."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from rich.console import Console

from pipeline.lineage import READ_AND_WRITTEN
from pipeline.metrics import METRICS, metrics_text, samples_of, write_metrics
from pipeline.processes import birth_of, is_alive
from pipeline.review import STEPS
from pipeline.runlog import RUNS_COLUMNS, RunLog, read_runs, runs_table
from pipeline.status import show_status
from pipeline.underway import review_under_way_by_log
from pipeline.workspace import PROJECT_FOLDER, Workspace
from tests.business import Business, copy_business, copy_workspace, run_log

PAGE = (PROJECT_FOLDER / "docs" / "operations.md").read_text(encoding="utf-8")
# Beyond what the kernel numbers.
NO_PROCESS = 2**22 + 1
SAMPLE = re.compile(r'^(\w+)\{((?:\w+="[^"]*",?)+)\} (\S+)$')


def metrics_of(business: Business) -> dict[tuple[str, str], float]:
    """Values by name and labels, as a collector reads them."""
    text = (business.data / "metrics" / "vitals.prom").read_text(encoding="utf-8")
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    found = {}
    for line in samples:
        match = SAMPLE.match(line)
        assert match, line
        found[match[1], match[2]] = float(match[3])
    return found


def test_ops_runs_has_a_row_per_run_and_step(reviewed: Business) -> None:
    rows = reviewed.published(
        "select step, step_number, status, tries, is_published from ops.runs where run_id = 'first'"
        " order by step_number"
    )
    assert rows == [(step, number, "done", 1, True) for number, step in enumerate(STEPS, start=1)]
    assert reviewed.published(
        "select column_name, lower(data_type) from information_schema.columns"
        " where table_schema = 'ops' and table_name = 'runs' order by ordinal_position"
    ) == list(RUNS_COLUMNS.items())
    described = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert set(RUNS_COLUMNS) <= described


def test_ops_runs_says_what_each_step_took(reviewed: Business) -> None:
    for step, seconds, rows, read, written, peak, versions, started, finished in reviewed.published(
        "select step, seconds, rows, bytes_read, bytes_written, peak_memory_bytes, versions,"
        " started_at, finished_at from ops.runs where run_id = 'first'"
    ):
        assert seconds > 0, step
        assert started < finished, step
        assert read > 0, step
        assert written > 0, step
        assert 50e6 < peak < 8e9, step
        assert json.loads(versions)["duckdb"] == duckdb.__version__
        # How many rows are published is known only after this table is.
        assert (rows is None) == (step == "publish"), step
    loaded = reviewed.published("select rows from ops.runs where run_id = 'first' and step = 'load'")[0][0]
    assert loaded == reviewed.built("select count(*) from raw.events")[0][0]


def test_a_failed_step_says_so_in_ops_runs_of_the_next_release(reviewed: Business, tmp_path: Path) -> None:
    business = copy_business(reviewed, tmp_path / "demo")
    wrong = business.landing / "events-2099-01-01.jsonl"
    wrong.write_text("{not json\n" * 50, encoding="utf-8")
    assert business.vitals("load", VITALS_RUN_ID="broken").code == 1
    metrics = metrics_of(business)
    assert metrics["vitals_run_succeeded", 'workspace="demo",kind="load"'] == 0
    assert metrics["vitals_run_succeeded", 'workspace="demo",kind="review"'] == 1
    assert metrics["vitals_runs_total", 'workspace="demo",status="failed"'] == 1
    wrong.unlink()
    assert business.vitals("publish", VITALS_RUN_ID="mended").code == 0
    ((status, message, published),) = business.published(
        "select status, message, is_published from ops.runs where run_id = 'broken' and step = 'load'"
    )
    assert status == "failed"
    assert "50 rows, such as events-2099-01-01.jsonl" in message
    assert not published
    assert metrics_of(business)["vitals_run_succeeded", 'workspace="demo",kind="review"'] == 1


def logged(workspace: Workspace, run_id: str, *steps: str, **failure: str) -> None:
    """A run as the log has it: steps that were done, or one that failed or died."""
    log = RunLog(workspace.run_log, run_id)
    died = {"process": NO_PROCESS} if failure.get("message") == "" else {}
    log.write("run_started", steps=list(steps), command="vitals", **died)
    for step in steps:
        log.write("step_started", step=step, review_week=None, **died)
        if step == failure.get("step"):
            if not died:
                log.write_failure(failure["message"], step)
            return
        log.write("step_finished", step=step, review_week=None, seconds=1.0, details={})
    log.write("run_finished")


def shown(workspace: Workspace) -> str:
    """The screen of `vitals status`."""
    console = Console(file=io.StringIO(), width=120)
    show_status(workspace, console)
    return console.file.getvalue()


def test_two_runs_of_a_scheduler_are_told_apart(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, tmp_path / "data")
    for moment in ("2026-11-16T05-00-00", "2026-11-23T05-00-00", "2026-11-23T06-00-00"):
        logged(workspace, f"airflow-load-scheduled__{moment}-00-00", "load")
    console = Console(file=io.StringIO(), width=80)
    show_status(workspace, console)
    table = console.file.getvalue().partition("steps")[2]
    runs = [line.split()[0] for line in table.splitlines() if "load" in line]
    assert runs == [
        "airf…26-11-23T06-00-00-00-00",
        "airf…26-11-23T05-00-00-00-00",
        "airf…26-11-16T05-00-00-00-00",
    ]


@pytest.mark.parametrize(("message", "why"), [("no page", "no page"), ("", "without a word")])
def test_loading_clears_no_alarm_of_a_failed_review(tmp_path: Path, message: str, why: str) -> None:
    workspace = Workspace(tmp_path, tmp_path / "data")
    logged(workspace, "monday", "report", "publish", step="publish", message=message)
    logged(workspace, "hour", "load")

    def succeeded() -> dict[str, float]:
        samples = samples_of(read_runs(workspace.run_log), workspace)
        return {dict(each.labels)["kind"]: each.value for each in samples if "succeeded" in each.name}

    assert succeeded() == {"review": 0, "load": 1}
    assert why in shown(workspace).partition("why monday failed: ")[2]
    # Half a review mends nothing.
    logged(workspace, "half", "features")
    assert succeeded()["review"] == 0
    logged(workspace, "wrong", "load", step="load", message="no such column")
    assert succeeded() == {"review": 0, "load": 0}
    assert "why monday failed: " in shown(workspace)
    assert "why wrong failed: no such column" in shown(workspace)
    logged(workspace, "mended", "load", "publish")
    assert succeeded() == {"review": 1, "load": 1}
    assert "why " not in shown(workspace)


def test_a_load_that_is_repeated_erases_nothing_of_its_earlier_tries(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, tmp_path / "data")
    log = RunLog(workspace.run_log, "poll")
    for files, events in ((1, 50), (0, 0)):
        counts = {"files_loaded": files, "events_loaded": events, "rows": events}
        log.write("run_started", steps=["load"])
        log.write("step_started", step="load", review_week=None)
        log.write("step_finished", step="load", review_week=None, seconds=1.0, details=counts)
        log.write("run_finished")
    runs = read_runs(workspace.run_log)
    values = {each.name: each.value for each in samples_of(runs, workspace)}
    assert values["vitals_events_loaded_total"] == 50
    assert list(runs_table(runs)[["rows", "tries"]].iloc[0]) == [50, 2]
    assert "loaded: 1 files, 50 events;" in shown(workspace)


def test_status_says_what_is_loaded_after_landing_was_read_anew(tmp_path: Path) -> None:
    business = copy_workspace(tmp_path / "demo")
    assert business.vitals("simulate", "--customers", "5", "--weeks", "2").code == 0
    assert business.vitals("load").code == 0
    review = business.folder / "review.toml"
    text = review.read_text(encoding="utf-8")
    review.write_text(
        re.sub(r"^lateness_limit_days = \d+", "lateness_limit_days = 21", text, flags=re.MULTILINE),
        encoding="utf-8",
    )
    again = business.vitals("load")
    assert "raw is built anew" in again.said
    ((files, events),) = business.built("select count(*), sum(events_loaded) from raw.loads")
    assert f"loaded: {files:,} files, {events:,} events;" in business.vitals("status").said


def test_a_step_that_is_refused_at_its_door_has_a_row(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    log = RunLog(path, "one")
    log.write("run_started", steps=["features"])
    log.write_failure("features needs the step load", "features", seconds=0.1)
    log.write("run_started", steps=["load"])
    log.write("step_started", step="load", review_week=None)
    log.write("step_finished", step="load", review_week=None, seconds=2.5, details={"rows": 7})
    log.write("step_started", step="features", review_week="2025-01-06")
    (run,) = read_runs(path)
    table = runs_table([run]).set_index("step")
    assert list(table.index) == ["load", "features"]
    assert list(table["tries"]) == [1, 2]
    assert list(table["status"]) == ["done", "running"]
    assert table.loc["load", "rows"] == 7
    assert run.steps == {"load": 2.5, "features": None}
    assert run.step_under_way is run.done_by_step["features"]


def test_a_line_that_was_cut_off_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text('{"at": "2025-01-01T00:00:00+00:00", "run_id": "cut", "ev', encoding="utf-8")
    RunLog(path, "whole").write("run_started")
    assert [run.run_id for run in read_runs(path)] == ["whole"]


def test_lines_that_say_something_else_are_passed_over(reviewed: Business, tmp_path: Path) -> None:
    business = copy_business(reviewed, tmp_path / "reviewed")
    path = business.data / "build" / "runs.jsonl"
    before = read_runs(path)
    at = datetime.now(UTC).isoformat()
    foreign = (
        "null",
        "[]",
        "{}",
        '{"run_id": "first", "event": "run_failed", "at": "2026-01-05"}',
        json.dumps({"run_id": "first", "event": "step_finished", "at": at}),
        json.dumps({"run_id": "first", "event": 7, "at": at}),
        json.dumps({"run_id": "first", "event": "review_begun", "at": at}),
        json.dumps({"run_id": "first", "event": "run_finished", "at": at, "review_week": "soon"}),
        json.dumps({"run_id": ["first"], "event": "published", "at": at}),
    )
    with path.open("a", encoding="utf-8") as file:
        file.write("\n".join(foreign) + "\n")
    assert [(run.run_id, run.state, run.releases) for run in read_runs(path)] == [
        (run.run_id, run.state, run.releases) for run in before
    ]
    assert business.vitals("status").code == 0


def test_the_lock_and_status_say_who_holds_it_and_since_when(reviewed: Business, tmp_path: Path) -> None:
    held = copy_business(reviewed, tmp_path / "demo")
    with duckdb.connect(str(held.data / "build" / "build.duckdb")):
        # Without a word in the run log: the process and its command.
        assert f"process {os.getpid()}, `" in held.vitals("load").said
        log = RunLog(held.data / "build" / "runs.jsonl", "long")
        log.write("run_started", steps=list(STEPS), command="vitals run --workspace demo")
        log.write("step_started", step="train", review_week="2025-01-06")
        refused = held.vitals("load", VITALS_RUN_ID="second")
        status = held.vitals("status")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    holder = f"process {os.getpid()}, `vitals run --workspace demo`: step train of run long since {today}"
    assert refused.code == 1
    assert holder in refused.said
    assert f"lock: {holder}" in status.said
    assert f"under way: step train of run long since {today}" in status.said
    assert len(status.said.splitlines()) <= 24
    RunLog(held.data / "build" / "runs.jsonl", "long").write("run_finished")
    after = held.vitals("status")
    assert "lock: free" in after.said
    assert "under way: nothing" in after.said


def test_a_run_that_died_is_told_from_one_that_works(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    line = {"at": "2025-01-01T00:00:00+00:00", "run_id": "dead", "process": NO_PROCESS}
    lines = [line | {"event": "run_started"}, line | {"event": "step_started", "step": "load"}]
    path.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    (run,) = read_runs(path)
    assert run.state == "died"
    assert list(runs_table([run])["status"]) == ["died"]


def test_a_number_that_another_process_has_now_is_not_believed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, tmp_path / "data")
    log = RunLog(workspace.run_log, "killed")
    log.write("run_started", steps=["load"])
    log.write("step_started", step="load", review_week=None)
    log.write("review_begun", review_week="2025-01-06", through_load_id=1)
    (run,) = read_runs(workspace.run_log)
    assert run.state == "running"
    # The first process began long before any test.
    first = '"process": 1,'
    text = workspace.run_log.read_text(encoding="utf-8")
    workspace.run_log.write_text(text.replace(f'"process": {os.getpid()},', first), encoding="utf-8")
    runs = read_runs(workspace.run_log)
    assert runs[0].process == 1
    assert runs[0].state == "died"
    assert list(runs_table(runs)["status"]) == ["died"]
    assert review_under_way_by_log(runs).has_failed
    assert "under way: nothing" in shown(workspace)
    # A log of an older version does not say when its processes began.
    older = [json.loads(line) for line in workspace.run_log.read_text(encoding="utf-8").splitlines()]
    for line in older:
        del line["process_birth"]
    workspace.run_log.write_text("".join(json.dumps(line) + "\n" for line in older), encoding="utf-8")
    assert read_runs(workspace.run_log)[0].state == "running"


def test_a_process_that_ended_is_not_alive_before_its_parent_knows() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(ended.pid)
    assert ended.wait() == 0
    assert is_alive(os.getpid(), birth_of(os.getpid()))
    # To the system these mean groups of processes.
    assert not is_alive(0)
    assert not is_alive(-1)


def break_settings(business: Business, file: str) -> None:
    path = business.folder / file
    text = path.read_text(encoding="utf-8")
    broken = text.replace('currency = "', 'currency = "no such ') if file == "review.toml" else "wrong\n"
    path.write_text(broken, encoding="utf-8")


@pytest.mark.parametrize("file", ["review.toml", "events.csv", "playbook.csv"])
def test_broken_settings_leave_a_trace(tmp_path: Path, file: str) -> None:
    business = copy_workspace(tmp_path / "demo")
    workspace = Workspace(business.folder, business.data)
    logged(workspace, "first", *STEPS)
    log = RunLog(workspace.run_log, "first")
    log.write("published", release="first", shown_week="2025-01-06")
    write_metrics(workspace)
    succeeded = ("vitals_run_succeeded", 'workspace="demo",kind="review"')
    assert metrics_of(business)[succeeded] == 1
    break_settings(business, file)
    refused = business.vitals("run", VITALS_RUN_ID="monday")
    assert refused.code == 2
    assert metrics_of(business)[succeeded] == 0
    status = business.vitals("status").said
    assert "why monday failed: " in status
    assert file in status.partition("why monday failed: ")[2]
    # A scheduler begins a review by another way.
    assert business.vitals("load", "--for-review", VITALS_RUN_ID="tuesday").code == 2
    assert file in business.vitals("status").said.partition("why tuesday failed: ")[2]
    # Where nothing was run before, no data is made.
    fresh = copy_workspace(tmp_path / "fresh")
    break_settings(fresh, file)
    assert fresh.vitals("run").code == 2
    assert not (fresh.data / "build").exists()


def test_a_path_with_brackets_is_no_markup(tmp_path: Path) -> None:
    folder = tmp_path / "shop[/bold]"
    workspace = Workspace(folder, folder / "data")
    assert shown(workspace).startswith(f"bold]  {folder}\n")
    logged(workspace, "one", "load")
    assert shown(workspace).startswith(f"bold]  {folder}\n")


def test_the_line_of_a_command_that_failed_says_of_what_it_speaks(tmp_path: Path) -> None:
    business = copy_workspace(tmp_path / "demo")
    failed = business.vitals("run", VITALS_LOG_FORMAT="json", VITALS_RUN_ID="monday")
    assert failed.code == 1
    line = json.loads(failed.said.splitlines()[-1])
    assert (line["event"], line["workspace"]) == ("command_failed", "demo")
    assert (line["run_id"], line["step"]) == ("monday", "load")
    early = json.loads(business.vitals("run", "--week", "soon", VITALS_LOG_FORMAT="json").said)
    assert (early["event"], early["workspace"]) == ("command_failed", "demo")


def test_a_message_of_ops_runs_is_the_reason_of_a_failure(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "runs.jsonl", "one")
    log.write("run_started", steps=["load", "features"])
    log.write("step_started", step="load", review_week=None)
    log.write("step_finished", step="load", review_week=None, seconds=1.0, details={}, message="2 new files")
    log.write("step_started", step="features", review_week="2025-01-06")
    log.write_failure("no room", "features")
    assert list(runs_table(read_runs(log.path))["message"]) == ["", "no room"]


def test_logs_as_json_lines_speak_of_run_week_and_step(reviewed: Business, tmp_path: Path) -> None:
    business = copy_business(reviewed, tmp_path / "demo")
    newest = reviewed.published("select max(review_week) from marts.customers")[0][0]
    done = business.vitals("run", "--from", "report", "--log-format", "json", VITALS_RUN_ID="told")
    assert done.code == 0, done.said
    lines = [json.loads(line) for line in done.said.splitlines()]
    assert all(line["workspace"] == "demo" and line["run_id"] == "told" for line in lines[:-3])
    assert [line["event"] for line in lines] == [
        "run_started",
        *("step_started", "step_finished", "step_started", "published", "step_finished", "run_finished"),
        *("page", "lists", "warehouse"),
    ]
    finished = [line for line in lines if line["event"] == "step_finished"]
    assert [line["step"] for line in finished] == ["report", "publish"]
    assert all(line["review_week"] == str(newest) and line["message"] for line in finished)
    assert {line["level"] for line in lines} == {"info"}


def test_a_failure_as_json_lines_is_a_line_of_level_error(reviewed: Business, tmp_path: Path) -> None:
    business = copy_business(reviewed, tmp_path / "demo")
    (business.landing / "wrong.jsonl").write_text("{not json\n" * 9, encoding="utf-8")
    failed = business.vitals("load", VITALS_LOG_FORMAT="json", VITALS_RUN_ID="wrong")
    assert failed.code == 1
    told, command = [json.loads(line) for line in failed.said.splitlines()][-2:]
    assert (told["event"], told["level"], told["step"]) == ("run_failed", "error", "load")
    assert (command["event"], command["level"], command["exit_code"]) == ("command_failed", "error", 1)
    assert command["message"] == told["message"]
    refused = business.vitals("run", "--week", "soon", "--log-format", "json")
    assert refused.code == 2
    assert "'soon'" in json.loads(refused.said)["message"]


def test_metrics_say_what_was_published_and_what_steps_took(reviewed: Business) -> None:
    metrics = metrics_of(reviewed)
    assert {name for name, _ in metrics} <= set(METRICS)
    (end,) = (value for (name, _), value in metrics.items() if "week_end" in name)
    newest = reviewed.published("select max(review_week) from marts.customers")[0][0]
    # Berlin's midnight after the Sunday.
    assert end - datetime(newest.year, newest.month, newest.day, tzinfo=UTC).timestamp() > 6 * 86_400
    assert end - datetime(newest.year, newest.month, newest.day, tzinfo=UTC).timestamp() <= 7 * 86_400
    for step in STEPS:
        assert metrics["vitals_step_duration_seconds", f'workspace="demo",step="{step}"'] > 0
        assert metrics["vitals_step_peak_memory_bytes", f'workspace="demo",step="{step}"'] > 50e6
    events = reviewed.built("select count(*) from raw.events")[0][0]
    assert metrics["vitals_events_loaded_total", 'workspace="demo"'] == events
    assert not [path for path in (reviewed.data / "metrics").iterdir() if path.name != "vitals.prom"]


def test_every_metric_is_documented_and_no_other() -> None:
    documented = set(re.findall(r"^\| `(vitals_\w+)` \|", PAGE, re.MULTILINE))
    assert documented == set(METRICS)


def test_the_query_of_the_page_runs(reviewed: Business) -> None:
    (sql,) = re.findall(r'^\$ vitals query "(.*)"$', PAGE, re.MULTILINE)
    answer = reviewed.vitals("query", sql, "--format", "csv")
    assert answer.code == 0, answer.said
    assert [line.split(",")[0] for line in answer.said.splitlines()] == ["step", *reversed(STEPS)]


def test_a_part_that_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, tmp_path / "data")
    RunLog(workspace.run_log, "one").write("run_started")
    write_metrics(workspace)
    left = workspace.data / "metrics" / f".vitals.prom.{NO_PROCESS}.part"
    left.touch()
    write_metrics(workspace)
    assert [path.name for path in left.parent.iterdir()] == ["vitals.prom"]


def test_labels_are_escaped_and_a_workspace_without_runs_has_no_metrics(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, tmp_path / "data")
    assert samples_of([], workspace) == []
    RunLog(workspace.run_log, "one").write("run_started", versions={"dbt-core": '1"\\'})
    text = metrics_text('a"b', samples_of(read_runs(workspace.run_log), workspace))
    assert 'workspace="a\\"b"' in text
    assert 'dbt_core="1\\"\\\\"' in text
    assert text.endswith("\n")


def test_lineage_is_written_where_it_is_asked_for(reviewed: Business, tmp_path: Path) -> None:
    business = copy_business(reviewed, tmp_path / "demo")
    file = tmp_path / "lineage.jsonl"
    asked = {"VITALS_OPENLINEAGE_FILE": str(file), "OPENLINEAGE_NAMESPACE": "shop", "VITALS_RUN_ID": "drawn"}
    assert business.vitals("run", "--from", "report", **asked).code == 0
    (business.landing / "wrong.jsonl").write_text("{not json\n" * 9, encoding="utf-8")
    assert business.vitals("load", **asked).code == 1
    events = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [(each["job"]["name"], each["eventType"]) for each in events] == [
        ("demo.report", "START"),
        ("demo.report", "COMPLETE"),
        ("demo.publish", "START"),
        ("demo.publish", "COMPLETE"),
        ("demo.load", "START"),
        ("demo.load", "FAIL"),
    ]
    for event in events:
        assert event["schemaURL"].startswith("https://openlineage.io/spec/2-0-2/OpenLineage.json")
        assert event["job"]["namespace"] == "shop"
        assert event["inputs"]
        assert event["outputs"]
        assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
    ids = [event["run"]["runId"] for event in events]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert len({event["run"]["facets"]["parent"]["run"]["runId"] for event in events}) == 1
    assert "wrong.jsonl" in events[-1]["run"]["facets"]["errorMessage"]["message"]


@pytest.mark.parametrize("step", STEPS)
def test_lineage_names_tables_that_there_are(reviewed: Business, step: str) -> None:
    tables = {
        f"{schema}.{table}"
        for schema, table in reviewed.built("select table_schema, table_name from information_schema.tables")
    }
    named = {name for side in READ_AND_WRITTEN[step] for name in side}
    assert {name for name in named if not name.endswith("/")} <= tables
    assert all((reviewed.data / name).is_dir() for name in named if name.endswith("/"))


def test_the_run_log_names_command_versions_and_no_lineage_unasked(reviewed: Business) -> None:
    started = next(line for line in run_log(reviewed) if line["event"] == "run_started")
    assert started["command"].startswith("vitals run --workspace ")
    assert started["versions"]["vitals"]
    assert not list(reviewed.folder.rglob("*lineage*"))
