"""Runs that are killed at random moments of every step, run again, and compared with an undisturbed one."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.chaos_worlds import EMPTY, MONDAY, SmallWorld, kill, step_under_way
from pipeline.review import STEPS

# Of so many runs one begins with nothing built.
ONE_OF_EMPTY = 4
# A run among readers and other runs takes longer than the undisturbed one: some kills come between two steps.
LONGER_AMONG_OTHERS = 1.3
TRIES_TO_MEET_A_STEP = 6
CANNOT_BE_OPENED = "cannot be opened"


@dataclass(frozen=True)
class Planned:
    """A kill to come: in which step of a run from which start, after which share of the step's time."""

    start: str
    step: str
    share: float


@dataclass
class Killed:
    """A kill, and what the run after it left. rebuilt: the build could not be opened and was moved away."""

    planned: Planned
    during: str
    log_bytes: int
    rebuilt: bool = False
    lost: dict[str, int] = field(default_factory=dict)
    doubled: dict[str, int] = field(default_factory=dict)
    release_is_equal: bool = False
    failure: str = ""
    seconds: float = 0.0


def planned_kills(count: int, seed: int) -> list[Planned]:
    """So many kills, the same for a seed: steps in turn, moments at random."""
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    return [
        Planned(
            EMPTY if number % ONE_OF_EMPTY == ONE_OF_EMPTY - 1 else MONDAY,
            STEPS[(number + number // len(STEPS)) % len(STEPS)],
            chance.random(),
        )
        for number in range(count)
    ]


def kill_runs(
    worlds: Sequence[SmallWorld], planned: Sequence[Planned], told: Callable[[int, Killed], None]
) -> list[Killed]:
    """Every planned kill, over the worlds at once; `told` hears of each as it is done."""
    waiting: queue.SimpleQueue[Planned] = queue.SimpleQueue()
    for each in planned:
        waiting.put(each)
    done: list[Killed] = []

    def work(world: SmallWorld) -> None:
        while True:
            try:
                following = waiting.get_nowait()
            except queue.Empty:
                return
            done.append(kill_and_run_again(world, following))
            told(len(done), done[-1])

    workers = [threading.Thread(target=work, args=(world,)) for world in worlds]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return done


def kill_and_run_again(world: SmallWorld, planned: Planned) -> Killed:
    """One kill, the run after it, and the comparison. A build that cannot be opened is moved away first."""
    began = time.monotonic()
    killed = _killed(world, planned)
    start = planned.start
    code, said = world.run()
    if code != 0 and CANNOT_BE_OPENED in said:
        # What the message says to do.
        killed.rebuilt, start = True, EMPTY
        for path in world.workspace.build.glob("build.duckdb*"):
            path.unlink()
        code, said = world.run()
    if code == 0:
        differs, killed.release_is_equal = world.compared(start)
        killed.lost, killed.doubled = differs.lost, differs.doubled
    else:
        killed.failure = f"exit code {code}: {said.strip()[-400:]}"
    killed.seconds = time.monotonic() - began
    return killed


def _killed(world: SmallWorld, planned: Planned) -> Killed:
    share = planned.share
    for _ in range(TRIES_TO_MEET_A_STEP):
        world.put_back(planned.start)
        process = world.begin()
        if world.wait_for_step(process, planned.step):
            seconds = world.undisturbed[planned.start].steps[planned.step]
            time.sleep(share * seconds * LONGER_AMONG_OTHERS)
        if kill(process):
            log = world.workspace.build_database.with_suffix(".duckdb.wal")
            during = step_under_way(world.workspace, process.pid)
            return Killed(planned, during, log.stat().st_size if log.exists() else 0)
        # It had come to its end: earlier in the step.
        share /= 2
    raise RuntimeError(f"no kill came before the end of a run: {planned}")
