{{ config(materialized='ephemeral') }}

with

customer_days as (

    select * from {{ ref('customer_days') }}

),

customers_by_week as (

    select * from {{ ref('int_weeks_spread_over_customers') }}

),

order_dates as (

    select distinct
        customer_id,
        local_date
    from customer_days
    where orders > 0

),

order_dates_with_gaps as (

    select
        customer_id,
        local_date,
        {{ days_between(
            "lag(local_date) over (partition by customer_id order by local_date)", "local_date"
        ) }} as gap_days
    from order_dates

),

gaps_by_week as (

    select
        customers_by_week.customer_id,
        customers_by_week.review_week,
        order_dates_with_gaps.gap_days
    from customers_by_week
    inner join order_dates_with_gaps
        on
            customers_by_week.customer_id = order_dates_with_gaps.customer_id
            and customers_by_week.end_date > order_dates_with_gaps.local_date
    where order_dates_with_gaps.gap_days is not null

),

gaps_summed as (

    select
        customer_id,
        review_week,
        median(gap_days) as days_between_orders_median,
        count(*) as gaps,
        sum(gap_days) as gap_days_sum,
        sum(gap_days * gap_days) as gap_days_squared_sum
    from gaps_by_week
    group by customer_id, review_week

),

final as (

    select
        customer_id,
        review_week,
        days_between_orders_median,
        case
            when gaps >= 2
                then {{ regularity_of_gaps("gaps", "gap_days_sum", "gap_days_squared_sum") }}
        end as order_regularity
    from gaps_summed

)

select * from final
