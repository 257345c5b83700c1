{{
    config(
        materialized='incremental',
        incremental_strategy='replace_touched',
        incremental_predicates=[in_weeks_touched('calendar_week')],
        on_schema_change='fail'
    )
}}

with

events as (

    select * from {{ ref('int_events') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

weeks_touched as (

    select * from {{ source('ops', 'weeks_touched') }}

),

bursts_carried as (

    select * from {{ source('ops', 'bursts_carried') }}

),

-- What was under way when a week began goes on in it.
moments_of_activity as (

    select
        calendar_week,
        actor_key,
        source_session_id,
        event_key,
        occurred_at,
        local_date,
        cast(null as timestamp) as burst_carried_from_at
    from events
    where
        is_activity
        and actor_key is not null
        and {{ is_touched("calendar_week") }}

    union all

    select
        cast(null as date) as calendar_week,
        actor_key,
        source_session_id,
        cast(null as {{ type_of_key() }}) as event_key,
        last_activity_at as occurred_at,
        cast(null as date) as local_date,
        burst_started_at as burst_carried_from_at
    from bursts_carried

),

moments_in_order as (

    select
        moments_of_activity.*,
        case
            when moments_of_activity.source_session_id is null
                then run_parameters.session_timeout_microseconds
            else run_parameters.session_cap_microseconds
        end as timeout_microseconds,
        run_parameters.session_cap_microseconds as cap_microseconds,
        lag(moments_of_activity.occurred_at) over in_order as previous_occurred_at,
        lead(moments_of_activity.occurred_at) over in_order as next_occurred_at,
        lead(moments_of_activity.local_date) over in_order as next_local_date
    from moments_of_activity
    cross join run_parameters
    window in_order as (
        partition by
            moments_of_activity.actor_key, moments_of_activity.source_session_id
        order by moments_of_activity.occurred_at, moments_of_activity.event_key
    )

),

moments_with_gaps as (

    select
        *,
        {{ microseconds_between("previous_occurred_at", "occurred_at") }}
            as gap_microseconds,
        {{ microseconds_between("occurred_at", "next_occurred_at") }}
            as next_gap_microseconds
    from moments_in_order

),

-- A burst ends after a gap longer than the timeout; a gap of exactly the timeout does
-- not end it. Where the source says which session it was, only the cap ends it.
moments_in_bursts as (

    select
        *,
        max(
            case
                when burst_carried_from_at is not null then burst_carried_from_at
                when
                    previous_occurred_at is null
                    or gap_microseconds > timeout_microseconds
                    then occurred_at
            end
        ) over (
            partition by actor_key, source_session_id
            order by occurred_at, event_key
            rows between unbounded preceding and current row
        ) as burst_started_at
    from moments_with_gaps

),

-- A session is a burst, divided at each full length of the cap after the burst's first
-- event.
moments_in_divisions as (

    select
        *,
        {{ full_lengths(
            microseconds_between("burst_started_at", "occurred_at"), "cap_microseconds"
        ) }} as division,
        case
            when gap_microseconds <= timeout_microseconds
                then {{ full_lengths(
                    microseconds_between("burst_started_at", "previous_occurred_at"),
                    "cap_microseconds"
                ) }}
        end as previous_division,
        case
            when
                next_gap_microseconds <= timeout_microseconds
                and next_local_date = local_date
                then {{ full_lengths(
                    microseconds_between("burst_started_at", "next_occurred_at"),
                    "cap_microseconds"
                ) }}
        end as next_division_that_day
    from moments_in_bursts

),

final as (

    select
        calendar_week,
        actor_key,
        source_session_id,
        event_key,
        occurred_at,
        burst_started_at,
        division,
        case when previous_division = division then gap_microseconds end
            as session_gap_microseconds,
        coalesce(next_division_that_day, -1) <> division as ends_session_day
    from moments_in_divisions
    where event_key is not null

)

select * from final
