{{ config(materialized='view') }}

with

customers_reviewed as (

    select * from {{ ref('int_customers_reviewed') }}

),

days as (

    select * from {{ ref('customer_days_as_known') }}

),

-- 365 days: the longest window of the feature row.
days_before_the_end as (

    select
        days.*,
        customers_reviewed.review_week,
        {{ add_days("customers_reviewed.review_week", 7) }} as end_date
    from days
    inner join customers_reviewed
        on
            days.customer_id = customers_reviewed.customer_id
            and days.history_from_week = customers_reviewed.history_from_week
            and days.local_date < {{ add_days("customers_reviewed.review_week", 7) }}
            and days.local_date
            >= {{ add_days("customers_reviewed.review_week", 7 - 365) }}
    where {{ may_lie_in_windows("days.local_date", 365) }}

),

final as (

    select
        customer_id,
        review_week,
        end_date,
        local_date,
        {{ days_between("local_date", "end_date") }} as days_before_end,
        {{ weekday_of("local_date") }} as weekday,

        activities,
        core_events,
        pages,
        sessions_started,
        session_microseconds,
        orders,
        refunds,
        discounted_orders,
        order_items,
        revenue,
        order_revenue,
        discount,
        offers_received,
        offers_used,
        opt_outs,
        tickets_opened,
        tickets_closed,
        sentiment_sum,
        sentiments,
        nps_score,
        members_joined,
        members_removed
    from days_before_the_end

)

select * from final
