{{ config(materialized='view') }}

with

events as (

    select * from {{ ref('int_customer_events') }}

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
