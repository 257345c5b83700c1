{{ config(materialized='ephemeral') }}

with

messages as (

    select * from {{ ref('messages') }}

),

orders as (

    select * from {{ ref('int_orders') }}

),

coupon_redemptions as (

    select * from {{ ref('int_coupon_redemptions') }}

),

event_kinds as (

    select * from {{ ref('stg_event_kinds') }}

),

-- Redemptions say which offers were used, where the business tells them; elsewhere an
-- order names the coupon. A redemption dated like the sending came after it.
offers_and_uses as (

    select
        messages.customer_id,
        case
            when event_kinds.has_redemptions
                then coalesce(messages.offer_id, messages.coupon)
            else messages.coupon
        end as offer_id,
        messages.message_id as event_id,
        1 as offers,
        0 as uses,
        1 as place,
        messages.sent_at as occurred_at,
        messages.sent_date as local_date,
        messages.known_from_date
    from messages
    cross join event_kinds
    where messages.is_offer

    union all

    select
        orders.customer_id,
        orders.coupon as offer_id,
        orders.event_id,
        0 as offers,
        1 as uses,
        0 as place,
        orders.occurred_at,
        orders.local_date,
        orders.known_from_date
    from orders
    cross join event_kinds
    where
        not orders.is_refund
        and not event_kinds.has_redemptions

    union all

    select
        customer_id,
        offer_id,
        event_id,
        0 as offers,
        1 as uses,
        2 as place,
        occurred_at,
        local_date,
        known_from_date
    from coupon_redemptions

),

-- What is known later is matched later, so that no review changes what one before it
-- said. An offer sent at the very moment of an order was not sent before it.
offers_and_uses_counted as (

    select
        *,
        sum(uses - offers) over (
            partition by customer_id, offer_id
            order by known_from_date, occurred_at, place, event_id
            rows between unbounded preceding and current row
        ) as uses_beyond_offers
    from offers_and_uses
    where offer_id is not null

),

-- The most that orders have ever been ahead of offers is how many orders found none.
uses_without_offer_counted as (

    select
        *,
        greatest(
            max(uses_beyond_offers) over (
                partition by customer_id, offer_id
                order by known_from_date, occurred_at, place, event_id
                rows between unbounded preceding and current row
            ),
            0
        ) as uses_without_offer
    from offers_and_uses_counted

),

uses_before_counted as (

    select
        *,
        lag(uses_without_offer, 1, 0) over (
            partition by customer_id, offer_id
            order by known_from_date, occurred_at, place, event_id
        ) as uses_without_offer_before
    from uses_without_offer_counted

),

final as (

    select
        event_id,
        customer_id,
        offer_id,
        uses_without_offer = uses_without_offer_before as is_offer_used,
        occurred_at,
        local_date,
        known_from_date
    from uses_before_counted
    where uses = 1

)

select * from final
