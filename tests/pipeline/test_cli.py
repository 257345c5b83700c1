"""The command: help, exit codes, and errors in a sentence, before anything heavy is imported."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli import StepName, app
from pipeline.review import STEPS
from pipeline.workspace import WORKSPACES_FOLDER
from tests.business import Business, copy_business
from tests.pipeline.loading import call, json_lines

runner = CliRunner()
COMMANDS = ("simulate", "run", "backfill", *STEPS, "status", "query", "init")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace without data, outside the project."""
    folder = tmp_path / "shop"
    folder.mkdir()
    for file in ("review.toml", "events.csv", "playbook.csv"):
        shutil.copyfile(WORKSPACES_FOLDER / "demo" / file, folder / file)
    shutil.copytree(WORKSPACES_FOLDER / "demo" / "features", folder / "features")
    return folder


def _fails(arguments: list[str], code: int) -> str:
    result = runner.invoke(app, arguments)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def test_steps_of_the_command_are_those_of_the_review() -> None:
    assert tuple(step.value for step in StepName) == STEPS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = runner.invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 3


def test_unknown_workspace_names_the_known_ones() -> None:
    message = _fails(["run", "--workspace", "nowhere"], 2)
    assert "demo" in message
    assert "vitals init" in message


def test_a_bad_week_is_named(workspace: Path) -> None:
    assert "'next week'" in _fails(["run", "--workspace", str(workspace), "--week", "next week"], 2)


def test_steps_in_the_wrong_order_are_refused(workspace: Path) -> None:
    message = _fails(["run", "--workspace", str(workspace), "--from", "marts", "--to", "load"], 2)
    assert "--from marts comes after --to load" in message


def test_a_broken_setting_stops_before_anything_is_written(workspace: Path) -> None:
    path = workspace / "review.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("weight = 30", "weight = 20"), encoding="utf-8")
    assert "sum to 100" in _fails(["run", "--workspace", str(workspace)], 2)
    assert not (workspace / "data").exists()


def test_a_broken_catalogue_stops_before_anything_is_written(workspace: Path) -> None:
    (workspace / "events.csv").write_text("event_name\nordered\n", encoding="utf-8")
    assert "events.csv" in _fails(["load", "--workspace", str(workspace)], 2)
    assert not (workspace / "data").exists()


def test_an_empty_landing_names_the_remedy(workspace: Path) -> None:
    message = _fails(["load", "--workspace", str(workspace)], 1)
    assert "landing" in message
    assert "vitals simulate" in message


def test_a_step_without_the_one_before_it_is_refused(workspace: Path) -> None:
    assert "vitals load" in _fails(["features", "--workspace", str(workspace)], 1)


