{{
    config(
        materialized='incremental',
        incremental_strategy='replace_touched',
        incremental_predicates=[
            sessions_touched(),
            sessions_of_actors_relinked()
        ],
        on_schema_change='fail'
    )
}}

with

session_days as (

    select * from {{ ref('session_days') }}

),

customers_ended as (

    select * from {{ ref('int_customers_ended') }}

),

weeks_touched as (

    select * from {{ source('ops', 'weeks_touched') }}

),

weeks_relinked as (

    select * from {{ ref('int_weeks_relinked') }}

),

-- A session that began in the week before may go on in a week that is touched.
weeks_of_starts as (

    select calendar_week from weeks_touched

    union

    select {{ add_days("calendar_week", -7) }} as calendar_week
    from weeks_touched

),

starts_of_actors as (

    select
        actor_key,
        calendar_week
    from weeks_relinked

    union

    select
        actor_key,
        {{ add_days("calendar_week", -7) }} as calendar_week
    from weeks_relinked

),

actors_relinked as (

    select distinct actor_key
    from weeks_relinked

),

session_days_to_read as (

    select * from session_days
    where
        local_date >= (
            select {{ add_days("min(weeks_of_starts.calendar_week)", -7) }}
            from weeks_of_starts
        )

    union all

    select * from session_days
    where
        local_date < (
            select {{ add_days("min(weeks_of_starts.calendar_week)", -7) }}
            from weeks_of_starts
        )
        and actor_key in (select actors_relinked.actor_key from actors_relinked)

),

-- What belonged to a customer that merged belongs to the other now.
session_days_of_today as (

    select session_days_to_read.*
    from session_days_to_read
    left join customers_ended
        on session_days_to_read.customer_id = customers_ended.customer_id
    where customers_ended.merged_into is null

),

sessions_measured as (

    select
        actor_key,
        min(actor_id) as actor_id,
        source_session_id,
        burst_started_at,
        division,

        -- The first customer that an event of the session names.
        {{ value_at_smallest("customer_id", ["first_activity_at", "customer_id"]) }}
            as customer_id,
        max(entry_page) as entry_page,
        nullif({{ value_at_largest("exit_page_of_day", ["local_date"]) }}, '')
            as exit_page,
        max(channel) as channel,
        bool_or(is_bot) as is_bot,

        sum(activities) as events,
        sum(core_events) as core_events,
        sum(pages) as pages,
        sum(session_microseconds) as session_microseconds,

        min(first_activity_at) as started_at,
        max(last_activity_at) as ended_at,
        min(local_date) as start_date
    from session_days_of_today
    group by actor_key, source_session_id, burst_started_at, division

),

final as (

    select
        {{ hashed_id([
            "sessions_measured.actor_id",
            "sessions_measured.source_session_id",
            "cast(sessions_measured.started_at as string)"
        ]) }}
            as session_id,
        sessions_measured.actor_key,
        sessions_measured.actor_id,
        sessions_measured.source_session_id,
        sessions_measured.customer_id,

        sessions_measured.entry_page,
        sessions_measured.exit_page,
        sessions_measured.channel,

        cast(sessions_measured.events as bigint) as events,
        cast(sessions_measured.core_events as bigint) as core_events,
        cast(sessions_measured.pages as bigint) as pages,
        cast(sessions_measured.session_microseconds as double) / 1000000
            as session_seconds,

        sessions_measured.is_bot,

        sessions_measured.started_at,
        sessions_measured.ended_at,
        sessions_measured.start_date
    from sessions_measured
    left join starts_of_actors
        on
            sessions_measured.actor_key = starts_of_actors.actor_key
            and {{ monday_of("sessions_measured.start_date") }}
            = starts_of_actors.calendar_week
    where
        starts_of_actors.actor_key is not null
        or {{ monday_of("sessions_measured.start_date") }} in (
            select weeks_of_starts.calendar_week from weeks_of_starts
        )

)

select * from final
