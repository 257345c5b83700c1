"""The whole step `features` for one week, and for 26 weeks in one pass, on the same events.

A first run builds the weeks of `training.history_weeks`, which review.toml lets be no fewer than 8. So the
step is run from nothing for 8 and for 26 weeks, and one week is where the straight line through the two comes
out.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.arithmetic import line_through, ratio
from bench.cost_by_size import MODELS_NAMED
from bench.record import Result, Target
from bench.reviewed_world import ReviewedWorld
from bench.workspaces import Ran, change_settings, run_vitals

FEW_WEEKS, MANY_WEEKS = 8, 26
TIMES_THE_FLOOR = Target(highest=60.0)
TIMES_ONE_WEEK = Target(highest=12.0)
# Another timeout of sessions changes what is built, so each run builds everything anew from raw.
TIMEOUT_MINUTES = {FEW_WEEKS: 29, MANY_WEEKS: 31}


def measure_weeks(
    world: ReviewedWorld, start_up: Mapping[str, float], floor_seconds: float | None
) -> list[Result]:
    """Rebuild the features of a reviewed world, loaded already, twice; its review.toml is changed."""
    runs = {weeks: _rebuild(world, weeks) for weeks in (FEW_WEEKS, MANY_WEEKS)}
    net = {weeks: max(0.0, ran.steps["features"] - start_up["features"]) for weeks, ran in runs.items()}
    one_week = line_through(*net.items()).at(1)
    models = {
        weeks: dict(sorted(ran.models.items(), key=lambda model: -model[1])[:MODELS_NAMED])
        for weeks, ran in runs.items()
    }
    detail = {
        "events": world.rebuild.events + world.weekly.details["load"]["events_loaded"],
        "seconds_of_one_week": one_week,
        "how": f"the straight line through {FEW_WEEKS} and {MANY_WEEKS} weeks, at one week",
        "seconds_without_start_up": net,
        "start_up_seconds": start_up["features"],
        "seconds_of_data_tests": {weeks: ran.data_test_seconds for weeks, ran in runs.items()},
        "peak_gigabytes": {weeks: ran.watched.peak_gigabytes for weeks, ran in runs.items()},
        "slowest_models": models,
        "floor_seconds": floor_seconds,
    }
    times_floor = None if floor_seconds is None or one_week <= 0 else one_week / floor_seconds
    times_week = ratio(net[MANY_WEEKS], one_week)
    name = world.size.name
    return [
        Result(
            f"features_week_times_floor_{name}",
            times_floor,
            "times",
            str(TIMES_THE_FLOOR),
            TIMES_THE_FLOOR.holds(times_floor),
            detail | ({} if floor_seconds else {"not_measured": "one_pass.py of the peers is not there"}),
        ),
        Result(
            f"features_{MANY_WEEKS}_weeks_times_one_{name}",
            times_week,
            "times",
            str(TIMES_ONE_WEEK),
            TIMES_ONE_WEEK.holds(times_week),
            detail,
        ),
    ]


def _rebuild(world: ReviewedWorld, weeks: int) -> Ran:
    change_settings(
        world.workspace,
        {
            "training.history_weeks": str(weeks),
            "sessions.timeout_minutes": str(TIMEOUT_MINUTES[weeks]),
        },
    )
    return run_vitals(world.workspace, "features", f"--week={world.week}")
