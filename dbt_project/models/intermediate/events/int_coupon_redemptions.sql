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

coupon_redemptions as (

    select * from events
    where
        event_name = 'coupon_redeemed'
        and is_listed
        and customer_id is not null

),

final as (

    select
        event_id,
        customer_id,

        coalesce(
            nullif({{ json_text("properties", "$.offer_id") }}, ''),
            nullif({{ json_text("properties", "$.coupon") }}, '')
        ) as offer_id,

        occurred_at,
        local_date,
        known_from_date
    from coupon_redemptions

)

select * from final
