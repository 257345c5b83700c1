"""Workspaces that the measurements make for themselves, and `vitals` run in them, watched."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import duckdb

from bench.record import PROJECT_FOLDER
from bench.watched import Watched, watch
from pipeline.dbt import DbtProject
from pipeline.review import STEPS
from pipeline.runlog import read_runs
from pipeline.workspace import Workspace

MEMORY_SETTING = "warehouse.memory_limit_gigabytes"
ENGINE = {"threads": 2, "memory_limit": "4GB"}  # for what the measurements do themselves
# What events say of others: who was invited, which cart became which order, who somebody was before.
_IDS_IN_PROPERTIES = '("(?:previous|member|order|cart|message|ticket)_id":"[^"]*)"'
DAY_IN_FILE_NAME = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Ran:
    """What a command of `vitals` took: the process, and by its own log each step."""

    watched: Watched
    steps: dict[str, float]
    details: dict[str, dict] = field(default_factory=dict)

    @property
    def models(self) -> dict[str, float]:
        """Seconds of the models by name; tests and seeds are not among them."""
        return {
            node.rpartition(".")[2]: seconds
            for node, seconds in self.watched.nodes.items()
            if node.startswith("model.")
        }

    @property
    def data_test_seconds(self) -> float:
        """Seconds of the data tests that dbt ran."""
        return sum(seconds for node, seconds in self.watched.nodes.items() if node.startswith("test."))


@dataclass(frozen=True)
class Cost:
    """A whole review step by step: seconds, memory of the process, and bytes that the step left on disk.

    cpu_seconds: of the whole process, so with what comes before the step.
    """

    events: int
    customers: int
    seconds: dict[str, float]
    cpu_seconds: dict[str, float]
    peak_gigabytes: dict[str, float]
    disk_bytes: dict[str, int]
    models: dict[str, float]


def demo_workspace(folder: Path, changes: Mapping[str, str] | None = None) -> Workspace:
    """A copy of the demo without data; `changes` are keys of review.toml with other values.

    Its engine may use as much memory as a world of ten million events wants, which the demo's own does not.
    """
    shutil.copytree(PROJECT_FOLDER / "workspaces" / "demo", folder, ignore=shutil.ignore_patterns("data"))
    workspace = Workspace(folder, folder / "data")
    change_settings(workspace, {MEMORY_SETTING: "6.0"} | dict(changes or {}))
    return workspace


def change_settings(workspace: Workspace, changes: Mapping[str, str]) -> None:
    """Give keys of review.toml other values, in every table that has the key, such as both history_weeks.

    A key is given as "table.key". Raises KeyError where review.toml does not have it.
    """
    path = workspace.folder / "review.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    for name, value in changes.items():
        table, key = name.split(".")
        inside, found = False, False
        for number, line in enumerate(lines):
            if line.startswith("["):
                inside = line.strip() == f"[{table}]"
            elif inside and re.match(rf"{key}\s*=", line):
                lines[number], found = f"{key} = {value}", True
        if not found:
            raise KeyError(name)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def leave_out_own_features(workspace: Workspace) -> None:
    """Take the feature columns of the workspace's own away, and all own segments, which may ask for them."""
    shutil.rmtree(workspace.features_folder)
    path = workspace.folder / "review.toml"
    tables = re.split(r"(?m)^(?=\[)", path.read_text(encoding="utf-8"))
    kept = [table for table in tables if not table.startswith("[[segments]]")]
    path.write_text("".join(kept), encoding="utf-8")


def simulate(workspace: Workspace, customers: int, weeks: int, seed: int = 7) -> Watched:
    """Fill landing with a simulated world, a Parquet file per day of receipt."""
    sizes = (f"--customers={customers}", f"--weeks={weeks}", f"--seed={seed}", "--format=parquet")
    watched = watch(_command("simulate", workspace, *sizes))
    # Only bench.truth needs the truth of a world; here it only fills the disk.
    shutil.rmtree(workspace.truth)
    return watched


