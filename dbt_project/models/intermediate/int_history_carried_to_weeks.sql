{{ config(materialized='ephemeral') }}

with

customer_days as (

    select * from {{ ref('customer_days') }}

),

customers_by_week as (

    select * from {{ ref('int_weeks_spread_over_customers') }}

),

weeks_with_events as (

    select
        customer_id,
        {{ monday_of("known_from_date") }} as review_week,
        false as is_reviewed,
        max(case when activities > 0 then local_date end) as last_activity_date,
        max(case when core_events > 0 then local_date end) as last_core_event_date,
        sum(orders) as orders,
        sum(revenue) as revenue,
        max(case when orders > 0 then local_date end) as last_order_date,
        sum(tickets_opened) as tickets_opened,
        sum(tickets_closed) as tickets_closed,
        sum(upgrades) as upgrades,
        sum(downgrades) as downgrades,
        sum(members_joined) as members_joined,
        sum(members_removed) as members_removed,
        max(case when cancellations > 0 then local_date end) as last_cancelled_date,
        max(case when nps_score is not null then local_date end) as nps_date,
        {{ value_at_largest("nps_score", ["local_date", "known_from_date"]) }}
            filter (where nps_score is not null) as nps_score,
        {{ value_at_largest("last_subscription_event", ["local_date", "known_from_date"]) }}
            filter (where last_subscription_event is not null) as last_subscription_event,
        {{ value_at_largest("plan", ["local_date", "known_from_date"]) }}
            filter (where plan is not null) as plan,
        {{ value_at_largest("monthly_recurring_revenue", ["local_date", "known_from_date"]) }}
            filter (where monthly_recurring_revenue is not null) as monthly_recurring_revenue,
        {{ value_at_largest("seats", ["local_date", "known_from_date"]) }}
            filter (where seats is not null) as seats,
        {{ value_at_largest("limit_used_share", ["local_date", "known_from_date"]) }}
            filter (where limit_used_share is not null) as limit_used_share
    from customer_days
    group by customer_id, {{ monday_of("known_from_date") }}

),

weeks_reviewed as (

    select
        customer_id,
        review_week,
        true as is_reviewed,
        cast(null as date) as last_activity_date,
        cast(null as date) as last_core_event_date,
        0 as orders,
        cast(0 as decimal(18, 4)) as revenue,
        cast(null as date) as last_order_date,
        0 as tickets_opened,
        0 as tickets_closed,
        0 as upgrades,
        0 as downgrades,
        0 as members_joined,
        0 as members_removed,
        cast(null as date) as last_cancelled_date,
        cast(null as date) as nps_date,
        cast(null as integer) as nps_score,
        cast(null as varchar) as last_subscription_event,
        cast(null as varchar) as plan,
        cast(null as decimal(18, 4)) as monthly_recurring_revenue,
        cast(null as integer) as seats,
        cast(null as double) as limit_used_share
    from customers_by_week

),

weeks_in_order as (

    select * from weeks_with_events
    union all
    select * from weeks_reviewed

),

history_carried as (

    select
        customer_id,
        review_week,
        is_reviewed,
        {% for date_column in (
            "last_activity_date", "last_core_event_date", "last_order_date",
            "last_cancelled_date", "nps_date"
        ) %}
        max({{ date_column }}) over so_far as {{ date_column }},
        {% endfor %}
        {% for counted in (
            "orders", "tickets_opened", "tickets_closed", "upgrades", "downgrades",
            "members_joined", "members_removed"
        ) %}
        cast(sum({{ counted }}) over so_far as bigint) as {{ counted }},
        {% endfor %}
        cast(sum(revenue) over so_far as decimal(18, 4)) as revenue,
        {% for state in (
            "nps_score", "last_subscription_event", "plan", "monthly_recurring_revenue",
            "seats", "limit_used_share"
        ) %}
        last_value({{ state }} ignore nulls) over so_far as {{ state }}
        {{- "," if not loop.last }}
        {% endfor %}
    from weeks_in_order
    window so_far as (
        partition by customer_id
        order by review_week, is_reviewed
        rows between unbounded preceding and current row
    )

),

final as (

    select
        history_carried.*,
        customers_by_week.end_date,
        customers_by_week.first_seen_date
    from history_carried
    inner join customers_by_week
        on
            history_carried.customer_id = customers_by_week.customer_id
            and history_carried.review_week = customers_by_week.review_week
    where history_carried.is_reviewed

)

select * from final
