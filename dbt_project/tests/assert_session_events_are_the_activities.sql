-- Sessions hold every activity once: those of all actors together, and those of the
-- customers' days together.
with

sessions as (

    select * from {{ ref('sessions') }}

),

session_days as (

    select * from {{ ref('session_days') }}

),

customers_ended as (

    select * from {{ ref('int_customers_ended') }}

),

-- A session of an id that merged belongs to the other now, once.
session_days_of_today as (

    select session_days.*
    from session_days
    left join customers_ended
        on session_days.customer_id = customers_ended.customer_id
    where customers_ended.merged_into is null

),

customer_days as (

    select * from {{ ref('customer_days') }}

),

sums as (

    select
        (select coalesce(sum(sessions.events), 0) from sessions) as session_events,
        (
            select coalesce(sum(session_days_of_today.activities), 0)
            from session_days_of_today
        ) as session_day_activities,
        (
            select coalesce(sum(session_days.activities), 0)
            from session_days
            where session_days.customer_id is not null
        ) as session_day_activities_of_customers,
        (select coalesce(sum(customer_days.activities), 0) from customer_days)
            as customer_day_activities,
        (
            select coalesce(sum(session_days.session_microseconds), 0)
            from session_days
            where session_days.customer_id is not null
        ) as session_day_microseconds_of_customers,
        (select coalesce(sum(customer_days.session_microseconds), 0) from customer_days)
            as customer_day_microseconds

)

select * from sums
where
    session_events <> session_day_activities
    or session_day_activities_of_customers <> customer_day_activities
    or session_day_microseconds_of_customers <> customer_day_microseconds
