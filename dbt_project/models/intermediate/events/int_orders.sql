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

events as (

    select * from {{ ref('int_customer_events_of_run') }}

),

orders_and_refunds as (

    select * from events
    where
        event_name in ('order_completed', 'order_refunded')
        and is_listed
        and customer_id is not null

),

final as (

    select
        event_id,
        customer_id,

        nullif({{ json_text("properties", "$.payment_method") }}, '') as payment_method,
        nullif({{ json_text("properties", "$.coupon") }}, '') as coupon,
        properties,

        cast(coalesce(revenue, 0) as decimal(18, 4)) as revenue,
        cast(
            coalesce(
                {{ json_number("properties", "$.discount", "decimal(15, 4)") }}, 0
            ) as decimal(18, 4)
        ) as discount,

        event_name = 'order_refunded' as is_refund,
        nullif({{ json_text("properties", "$.coupon") }}, '') is not null as has_coupon,

        occurred_at,
        local_date,
        known_from_date
    from orders_and_refunds

)

select * from final
