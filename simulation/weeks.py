"""The weeks of a world, in local time and in UTC (milliseconds since 1970)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from simulation.parameters import WorldParameters

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
DAYS_PER_WEEK = 7
NEVER = np.iinfo(np.int64).max  # a moment that does not come


@dataclass(frozen=True)
class Week:
    """One local week.

    `number` counts from 1. `day_starts` (zones × 7; zone 0 is the business's own) are such that
    day_starts[zone, d] + h hours is h o'clock on day d there for waking hours, also on days on which the
    clock changes. `starts_at` and `ends_at` are those of the business. `complete_until`: an UTC midnight
    before which nothing is received that belongs to a later week.
    """

    number: int
    monday: date
    day_starts: np.ndarray
    starts_at: int
    ends_at: int
    complete_until: int
    is_last: bool


def weeks_of(parameters: WorldParameters) -> Iterator[Week]:
    """The weeks of the world, in order."""
    zones = zones_of(parameters)
    for number in range(1, parameters.weeks + 1):
        monday = parameters.first_week + timedelta(weeks=number - 1)
        next_monday = monday + timedelta(weeks=1)
        ends_at = _instant(next_monday, time(0), zones[0])
        is_last = number == parameters.weeks
        if is_last:
            complete_until = -(-ends_at // DAY) * DAY
        else:
            opens = int(parameters.usage.day_opens_hour * HOUR)
            next_opens_at = min(ends_at, *(_day_start(next_monday, zone) + opens for zone in zones))
            complete_until = next_opens_at // DAY * DAY
        yield Week(
            number=number,
            monday=monday,
            day_starts=np.array(
                [
                    [_day_start(monday + timedelta(days=day), zone) for day in range(DAYS_PER_WEEK)]
                    for zone in zones
                ]
            ),
            starts_at=_instant(monday, time(0), zones[0]),
            ends_at=ends_at,
            complete_until=complete_until,
            is_last=is_last,
        )


def zones_of(parameters: WorldParameters) -> list[ZoneInfo]:
    """The zones in which accounts live; the first is that of the business."""
    others = [name for name, _ in parameters.arrival.zones[1:]]
    return [ZoneInfo(name) for name in [parameters.time_zone, *others]]


def working_times(
    random: np.random.Generator, week: Week, count: int, zone: np.ndarray | int = 0
) -> np.ndarray:
    """`count` moments from Monday to Friday between 8 and 18 o'clock in a zone, UTC milliseconds."""
    days = random.integers(0, 5, count)
    return week.day_starts[zone, days] + (random.uniform(8, 18, count) * HOUR).astype(np.int64)


def week_column(week: Week, count: int) -> pa.Array:
    """The Monday of the week, `count` times."""
    return pa.array(np.full(count, week.monday, dtype="datetime64[D]"))


def _instant(day: date, clock: time, zone: ZoneInfo) -> int:
    moment = datetime.combine(day, clock, zone).astimezone(UTC)
    return int(moment.timestamp() * SECOND)


def _day_start(day: date, zone: ZoneInfo) -> int:
    """Noon less twelve hours: clocks change at night, so the offset at noon holds while people are awake."""
    return _instant(day, time(12), zone) - 12 * HOUR