def put_copies_beside(workspace: Workspace, copies: int) -> None:
    """Make of one simulated world in landing so many companies side by side, whose ids are all their own."""
    own = ", ".join(
        f"{name} || '-' || company as {name}"
        for name in ("event_id", "user_id", "anonymous_id", "account_id")
    )
    for path in sorted(workspace.landing.iterdir()):
        part = path.with_suffix(".part")
        with duckdb.connect(config=ENGINE) as connection:
            connection.execute(
                f"""
                copy (
                    select events.* replace (
                        {own},
                        regexp_replace(
                            properties, '{_IDS_IN_PROPERTIES}', '\\1-' || company || '"', 'g'
                        ) as properties
                    )
                    from read_parquet('{path}') as events
                    cross join range({copies}) as companies(company)
                ) to '{part}' (format parquet, compression zstd)
                """
            )
        part.replace(path)


def run_vitals(workspace: Workspace, command: str, *options: str) -> Ran:
    """Run a command that runs steps of the review, to its end. Raises MeasuredCommandError."""
    results = DbtProject(workspace).target / "run_results.json"
    known = {run.run_id for run in read_runs(workspace.run_log)}
    watched = watch(_command(command, workspace, *options), results)
    (run,) = (run for run in read_runs(workspace.run_log) if run.run_id not in known)
    steps = {step: seconds for step, seconds in run.steps.items() if seconds is not None}
    return Ran(watched, steps, run.details)


def review_step_by_step(
    workspace: Workspace, customers: int, week: date, steps: tuple[str, ...] = STEPS
) -> Cost:
    """Every step in a process of its own, so that each has a peak of its own."""
    seconds, cpu, peaks, disk, models = {}, {}, {}, {}, {}
    events = 0
    for step in steps:
        before = folder_bytes(workspace.data)
        options = () if step == "load" else (f"--week={week}",)
        ran = run_vitals(workspace, step, *options)
        seconds[step] = ran.steps[step]
        cpu[step] = ran.watched.cpu_seconds
        peaks[step] = ran.watched.peak_gigabytes
        disk[step] = folder_bytes(workspace.data) - before
        models |= ran.models
        if step == "load":
            events = int(ran.details["load"]["events_loaded"])
    return Cost(events, customers, seconds, cpu, peaks, disk, models)


def hold_back(workspace: Workspace, aside: Path, first_day: date) -> list[Path]:
    """Move the files of landing that were received on a day or later aside; `bring_back` undoes it."""
    aside.mkdir(parents=True)
    moved = [path for path in sorted(workspace.landing.iterdir()) if day_of(path) >= first_day]
    return [path.rename(aside / path.name) for path in moved]


def bring_back(workspace: Workspace, aside: Path) -> None:
    """Put what was held back into landing."""
    for path in sorted(aside.iterdir()):
        path.rename(workspace.landing / path.name)


def day_of(path: Path) -> date:
    """The day of receipt that a simulated file is named for."""
    return date.fromisoformat(DAY_IN_FILE_NAME.search(path.name)[0])


def weeks_of_landing(workspace: Workspace) -> tuple[date, date]:
    """The Mondays of the first and of the last whole week that landing has files of."""
    days = [day_of(path) for path in workspace.landing.iterdir()]
    first, last = min(days), max(days)
    return first - timedelta(days=first.weekday()), last - timedelta(
        days=last.weekday() + 7 * (last.weekday() < 6)
    )


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; links are not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def counted(workspace: Workspace, sql: str) -> int:
    """One number out of the build database, read-only."""
    with duckdb.connect(str(workspace.build_database), read_only=True) as connection:
        return int(connection.execute(sql).fetchone()[0])


def _command(name: str, workspace: Workspace, *options: str) -> list[str]:
    return [sys.executable, "-m", "pipeline", name, f"--workspace={workspace.folder}", *options]
