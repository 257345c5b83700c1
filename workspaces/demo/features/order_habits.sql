-- When customers order: offices are closed in the evening and at the weekend.
with

days as (

    select * from {{ ref('days_of_weeks') }}

),

orders as (

    select * from {{ ref('events_of_weeks') }}
    where event_name = 'order_completed'

),

days_summed as (

    select
        customer_id,
        review_week,
        {{ share_of(
            "sum(case when weekday >= 6 then orders else 0 end)", "sum(orders)"
        ) }} as weekend_order_share_365d
    from days
    group by customer_id, review_week

),

orders_counted as (

    select
        customer_id,
        review_week,
        count(*) filter (where local_hour >= 18) as evening_orders_90d
    from orders
    group by customer_id, review_week

)

select
    days_summed.customer_id,
    days_summed.review_week,
    days_summed.weekend_order_share_365d,
    coalesce(orders_counted.evening_orders_90d, 0) as evening_orders_90d
from days_summed
left join orders_counted
    on
        days_summed.customer_id = orders_counted.customer_id
        and days_summed.review_week = orders_counted.review_week
