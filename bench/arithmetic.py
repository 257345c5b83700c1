"""The arithmetic of the performance figures: start-up taken away, straight lines, sizes not yet measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


def without_start_up(seconds: Mapping[str, float], start_up: Mapping[str, float]) -> dict[str, float]:
    """What each part took beyond what it takes where there is next to nothing to do; never less than zero."""
    return {part: max(0.0, taken - start_up.get(part, 0.0)) for part, taken in seconds.items()}


def ratio(value: float, base: float) -> float | None:
    """value / base; None where the base is nothing that could be told from start-up."""
    return value / base if base > 0 else None


def percentile_95(seconds: Sequence[float]) -> float:
    """The smallest value that at least 95 % of the values do not exceed."""
    ordered = sorted(seconds)
    return ordered[math.ceil(0.95 * len(ordered)) - 1]


@dataclass(frozen=True)
class Line:
    """value = at_zero + slope × x."""

    at_zero: float
    slope: float

    def at(self, x: float) -> float:
        return self.at_zero + self.slope * x


def line_through(first: tuple[float, float], second: tuple[float, float]) -> Line:
    """The straight line through two points (x, value) of different x."""
    slope = (second[1] - first[1]) / (second[0] - first[0])
    return Line(first[1] - slope * first[0], slope)


@dataclass(frozen=True)
class Extrapolation:
    """A size that was not measured: most likely, and the range between the two assumptions."""

    likely: float
    low: float
    high: float
    exponent: float


def extrapolate(measured: Sequence[tuple[float, float]], size: float) -> Extrapolation:
    """What a size beyond the measured (size, value) would take, from the two largest of them.

    Three assumptions: the straight line through the two (a fixed part and a part per event), the same cost
    per event as at the largest, and the power of the size that the two show. The line is the likely one; the
    range is that of all three. Raises ValueError for fewer than two sizes or values that are not positive.
    """
    if len(measured) < 2:
        raise ValueError("two measured sizes are needed to see how the cost grows")
    first, second = sorted(measured)[-2:]
    if min(*first, *second) <= 0:
        raise ValueError("sizes and values have to be above zero")
    exponent = math.log(second[1] / first[1]) / math.log(second[0] / first[0])
    by_line = max(second[1], line_through(first, second).at(size))
    per_event = second[1] * size / second[0]
    by_power = second[1] * (size / second[0]) ** exponent
    every = (by_line, per_event, by_power)
    return Extrapolation(by_line, min(every), max(every), exponent)
