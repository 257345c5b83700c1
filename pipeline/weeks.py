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
# Those of the events that `vitals load` takes; far beyond them calendars and time zones end.
FIRST_YEAR, LAST_YEAR = 1970, 2200
# The business date of an event; statements that use it bind $zone.
LOCAL_DATE = "cast(timezone($zone, timezone('UTC', occurred_at)) as date)"


def minutes_of(events: str) -> str:
    """The minutes in which events of a relation occurred: dates are found once a minute, not an event."""
    return f"(select distinct date_trunc('minute', occurred_at) as occurred_at from {events} as events)"


# Events that came after a load, and those that an event received earlier replaced; statements bind $through.
CHANGED_SINCE = """(
    select occurred_at from raw.events where load_id > $through and not is_late
    union all
    select occurred_at from raw.replaced_events where replaced_by_load_id > $through and not is_late
)"""
# The events that count.
_COUNTED = "(select occurred_at from raw.events where not is_late)"


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


def parse_week(text: str, option: str = "--week") -> date:
    """The Monday of the week of a day written as YYYY-MM-DD, as given with an option. Raises UsageError."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} is {text!r}; give a day as YYYY-MM-DD, such as 2025-12-22.") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise UsageError(
            f"{option} is {text!r}; give a day of the years {FIRST_YEAR} to {LAST_YEAR}, such as 2025-12-22."
        )
    return monday_of(day)


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
    first_date, last_date = _loaded_span(warehouse, settings)
    if asked is not None:
        _check_inside(asked, "--week", first_date, last_date)
        return asked
    sunday = warehouse.value(
        f"""
        select max(local_date) from (
            select {LOCAL_DATE} as local_date from {minutes_of(_COUNTED)} as minutes
        ) as days
        where isodow(local_date) = 7
        """,
        {"zone": settings.time_zone},
    )
    if sunday is not None:
        return monday_of(sunday)
    # A business that never trades on Sundays: the last week that was over when the last event came.
    return max(monday_of(first_date), monday_of(last_date) - WEEK)


def weeks_between(warehouse: Warehouse, settings: Settings, first: date, last: date) -> tuple[date, ...]:
    """The Mondays from one to another, both included.

    Raises VitalsError where nothing is loaded, UsageError where one of the two lies outside the data.
    """
    first_date, last_date = _loaded_span(warehouse, settings)
    _check_inside(first, "--from", first_date, last_date)
    _check_inside(last, "--to", first_date, last_date)
    return tuple(sorted(_range(first, last)))


def _loaded_span(warehouse: Warehouse, settings: Settings) -> tuple[date, date]:
    """Business dates of the first and the last event that counts."""
    first_date, last_date = warehouse.rows(
        f"select min({LOCAL_DATE}), max({LOCAL_DATE}) from {minutes_of(_COUNTED)} as minutes",
        {"zone": settings.time_zone},
    )[0]
    if first_date is None:
        raise VitalsError("no event is loaded yet. Put files into landing and run `vitals load`.")
    return first_date, last_date


def _check_inside(week: date, option: str, first_date: date, last_date: date) -> None:
    if monday_of(first_date) <= week <= monday_of(last_date):
        return
    why = "lies before the data" if week < first_date else "lies in the future of the data"
    raise UsageError(
        f"the week of {week} has no data, it {why}: events are loaded from {first_date} to {last_date}. "
        f"Give {option} a day between them."
    )


def plan_weeks(warehouse: Warehouse, settings: Settings, review_week: date) -> WeekPlan:
    """Missing weeks, weeks that newer or late events changed, and always the reviewed week."""
    first_week = monday_of(_loaded_span(warehouse, settings)[0])
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
                select min({LOCAL_DATE}) from {minutes_of(CHANGED_SINCE)} as minutes
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
