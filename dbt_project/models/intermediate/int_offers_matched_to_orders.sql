{{ config(materialized='ephemeral') }}

with

messages as (

    select * from {{ ref('messages') }}

),

orders as (

    select * from {{ ref('int_orders') }}

),

offers_and_orders as (

    select
        customer_id,
        coupon,
        message_id as event_id,
        1 as offers,
        0 as orders,
        sent_at as occurred_at,
        sent_date as local_date,
        known_from_date
    from messages
    where coupon is not null

    union all

    select
        customer_id,
        coupon,
        event_id,
        0 as offers,
        1 as orders,
        occurred_at,
        local_date,
        known_from_date
    from orders
    where
        not is_refund
        and coupon is not null

),

-- What is known later is matched later, so that no review changes what one before it
-- said. An offer sent at the very moment of an order was not sent before it.
offers_and_orders_counted as (

    select
        *,
        sum(orders - offers) over (
            partition by customer_id, coupon
            order by known_from_date, occurred_at, offers, event_id
            rows between unbounded preceding and current row
        ) as orders_beyond_offers
    from offers_and_orders

),

-- The most that orders have ever been ahead of offers is how many orders found none.
orders_without_offer_counted as (

    select
        *,
        greatest(
            max(orders_beyond_offers) over (
                partition by customer_id, coupon
                order by known_from_date, occurred_at, offers, event_id
                rows between unbounded preceding and current row
            ),
            0
        ) as orders_without_offer
    from offers_and_orders_counted

),

orders_before_counted as (

    select
        *,
        lag(orders_without_offer, 1, 0) over (
            partition by customer_id, coupon
            order by known_from_date, occurred_at, offers, event_id
        ) as orders_without_offer_before
    from orders_without_offer_counted

),

final as (

    select
        event_id,
        customer_id,
        coupon,
        orders_without_offer = orders_without_offer_before as is_offer_used,
        occurred_at,
        local_date,
        known_from_date
    from orders_before_counted
    where orders = 1

)

select * from final
