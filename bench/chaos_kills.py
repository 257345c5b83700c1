"""Runs that are killed at random moments of every step, run again, and compared with an undisturbed one."""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bench.chaos_worlds import EMPTY, MONDAY, DisturbedWorld, kill, over_worlds
from pipeline.review import STEPS

# Of fourteen runs one is a whole review of a Monday and one begins with nothing built. The others begin at
# the step that is to be killed, from a copy whose earlier steps are done: as a scheduler retries, and faster.
# Of these, too, those whose first step is killed are whole reviews.
KINDS = ("step",) * 6 + (MONDAY,) + ("step",) * 6 + (EMPTY,)
# After one of so many kills the next run is killed as well, within the seconds in which it opens the build.
ONE_OF_KILLED_AGAIN = 5
SECONDS_OF_OPENING = 2.0
# A run among readers and other runs takes longer than the undisturbed one: some kills come between two steps.
LONGER_AMONG_OTHERS = 1.2
TRIES_TO_MEET_A_STEP = 6
CANNOT_BE_OPENED = "cannot be opened"
BEFORE_ITS_FIRST_STEP = "before its first step"


@dataclass(frozen=True)
class Planned:
    """A kill to come: in which step of a run from which start, after which share of the step's time.

    again_after: the run that follows is killed, too, after so many seconds.
    """

    start: str
    step: str
    share: float
    again_after: float | None = None


@dataclass
class Killed:
    """A kill, and what the run after it left. rebuilt: the build could not be opened and was moved away.

    seconds_in_step: how far the step had come; None where the kill came between two steps. steps_after:
    seconds of the steps of the run that came to its end.
    """

    planned: Planned
    during: str
    log_bytes: int
    seconds_in_step: float | None = None
    again: bool = False
    rebuilt: bool = False
    lost: dict[str, int] = field(default_factory=dict)
    doubled: dict[str, int] = field(default_factory=dict)
    release_is_equal: bool = False
    failure: str = ""
    seconds: float = 0.0
    steps_after: dict[str, float] = field(default_factory=dict)

    @property
    def is_amiss(self) -> bool:
        return bool(self.failure or self.lost or self.doubled or not self.release_is_equal)


def planned_kills(count: int, seed: int) -> list[Planned]:
    """So many kills, the same for a seed: the steps in turn for each kind of start, moments at random."""
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    turns: Counter[str] = Counter()
    planned = []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        step = STEPS[turns[kind] % len(STEPS)]
        turns[kind] += 1
        again = chance.uniform(0, SECONDS_OF_OPENING) if number % ONE_OF_KILLED_AGAIN == 0 else None
        planned.append(Planned(_start(kind, step), step, chance.random(), again))
    return planned


def planned_kills_of_steps(count: int, seed: int) -> list[Planned]:
    """So many kills of runs that begin at the step that is killed: for a world whose reviews take long."""
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    steps = [STEPS[number % len(STEPS)] for number in range(count)]
    return [Planned(_start("step", step), step, chance.random()) for step in steps]


def kill_runs(
    worlds: Sequence[DisturbedWorld], planned: Sequence[Planned], told: Callable[[int, Killed], None]
) -> list[Killed]:
    """Every planned kill, over the worlds at once; `told` hears of each as it is done."""
    done: list[Killed] = []

    def work(world: DisturbedWorld, following: Planned) -> None:
        done.append(kill_and_run_again(world, following))
        told(len(done), done[-1])

    over_worlds(worlds, planned, work)
    return done


def kill_and_run_again(world: DisturbedWorld, planned: Planned) -> Killed:
    """One kill, the run after it, and the comparison. A build that cannot be opened is moved away first."""
    began = time.monotonic()
    killed = _killed(world, planned)
    start, command = planned.start, _command(planned.start)
    if planned.again_after is not None:
        process = world.begin(*command)
        time.sleep(planned.again_after)
        killed.again = kill(process)
    code, said = world.run(*command)
    if code != 0 and CANNOT_BE_OPENED in said:
        # What the message says to do.
        killed.rebuilt, start = True, EMPTY
        for path in world.workspace.build.glob("build.duckdb*"):
            path.unlink()
        code, said = world.run()
    if code != 0:
        killed.failure = f"exit code {code}: {said.strip()[-400:]}"
    elif start == EMPTY and EMPTY not in world.undisturbed:
        killed.failure = "the build could not be opened; no undisturbed rebuild of this world is known"
    else:
        differs, killed.release_is_equal = world.compared(start)
        killed.lost, killed.doubled = differs.lost, differs.doubled
        killed.steps_after = world.steps_of_last_run()
    killed.seconds = time.monotonic() - began
    return killed


def kills_by_quarter(
    killed: Sequence[Killed], undisturbed: Mapping[str, Mapping[str, float]]
) -> dict[str, list[int]]:
    """How many kills met each quarter of each step. undisturbed: seconds of the steps, by start.

    How much longer steps took in these runs is seen from those that came after the killed one in whole runs.
    """
    longer = statistics.median(
        [
            seconds / undisturbed[each.planned.start][step]
            for each in killed
            for step, seconds in each.steps_after.items()
            if each.planned.start not in STEPS and STEPS.index(step) > STEPS.index(each.planned.step)
        ]
        or [1.0]
    )
    quarters = {step: [0, 0, 0, 0] for step in STEPS}
    for each in killed:
        if each.seconds_in_step is not None:
            share = each.seconds_in_step / (undisturbed[each.planned.start][each.during] * longer)
            quarters[each.during][min(int(share * 4), 3)] += 1
    return quarters


def _start(kind: str, step: str) -> str:
    """Where a run of a kind begins: the review whose first step is to be killed is a whole one."""
    if kind != "step":
        return kind
    return MONDAY if step == STEPS[0] else step


def _command(start: str) -> tuple[str, ...]:
    return ("run", "--from", start) if start in STEPS else ("run",)


def _killed(world: DisturbedWorld, planned: Planned) -> Killed:
    share = planned.share
    for _ in range(TRIES_TO_MEET_A_STEP):
        world.put_back(planned.start)
        process = world.begin(*_command(planned.start))
        if world.wait_for_step(process, planned.step):
            seconds = world.seconds_of_steps(planned.start)[planned.step]
            time.sleep(share * seconds * LONGER_AMONG_OTHERS)
        moment = datetime.now(UTC)
        if kill(process):
            log = world.workspace.build_database.with_suffix(".duckdb.wal")
            during, seconds = _under_way(world.log_lines(process.pid), moment)
            return Killed(planned, during, log.stat().st_size if log.exists() else 0, seconds)
        # It had come to its end: earlier in the step.
        share /= 2
    raise RuntimeError(f"no kill came before the end of a run: {planned}")


def _under_way(lines: Sequence[dict], moment: datetime) -> tuple[str, float | None]:
    """What a process was doing at a moment by its log, and the seconds since its step began."""
    doing, since = BEFORE_ITS_FIRST_STEP, None
    for entry in lines:
        if entry["event"] == "step_started":
            doing, since = entry["step"], datetime.fromisoformat(entry["at"])
        elif entry["event"] == "step_finished":
            doing, since = f"after {entry['step']}", None
    return doing, None if since is None else max((moment - since).total_seconds(), 0.0)
