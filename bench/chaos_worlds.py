"""Worlds for the faults: a business before a Monday, put back as often as it is needed, and its runs.

Runs are forked (bench.forked), which spares the seconds of importing.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from bench.chaos_comparison import Difference, TableSum, difference, sums_of
from bench.chaos_readers import Signature, signature_of
from bench.forked import Before, begin_vitals, exit_code_of
from bench.watched import environment_of_commands
from bench.workspaces import (
    MEMORY_SETTING,
    bring_back,
    demo_workspace,
    hold_back,
    leave_out_own_features,
    simulate,
    weeks_of_landing,
)
from pipeline.release import swap_link
from pipeline.review import STEPS
from pipeline.runlog import read_runs
from pipeline.workspace import Workspace, find_workspace

SECONDS_BETWEEN_LOOKS = 0.004
# Where a run begins: on a Monday after another, or with nothing built at all. The name of a step stands for
# a third way, a Monday's review whose earlier steps are done.
MONDAY, EMPTY = "monday", "empty"

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Size:
    """A world to make: of how many customers and weeks, with which changes of the demo's review.toml."""

    customers: int
    weeks: int
    changes: Mapping[str, str]
    # Without own features, and run from nothing as well.
    is_small: bool


def small() -> Size:
    """A world whose review takes seconds, with enough customers who left for all models to learn.

    Small fits take the same way through the code as large ones.
    """
    changes = {"training.judged_weeks": "2", "training.sample_rows": "3000", "warehouse.threads": "1"}
    return Size(150, 26, changes, is_small=True)


def demo() -> Size:
    """The demo as `make review` makes it. Its first review takes minutes, so runs begin on a Monday only."""
    memory = find_workspace("demo").settings.warehouse.memory_limit_gigabytes
    changes = {MEMORY_SETTING: str(memory)}
    return Size(10_000, 78, changes, is_small=False)


@dataclass
class Undisturbed:
    """What a run from one start leaves if nothing disturbs it, and the seconds of its steps."""

    database: Path
    sums: dict[str, TableSum]
    release: Signature
    steps: dict[str, float]


