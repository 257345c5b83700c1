with

session_days as (

    select * from {{ ref('session_days') }}

),

customers_ended as (

    select * from {{ ref('int_customers_ended') }}

),

test_customers as (

    select * from {{ ref('test_customers') }}

),

-- What belonged to a customer that merged belongs to the other now.
session_days_of_today as (

    select session_days.*
    from session_days
    left join customers_ended
        on session_days.customer_id = customers_ended.customer_id
    where customers_ended.merged_into is null

),

sessions_measured as (

    select
        actor_id,
        source_session_id,
        burst_started_at,
        division,

        -- The first customer that an event of the session names.
        {{ value_at_smallest("customer_id", ["first_activity_at", "customer_id"]) }}
            as customer_id,
        max(entry_page) as entry_page,
        max(exit_page) as exit_page,
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
    group by actor_id, source_session_id, burst_started_at, division

),

final as (

    select
        {{ hashed_id(["actor_id", "source_session_id", "cast(started_at as string)"]) }}
            as session_id,
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
        test_customers.customer_id is not null as is_test,

        sessions_measured.started_at,
        sessions_measured.ended_at,
        sessions_measured.start_date
    from sessions_measured
    left join test_customers
        on sessions_measured.customer_id = test_customers.customer_id

)

select * from final
