{{ config(materialized='view') }}

with

session_days as (

    select * from {{ ref('session_days') }}

),

weeks_touched as (

    select * from {{ source('ops', 'weeks_touched') }}

),

pairs as (

    select * from {{ ref('int_customer_weeks_of_run') }}

),

-- A session may have begun in the week before, or go on in the week after.
weeks_to_read as (

    select calendar_week from weeks_touched

    union

    select {{ add_days("calendar_week", -7) }} as calendar_week
    from weeks_touched

    union

    select {{ add_days("calendar_week", 7) }} as calendar_week
    from weeks_touched

),

pairs_to_read as (

    select
        customer_id,
        calendar_week
    from pairs

    union

    select
        customer_id,
        {{ add_days("calendar_week", -7) }} as calendar_week
    from pairs

    union

    select
        customer_id,
        {{ add_days("calendar_week", 7) }} as calendar_week
    from pairs

),

final as (

    select session_days.*
    from session_days
    inner join weeks_to_read
        on {{ monday_of("session_days.local_date") }} = weeks_to_read.calendar_week
    where
        session_days.customer_id is not null
        and session_days.local_date >= (
            select min(weeks.calendar_week) from weeks_to_read as weeks
        )

    union all

    select session_days.*
    from session_days
    inner join pairs_to_read
        on
            session_days.customer_id = pairs_to_read.customer_id
            and {{ monday_of("session_days.local_date") }}
            = pairs_to_read.calendar_week
    where
        {{ monday_of("session_days.local_date") }} not in (
            select weeks_to_read.calendar_week from weeks_to_read
        )

)

select * from final
