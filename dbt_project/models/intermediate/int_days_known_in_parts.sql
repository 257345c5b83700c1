{% set columns = customer_day_columns() %}

with

customer_days as (

    select * from {{ ref('customer_days') }}

),

-- Named again, because an engine may hold whole what is named twice.
days_and_when_known as (

    select * from {{ ref('customer_days') }}

),

session_days as (

    select * from {{ ref('session_days') }}

),

session_days_and_when_known as (

    select * from {{ ref('session_days') }}

),

session_days_of_days as (

    select * from {{ ref('session_days') }}

),

session_days_of_sessions as (

    select * from {{ ref('session_days') }}

),

histories_of_run as (

    select * from {{ ref('int_histories_of_run') }}

),

sessions_with_late_parts as (

    select distinct
        customer_id,
        actor_key,
        burst_started_at
    from session_days_and_when_known
    where known_from_date <> local_date

),

-- Of a session that became known in parts, all its days: where it begins may change.
late_days as (

    select
        customer_id,
        local_date
    from days_and_when_known
    where known_from_date <> local_date

    union

    select
        customer_id,
        local_date
    from session_days_of_sessions
    where (customer_id, actor_key, burst_started_at) in (
        select (
            sessions_with_late_parts.customer_id,
            sessions_with_late_parts.actor_key,
            sessions_with_late_parts.burst_started_at
        )
        from sessions_with_late_parts
    )

),

parts_of_late_days as {{ made_first() }} (

    select * from customer_days
    where (customer_id, local_date) in (
        select (late_days.customer_id, late_days.local_date) from late_days
    )

),

days_in_histories as (

    select
        parts_of_late_days.*,
        histories_of_run.history_from_week
    from parts_of_late_days
    inner join histories_of_run
        on
            parts_of_late_days.customer_id = histories_of_run.customer_id
            and {{ is_known_in(
                "histories_of_run",
                monday_of("parts_of_late_days.local_date"),
                monday_of("parts_of_late_days.known_from_date")
            ) }}

),

sessions_of_late_days as (

    select distinct
        customer_id,
        actor_key,
        burst_started_at
    from session_days_of_days
    where (customer_id, local_date) in (
        select (late_days.customer_id, late_days.local_date) from late_days
    )

),

-- Whole sessions, also where they go on on another day.
session_parts as {{ made_first() }} (

    select * from session_days
    where (customer_id, actor_key, burst_started_at) in (
        select (
            sessions_of_late_days.customer_id,
            sessions_of_late_days.actor_key,
            sessions_of_late_days.burst_started_at
        )
        from sessions_of_late_days
    )

),

-- The parts of a session can become known at different times; where it begins and how
-- long it is depends on the parts that a history knows.
session_parts_in_histories as (

    select
        session_parts.customer_id,
        histories_of_run.history_from_week,
        session_parts.actor_id,
        session_parts.source_session_id,
        session_parts.burst_started_at,
        session_parts.division,
        {{ monday_of("session_parts.local_date") }} as calendar_week,
        min(session_parts.local_date) as first_date,
        sum(session_parts.session_microseconds) as session_microseconds
    from session_parts
    inner join histories_of_run
        on
            session_parts.customer_id = histories_of_run.customer_id
            and {{ is_known_in(
                "histories_of_run",
                monday_of("session_parts.local_date"),
                monday_of("session_parts.known_from_date")
            ) }}
    group by
        session_parts.customer_id,
        histories_of_run.history_from_week,
        session_parts.actor_id,
        session_parts.source_session_id,
        session_parts.burst_started_at,
        session_parts.division,
        {{ monday_of("session_parts.local_date") }}

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
