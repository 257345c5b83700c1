"""Small worlds for the faults: a business before a Monday, put back as often as it is needed, and its runs.

Runs are forked from a server that has imported what the steps need, which spares the seconds of importing;
from there on they are what `vitals run` is.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from bench.chaos_comparison import Difference, difference
from bench.chaos_readers import Signature, signature_of
from bench.watched import MISLEADING_VARIABLES
from bench.workspaces import bring_back, demo_workspace, hold_back, simulate, weeks_of_landing
from pipeline.release import swap_link
from pipeline.runlog import read_runs
from pipeline.workspace import Workspace

CUSTOMERS, WEEKS = 60, 20
# Small fits take the same way through the code as large ones.
SMALL = {"training.judged_weeks": "2", "training.sample_rows": "3000", "warehouse.threads": "1"}
# What the steps import when they run.
PRELOADED = (
    "bench.chaos_worlds",
    "pipeline.cli",
    "pipeline.review",
    "pipeline.load_step",
    "pipeline.features",
    "pipeline.learning",
    "pipeline.marts",
    "pipeline.telling",
    "pipeline.release",
    "pipeline.extension.reading",
    "pipeline.extension.building",
    "dbt.cli.main",
    "dbt.adapters.duckdb",
    "expectations.gate",
    "expectations.raw",
    "expectations.features",
    "expectations.scores",
    "expectations.marts",
    "ml.churn",
    "ml.clusters",
    "report.page",
)
SECONDS_BETWEEN_LOOKS = 0.004
SECONDS_AT_MOST = 300
# Where a run begins: on a Monday after another, or with nothing built at all.
MONDAY, EMPTY = "monday", "empty"

Before = Callable[[], None]


@dataclass
class Undisturbed:
    """What a run from one start leaves if nothing disturbs it, and the seconds of its steps."""

    database: Path
    release: Signature
    steps: dict[str, float]


@dataclass
class SmallWorld:
    """A workspace that is put back to one of its starts before each fault.

    Its landing never changes: on a Monday the build knows the files up to the week before. What readers
    follow goes back to the release of the week before in one step, as a publication would.
    """

    workspace: Workspace
    kept: Path
    undisturbed: dict[str, Undisturbed] = field(default_factory=dict)
    base_release: Signature | None = None

    @classmethod
    def make(cls, folder: Path) -> SmallWorld:
        """Simulate, review the week before the last, keep that, and run undisturbed from each start."""
        workspace = demo_workspace(folder / "demo", SMALL)
        simulate(workspace, CUSTOMERS, WEEKS)
        world = cls(workspace, folder / "kept")
        aside = folder / "aside"
        _, last = weeks_of_landing(workspace)
        hold_back(workspace, aside, last)
        world.run_to_the_end()
        world.base_release = signature_of(workspace.current_release.resolve())
        bring_back(workspace, aside)
        for name in ("build", "history"):
            shutil.copytree(workspace.data / name, world.kept / MONDAY / name, symlinks=True)
        (world.kept / EMPTY / "build").mkdir(parents=True)
        (world.kept / EMPTY / "history").mkdir()
        shutil.copytree(workspace.current_release.resolve(), world.kept / "base_release")
        for start in (EMPTY, MONDAY):
            world.put_back(start)
            world.run_to_the_end()
            database = world.kept / f"{start}.duckdb"
            shutil.copyfile(workspace.build_database, database)
            run = read_runs(workspace.run_log)[-1]
            world.undisturbed[start] = Undisturbed(
                database,
                signature_of(workspace.current_release.resolve()),
                {step: seconds or 0.0 for step, seconds in run.steps.items()},
            )
        return world

    @property
    def whole_releases(self) -> set[Signature]:
        """All that readers may see of this world."""
        return {self.base_release, *(each.release for each in self.undisturbed.values())}

    def put_back(self, start: str) -> None:
        """Build and history as they were at the start; readers are sent to the release of the week before."""
        for name in ("build", "history"):
            shutil.rmtree(self.workspace.data / name, ignore_errors=True)
            shutil.copytree(self.kept / start / name, self.workspace.data / name, symlinks=True)
        self.show_base_release()

    def show_base_release(self) -> None:
        """Send readers to the release of the week before, in one step."""
        release = self.workspace.releases / "base"
        if release.is_dir():
            # The oldest are removed first, and readers will be at this one.
            os.utime(release)
        else:
            part = release.with_name(".base.putting")
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(self.kept / "base_release", part)
            part.rename(release)
        swap_link(self.workspace.current_release, release)

    def begin(self, *arguments: str, before: Before | None = None) -> ForkServerProcess:
        """Begin a command of `vitals`; `before` is called in its process first, as to limit it."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(PRELOADED))
        process = context.Process(
            target=_vitals,
            args=(
                [*(arguments or ("run",)), "--workspace", str(self.workspace.folder)],
                str(self.said),
                before,
            ),
        )
        process.start()
        return process

    @property
    def said(self) -> Path:
        """What the last command said."""
        return self.workspace.folder / "said.txt"

    def run(self, *arguments: str, before: Before | None = None) -> tuple[int, str]:
        """A command to its end: exit code (below 0: the signal that ended it), and what it said."""
        process = self.begin(*arguments, before=before)
        process.join(SECONDS_AT_MOST)
        if process.exitcode is None:
            process.kill()
            process.join()
        return process.exitcode, self.said.read_text(encoding="utf-8", errors="replace")

    def run_to_the_end(self) -> str:
        """The whole review; what it said. Raises RuntimeError where it fails."""
        code, said = self.run()
        if code != 0:
            raise RuntimeError(f"`vitals run` ended with {code}: {said.strip()[-600:]}")
        return said

    def wait_for_step(self, process: ForkServerProcess, step: str) -> bool:
        """Wait until the run begins a step; False where it ended before."""
        wanted = f'"step": "{step}"'
        while process.is_alive():
            with contextlib.suppress(OSError):
                lines = self.workspace.run_log.read_text(encoding="utf-8").splitlines()
                if any(
                    wanted in line and '"step_started"' in line and f'"process": {process.pid},' in line
                    for line in lines
                ):
                    return True
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return False

    def compared(self, start: str) -> tuple[Difference, bool]:
        """The build against that of the undisturbed run, and whether the release equals its release."""
        undisturbed = self.undisturbed[start]
        differs = difference(undisturbed.database, self.workspace.build_database)
        return differs, signature_of(self.workspace.current_release.resolve()) == undisturbed.release


def step_under_way(workspace: Workspace, process: int) -> str:
    """What the run log says that a process was doing when it ended."""
    try:
        lines = workspace.run_log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return "before its first step"
    doing = "before its first step"
    for line in lines:
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if entry.get("process") != process:
                continue
            if entry["event"] == "step_started":
                doing = entry["step"]
            elif entry["event"] == "step_finished":
                doing = f"after {entry['step']}"
    return doing


def kill(process: ForkServerProcess) -> bool:
    """SIGKILL; False where the process had ended by itself."""
    if process.pid is not None and process.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    process.join()
    return process.exitcode == -signal.SIGKILL


def _vitals(arguments: list[str], said: str, before: Before | None) -> None:
    """In the forked process: what the command `vitals` does, its words into a file."""
    for name in MISLEADING_VARIABLES:
        os.environ.pop(name, None)
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    sys.argv = ["vitals", *arguments]
    if before is not None:
        before()
    from pipeline.cli import app

    app(arguments)
