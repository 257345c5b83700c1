"""Which weeks new events touch: what a run reads again, and what was under way when they began.

A week is a calendar week of the business, named by its Monday. Everything that models build from events is
replaced week by week; beside these weeks a run looks at ids whose links changed, which the models find out
themselves from the links that were applied before.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

import pandas

from pipeline.settings import Settings
from pipeline.warehouse import Warehouse
from pipeline.weeks import CHANGED_SINCE, LOCAL_DATE, WEEK, minutes_of, monday_of

# Labels named _90d are the last to mature, unless the horizon of the workspace is longer.
LONGEST_LABEL_DAYS = 90

_TABLES = """
create table if not exists ops.weeks_touched (calendar_week date, from_at timestamp, until_at timestamp);
create table if not exists ops.bursts_carried (
    actor_key ubigint, source_session_id varchar, last_activity_at timestamp, burst_started_at timestamp
);
create table if not exists ops.identities_applied (
    linking_key ubigint, id_type varchar, id varchar, customer_id varchar, user_id varchar,
    known_from_at timestamp, applies_from_at timestamp, applies_until_at timestamp
);
-- What a build that did not come to its end may have written for links that hold no more.
create table if not exists ops.weeks_in_doubt (actor_key ubigint, customer_id varchar, calendar_week date);
create table if not exists ops.clock_offsets (
    from_at timestamp, until_at timestamp, microseconds_ahead bigint
);
create table if not exists ops.offers_applied (
    customer_id varchar, local_date date, known_from_date date, offers_received bigint, offers_used bigint
);
-- Up to which load intermediate knows the events; no row while nothing of it is built to its end.
-- Labels are those of events before observed_until_date.
create table if not exists ops.events_built (through_load_id bigint, observed_until_date date);
-- Between them lies all that is read again.
create macro if not exists ops.touched_from_at() as timestamp '0001-01-01';
create macro if not exists ops.touched_until_at() as timestamp '0001-01-01';
"""


def create_touched_tables(warehouse: Warehouse) -> None:
    """Create what is not there yet; models read it."""
    warehouse.run(_TABLES)


def forget_what_was_built(warehouse: Warehouse) -> None:
    """The next run reads all events again. The tables of intermediate are dropped."""
    warehouse.run("delete from ops.events_built")
    warehouse.run("delete from ops.identities_applied")
    warehouse.run("delete from ops.weeks_in_doubt")
    warehouse.run("delete from ops.weeks_touched")
    warehouse.run("drop schema if exists intermediate cascade")
    warehouse.run("create schema intermediate")


def write_weeks_touched(warehouse: Warehouse, settings: Settings) -> int:
    """Before a build: note which weeks are read again, and what is carried into them; their number.

    Where an earlier build did not come to its end, its weeks are among them.
    """
    _write_clock_offsets(warehouse, settings)
    through = warehouse.value("select max(through_load_id) from ops.events_built")
    if through is None:
        forget_what_was_built(warehouse)
    weeks = _weeks_of_new_events(warehouse, settings, through or 0)
    if through is not None:
        weeks |= _weeks_that_follow(warehouse, settings, weeks)
        # Both tables are empty once a build has come to its end.
        weeks |= {week for (week,) in warehouse.rows("select calendar_week from ops.weeks_touched")}
        if warehouse.has_table("intermediate.int_weeks_relinked"):
            warehouse.run("insert into ops.weeks_in_doubt select * from intermediate.int_weeks_relinked")
    bounds = [(week, *_bounds(warehouse, settings, week)) for week in sorted(weeks)]
    rows = pandas.DataFrame(bounds, columns=["calendar_week", "from_at", "until_at"])
    with warehouse.transaction(), warehouse.registered("weeks_found", rows):
        warehouse.run(
            """
            create or replace table ops.weeks_touched as
            select
                calendar_week::date as calendar_week,
                from_at::timestamp as from_at,
                until_at::timestamp as until_at
            from weeks_found
            """
        )
        for name, moment in _span(bounds).items():
            warehouse.run(f"create or replace macro ops.{name}() as timestamp '{moment}'")
        warehouse.run("delete from ops.bursts_carried")
        warehouse.run("delete from ops.offers_applied")
        if through is not None:
            _carry_over(warehouse, settings)
    return len(weeks)


def first_week_to_label(
    warehouse: Warehouse, settings: Settings, weeks_to_build: Iterable[date], observed_until: date
) -> date | None:
    """The first week whose labels a build may change, once the touched weeks are written; None: all weeks.

    A label tells of the days until it matures, so one that had matured before all that is new stays.
    """
    observed_before = warehouse.value("select max(observed_until_date) from ops.events_built")
    if observed_before is None:
        return None
    first_touched = warehouse.value("select min(calendar_week) from ops.weeks_touched")
    first_changed = min(observed_before, observed_until, first_touched or observed_until)
    longest = timedelta(days=max(LONGEST_LABEL_DAYS, settings.churn.horizon_days))
    return min([monday_of(first_changed - longest) - WEEK, *weeks_to_build])


def record_events_built(warehouse: Warehouse, through_load_id: int, observed_until: date) -> None:
    """After a build: what is applied now, and up to which load. Part of the transaction of the caller."""
    warehouse.run("delete from ops.identities_applied")
    warehouse.run(
        """
        insert into ops.identities_applied
        select
            linking_key, id_type, id, customer_id, user_id, known_from_at, applies_from_at, applies_until_at
        from intermediate.identities
        where is_linked and not is_shared
        """
    )
    warehouse.run("delete from ops.weeks_touched")
    warehouse.run("delete from ops.weeks_in_doubt")
    warehouse.run("delete from intermediate.int_weeks_relinked")
    warehouse.run("delete from intermediate.int_customer_weeks_of_run")
    warehouse.run("delete from ops.events_built")
    warehouse.run("insert into ops.events_built values (?, ?)", [through_load_id, observed_until])


def _write_clock_offsets(warehouse: Warehouse, settings: Settings) -> None:
    """How far the clocks of the business are ahead of UTC, as the engine knows it, over all that is loaded.

    The first span begins with the year 1, the last ends with the year 9999. Clocks are changed at quarters of
    an hour.
    """
    warehouse.run(
        """
        create or replace table ops.clock_offsets as
        with
        moments as (
            select unnest(generate_series(
                date_trunc('day', min(occurred_at)), max(occurred_at) + interval 1 day, interval 15 minutes
            )) as moment
            from raw.events
        ),
        offsets as (
            select moment, epoch_us(timezone($zone, timezone('UTC', moment))) - epoch_us(moment) as ahead
            from moments
        ),
        offsets_in_order as (
            select *, lag(ahead) over (order by moment) as ahead_before
            from offsets
        )
        select
            case
                when ahead_before is null then timestamp '0001-01-01'
                else moment
            end as from_at,
            lead(moment, 1, timestamp '9999-12-31') over (order by moment) as until_at,
            ahead as microseconds_ahead
        from offsets_in_order
        where ahead is distinct from ahead_before
        """,
        {"zone": settings.time_zone},
    )


def _bounds(warehouse: Warehouse, settings: Settings, week: date) -> tuple[datetime, datetime]:
    """Monday 00:00 business time and that of the Monday after, in UTC, by the clocks of the engine.

    Not pipeline.weeks.week_bounds: Python's zones may be of another year than those that date events.
    """
    return warehouse.rows(
        """
        select
            timezone('UTC', timezone($zone, cast($week as timestamp))),
            timezone('UTC', timezone($zone, cast($week as timestamp) + interval 7 day))
        """,
        {"zone": settings.time_zone, "week": week},
    )[0]


def _span(bounds: list[tuple[date, datetime, datetime]]) -> dict[str, datetime]:
    """From the beginning of the first week to the end of the last; nothing lies in it where there is none."""
    if not bounds:
        return {"touched_from_at": datetime.min, "touched_until_at": datetime.min}
    return {"touched_from_at": bounds[0][1], "touched_until_at": bounds[-1][2]}


def _weeks_of_new_events(warehouse: Warehouse, settings: Settings, through: int) -> set[date]:
    """Weeks of events that came since, and of those that an event received earlier has replaced."""
    rows = warehouse.rows(
        f"""
        select distinct cast(date_trunc('week', {LOCAL_DATE}) as date)
        from {minutes_of(CHANGED_SINCE)} as minutes
        """,
        {"zone": settings.time_zone, "through": through},
    )
    return {week for (week,) in rows}


def _weeks_that_follow(warehouse: Warehouse, settings: Settings, weeks: set[date]) -> set[date]:
    """Weeks into which sessions of touched weeks reach, or might reach once more is known.

    Only what began before a touched week ended, or so soon after its end that it may be the same session.
    """
    following: set[date] = set()
    cap = _reach(settings)
    for week in sorted(weeks):
        _, ends_at = _bounds(warehouse, settings, week)
        rows = warehouse.rows(
            """
            select distinct calendar_week
            from intermediate.int_activities
            where calendar_week > $week and burst_started_at < $ends_at + to_minutes($cap)
            """,
            {"week": week, "ends_at": ends_at, "cap": cap},
        )
        following |= {later for (later,) in rows}
    return following


def _carry_over(warehouse: Warehouse, settings: Settings) -> None:
    """What went on when a touched week began, and the offers that days count as they stand."""
    warehouse.run(
        """
        insert into ops.bursts_carried
        select
            activities.actor_key, activities.source_session_id,
            max(activities.occurred_at), max(activities.burst_started_at)
        from ops.weeks_touched as weeks
        inner join intermediate.int_activities as activities
            on activities.calendar_week = weeks.calendar_week - 7
            and activities.occurred_at >= weeks.from_at - to_minutes($cap)
        where weeks.calendar_week - 7 not in (select calendar_week from ops.weeks_touched)
        group by activities.actor_key, activities.source_session_id, weeks.calendar_week
        """,
        {"cap": _reach(settings)},
    )
    warehouse.run(
        """
        insert into ops.offers_applied
        select customer_id, local_date, known_from_date, offers_received, offers_used
        from intermediate.customer_days
        where offers_received <> 0 or offers_used <> 0
        """
    )


def _reach(settings: Settings) -> int:
    """Minutes after which nothing goes on."""
    return max(settings.sessions.cap_hours * 60, settings.sessions.timeout_minutes)
