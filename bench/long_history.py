"""Whether one week more costs more where more history lies behind it.

One world of 156 weeks; a second workspace knows only what was received in its last 60. Both are built up to
the week before the last, and then get the same files of the last week.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.arithmetic import ratio, without_start_up
from bench.record import Result, Target
from bench.reviewed_world import WEEK, Say
from bench.workspaces import (
    bring_back,
    day_of,
    demo_workspace,
    hold_back,
    review_step_by_step,
    run_vitals,
    simulate,
    weeks_of_landing,
)

SHORT_WEEKS, LONG_WEEKS = 60, 156
TIMES_SHORT = Target(highest=1.2)
STEPS = ("load", "features")


def measure_history(customers: int, folder: Path, start_up: Mapping[str, float], say: Say) -> list[Result]:
    """The seconds of a week's load and features after a long and after a short history."""
    long, short = demo_workspace(folder / "long"), demo_workspace(folder / "short")
    say(f"history: simulating {customers:,} customers × {LONG_WEEKS} weeks")
    simulate(long, customers, LONG_WEEKS)
    _, week = weeks_of_landing(long)
    short.landing.mkdir(parents=True)
    for path in long.landing.iterdir():
        if day_of(path) >= week - (SHORT_WEEKS - 1) * WEEK:
            (short.landing / path.name).hardlink_to(path)
    taken, events = {}, {}
    for workspace, weeks in ((short, SHORT_WEEKS), (long, LONG_WEEKS)):
        aside = workspace.folder / "next_week"
        hold_back(workspace, aside, week)
        say(f"history: {weeks} weeks, all but the last")
        before = review_step_by_step(workspace, customers, week - WEEK, STEPS)
        bring_back(workspace, aside)
        say(f"history: {weeks} weeks, the last")
        increment = run_vitals(workspace, "run", f"--week={week}", "--to=features")
        taken[weeks] = increment.steps
        events[weeks] = before.events
        new_events = increment.details["load"]["events_loaded"]
    net = {weeks: without_start_up(steps, start_up) for weeks, steps in taken.items()}
    value = ratio(sum(net[LONG_WEEKS].values()), sum(net[SHORT_WEEKS].values()))
    return [
        Result(
            f"increment_after_{LONG_WEEKS}_weeks_times_{SHORT_WEEKS}",
            value,
            "times",
            str(TIMES_SHORT),
            TIMES_SHORT.holds(value),
            {
                "customers": customers,
                "events_before": events,
                "events_per_week_before": {weeks: count / (weeks - 1) for weeks, count in events.items()},
                "events_new": new_events,
                "seconds_with_start_up": taken,
                "times_with_start_up": sum(taken[LONG_WEEKS].values()) / sum(taken[SHORT_WEEKS].values()),
                "start_up_seconds": {step: start_up.get(step) for step in STEPS},
            },
        )
    ]
