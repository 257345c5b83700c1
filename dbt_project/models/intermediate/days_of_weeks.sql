{{ config(materialized='view') }}

with

weeks_to_build as (

    select * from {{ source('ops', 'weeks_to_build') }}

),

days as (

    select * from {{ ref('customer_days') }}

),

-- 365 days: the longest window of the feature row.
days_before_the_end as (

    select
        days.*,
        weeks_to_build.review_week,
        weeks_to_build.end_date
    from days
    inner join weeks_to_build
        on
            {{ known_by("days", "weeks_to_build.end_date") }}
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
        plan,
        monthly_recurring_revenue,
        seats,
        limit_used_share,
        upgrades,
        downgrades,
        cancellations,
        members_joined,
        members_removed
    from days_before_the_end

)

select * from final
