-- Orders, refunds and revenue of the days are those of staging.
with

orders as (

    select * from {{ ref('int_orders') }}

),

customer_days as (

    select * from {{ ref('customer_days') }}

),

orders_summed as (

    select
        count(*) filter (where not is_refund) as orders,
        count(*) filter (where is_refund) as refunds,
        coalesce(sum(revenue), 0) as revenue
    from orders

),

days_summed as (

    select
        coalesce(sum(orders), 0) as orders,
        coalesce(sum(refunds), 0) as refunds,
        coalesce(sum(revenue), 0) as revenue
    from customer_days

)

select
    orders_summed.orders,
    days_summed.orders as orders_of_days,
    orders_summed.refunds,
    days_summed.refunds as refunds_of_days,
    orders_summed.revenue,
    days_summed.revenue as revenue_of_days
from orders_summed
cross join days_summed
where
    orders_summed.orders <> days_summed.orders
    or orders_summed.refunds <> days_summed.refunds
    or orders_summed.revenue <> days_summed.revenue
