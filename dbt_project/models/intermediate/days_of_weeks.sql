{{ config(materialized='view') }}

with

weeks_to_build as (

    select * from {{ source('ops', 'weeks_to_build') }}

),

days as (

    select * from {{ ref('customer_days_as_known') }}

),

customer_histories as (

    select * from {{ ref('customer_histories') }}

),

-- 365 days: the longest window of the feature row.
days_before_the_end as (

    select
        days.*,
        weeks_to_build.review_week,
        weeks_to_build.end_date
    from days
    inner join customer_histories
        on
            days.customer_id = customer_histories.customer_id
            and days.history_from_week = customer_histories.history_from_week
    inner join weeks_to_build
        on
            {{ is_history_between(
                "customer_histories",
                "weeks_to_build.review_week",
                "weeks_to_build.review_week"
            ) }}
            and days.local_date < weeks_to_build.end_date
            and days.local_date >= {{ add_days("weeks_to_build.end_date", "-365") }}

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
