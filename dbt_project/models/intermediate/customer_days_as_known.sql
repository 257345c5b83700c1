{{ config(materialized='view') }}

{% set columns = customer_day_columns() %}

with

customer_days as (

    select * from {{ ref('customer_days') }}

),

customer_histories as (

    select * from {{ ref('customer_histories') }}

),

weeks_to_build as (

    select * from {{ source('ops', 'weeks_to_build') }}

),

span_of_run as (

    select
        min(review_week) as first_review_week,
        max(review_week) as last_review_week
    from weeks_to_build

),

histories_of_run as (

    select customer_histories.*
    from customer_histories
    inner join span_of_run
        on {{ is_history_between(
            "customer_histories",
            "span_of_run.first_review_week",
            "span_of_run.last_review_week"
        ) }}

),

days_in_histories as (

    select
        customer_days.*,
        histories_of_run.history_from_week,
        histories_of_run.has_late_days
    from customer_days
    inner join histories_of_run
        on
            customer_days.customer_id = histories_of_run.customer_id
            and {{ monday_of("customer_days.known_from_date") }} <= greatest(
                histories_of_run.history_from_week,
                {{ monday_of("customer_days.local_date") }}
            )

),

-- Where all was known on its day, a day is one row already.
final as (

    select
        customer_id,
        history_from_week,
        local_date,
        {% for name, how, type in columns %}
        {{ name }}{{ "," if not loop.last }}
        {% endfor %}
    from days_in_histories
    where not has_late_days

    union all

    select
        customer_id,
        history_from_week,
        local_date,
        {% for name, how, type in columns %}
        {{ whole_of_parts(name, how, type) }} as {{ name }}{{ "," if not loop.last }}
        {% endfor %}
    from days_in_histories
    where has_late_days
    group by customer_id, history_from_week, local_date

)

select * from final
