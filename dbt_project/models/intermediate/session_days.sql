{{
    config(
        materialized='incremental',
        incremental_strategy='replace_touched',
        incremental_predicates=[
            on_days_touched('local_date'),
            of_actor_weeks(monday_of('local_date'))
        ],
        on_schema_change='fail'
    )
}}

with

events as (

    select * from {{ ref('int_events') }}

),

activities as (

    select * from {{ ref('int_activities') }}

),

all_activities as (

    select * from {{ ref('int_activities') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

identities as (

    select * from {{ ref('identities') }}

),

bot_days as (

    select * from {{ ref('bot_days') }}

),

weeks_touched as (

    select * from {{ source('ops', 'weeks_touched') }}

),

weeks_relinked as (

    select * from {{ ref('int_weeks_relinked') }}

),

actor_weeks as (

    select distinct
        actor_key,
        calendar_week
    from weeks_relinked

),

activities_of_other_weeks as (

    select all_activities.*
    from all_activities
    inner join actor_weeks
        on
            all_activities.actor_key = actor_weeks.actor_key
            and all_activities.calendar_week = actor_weeks.calendar_week

),

activities_to_sum as (

    select * from activities
    where {{ is_touched("calendar_week") }}

    union all

    select * from activities_of_other_weeks

),

activities_described as (

    select
        events.attribution_key,
        events.actor_id,
        events.user_id,
        events.account_id,
        events.local_date,
        events.page_path,
        events.channel,
        events.event_name = 'page_viewed' as is_page,
        events.is_core,
        activities_to_sum.*
    from activities_to_sum
    inner join events
        on
            activities_to_sum.actor_key = events.actor_key
            and activities_to_sum.occurred_at = events.occurred_at
            and activities_to_sum.event_key = events.event_key

),

activities_with_customers as (

    {{ with_customers("activities_described") }}

),

activities_of_actors as (

    select
        *,
        case when not is_bot then customer_id end as session_customer_id,
        session_gap_microseconds is null as starts_session
    from activities_with_customers

),

final as (

    select
        actor_key,
        min(actor_id) as actor_id,
        source_session_id,
        burst_started_at,
        division,
        session_customer_id as customer_id,
        local_date,
        known_from_date,
        is_bot,

        max(page_path) filter (where starts_session) as entry_page,
        -- Empty where the day's last activity was on no page.
        max(coalesce(page_path, '')) filter (where ends_session_day)
            as exit_page_of_day,
        max(channel) filter (where starts_session) as channel,

        count(*) as activities,
        count(*) filter (where is_core) as core_events,
        count(*) filter (where is_page) as pages,
        -- Time belongs to the day of the event that ends the gap: what came later
        -- cannot change it.
        cast(coalesce(sum(session_gap_microseconds), 0) as bigint)
            as session_microseconds,

        min(occurred_at) as first_activity_at,
        max(occurred_at) as last_activity_at
    from activities_of_actors
    group by
        actor_key,
        source_session_id,
        burst_started_at,
        division,
        session_customer_id,
        local_date,
        known_from_date,
        is_bot

)

select * from final
