"""The harness of faults finds what is planted, plans what it says, and runs."""

from __future__ import annotations

import json
import multiprocessing
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from bench.chaos import FAULTS, command_line, results_of_kills
from bench.chaos_comparison import difference, sums_of
from bench.chaos_faults import _heed_rights
from bench.chaos_kills import Killed, Planned, kills_by_quarter, planned_kills, planned_kills_of_steps
from bench.chaos_readers import Readers, Seen, signature_of
from bench.chaos_worlds import EMPTY, MONDAY, DisturbedWorld, Undisturbed
from bench.record import PROJECT_FOLDER, RESULTS_FOLDER
from bench.workspaces import demo_workspace, leave_out_own_features
from pipeline.review import STEPS


def database(path: Path, *statements: str) -> Path:
    with duckdb.connect(str(path)) as connection:
        for statement in (
            "create schema raw",
            "create table raw.events as select range as event_id, 7 as load_id from range(100)",
            *statements,
        ):
            connection.execute(statement)
    return path


def release(folder: Path, rows: int) -> Path:
    (folder / "lists").mkdir(parents=True)
    (folder / "report").mkdir()
    (folder / "lists" / "sales.csv").write_text(f"rows\n{rows}\n", encoding="utf-8")
    (folder / "report" / "index.html").write_text("<html>" + " " * 99 + "</html>\n", encoding="utf-8")
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("create schema marts")
        connection.execute(f"create table marts.customers as select range as id from range({rows})")
    return folder


def test_results_name_no_folder_of_the_machine_that_measured(tmp_path: Path) -> None:
    world = DisturbedWorld(demo_workspace(tmp_path / "world0" / "demo"), tmp_path / "world0" / "kept")
    world.said.write_text(f"vitals: {world.workspace.build} may not be written.", encoding="utf-8")
    assert world.what_was_said() == "vitals: demo/data/build may not be written."
    for results in sorted(RESULTS_FOLDER.glob("*.json")):
        named = re.findall(r"(?<![\w.])/(?:tmp|home|root|work|var|mnt)/[^\s\"]*", results.read_text("utf-8"))
        assert not named, f"{results.name} names {named[:3]}"


def test_equal_builds_differ_in_nothing_whatever_the_order_and_the_load(tmp_path: Path) -> None:
    one = database(tmp_path / "one.duckdb")
    other = database(
        tmp_path / "other.duckdb",
        "create or replace table raw.events as select 99 - range as event_id, 8 as load_id from range(100)",
    )
    assert difference(one, other).is_none


def test_lost_and_doubled_rows_are_counted(tmp_path: Path) -> None:
    one = database(tmp_path / "one.duckdb", "create table raw.loads as select 1 as bytes")
    other = database(
        tmp_path / "other.duckdb",
        "insert into raw.events select * from raw.events where event_id < 3",
        "delete from raw.events where event_id > 97",
        "create schema marts",
        "create table marts.late as select 1 as one",
    )
    found = difference(one, other)
    assert difference(one, other, sums_of(one)) == found
    assert found.lost == {"raw.events": 2, "raw.loads": 1}
    assert found.doubled == {"raw.events": 3, "marts.late": 1}


def test_what_one_build_needs_is_not_compared(tmp_path: Path) -> None:
    schema = "create schema intermediate"
    more = "create table intermediate.int_usage_summed_to_weeks as select 1 as review_week"
    one = database(tmp_path / "one.duckdb", schema, more)
    assert difference(one, database(tmp_path / "other.duckdb", schema)).is_none


def test_kills_are_the_same_for_a_seed_and_meet_every_step_from_every_start() -> None:
    planned = planned_kills(200, 7)
    assert planned == planned_kills(200, 7) != planned_kills(200, 8)
    quarters = Counter((each.step, int(each.share * 4)) for each in planned)
    assert min(quarters[step, quarter] for step in STEPS for quarter in range(4)) >= 3
    from_each_start = Counter((each.start, each.step) for each in planned)
    assert {(start, step) for start in (EMPTY, MONDAY) for step in STEPS} <= set(from_each_start)
    # The others begin at the step that is killed; one that begins with the first is a whole review.
    assert {start for start, step in from_each_start if start == step} == set(STEPS[1:])
    assert sum(each.start in (EMPTY, MONDAY) for each in planned) >= 30
    assert all(0 <= each.share < 1 for each in planned)
    assert sum(each.again_after is not None for each in planned) == 40


def test_a_few_kills_of_a_large_world_meet_every_step_once() -> None:
    planned = planned_kills_of_steps(len(STEPS), 7)
    assert [each.step for each in planned] == list(STEPS)
    assert [each.start for each in planned] == [MONDAY, *STEPS[1:]]


def test_quarters_of_steps_are_counted_by_what_was_under_way() -> None:
    def killed(during: str, share: float | None) -> Killed:
        return Killed(Planned(MONDAY, "train", 0.5), during, 0, share_of_step=share)

    met = [killed("train", 0.24), killed("train", 0.9), killed("score", 1.3), killed("after train", None)]
    none = {step: [0, 0, 0, 0] for step in STEPS}
    assert kills_by_quarter(met) == none | {"train": [1, 0, 0, 1], "score": [0, 0, 0, 1]}


