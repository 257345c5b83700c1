{{ config(materialized='ephemeral') }}

with

customer_days as (

    select * from {{ ref('customer_days_as_known') }}

),

weeks_to_build as (

    select * from {{ source('ops', 'weeks_to_build') }}

),

customers_by_week as (

    select * from {{ ref('int_weeks_spread_over_customers') }}

),

order_days as (

    select
        customer_id,
        history_from_week,
        local_date,
        lag(local_date) over (
            partition by customer_id, history_from_week
            order by local_date
        ) as previous_order_date
    from customer_days
    where orders > 0

),

gaps_by_week as (

    select
        order_days.customer_id,
        weeks_to_build.review_week,
        {{ days_between("order_days.previous_order_date", "order_days.local_date") }}
            as gap_days
    from order_days
    inner join weeks_to_build
        on order_days.local_date < weeks_to_build.end_date
    inner join customers_by_week
        on
            order_days.customer_id = customers_by_week.customer_id
            and order_days.history_from_week = customers_by_week.history_from_week
            and weeks_to_build.review_week = customers_by_week.calendar_week
    where
        order_days.previous_order_date is not null
        and customers_by_week.weeks_until_review = 0

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
                then {{ regularity_of_gaps(
                    "gaps", "gap_days_sum", "gap_days_squared_sum"
                ) }}
        end as order_regularity
    from gaps_summed

)

select * from final
