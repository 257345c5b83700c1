{{
    config(
        materialized='incremental',
        incremental_strategy='replace_touched',
        incremental_predicates=[
            on_days_touched('local_date'),
            of_customer_weeks('int_weeks_relinked', monday_of('local_date'))
        ],
        on_schema_change='fail'
    )
}}

with

orders as (

    select * from {{ ref('int_orders') }}

),

weeks_touched as (

    select * from {{ source('ops', 'weeks_touched') }}

),

weeks_relinked as (

    select * from {{ ref('int_weeks_relinked') }}

),

customer_weeks as (

    select distinct
        customer_id,
        calendar_week
    from weeks_relinked

),

orders_of_run as (

    select orders.*
    from orders
    left join customer_weeks
        on
            orders.customer_id = customer_weeks.customer_id
            and {{ monday_of("orders.local_date") }} = customer_weeks.calendar_week
    where
        customer_weeks.customer_id is not null
        or {{ is_touched(monday_of("orders.local_date")) }}

),

products_listed as (

    select
        event_id,
        customer_id,
        local_date,
        known_from_date,
        {{ explode_list(json_elements("properties", "$.products")) }} as product
    from orders_of_run
    where not is_refund

),

final as (

    select
        event_id,
        customer_id,

        nullif({{ json_text("product", "$.category") }}, '') as category,

        cast(
            coalesce({{ json_number("product", "$.quantity", "decimal(15, 4)") }}, 1)
            as decimal(18, 4)
        ) as quantity,

        local_date,
        known_from_date
    from products_listed

)

select * from final
