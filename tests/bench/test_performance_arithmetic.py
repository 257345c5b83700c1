"""Start-up taken away, straight lines, percentiles and sizes that were not measured."""

from __future__ import annotations

import pytest

from bench.arithmetic import extrapolate, line_through, percentile_95, ratio, without_start_up
from bench.cost_by_size import billion_results, large_results, large_week_results
from bench.workspaces import Cost
from pipeline.review import STEPS


def cost(events: int, microseconds_per_event: float, start_up: float = 5.0) -> Cost:
    return Cost(
        events=events,
        customers=events // 100,
        seconds=dict.fromkeys(STEPS, start_up + events * microseconds_per_event / 1000000.0),
        cpu_seconds={},
        peak_gigabytes=dict.fromkeys(STEPS, 1.5),
        disk_bytes=dict.fromkeys(STEPS, events * 100) | {"score": -4096},
        models={},
    )


def test_start_up_is_taken_off_part_by_part_and_never_below_zero() -> None:
    net = without_start_up({"load": 5.0, "features": 3.0, "new": 1.0}, {"load": 2.0, "features": 4.0})
    assert net == {"load": 3.0, "features": 0.0, "new": 1.0}


def test_nothing_is_no_base() -> None:
    assert ratio(1.0, 4.0) == 0.25
    assert ratio(1.0, 0.0) is None
    assert ratio(1.0, -0.5) is None


def test_a_line_through_two_points() -> None:
    line = line_through((8, 18.0), (26, 54.0))
    assert (line.slope, line.at_zero, line.at(1)) == (2.0, 2.0, 4.0)


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (19, 19), (20, 19), (100, 95)])
def test_the_95th_percentile_is_a_value_that_was_measured(count: int, expected: int) -> None:
    assert percentile_95(list(range(count, 0, -1))) == expected


def test_a_cost_in_proportion_is_extrapolated_without_a_range() -> None:
    found = extrapolate([(1e6, 2.0), (1e7, 20.0)], 1e9)
    assert (found.likely, found.low, found.high) == pytest.approx((2000.0, 2000.0, 2000.0))
    assert found.exponent == pytest.approx(1.0)


def test_a_fixed_part_and_a_growing_cost_make_a_range() -> None:
    with_start_up = extrapolate([(1e5, 0.0), (1e6, 12.0), (1e7, 30.0)], 1e9)
    assert with_start_up.likely == pytest.approx(10 + 2000)
    assert with_start_up.high == pytest.approx(3000)  # the same per event as at the largest
    assert with_start_up.low < with_start_up.likely
    squared = extrapolate([(1e6, 1.0), (1e7, 100.0)], 1e8)
    assert squared.exponent == pytest.approx(2.0)
    assert squared.high == pytest.approx(10_000)
    assert squared.low == pytest.approx(1_000)
    with pytest.raises(ValueError, match="two measured sizes"):
        extrapolate([(1e6, 1.0)], 1e9)
    with pytest.raises(ValueError, match="above zero"):
        extrapolate([(1e6, 0.0), (1e7, 1.0)], 1e9)


def test_a_billion_events_are_the_sum_of_the_steps() -> None:
    hours, disk = billion_results([cost(1_000_000, 3.6), cost(10_000_000, 3.6)], cost(0, 0))
    assert hours.value == pytest.approx(len(STEPS))
    assert hours.detail["from_events"] == [1_000_000, 10_000_000]
    assert hours.target is None
    # Bytes that a step gave back are no cost.
    assert disk.detail["by_step"]["score"]["likely"] == 0
    assert disk.value == pytest.approx(0.1 * (len(STEPS) - 1))


def test_a_hundred_million_are_held_against_ten() -> None:
    memory, per_event = large_results(cost(10_000_000, 2.0, start_up=0), cost(100_000_000, 4.0, start_up=0))
    (week,) = large_week_results(12.5)
    assert (memory.value, memory.holds) == (1.5, True)
    assert (week.value, week.holds) == (12.5, False)
    assert per_event.value == pytest.approx(2.0)
    assert per_event.holds is False
