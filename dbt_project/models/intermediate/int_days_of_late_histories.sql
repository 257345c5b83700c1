{% set columns = customer_day_columns() %}

with

customer_days as (

    select * from {{ ref('customer_days') }}

),

session_days as (

    select * from {{ ref('session_days') }}

),

histories_of_run as (

    select * from {{ ref('int_histories_of_run') }}

),

days_in_histories as (

    select
        customer_days.*,
        histories_of_run.history_from_week
    from customer_days
    inner join histories_of_run
        on
            customer_days.customer_id = histories_of_run.customer_id
            and histories_of_run.has_late_days
            and {{ is_known_in(
                "histories_of_run",
                monday_of("customer_days.local_date"),
                monday_of("customer_days.known_from_date")
            ) }}

),

-- The parts of a session can become known at different times; where it begins and how
-- long it is depends on the parts that a history knows.
session_parts_in_histories as (

    select
        session_days.customer_id,
        histories_of_run.history_from_week,
        session_days.actor_id,
        session_days.source_session_id,
        session_days.burst_started_at,
        session_days.division,
        {{ monday_of("session_days.local_date") }} as calendar_week,
        min(session_days.local_date) as first_date,
        sum(session_days.session_microseconds) as session_microseconds
    from session_days
    inner join histories_of_run
        on
            session_days.customer_id = histories_of_run.customer_id
            and histories_of_run.has_late_days
            and {{ is_known_in(
                "histories_of_run",
                monday_of("session_days.local_date"),
                monday_of("session_days.known_from_date")
            ) }}
    group by
        session_days.customer_id,
        histories_of_run.history_from_week,
        session_days.actor_id,
        session_days.source_session_id,
        session_days.burst_started_at,
        session_days.division,
        {{ monday_of("session_days.local_date") }}

),

sessions_in_histories as (

    select
        customer_id,
        history_from_week,
        min(first_date) as local_date,
        cast(sum(session_microseconds) as bigint) as session_length,
        cast(
            {{ value_at_smallest("session_microseconds", ["calendar_week"]) }} as bigint
        ) as session_length_in_start_week
    from session_parts_in_histories
    group by
        customer_id,
        history_from_week,
        actor_id,
        source_session_id,
        burst_started_at,
        division

),

session_starts_in_histories as (

    select
        customer_id,
        history_from_week,
        local_date,
        count(*) as sessions_started,
        {{ sorted_list("session_length") }} as session_lengths,
        {{ sorted_list("session_length_in_start_week") }}
            as session_lengths_in_start_week
    from sessions_in_histories
    group by customer_id, history_from_week, local_date

),

days_of_parts as (

    select
        customer_id,
        history_from_week,
        local_date,
    {% for name, how, type in columns if how != "session" %}
    {{ whole_of_parts(name, how, type) }} as {{ name }}{{ "," if not loop.last }}
    {% endfor %}
    from days_in_histories
    group by customer_id, history_from_week, local_date

),

final as (

    select
        days_of_parts.customer_id,
        days_of_parts.history_from_week,
        days_of_parts.local_date,
    {% for name, how, type in columns %}
    {{ whole_of_days(name, how) }} as {{ name }}{{ "," if not loop.last }}
    {% endfor %}
    from days_of_parts
    left join session_starts_in_histories
        on
            days_of_parts.customer_id = session_starts_in_histories.customer_id
            and days_of_parts.history_from_week
            = session_starts_in_histories.history_from_week
            and days_of_parts.local_date = session_starts_in_histories.local_date

)

select * from final