def test_a_bad_run_id_is_refused(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITALS_RUN_ID", "../../etc")
    assert "VITALS_RUN_ID" in _fails(["load", "--workspace", str(workspace)], 2)


def test_query_and_status_without_a_release(workspace: Path) -> None:
    assert "no release yet" in _fails(["query", "select 1", "--workspace", str(workspace)], 1)
    result = runner.invoke(app, ["status", "--workspace", str(workspace)])
    assert result.exit_code == 0
    assert "nothing was run yet" in result.output


def _damaged(business: Business, tmp_path: Path) -> tuple[list[str], Path]:
    copy = copy_business(business, tmp_path / "demo")
    return ["--workspace", str(copy.folder)], copy.current / "warehouse.duckdb"


def test_a_release_that_was_cut_off_is_said(reviewed: Business, tmp_path: Path) -> None:
    where, database = _damaged(reviewed, tmp_path)
    os.truncate(database, 20_000)
    message = _fails(["query", "select * from marts.customers", *where], 1)
    assert "warehouse.duckdb cannot be read" in message
    assert "`vitals publish`" in message


def test_a_release_with_a_damaged_block_is_said(reviewed: Business, tmp_path: Path) -> None:
    where, database = _damaged(reviewed, tmp_path)
    size = database.stat().st_size
    with database.open("r+b") as file:
        # Behind the headers, by which the file is still opened.
        file.seek(3 * 4096)
        file.write(b"\xff" * (size - 3 * 4096))
    message = _fails(["query", "select * from marts.customers", *where], 1)
    assert "warehouse.duckdb cannot be read" in message
    assert "the query cannot be run" not in message


def test_a_release_without_its_tables_is_said(reviewed: Business, tmp_path: Path) -> None:
    where, database = _damaged(reviewed, tmp_path)
    database.unlink()
    assert "warehouse.duckdb cannot be read" in _fails(["query", "select 1", *where], 1)
    result = runner.invoke(app, ["status", *where])
    assert result.exit_code == 0, result.output
    assert "published: first, without its tables: `vitals publish`" in result.output


@pytest.mark.parametrize(
    ("command", "refused"),
    [
        (["status"], "review.toml"),
        (["status"], "runs.jsonl"),
        (["status"], "current"),
        (["status"], "warehouse.duckdb"),
        (["query", "select 1"], "review.toml"),
        (["query", "select 1"], "current"),
    ],
)
def test_what_a_reader_may_not_read_is_said(
    reviewed: Business, monkeypatch: pytest.MonkeyPatch, command: list[str], refused: str
) -> None:
    def guarded(way: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
            if Path(path).name == refused:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return way(path, *arguments, **options)

        return refuse

    for name in ("lstat", "stat", "open"):
        monkeypatch.setattr(Path, name, guarded(getattr(Path, name)))
    message = _fails([*command, "--workspace", str(reviewed.folder)], 1)
    assert f"{refused} cannot be read: Permission denied. Give whoever asks the right" in message


def test_a_query_that_may_not_spill_is_said(reviewed: Business, tmp_path: Path) -> None:
    business = copy_business(reviewed, tmp_path / "demo")
    review = business.folder / "review.toml"
    text = review.read_text(encoding="utf-8")
    for full, small in (("gigabytes = 1.2 ", "gigabytes = 0.05 "), ('"build/spill"', '"/dev/null/spill"')):
        assert full in text
        text = text.replace(full, small)
    review.write_text(text, encoding="utf-8")
    sorting = "select md5(range::varchar) as number from range(4000000) order by all limit 5 offset 3000000"
    message = _fails(["query", sorting, "--workspace", str(business.folder)], 1)
    assert "needs room in /dev/null/spill" in message


def test_names_of_files_are_no_commands_to_the_terminal(workspace: Path) -> None:
    landing, where = workspace / "data" / "landing", ["--workspace", str(workspace)]
    landing.mkdir(parents=True)
    (landing / "good.jsonl").write_text(json_lines([call(1)]), encoding="utf-8")
    (landing / "none\x1b[31m\nvitals: all is well.dat").write_text("", encoding="utf-8")
    loaded = runner.invoke(app, ["load", *where])
    assert loaded.exit_code == 0, loaded.output
    (landing / "red\x1b[31m\nvitals: all is well.jsonl.gz").write_bytes(b"no gzip")
    refused = runner.invoke(app, ["load", *where])
    assert refused.exit_code == 1
    status = runner.invoke(app, ["status", *where])
    assert status.exit_code == 0, status.output
    for output, beginning in ((loaded.output, "none"), (refused.output, "red"), (status.output, "red")):
        assert f"{beginning}�[31m vitals: all is well" in output
        assert "\x1b" not in output


@pytest.mark.parametrize(
    "options", [["--customers", "0"], ["--weeks", "-1"], ["--seed", "-1"], ["--customers", "99999999999"]]
)
def test_a_world_of_no_size_is_refused(workspace: Path, options: list[str]) -> None:
    assert options[0] in _fails(["simulate", "--workspace", str(workspace), *options], 2)
    assert not (workspace / "data").exists()


def test_an_existing_landing_is_kept_unless_replaced(workspace: Path) -> None:
    landing = workspace / "data" / "landing"
    landing.mkdir(parents=True)
    (landing / "mine.jsonl").write_text("{}\n", encoding="utf-8")
    arguments = ["simulate", "--workspace", str(workspace), "--customers", "5", "--weeks", "2"]
    assert "--replace" in _fails(arguments, 2)
    assert (landing / "mine.jsonl").exists()
    result = runner.invoke(app, [*arguments, "--replace"])
    assert result.exit_code == 0, result.output
    assert not (landing / "mine.jsonl").exists()
    assert list(landing.glob("events-*.jsonl"))


def test_replace_leaves_nothing_of_the_old_world_behind_a_link(workspace: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "large_disk"
    elsewhere.mkdir()
    (elsewhere / "events-2020-01-01.jsonl").write_text("{}\n", encoding="utf-8")
    (elsewhere / "folder").mkdir()
    (workspace / "data").mkdir()
    (workspace / "data" / "landing").symlink_to(elsewhere)
    (workspace / "data" / "build").mkdir()
    (workspace / "data" / "build" / "build.duckdb").write_text("old", encoding="utf-8")
    size = ["--customers", "5", "--weeks", "2"]
    result = runner.invoke(app, ["simulate", "--workspace", str(workspace), *size, "--replace"])
    assert result.exit_code == 0, result.output
    names = {path.name for path in elsewhere.iterdir()}
    assert len(names) >= 5
    assert not {"events-2020-01-01.jsonl", "folder"} & names
    assert not (workspace / "data" / "build" / "build.duckdb").exists()


@pytest.mark.parametrize("name", ["landing", "truth"])
def test_a_file_in_the_place_of_a_folder_is_said(workspace: Path, name: str) -> None:
    (workspace / "data").mkdir()
    (workspace / "data" / name).write_text("mine", encoding="utf-8")
    arguments = ["simulate", "--workspace", str(workspace), "--customers", "5", "--weeks", "2", "--replace"]
    assert "is a file and has to be a folder" in _fails(arguments, 2)
    assert (workspace / "data" / name).read_text(encoding="utf-8") == "mine"


def test_a_disk_that_fills_up_is_said_in_a_sentence(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", full)
    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.close", full)
    message = _fails(["simulate", "--workspace", str(workspace), "--customers", "5", "--weeks", "2"], 1)
    assert "No space left on device" in message
    assert "vitals simulate --replace" in message


def test_a_disk_that_is_too_small_is_said_first(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(workspace)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    assert "1.0 MB free" in _fails(["simulate", "--workspace", str(workspace)], 1)
    assert not (workspace / "data").exists()


def test_init_copies_a_workspace_and_refuses_to_overwrite(tmp_path: Path) -> None:
    new = tmp_path / "fresh"
    result = runner.invoke(app, ["init", str(new), "--from", "online_retail"])
    assert result.exit_code == 0, result.output
    for file in ("review.toml", "events.csv", "playbook.csv"):
        assert (new / file).read_bytes() == (WORKSPACES_FOLDER / "online_retail" / file).read_bytes()
    assert not (new / "features").exists()
    assert "not empty" in _fails(["init", str(new), "--from", "demo"], 2)
    richer = tmp_path / "richer"
    assert runner.invoke(app, ["init", str(richer), "--from", "demo"]).exit_code == 0
    assert (richer / "features" / "order_habits.sql").is_file()
    assert "is no name" in _fails(["init", "a b", "--from", "demo"], 2)


def test_the_runbook_shows_rejected_rows(reviewed: Business) -> None:
    runbook = (WORKSPACES_FOLDER.parent / "docs" / "runbook.md").read_text(encoding="utf-8")
    commands = [shlex.split(line[2:]) for line in runbook.splitlines() if "rejected_events" in line]
    (asked,) = (words for words in commands if words[:2] == ["vitals", "query"])
    (opened,) = (words for words in commands if words[:1] == [".venv/bin/python"])
    counted = runner.invoke(app, [*asked[1:], "--workspace", str(reviewed.folder)])
    assert counted.exit_code == 0, counted.output
    code = opened[2].replace("workspaces/demo", str(reviewed.folder))
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert {"file_name", "line_number", "reason", "content"} <= {*shown.replace("│", " ").split()}


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [(["--help"], []), (["status"], []), (["query", "select 1"], ["duckdb"])],
)
def test_a_command_imports_no_heavy_library_that_it_does_not_need(
    reviewed: Business, arguments: list[str], needed: list[str]
) -> None:
    code = (
        "import sys; from pipeline.cli import app; app(sys.argv[1:], standalone_mode=False);"
        " heavy = {'dbt', 'great_expectations', 'sklearn', 'scipy', 'plotly', 'airflow', 'duckdb', 'pandas',"
        " 'pyarrow', 'numpy'}; print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    where = [] if arguments == ["--help"] else ["--workspace", str(reviewed.folder)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, *where], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == str(needed)
