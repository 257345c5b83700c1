-- Scores exist for customers with an order in 365 days and for no others; who has them
-- has a segment of a cell: of the weeks built in this run.
with

customer_weeks as (

    select * from {{ ref('customer_weeks') }}

),

weeks_to_build as (

    select * from {{ source('ops', 'weeks_to_build') }}

)

select
    customer_weeks.customer_id,
    customer_weeks.review_week,
    customer_weeks.orders_365d,
    customer_weeks.rfm_r,
    customer_weeks.rfm_segment
from customer_weeks
inner join weeks_to_build
    on customer_weeks.review_week = weeks_to_build.review_week
where
    (coalesce(customer_weeks.orders_365d, 0) > 0)
    <> (
        customer_weeks.rfm_r is not null
        and customer_weeks.rfm_f is not null
        and customer_weeks.rfm_m is not null
        and customer_weeks.rfm_recency_days is not null
        and customer_weeks.rfm_frequency is not null
        and customer_weeks.rfm_monetary is not null
        and coalesce(customer_weeks.rfm_segment, 'lapsed')
        not in ('lapsed', 'no_orders')
    )
