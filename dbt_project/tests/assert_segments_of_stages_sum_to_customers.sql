-- Every customer has one lifecycle stage and one engagement level, so the segments of
-- these schemes hold each customer of the week once.
with

segments_weekly as (

    select * from {{ ref('segments_weekly') }}

),

customer_weeks as (

    select * from {{ ref('customer_weeks_narrow') }}

),

customers_counted as (

    select
        review_week,
        count(*) as customers
    from customer_weeks
    group by review_week

),

segments_summed as (

    select
        scheme,
        review_week,
        sum(customers) as customers
    from segments_weekly
    where scheme in ('lifecycle', 'engagement')
    group by scheme, review_week

)

select
    customers_counted.review_week,
    segments_summed.scheme,
    customers_counted.customers,
    segments_summed.customers as customers_in_segments
from customers_counted
left join segments_summed
    on customers_counted.review_week = segments_summed.review_week
where coalesce(segments_summed.customers, 0) <> customers_counted.customers
