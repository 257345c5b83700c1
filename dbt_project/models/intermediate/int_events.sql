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

    select * from {{ ref('stg_events') }}

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

-- The bounds let the engine skip what was loaded for other days.
events_touched as (

    select
        events.*,
        weeks_touched.calendar_week
    from events
    inner join weeks_touched
        on {{ monday_of("events.local_date") }} = weeks_touched.calendar_week
    where
        events.occurred_at >= (select min(weeks_touched.from_at) from weeks_touched)
        and events.occurred_at < (select max(weeks_touched.until_at) from weeks_touched)

),

-- What was under way when a week began goes on in it.
moments_of_activity as (

    select
        actor_key,
        source_session_id,
        event_id,
        occurred_at,
        local_date,
        cast(null as timestamp) as burst_carried_from_at
    from events_touched
    where
        is_activity
        and actor_key is not null

    union all

    select
        actor_key,
        source_session_id,
        cast(null as string) as event_id,
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
        order by moments_of_activity.occurred_at, moments_of_activity.event_id
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
            order by occurred_at, event_id
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

moments_in_sessions as (

    select
        actor_key,
        occurred_at,
        event_id,
        burst_started_at,
        division,
        case when previous_division = division then gap_microseconds end
            as session_gap_microseconds,
        coalesce(next_division_that_day, -1) <> division as ends_session_day
    from moments_in_divisions
    where event_id is not null

),

final as (

    select
        events_touched.calendar_week,
        events_touched.local_date,
        events_touched.occurred_at,
        events_touched.occurred_local_at,
        events_touched.event_id,

        events_touched.actor_key,
        events_touched.attribution_key,
        events_touched.actor_id,
        events_touched.user_id,
        events_touched.anonymous_id,
        events_touched.account_id,
        events_touched.source_session_id,

        events_touched.event_type,
        events_touched.event_name,
        events_touched.channel,
        events_touched.platform,
        events_touched.page_path,
        events_touched.revenue,
        events_touched.feature_number,
        events_touched.activation_step,
        events_touched.is_listed,
        events_touched.is_activity,
        events_touched.is_core,

        case
            when events_touched.is_listed and events_touched.event_name = 'content_viewed'
                then nullif(
                    {{ json_text("events_touched.properties", "$.topic") }}, ''
                )
        end as content_topic,
        -- Of most events nothing else of the document is read again.
        case
            when
                events_touched.event_type = 'alias'
                or {{ is_on_record("events_touched.event_name") }}
                then events_touched.properties
        end as properties,
        case
            when events_touched.event_type in ('identify', 'group')
                then events_touched.traits
        end as traits,

        moments_in_sessions.burst_started_at,
        moments_in_sessions.division,
        moments_in_sessions.session_gap_microseconds,
        moments_in_sessions.ends_session_day
    from events_touched
    left join moments_in_sessions
        on
            events_touched.actor_key = moments_in_sessions.actor_key
            and events_touched.occurred_at = moments_in_sessions.occurred_at
            and events_touched.event_id = moments_in_sessions.event_id
            and events_touched.is_activity

)

select * from final
