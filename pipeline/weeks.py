"""Which week is reviewed, and which weeks' feature rows a run has to write.

A week is named by its Monday; all dates are local dates of the business.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pipeline.errors import UsageError, VitalsError
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse

WEEK = timedelta(days=7)
# The business date of an event; statements that use it bind $zone.
_LOCAL_DATE = "cast(timezone($zone, timezone('UTC', occurred_at)) as date)"


def monday_of(day: date) -> date:
    """The Monday on or before a day."""
    return day - timedelta(days=day.weekday())


def week_bounds(review_week: date, time_zone: str) -> tuple[datetime, datetime]:
    """Monday 00:00 business time and that of the Monday after, as UTC without a zone."""
    zone = ZoneInfo(time_zone)
    starts_at, ends_at = (
        datetime.combine(day, time(), tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
        for day in (review_week, review_week + WEEK)
    )
    return starts_at, ends_at


def parse_week(text: str) -> date:
    """The Monday of the week of a day written as YYYY-MM-DD. Raises UsageError."""
    try:
        return monday_of(date.fromisoformat(text))
    except ValueError:
        raise UsageError(f"--week is {text!r}; give a day as YYYY-MM-DD, such as 2025-12-22.") from None


@dataclass(frozen=True)
class WeekPlan:
    """What a run builds. `build` holds the Mondays whose feature rows are written, `keep` those that stay."""

    review_week: date
    newest_review_week: date
    build: tuple[date, ...]
    keep: tuple[date, ...]
    restated: tuple[date, ...]


def choose_week(warehouse: Warehouse, settings: Settings, asked: date | None) -> date:
    """The reviewed week: the asked one, else the last whose Sunday, in business time, has an event.

    Raises VitalsError where nothing is loaded, UsageError where the asked week lies outside the data.
    """
    span = warehouse.rows(
        f"select min({_LOCAL_DATE}), max({_LOCAL_DATE}) from raw.events where not is_late",
        {"zone": settings.time_zone},
    )[0]
    if span[0] is None:
        raise VitalsError("no event is loaded yet. Put files into landing and run `vitals load`.")
    first_week, last_week = monday_of(span[0]), monday_of(span[1])
    if asked is not None:
        if not first_week <= asked <= last_week:
            raise UsageError(
                f"the week of {asked} has no data: events are loaded from {span[0]} to {span[1]}. "
                f"Give --week a day between them."
            )
        return asked
    sunday = warehouse.value(
        f"""
        select max(local_date) from (
            select {_LOCAL_DATE} as local_date from raw.events where not is_late
        ) as days
        where isodow(local_date) = 7
        """,
        {"zone": settings.time_zone},
    )
    if sunday is not None:
        return monday_of(sunday)
    # A business that never trades on Sundays: the last week that was over when the last event came.
    return max(first_week, last_week - WEEK)


def plan_weeks(warehouse: Warehouse, settings: Settings, review_week: date) -> WeekPlan:
    """Missing weeks, weeks that newer or late events changed, and always the reviewed week."""
    first_date = warehouse.value(
        f"select min({_LOCAL_DATE}) from raw.events where not is_late", {"zone": settings.time_zone}
    )
    first_week = monday_of(first_date)
    newest_reviewed = warehouse.value("select max(review_week) from ops.reviewed_weeks")
    newest = max(review_week, newest_reviewed or review_week)
    history = settings.training.history_weeks
    keep = _range(max(first_week, review_week - (history - 1) * WEEK), review_week)
    keep |= _range(max(first_week, newest - (history - 1) * WEEK), newest)
    built = warehouse.rows("select review_week, through_load_id from ops.built_weeks")
    touched: dict[int, date | None] = {}
    for _, through in built:
        if through not in touched:
            # An event that an earlier-received delivery replaced left the day on which it lay.
            touched[through] = warehouse.value(
                f"""
                select min({_LOCAL_DATE}) from (
                    select occurred_at from raw.events where load_id > $through and not is_late
                    union all
                    select occurred_at from raw.replaced_events
                    where replaced_by_load_id > $through and not is_late
                ) as changes
                """,
                {"zone": settings.time_zone, "through": through},
            )
    restated = {
        week
        for week, through in built
        if week in keep and touched[through] is not None and touched[through] < week + WEEK
    }
    missing = keep - {week for week, _ in built}
    return WeekPlan(
        review_week=review_week,
        newest_review_week=newest,
        build=tuple(sorted(missing | restated | {review_week})),
        keep=tuple(sorted(keep)),
        restated=tuple(sorted(restated - {review_week})),
    )


def _range(first: date, last: date) -> set[date]:
    return {first + number * WEEK for number in range((last - first).days // 7 + 1)}
