with

days_known_today as (

    select * from {{ ref('int_days_known_today') }}

),

customer_weeks as (

    select * from {{ ref('customer_weeks') }}

),

metrics_daily as (

    select * from {{ ref('metrics_daily') }}

),

event_kinds as (

    select * from {{ ref('stg_event_kinds') }}

),

weeks as (

    select
        {{ monday_of("activity_date") }} as review_week,
        max(activity_date) as last_date,
        sum(orders) as orders,
        sum(revenue) as revenue
    from metrics_daily
    group by {{ monday_of("activity_date") }}

),

active_weeks as (

    select distinct
        days_known_today.customer_id,
        {{ monday_of("days_known_today.local_date") }} as review_week
    from days_known_today
    inner join weeks
        on {{ monday_of("days_known_today.local_date") }} = weeks.review_week
    where days_known_today.activities > 0

),

active_weeks_with_neighbours as (

    select
        review_week,
        lag(review_week) over (partition by customer_id order by review_week)
            as previous_active_week,
        lead(review_week) over (partition by customer_id order by review_week)
            as next_active_week
    from active_weeks

),

activity_counted as (

    select
        review_week,
        count(*) as active_customers,
        count(*) filter (where previous_active_week is null) as new_customers,
        count(*) filter (
            where previous_active_week = {{ add_days("review_week", -7) }}
        ) as retained_customers,
        count(*) filter (
            where previous_active_week < {{ add_days("review_week", -7) }}
        ) as resurrected_customers
    from active_weeks_with_neighbours
    group by review_week

),

quiet_counted as (

    select
        {{ add_days("review_week", 7) }} as review_week,
        count(*) as gone_quiet_customers
    from active_weeks_with_neighbours
    where
        next_active_week is null
        or next_active_week > {{ add_days("review_week", 7) }}
    group by {{ add_days("review_week", 7) }}

),

known_counted as (

    select
        {{ monday_of("first_seen_date") }} as review_week,
        count(*) as customers_first_seen
    from (
        select
            customer_id,
            min(local_date) as first_seen_date
        from days_known_today
        group by customer_id
    ) as first_days
    group by {{ monday_of("first_seen_date") }}

),

stages_with_previous as (

    select
        customer_id,
        review_week,
        lifecycle_stage,
        lag(review_week) over (partition by customer_id order by review_week)
            as previous_week,
        lag(lifecycle_stage) over (partition by customer_id order by review_week)
            as previous_stage
    from customer_weeks

),

-- Who is churned now and was not a week ago; unknown where the week before was not
-- built.
churn_counted as (

    select
        review_week,
        case
            when max(previous_week) = {{ add_days("review_week", -7) }}
                then count(*) filter (
                    where
                    lifecycle_stage = 'churned'
                    and coalesce(previous_stage, 'unknown before') <> 'churned'
                )
        end as churned_customers
    from stages_with_previous
    group by review_week

),

weeks_joined as (

    select
        weeks.review_week,
        cast(
            sum(coalesce(known_counted.customers_first_seen, 0)) over (
                order by weeks.review_week
                rows between unbounded preceding and current row
            ) as bigint
        ) as known_customers,
        coalesce(activity_counted.active_customers, 0) as active_customers,
        coalesce(activity_counted.new_customers, 0) as new_customers,
        coalesce(activity_counted.retained_customers, 0) as retained_customers,
        coalesce(activity_counted.resurrected_customers, 0) as resurrected_customers,
        coalesce(quiet_counted.gone_quiet_customers, 0) as gone_quiet_customers,
        coalesce(
            lag(activity_counted.active_customers) over (order by weeks.review_week), 0
        ) as previous_active_customers,
        churn_counted.churned_customers,
        weeks.last_date,
        weeks.orders,
        weeks.revenue
    from weeks
    left join activity_counted
        on weeks.review_week = activity_counted.review_week
    left join quiet_counted
        on weeks.review_week = quiet_counted.review_week
    left join known_counted
        on weeks.review_week = known_counted.review_week
    left join churn_counted
        on weeks.review_week = churn_counted.review_week

),

final as (

    select
        weeks_joined.review_week,
        weeks_joined.known_customers,
        weeks_joined.active_customers,
        weeks_joined.new_customers,
        weeks_joined.retained_customers,
        weeks_joined.resurrected_customers,
        weeks_joined.gone_quiet_customers,
        weeks_joined.previous_active_customers,
        metrics_daily.active_customers_28d,
        weeks_joined.active_customers
        / cast(nullif(metrics_daily.active_customers_28d, 0) as double)
            as stickiness_share,
        weeks_joined.churned_customers,
        case
            when event_kinds.has_orders then cast(weeks_joined.orders as bigint)
        end as orders,
        case
            when event_kinds.has_orders
                then cast(weeks_joined.revenue as decimal(18, 4))
        end as revenue,
        cast(
            weeks_joined.revenue / cast(nullif(weeks_joined.orders, 0) as double)
            as decimal(18, 4)
        ) as average_order_value
    from weeks_joined
    cross join event_kinds
    left join metrics_daily
        on weeks_joined.last_date = metrics_daily.activity_date

)

select * from final
