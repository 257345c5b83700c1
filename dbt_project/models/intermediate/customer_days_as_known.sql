{{ config(materialized='view') }}

{% set columns = customer_day_columns() %}

with

customer_days as (

    select * from {{ ref('customer_days') }}

),

days_of_late_histories as (

    select * from {{ ref('int_days_of_late_histories') }}

),

histories_of_run as (

    select * from {{ ref('int_histories_of_run') }}

),

-- Where all was known on its day, a day is one row already.
final as (

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
            and not histories_of_run.has_late_days
            and {{ is_known_in(
                "histories_of_run",
                monday_of("customer_days.local_date"),
                monday_of("customer_days.known_from_date")
            ) }}

    union all

    select * from days_of_late_histories

)

select * from final
