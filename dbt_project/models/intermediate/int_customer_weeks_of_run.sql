with

weeks_relinked as (

    select * from {{ ref('int_weeks_relinked') }}

),

session_days as (

    select * from {{ ref('session_days') }}

),

messages as (

    select * from {{ ref('messages') }}

),

offers_matched as (

    select * from {{ ref('int_offers_matched_to_uses') }}

),

offers_applied as (

    select * from {{ source('ops', 'offers_applied') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

weeks_touched as (

    select * from {{ source('ops', 'weeks_touched') }}

),

-- A session that goes on over the weeks' end gives its whole length to the day on which
-- it began.
sessions_at_the_end as (

    select distinct
        session_days.actor_key,
        session_days.burst_started_at,
        {{ monday_of("session_days.local_date") }} as calendar_week
    from session_days
    inner join weeks_touched
        on
            {{ monday_of("session_days.local_date") }}
            = {{ add_days("weeks_touched.calendar_week", -7) }}
    cross join run_parameters
    where
        session_days.local_date >= (
            select {{ add_days("min(weeks.calendar_week)", -7) }}
            from weeks_touched as weeks
        )
        and {{ microseconds_between(
            "session_days.last_activity_at", "weeks_touched.from_at"
        ) }}
        <= case
            when session_days.source_session_id is null
                then run_parameters.session_timeout_microseconds
            else run_parameters.session_cap_microseconds
        end

),

weeks_with_sessions_that_go_on as (

    select
        session_days.customer_id,
        sessions_at_the_end.calendar_week
    from sessions_at_the_end
    inner join session_days
        on
            sessions_at_the_end.actor_key = session_days.actor_key
            and sessions_at_the_end.burst_started_at = session_days.burst_started_at
            and sessions_at_the_end.calendar_week
            = {{ monday_of("session_days.local_date") }}
    where session_days.customer_id is not null

),

-- Offers are matched over all of the time.
offers_of_today as (

    select
        customer_id,
        sent_date as local_date,
        known_from_date,
        1 as offers_received,
        0 as offers_used
    from messages
    where is_offer

    union all

    select
        customer_id,
        local_date,
        known_from_date,
        0 as offers_received,
        1 as offers_used
    from offers_matched
    where is_offer_used

),

offers_compared as (

    select
        customer_id,
        local_date,
        known_from_date,
        offers_received,
        offers_used
    from offers_of_today

    union all

    select
        customer_id,
        local_date,
        known_from_date,
        -offers_received as offers_received,
        -offers_used as offers_used
    from offers_applied

),

days_with_other_offers as (

    select
        customer_id,
        local_date
    from offers_compared
    group by customer_id, local_date, known_from_date
    having
        sum(offers_received) <> 0
        or sum(offers_used) <> 0

),

customer_weeks as (

    select
        customer_id,
        calendar_week
    from weeks_relinked

    union

    select
        customer_id,
        {{ add_days("calendar_week", -7) }} as calendar_week
    from weeks_relinked

    union

    select
        customer_id,
        {{ add_days("calendar_week", 7) }} as calendar_week
    from weeks_relinked

    union

    select
        customer_id,
        calendar_week
    from weeks_with_sessions_that_go_on

    union

    select
        customer_id,
        {{ monday_of("local_date") }} as calendar_week
    from days_with_other_offers

),

final as (

    select
        customer_id,
        calendar_week
    from customer_weeks
    where
        calendar_week not in (select weeks_touched.calendar_week from weeks_touched)

)

select * from final