@dataclass
class DisturbedWorld:
    """A workspace that is put back to one of its starts before each fault.

    Its landing never changes: on a Monday the build knows the files up to the week before. What readers
    follow goes back to the release of the week before in one step, as a publication would.
    """

    workspace: Workspace
    kept: Path
    undisturbed: dict[str, Undisturbed] = field(default_factory=dict)
    base_release: Signature | None = None
    # Of each step as a command of its own, which makes ready what a whole run has ready by then.
    seconds_alone: dict[str, float] = field(default_factory=dict)
    # How much longer steps took of late than undisturbed: other programs come and go.
    pace: float = 1.0
    # Where the run log ended when the last command began: older lines may be of others with its process id.
    log_begins_at: int = 0

    @classmethod
    def make(cls, folder: Path, size: Size) -> DisturbedWorld:
        """Simulate, review the week before the last, keep that, and run undisturbed from each start.

        Monday's review is run step by step, as a scheduler does, and a copy is kept before each step. What it
        leaves is what the whole run has to leave, too.
        """
        workspace = demo_workspace(folder / "demo", size.changes)
        if size.is_small:
            leave_out_own_features(workspace)
        simulate(workspace, size.customers, size.weeks)
        world = cls(workspace, folder / "kept")
        aside = folder / "aside"
        _, last = weeks_of_landing(workspace)
        hold_back(workspace, aside, last)
        world.run_to_the_end()
        world.base_release = signature_of(workspace.current_release.resolve())
        bring_back(workspace, aside)
        shutil.copytree(workspace.current_release.resolve(), world.kept / "base_release")
        world._keep(MONDAY)
        for step in STEPS:
            if step != STEPS[0]:
                world._keep(step)
            world.seconds_alone |= world.run_to_the_end(step)
        world._note_undisturbed(MONDAY, world.seconds_alone)
        if size.is_small:
            (world.kept / EMPTY / "build").mkdir(parents=True)
            (world.kept / EMPTY / "history").mkdir()
            for start in (EMPTY, MONDAY):
                world.put_back(start)
                world._note_undisturbed(start, world.run_to_the_end())
        return world

    def _keep(self, start: str) -> None:
        for name in ("build", "history"):
            shutil.copytree(self.workspace.data / name, self.kept / start / name, symlinks=True)

    def _note_undisturbed(self, start: str, steps: dict[str, float]) -> None:
        database = self.kept / f"{start}.duckdb"
        shutil.copyfile(self.workspace.build_database, database)
        release = signature_of(self.workspace.current_release.resolve())
        self.undisturbed[start] = Undisturbed(database, sums_of(database), release, steps)

    def seconds_of_steps(self, start: str) -> dict[str, float]:
        """How long steps take if nothing disturbs a run from a start."""
        own = {start: self.seconds_alone[start]} if start in STEPS else {}
        return self.undisturbed_from(start).steps | own

    def pace_of(self, start: str, steps: Mapping[str, float]) -> float:
        """How much longer steps of a run took than undisturbed; loading, which may find all done, aside."""
        usual = self.seconds_of_steps(start)
        known = [step for step in steps if step != STEPS[0]]
        return sum(steps[step] for step in known) / sum(usual[step] for step in known)

    def undisturbed_from(self, start: str) -> Undisturbed:
        """What comes of a start if nothing disturbs it. Raises KeyError where that was never run."""
        return self.undisturbed[EMPTY if start == EMPTY else MONDAY]

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
        log = self.workspace.run_log
        self.log_begins_at = log.stat().st_size if log.exists() else 0
        asked = [*(arguments or ("run",)), "--workspace", str(self.workspace.folder)]
        return begin_vitals(asked, environment_of_commands(), self.said, before=before)

    @property
    def said(self) -> Path:
        """The file into which the last command writes what it says."""
        return self.workspace.folder / "said.txt"

    def what_was_said(self) -> str:
        """What the last command said; paths below the world's folder, which no one else has, are cut off."""
        said = self.said.read_text(encoding="utf-8", errors="replace")
        return said.replace(f"{self.workspace.folder.parent}/", "")

    def run(self, *arguments: str, before: Before | None = None) -> tuple[int, str]:
        """A command to its end: exit code (below 0: the signal that ended it), and what it said."""
        process = self.begin(*arguments, before=before)
        return exit_code_of(process), self.what_was_said()

    def run_to_the_end(self, *arguments: str) -> dict[str, float]:
        """The whole review, or another command; seconds of its steps. Raises RuntimeError where it fails."""
        code, said = self.run(*arguments)
        if code != 0:
            command = " ".join(arguments or ("run",))
            raise RuntimeError(f"`vitals {command}` ended with {code}: {said.strip()[-600:]}")
        return self.steps_of_last_run()

    def steps_of_last_run(self) -> dict[str, float]:
        """Seconds of the steps that the newest run of the run log has finished."""
        steps = read_runs(self.workspace.run_log)[-1].steps
        return {step: seconds for step, seconds in steps.items() if seconds is not None}

    def wait_for_step(self, process: ForkServerProcess, step: str) -> bool:
        """Wait until the run begins a step; False where it ended before."""
        while process.is_alive():
            if any(
                entry["event"] == "step_started" and entry["step"] == step
                for entry in self.log_lines(process.pid)
            ):
                return True
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return False

    def log_lines(self, process: int) -> list[dict]:
        """What a process wrote into the run log since the last command began; a cut line is left out."""
        lines = []
        with contextlib.suppress(FileNotFoundError), self.workspace.run_log.open("rb") as log:
            log.seek(self.log_begins_at)
            for line in log:
                with contextlib.suppress(ValueError):
                    lines.append(json.loads(line))
        return [entry for entry in lines if entry.get("process") == process]

    def compared(self, start: str) -> tuple[Difference, bool]:
        """The build against that of the undisturbed run, and whether the release equals its release."""
        undisturbed = self.undisturbed_from(start)
        differs = difference(undisturbed.database, self.workspace.build_database, undisturbed.sums)
        return differs, signature_of(self.workspace.current_release.resolve()) == undisturbed.release


def over_worlds(
    worlds: Sequence[DisturbedWorld],
    items: Sequence[Item],
    work: Callable[[DisturbedWorld, Item], Answer],
) -> list[Answer]:
    """Every item once, by whichever world is free next; the answers, in the order in which they came."""
    waiting: SimpleQueue[Item] = SimpleQueue()
    for item in items:
        waiting.put(item)
    answers: list[Answer] = []

    def take_turns(world: DisturbedWorld) -> None:
        while True:
            try:
                item = waiting.get_nowait()
            except Empty:
                return
            answers.append(work(world, item))

    with ThreadPoolExecutor(len(worlds)) as pool:
        for taken in [pool.submit(take_turns, world) for world in worlds]:
            taken.result()
    return answers


def kill(process: ForkServerProcess) -> bool:
    """SIGKILL; False where the process had ended by itself."""
    if process.pid is not None and process.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    process.join()
    return process.exitcode == -signal.SIGKILL
