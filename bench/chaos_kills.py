"""Runs that are killed at random moments of every step, run again, and compared with an undisturbed one."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bench.chaos_worlds import EMPTY, MONDAY, DisturbedWorld, kill, over_worlds
from pipeline.review import STEPS

# Of twenty runs one is a whole review of a Monday and one begins with nothing built. The others begin at the
# step that is to be killed, from a copy whose earlier steps are done: as a scheduler retries, and faster.
# Of these, too, those whose first step is killed are whole reviews.
KINDS = ("step",) * 9 + (MONDAY,) + ("step",) * 9 + (EMPTY,)
# Which of them is killed next: later steps, after which less is left to run, more often than the first ones.
ROUND_OF_STEPS = (*STEPS, *STEPS[1:], *STEPS[3:])
# After one of so many kills the next run is killed as well, within the seconds in which it opens the build.
ONE_OF_KILLED_AGAIN = 5
SECONDS_OF_OPENING = 2.0
# Somewhat beyond the end of a step, as far as that is known: some kills come between two steps.
BEYOND_THE_END = 1.1
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

    share_of_step: how far the step had come, as far as that is known; None where the kill came between two.
    """

    planned: Planned
    during: str
    log_bytes: int
    share_of_step: float | None = None
    again: bool = False
    rebuilt: bool = False
    lost: dict[str, int] = field(default_factory=dict)
    doubled: dict[str, int] = field(default_factory=dict)
    release_is_equal: bool = False
    failure: str = ""
    seconds: float = 0.0

    @property
    def is_amiss(self) -> bool:
        return bool(self.failure or self.lost or self.doubled or not self.release_is_equal)


def planned_kills(count: int, seed: int) -> list[Planned]:
    """So many kills, the same for a seed: the steps in turn for each kind of start.

    Moments are drawn at random from the quarters of a step in turn, so that each quarter has its share.
    """
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    turns: Counter[str] = Counter()
    planned = []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        steps = ROUND_OF_STEPS if kind == "step" else STEPS
        step = steps[turns[kind] % len(steps)]
        turns.update([kind, step])
        share = (turns[step] % 4 + chance.random()) / 4
        again = chance.uniform(0, SECONDS_OF_OPENING) if number % ONE_OF_KILLED_AGAIN == 0 else None
        planned.append(Planned(_start(kind, step), step, share, again))
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
    killed, seconds_in_step = _killed(world, planned)
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
        pace = world.pace_of(start, world.steps_of_last_run())
        world.pace = (world.pace + pace) / 2
        if seconds_in_step is not None:
            usual = world.seconds_of_steps(planned.start)[killed.during]
            killed.share_of_step = seconds_in_step / (usual * pace)
    killed.seconds = time.monotonic() - began
    return killed


def kills_by_quarter(killed: Sequence[Killed]) -> dict[str, list[int]]:
    """How many kills met each quarter of each step."""
    quarters = {step: [0, 0, 0, 0] for step in STEPS}
    for each in killed:
        if each.share_of_step is not None:
            quarters[each.during][min(int(each.share_of_step * 4), 3)] += 1
    return quarters


def _start(kind: str, step: str) -> str:
    """Where a run of a kind begins: the review whose first step is to be killed is a whole one."""
    if kind != "step":
        return kind
    return MONDAY if step == STEPS[0] else step


def _command(start: str) -> tuple[str, ...]:
    return ("run", "--from", start) if start in STEPS else ("run",)


def _killed(world: DisturbedWorld, planned: Planned) -> tuple[Killed, float | None]:
    """The kill, and how many seconds its step had been at work."""
    share = planned.share
    for _ in range(TRIES_TO_MEET_A_STEP):
        world.put_back(planned.start)
        process = world.begin(*_command(planned.start))
        if world.wait_for_step(process, planned.step):
            seconds = world.seconds_of_steps(planned.start)[planned.step]
            time.sleep(share * seconds * world.pace * BEYOND_THE_END)
        moment = datetime.now(UTC)
        if kill(process):
            log = world.workspace.build_database.with_suffix(".duckdb.wal")
            during, seconds = _under_way(world.log_lines(process.pid), moment)
            return Killed(planned, during, log.stat().st_size if log.exists() else 0), seconds
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