def test_the_pace_is_that_of_the_steps_that_do_the_same_work(tmp_path: Path) -> None:
    world = DisturbedWorld(demo_workspace(tmp_path / "demo"), tmp_path)
    world.undisturbed[MONDAY] = Undisturbed(tmp_path, {}, ("", ""), dict.fromkeys(STEPS, 4.0))
    world.seconds_alone = dict.fromkeys(STEPS, 6.0)
    # A load that finds all done says nothing.
    assert world.pace_of(MONDAY, {"load": 0.1, "features": 8.0, "train": 8.0}) == 2
    assert world.pace_of("train", {"train": 6.0, "score": 4.0}) == 1


def test_a_world_without_own_features_asks_for_none(tmp_path: Path) -> None:
    workspace = demo_workspace(tmp_path / "demo")
    assert workspace.settings.segments
    plain = demo_workspace(tmp_path / "plain")
    leave_out_own_features(plain)
    assert not plain.settings.segments
    assert not plain.features_folder.exists()
    assert plain.settings.model_copy(update={"segments": workspace.settings.segments}) == workspace.settings


def test_rights_are_heeded_by_root_too(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(_is_refused, (folder,))


def _is_refused(folder: Path) -> bool:
    _heed_rights()
    try:
        (folder / "file").touch()
    except PermissionError:
        return True
    return False


def test_kills_that_lose_or_double_rows_do_not_hold() -> None:
    (planned,) = planned_kills(1, 7)
    good = Killed(planned, "load", 10, release_is_equal=True)
    bad = Killed(planned, "load", 0, lost={"raw.events": 2}, doubled={"raw.loads": 1})
    failed = Killed(planned, "load", 0, failure="exit code 1: it could not")
    results = {each.name: each for each in results_of_kills([good, bad, failed], Seen(queries=9, torn=1))}
    assert results["kills"].value == 3
    assert (results["rows_lost"].value, results["rows_doubled"].value) == (2, 1)
    assert results["releases_that_differ"].value == 2
    assert results["runs_after_a_kill_that_failed"].value == 1
    judged = ("rows_lost", "rows_doubled", "torn_reads_among_kills", "runs_after_a_kill_that_failed")
    assert not any(results[name].holds for name in judged)
    whole = {each.name: each for each in results_of_kills([good], Seen(queries=9), of="demo_")}
    assert all(whole[f"demo_{name}"].holds for name in judged)


def test_readers_tell_whole_releases_from_torn_ones(tmp_path: Path) -> None:
    first, second = release(tmp_path / "first", 5), release(tmp_path / "second", 6)
    whole = {signature_of(first), signature_of(second)}
    assert len(whole) == 2
    watching = Readers(2, [first, second], whole)
    watching.start()
    watching.wait_for(5)
    seen = watching.stop()
    assert (seen.torn, seen.errors) == (0, 0)
    assert seen.releases == {"first", "second"}
    assert seen.fewest_queries >= 5
    # The tables of one with the lists of the other; then no tables at all.
    shutil.copyfile(second / "lists" / "sales.csv", first / "lists" / "sales.csv")
    (second / "warehouse.duckdb").unlink()
    watching = Readers(1, [first, second], whole)
    watching.start()
    watching.wait_for(4)
    seen = watching.stop()
    assert seen.torn > 0
    assert seen.errors > 0
    assert seen.example


def test_every_fault_has_its_row_on_the_page() -> None:
    page = (PROJECT_FOLDER / "docs" / "faults.md").read_text(encoding="utf-8")
    faults, _, _ = page.partition("## Measured")
    rows = [line for line in faults.splitlines() if line.startswith("| ")]
    # Two sorts of kills and readers have rows of their own; cut and overwritten files share one.
    assert len(rows) - 2 == len(FAULTS) - 1 + 3


@pytest.mark.slow
def test_a_few_kills_and_publications_lose_nothing(tmp_path: Path) -> None:
    results = tmp_path / "chaos.json"
    amounts = ("--kills", "3", "--demo-kills", "0", "--publishes", "3", "--queries", "20", "--readers", "4")
    others = ("--worlds", "1", "--faults", "two_reviews_at_once", "--results", str(results))
    done = subprocess.run(
        [sys.executable, "-m", "bench.chaos", *amounts, *others],
        cwd=PROJECT_FOLDER,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    written = {each["name"]: each for each in json.loads(results.read_text(encoding="utf-8"))["results"]}
    assert written["kills"]["value"] == 3
    assert not [name for name, each in written.items() if each["holds"] is False]
    assert written["control_torn_publications_seen"]["value"] > 0


def test_the_command_of_the_page_is_understood() -> None:
    page = (PROJECT_FOLDER / "docs" / "faults.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^\$ \S+python -m bench\.chaos (.*)$", page, re.MULTILINE)
    asked = command_line().parse_args(shlex.split(line))
    assert (asked.kills, asked.seed, asked.publishes, asked.queries) == (20, 3, 10, 100)
