with

days_until_review as (

    select * from {{ ref('int_days_known_today') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

event_kinds as (

    select * from {{ ref('stg_event_kinds') }}

),

span as (

    select
        min(days_until_review.local_date) as first_date,
        max({{ add_days("run_parameters.newest_review_week", 6) }}) as last_date
    from days_until_review
    cross join run_parameters

),

calendar as (

    select calendar_days.day as activity_date
    from {{ days_from(
        "(select span.first_date from span)", "(select span.last_date from span)"
    ) }} as calendar_days

),

active_days as (

    select
        customer_id,
        local_date,
        lead(local_date) over (partition by customer_id order by local_date)
            as next_date,
        lag(local_date) over (partition by customer_id order by local_date)
            as previous_date
    from days_until_review
    where activities > 0

),

-- An active day keeps its customer in the trailing windows until the next one takes
-- over, so each customer counts once a day: spread only over the days up to the next
-- active day.
active_windows as (

    select
        {{ add_days("active_days.local_date", "days_later.number") }} as activity_date,
        count(*) filter (where days_later.number = 0) as active_customers,
        count(*) filter (where days_later.number < 7) as active_customers_7d,
        count(*) as active_customers_28d,
        count(*) filter (
            where days_later.number = 0 and active_days.previous_date is null
        ) as new_customers
    from active_days
    cross join {{ numbers_to(27) }} as days_later
    where
        active_days.next_date is null
        or active_days.next_date
        > {{ add_days("active_days.local_date", "days_later.number") }}
    group by {{ add_days("active_days.local_date", "days_later.number") }}

),

days_summed as (

    select
        local_date as activity_date,
        sum(activities) as activities,
        sum(sessions_started) as sessions,
        sum(orders) as orders,
        sum(revenue) as revenue
    from days_until_review
    group by local_date

),

final as (

    select
        calendar.activity_date,
        coalesce(active_windows.active_customers, 0) as active_customers,
        coalesce(active_windows.active_customers_7d, 0) as active_customers_7d,
        coalesce(active_windows.active_customers_28d, 0) as active_customers_28d,
        active_windows.active_customers
        / cast(nullif(active_windows.active_customers_28d, 0) as double)
            as stickiness_share,
        coalesce(active_windows.new_customers, 0) as new_customers,
        cast(coalesce(days_summed.activities, 0) as bigint) as activities,
        cast(coalesce(days_summed.sessions, 0) as bigint) as sessions,
        case
            when event_kinds.has_orders
                then cast(coalesce(days_summed.orders, 0) as bigint)
        end as orders,
        case
            when event_kinds.has_orders
                then cast(coalesce(days_summed.revenue, 0) as decimal(18, 4))
        end as revenue,
        cast(
            days_summed.revenue / cast(nullif(days_summed.orders, 0) as double)
            as decimal(18, 4)
        ) as average_order_value
    from calendar
    cross join event_kinds
    left join active_windows
        on calendar.activity_date = active_windows.activity_date
    left join days_summed
        on calendar.activity_date = days_summed.activity_date

)

select * from final
