{{ config(materialized='ephemeral') }}

with

customer_days as (

    select * from {{ ref('customer_days_as_known') }}

),

customers_reviewed as (

    select * from {{ ref('int_customers_reviewed') }}

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
        customers_reviewed.review_week,
        {{ days_between("order_days.previous_order_date", "order_days.local_date") }}
            as gap_days
    from order_days
    inner join customers_reviewed
        on
            order_days.customer_id = customers_reviewed.customer_id
            and order_days.history_from_week = customers_reviewed.history_from_week
            and order_days.local_date
            < {{ add_days("customers_reviewed.review_week", 7) }}
    where order_days.previous_order_date is not null

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
