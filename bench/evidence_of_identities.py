"""Who is who in a reviewed workspace, beside the truth of its world: sessions, visits, ids, programs, tests.

Reads what `read_evidence` has made ready in the connection: the schema truth, the attached build, the
tables tests and reviewed_weeks, and what `prepare` makes of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bench.reader import Reader

SESSION_DAYS = 90


@dataclass(frozen=True)
class IdentityEvidence:
    """The frames of the comparisons of identities, which say what their rows are."""

    sessions: pd.DataFrame
    sessions_of_weeks: pd.DataFrame
    active_customers: pd.DataFrame
    visits: pd.DataFrame
    ids: pd.DataFrame
    changed_ids: pd.DataFrame
    shared_computers: pd.DataFrame
    programs: pd.DataFrame
    flagged_days: pd.DataFrame
    test_accounts: pd.DataFrame


def prepare(read: Reader, zone: str, script_activities: int) -> None:
    """Make what several comparisons read, from the schema truth and the attached build.

    received_sessions: what reached the collector in time before the world ended, as the loader should see it
    (is_divided: some events came after that). namings: since when events that count say whose a computer is.
    flagged_days: computers and days of which the product says that no human was there. sessions_of_customers:
    received sessions that are their customer's as far as events can tell: active_dates (the days of their
    first and last activity, without flagged ones), counted_date (the first of these), named_date (from which
    day on it is known whose they are).
    planted_programs: received sessions of bots (scraping_bot), and of customers' own computers in a week of
    suspicious activity where they do at least script_activities things (script): people never come near it.
    """
    read.connection.execute(
        f"""
        create view received_sessions as
        select
            sessions.*,
            'anonymous:' || sessions.anonymous_id as actor_id,
            {_local_date("sessions.started_at", zone)} as start_date,
            {_local_date("sessions.ended_at", zone)} as end_date,
            -- its last events come with the delay of its first, and a minute of latency at most
            sessions.ended_at + (sessions.first_received_at - sessions.started_at) + interval 1 minute
            >= the_end.ends_at as is_divided
        from truth.sessions
        cross join (select max(received_date) + interval 1 day as ends_at from truth.deliveries) as the_end
        where
            not sessions.is_late
            and not sessions.is_rejected
            and sessions.first_received_at < the_end.ends_at
        """
    )
    read.connection.execute(
        f"""
        create table namings as
        select anonymous_id, {_local_date("min(started_at)", zone)} as named_date
        from received_sessions where is_identified group by anonymous_id
        """
    )
    read.connection.execute(
        "create table flagged_days as select actor_id, local_date from build.intermediate.bot_days"
    )
    read.connection.execute(
        """
        create view sessions_of_customers as
        select
            received_sessions.*,
            list_distinct([
                case when at_start.actor_id is null then start_date end,
                case when at_end.actor_id is null then end_date end
            ]).list_sort() as active_dates,
            active_dates[1] as counted_date,
            coalesce(namings.named_date, counted_date) as named_date
        from received_sessions
        left join namings using (anonymous_id)
        left join flagged_days as at_start
            on
                received_sessions.actor_id = at_start.actor_id
                and received_sessions.start_date = at_start.local_date
        left join flagged_days as at_end
            on
                received_sessions.actor_id = at_end.actor_id
                and received_sessions.end_date = at_end.local_date
        where
            account_id is not null
            and (is_identified or namings.anonymous_id is not null)
            and (at_start.actor_id is null or at_end.actor_id is null)
        """
    )
    read.connection.execute(
        f"""
        create view planted_programs as
        select bots.kind, received_sessions.*
        from received_sessions inner join truth.bots using (anonymous_id)
        union all
        select 'script' as kind, received_sessions.*
        from received_sessions
        semi join (from truth.anomalies where kind = 'suspicious_activity') as scripted
            on
                received_sessions.account_id = scripted.account_id
                and received_sessions.review_week = scripted.review_week
        where received_sessions.activities >= {script_activities}
        """
    )


def read_identities(read: Reader) -> IdentityEvidence:
    """All frames, from what `prepare` has made."""
    return IdentityEvidence(
        sessions=_sessions(read),
        sessions_of_weeks=_sessions_of_weeks(read),
        active_customers=_active_customers(read),
        visits=_visits(read),
        ids=_ids(read),
        changed_ids=_changed_ids(read),
        shared_computers=_shared_computers(read),
        programs=_programs(read),
        flagged_days=_flagged_days(read),
        test_accounts=_test_accounts(read),
    )


def _local_date(moment: str, zone: str) -> str:
    return f"cast(timezone('{zone}', timezone('UTC', {moment})) as date)"


def _sessions(read: Reader) -> pd.DataFrame:
    return read.frame(
        """
        with planted as (
            select
                account_id as customer_id,
                count(*) as planted_sessions,
                count(*) filter (where not is_identified) as planted_visits,
                sum(activities) filter (where not is_divided) as planted_activities,
                count(*) filter (where is_divided) as divided_sessions
            from sessions_of_customers group by account_id
        ),
        found as (
            select
                sessions.customer_id,
                count(*) as found_sessions,
                sum(sessions.events) filter (where received_sessions.started_at is null) as found_activities
            from build.intermediate.sessions
            left join received_sessions
                on
                    sessions.actor_id = received_sessions.actor_id
                    and sessions.started_at = received_sessions.started_at
                    and received_sessions.is_divided
            where sessions.customer_id is not null
            group by sessions.customer_id
        )
        select
            customer_id,
            coalesce(planted_sessions, 0)::bigint as planted_sessions,
            coalesce(planted_visits, 0)::bigint as planted_visits,
            coalesce(found_sessions, 0)::bigint as found_sessions,
            coalesce(planted_activities, 0)::bigint as planted_activities,
            coalesce(found_activities, 0)::bigint as found_activities,
            coalesce(divided_sessions, 0)::bigint as divided_sessions
        from planted full outer join found using (customer_id)
        order by customer_id
        """
    )


def _sessions_of_weeks(read: Reader) -> pd.DataFrame:
    return read.frame(
        f"""
        with weeks as (
            select review_week, review_week + 7 as ends_on from reviewed_weeks
        ),
        planted as (
            select
                sessions.account_id as customer_id,
                weeks.review_week,
                count(*) filter (where sessions.named_date < ends_on) as planted_sessions,
                count(*) filter (where not is_identified and sessions.named_date < ends_on)
                    as planted_visits,
                count(*) filter (where sessions.named_date >= ends_on) as known_later
            from sessions_of_customers as sessions
            inner join weeks
                on
                    sessions.counted_date >= weeks.ends_on - {SESSION_DAYS}
                    and sessions.counted_date < weeks.ends_on
            group by sessions.account_id, weeks.review_week
        ),
        days as (
            select account_id, named_date, unnest(active_dates) as local_date from sessions_of_customers
        ),
        planted_active as (
            select distinct days.account_id as customer_id, weeks.review_week
            from days
            inner join weeks on days.local_date >= weeks.review_week and days.local_date < weeks.ends_on
            where days.named_date < weeks.ends_on
        )
        select
            customer_weeks.customer_id,
            customer_weeks.review_week,
            coalesce(planted.planted_sessions, 0)::bigint as planted_sessions,
            coalesce(planted.planted_visits, 0)::bigint as planted_visits,
            coalesce(planted.known_later, 0)::bigint as known_later,
            customer_weeks.sessions_{SESSION_DAYS}d as found_sessions,
            planted_active.customer_id is not null as planted_is_active,
            customer_weeks.is_active_7d as found_is_active
        from build.features.customer_weeks
        semi join reviewed_weeks on customer_weeks.review_week = reviewed_weeks.review_week
        left join planted
            on
                customer_weeks.customer_id = planted.customer_id
                and customer_weeks.review_week = planted.review_week
        left join planted_active
            on
                customer_weeks.customer_id = planted_active.customer_id
                and customer_weeks.review_week = planted_active.review_week
        """
    )


def _active_customers(read: Reader) -> pd.DataFrame:
    return read.frame(
        """
        with days as (
            select account_id, named_date, unnest(active_dates) as local_date
            from sessions_of_customers anti join tests using (account_id)
        ),
        planted as (
            select
                cast(date_trunc('week', local_date) as date) as review_week,
                count(distinct account_id) as planted_customers
            from days
            where named_date < (select max(review_week) + 7 from reviewed_weeks)
            group by all
        )
        select
            metrics_weekly.review_week,
            coalesce(planted.planted_customers, 0)::bigint as planted_customers,
            metrics_weekly.active_customers as found_customers
        from build.marts.metrics_weekly left join planted using (review_week)
        order by metrics_weekly.review_week
        """
    )


def _visits(read: Reader) -> pd.DataFrame:
    return read.frame(
        """
        with named_in_vain as (
            select distinct anonymous_id from truth.sessions where is_identified
        )
        select
            visits.account_id as customer_id,
            namings.anonymous_id is not null as is_named,
            named_in_vain.anonymous_id is not null as is_named_in_vain,
            flagged_days.actor_id is not null as is_flagged,
            sessions.customer_id as found_customer_id
        from received_sessions as visits
        left join namings using (anonymous_id)
        left join named_in_vain using (anonymous_id)
        left join flagged_days
            on visits.actor_id = flagged_days.actor_id and visits.start_date = flagged_days.local_date
        left join build.intermediate.sessions
            on visits.actor_id = sessions.actor_id and visits.started_at = sessions.started_at
        where not visits.is_identified
        """
    )


def _ids(read: Reader) -> pd.DataFrame:
    return read.frame(
        """
        with planted as (
            select distinct 'anonymous' as id_type, anonymous_id as id, account_id as customer_id
            from received_sessions where is_identified
            union
            select distinct 'user' as id_type, user_id as id, account_id as customer_id
            from received_sessions where is_identified
        ),
        found as (
            select
                id_type,
                id,
                count(distinct customer_id) as customers,
                max(customer_id) as customer_id,
                bool_or(is_shared) as is_shared
            from build.intermediate.identities where id_type <> 'account' group by id_type, id
        )
        select
            planted.id_type,
            planted.id,
            planted.customer_id,
            coalesce(found.customers, 0)::bigint as found_customers,
            found.customer_id as found_customer_id,
            coalesce(found.is_shared, false) as is_shared
        from planted left join found using (id_type, id)
        """
    )


def _changed_ids(read: Reader) -> pd.DataFrame:
    return read.frame(
        """
        with users as (
            select id, max(customer_id) as customer_id
            from build.intermediate.identities where id_type = 'user'
            group by id having count(distinct customer_id) = 1
        ),
        aliases as (
            select distinct user_id as new_id, properties ->> '$.previous_id' as previous_id
            from build.raw.events where event_type = 'alias' and not is_late
        )
        select
            of_new.customer_id as customer_of_new,
            of_previous.customer_id as customer_of_previous,
            user_merges.user_id is not null as is_merged
        from aliases
        left join users as of_new on aliases.new_id = of_new.id
        left join users as of_previous on aliases.previous_id = of_previous.id
        left join build.intermediate.user_merges
            on aliases.previous_id = user_merges.user_id and aliases.new_id = user_merges.merged_into
        """
    )


def _shared_computers(read: Reader) -> pd.DataFrame:
    return read.frame(
        """
        with shared as (
            select
                anonymous_id,
                count(distinct user_id) as people,
                count(distinct account_id) as customers
            from received_sessions where account_id is not null
            group by anonymous_id having count(distinct user_id) > 1
        ),
        latest_ids as (
            select user_id, arg_max(merged_into, steps) as latest_id
            from build.intermediate.user_merges group by user_id
        ),
        planted as (
            select
                sessions.anonymous_id,
                sessions.started_at,
                sessions.account_id,
                coalesce(latest_ids.latest_id, sessions.user_id) as person
            from truth.sessions
            semi join shared on sessions.anonymous_id = shared.anonymous_id
            left join latest_ids on sessions.user_id = latest_ids.user_id
        ),
        found as (
            select
                events.anonymous_id,
                events.occurred_at,
                events.customer_id,
                coalesce(latest_ids.latest_id, events.acting_user_id) as person
            from build.intermediate.int_customer_events as events
            semi join shared on events.anonymous_id = shared.anonymous_id
            left join latest_ids on events.acting_user_id = latest_ids.user_id
            where events.is_activity and not events.is_bot
        ),
        compared as (
            select
                found.anonymous_id,
                count(*) as events,
                count(*) filter (where found.customer_id is distinct from planted.account_id)
                    as events_of_another_customer,
                count(*) filter (where found.person is distinct from planted.person)
                    as events_of_another_person
            from found
            asof left join planted
                on found.anonymous_id = planted.anonymous_id and found.occurred_at >= planted.started_at
            group by found.anonymous_id
        )
        select
            shared.*,
            coalesce(events, 0)::bigint as events,
            coalesce(events_of_another_customer, 0)::bigint as events_of_another_customer,
            coalesce(events_of_another_person, 0)::bigint as events_of_another_person
        from shared left join compared using (anonymous_id)
        """
    )


def _programs(read: Reader) -> pd.DataFrame:
    return read.frame(
        """
        select
            programs.kind,
            programs.anonymous_id,
            bool_or(flagged_days.actor_id is not null) as is_flagged,
            bool_or(coalesce(sessions.is_bot, false)) as is_marked
        from planted_programs as programs
        left join flagged_days
            on
                programs.actor_id = flagged_days.actor_id
                and flagged_days.local_date in (programs.start_date, programs.end_date)
        left join build.intermediate.sessions
            on programs.actor_id = sessions.actor_id and programs.started_at = sessions.started_at
        where not programs.is_divided
        group by programs.kind, programs.anonymous_id, programs.started_at
        """
    )


def _flagged_days(read: Reader) -> pd.DataFrame:
    return read.frame(
        """
        with sessions_of_people as (
            select flagged_days.actor_id, flagged_days.local_date, count(*) as sessions
            from received_sessions
            inner join flagged_days
                on
                    received_sessions.actor_id = flagged_days.actor_id
                    and received_sessions.start_date = flagged_days.local_date
            anti join planted_programs as programs
                on
                    received_sessions.actor_id = programs.actor_id
                    and received_sessions.started_at = programs.started_at
            where received_sessions.account_id is not null
            group by flagged_days.actor_id, flagged_days.local_date
        )
        select
            flagged_days.actor_id,
            flagged_days.local_date,
            max(programs.kind) as kind,
            coalesce(max(sessions_of_people.sessions), 0)::bigint as sessions_of_people
        from flagged_days
        left join planted_programs as programs
            on
                flagged_days.actor_id = programs.actor_id
                and flagged_days.local_date in (programs.start_date, programs.end_date)
        left join sessions_of_people
            on
                flagged_days.actor_id = sessions_of_people.actor_id
                and flagged_days.local_date = sessions_of_people.local_date
        group by flagged_days.actor_id, flagged_days.local_date
        """
    )


def _test_accounts(read: Reader) -> pd.DataFrame:
    return read.frame(
        """
        with planted as (
            select account_id as customer_id from tests semi join truth.account_weeks using (account_id)
        ),
        sessions_planted as (
            select account_id as customer_id, count(*) as planted_sessions
            from sessions_of_customers group by account_id
        ),
        sessions_found as (
            select customer_id, count(*) as marked_sessions
            from build.intermediate.sessions where is_test group by customer_id
        ),
        rows_of_weeks as (
            select customer_id, count(*) as feature_rows
            from build.features.customer_weeks group by customer_id
        )
        select
            customer_id,
            planted.customer_id is not null as is_test,
            found.customer_id is not null as is_flagged,
            coalesce(planted_sessions, 0)::bigint as planted_sessions,
            coalesce(marked_sessions, 0)::bigint as marked_sessions,
            coalesce(feature_rows, 0)::bigint as feature_rows
        from planted
        full outer join build.intermediate.test_customers as found using (customer_id)
        left join sessions_planted using (customer_id)
        left join sessions_found using (customer_id)
        left join rows_of_weeks using (customer_id)
        """
    )
