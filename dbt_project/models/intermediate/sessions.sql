with

session_days as (

    select * from {{ ref('session_days') }}

),

sessions_measured as (

    select
        actor_id,
        burst_started_at,
        division,

        -- The first customer that an event of the session names.
        {{ value_at_smallest("customer_id", ["first_activity_at", "customer_id"]) }}
            as customer_id,
        max(entry_page) as entry_page,
        max(exit_page) as exit_page,
        max(channel) as channel,

        sum(activities) as events,
        sum(core_events) as core_events,
        sum(pages) as pages,
        sum(session_microseconds) as session_microseconds,

        min(first_activity_at) as started_at,
        max(last_activity_at) as ended_at,
        min(local_date) as start_date
    from session_days
    group by actor_id, burst_started_at, division

),

final as (

    select
        {{ hashed_id(["actor_id", "cast(started_at as string)"]) }} as session_id,
        actor_id,
        customer_id,

        entry_page,
        exit_page,
        channel,

        cast(events as bigint) as events,
        cast(core_events as bigint) as core_events,
        cast(pages as bigint) as pages,
        cast(session_microseconds as double) / 1000000 as session_seconds,

        started_at,
        ended_at,
        start_date
    from sessions_measured

)

select * from final
