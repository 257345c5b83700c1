{{ config(materialized='view') }}

{% set columns = customer_day_columns() %}

with

customer_days as (

    select * from {{ ref('customer_days') }}

),

days_known_in_parts as (

    select * from {{ ref('int_days_known_in_parts') }}

),

histories_of_run as (

    select * from {{ ref('int_histories_of_run') }}

),

-- What was known on its day is one row already.
days_known_at_once as (

    select
        customer_days.customer_id,
        histories_of_run.history_from_week,
        customer_days.local_date,
    {% for name, how, type in columns %}
    customer_days.{{ name }}{{ "," if not loop.last }}
    {% endfor %}
    from customer_days
    inner join histories_of_run
        on
            customer_days.customer_id = histories_of_run.customer_id
            and {{ is_known_in(
                "histories_of_run",
                monday_of("customer_days.local_date"),
                monday_of("customer_days.known_from_date")
            ) }}
    left join days_known_in_parts
        on
            histories_of_run.customer_id = days_known_in_parts.customer_id
            and histories_of_run.history_from_week
            = days_known_in_parts.history_from_week
            and customer_days.local_date = days_known_in_parts.local_date
    where days_known_in_parts.customer_id is null

),

final as (

    select * from days_known_at_once
    union all
    select * from days_known_in_parts

)

select * from final
