"""What every step of a full review costs at several sizes, and from that what a billion events would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from operator import attrgetter

from bench.arithmetic import Extrapolation, extrapolate
from bench.record import Result, Target
from bench.workspaces import Cost
from pipeline.review import STEPS

BILLION = 1_000_000_000
MODELS_NAMED = 15
WITHIN_GIGABYTES = Target(highest=12.0)
TIMES_PER_EVENT = Target(highest=1.5)
ASSUMPTION = (
    "start-up is taken off; likely is the straight line through the two largest measured sizes; the range "
    "also holds the same cost per event as at the largest, and the power of the size that the two show. "
    "Customers grow with the events, and memory and disk suffice."
)


def size_results(name: str, cost: Cost) -> list[Result]:
    """One size: seconds, the most memory, and bytes on disk of the whole review; by step in the detail."""
    models = dict(sorted(cost.models.items(), key=lambda model: -model[1])[:MODELS_NAMED])
    # What features takes beyond its models: tests, promises, own features looked at week by week, start-up.
    detail = asdict(cost) | {"models": models, "seconds_of_all_models": sum(cost.models.values())}
    return [
        Result(f"review_{name}_seconds", sum(cost.seconds.values()), "seconds", detail=detail),
        Result(f"review_{name}_peak_gigabytes", max(cost.peak_gigabytes.values()), "gigabytes"),
        Result(f"review_{name}_disk_gigabytes", sum(cost.disk_bytes.values()) / 1e9, "gigabytes"),
    ]


def billion_results(costs: Sequence[Cost], start_up: Cost) -> list[Result]:
    """What a billion events would take in seconds and on disk, by step, from the largest two of the sizes.

    start_up: the same for next to no events; it is taken off first, as it says nothing of how costs grow.
    """
    seconds, disk = (
        {
            step: _extrapolated([(cost.events, taken(cost)[step] - taken(start_up)[step]) for cost in costs])
            for step in STEPS
        }
        for taken in (attrgetter("seconds"), attrgetter("disk_bytes"))
    )
    sizes = sorted(cost.events for cost in costs)
    return [
        _summed("billion_events_hours", "hours", 3600, seconds, sizes),
        _summed("billion_events_disk_terabytes", "terabytes", 1e12, disk, sizes),
    ]


def large_results(ten_million: Cost, large: Cost) -> list[Result]:
    """Whether the rebuild of a size ten times as large fits into the memory, and costs as much per event."""
    per_event = [sum(cost.seconds.values()) / cost.events * 1e6 for cost in (ten_million, large)]
    times = per_event[1] / per_event[0]
    peak = max(large.peak_gigabytes.values())
    detail = asdict(large)
    return [
        Result(
            "rebuild_100m_peak_gigabytes",
            peak,
            "gigabytes",
            str(WITHIN_GIGABYTES),
            WITHIN_GIGABYTES.holds(peak),
            detail,
        ),
        Result(
            "rebuild_100m_time_per_event_times_10m",
            times,
            "times",
            str(TIMES_PER_EVENT),
            TIMES_PER_EVENT.holds(times),
            {"microseconds_per_event_10m": per_event[0], "microseconds_per_event_100m": per_event[1]},
        ),
    ]


def large_week_results(peak_gigabytes: float) -> list[Result]:
    """Whether the week after it fits into the memory, too, up to its release."""
    return [
        Result(
            "week_100m_peak_gigabytes",
            peak_gigabytes,
            "gigabytes",
            str(WITHIN_GIGABYTES),
            WITHIN_GIGABYTES.holds(peak_gigabytes),
        )
    ]


def _extrapolated(measured: Sequence[tuple[float, float]]) -> Extrapolation:
    # What start-up hides, and steps that give room on the disk back, are no cost.
    above_zero = [each for each in measured if each[1] > 0]
    return extrapolate(above_zero, BILLION) if len(above_zero) > 1 else Extrapolation(0, 0, 0, 0)


def _summed(
    name: str, unit: str, per_unit: float, by_step: Mapping[str, Extrapolation], sizes: Sequence[int]
) -> Result:
    def total(which: str) -> float:
        return sum(getattr(each, which) for each in by_step.values()) / per_unit

    return Result(
        name,
        total("likely"),
        unit,
        detail={
            "low": total("low"),
            "high": total("high"),
            "by_step": {
                step: {
                    "likely": each.likely / per_unit,
                    "low": each.low / per_unit,
                    "high": each.high / per_unit,
                    "exponent": each.exponent,
                }
                for step, each in by_step.items()
            },
            "assumption": ASSUMPTION,
            "from_events": list(sizes[-2:]),
        },
    )
