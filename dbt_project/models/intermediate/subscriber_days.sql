with

subscription_events as (

    select * from {{ ref('int_subscription_events') }}

),

final as (

    select
        subscriber_id,
        local_date,
        known_from_date,

        {{ value_at_largest("event_name", ["occurred_at", "event_id"]) }}
            as last_subscription_event,
        {{ value_at_largest("plan", ["occurred_at", "event_id"]) }} as plan,
        {{ value_at_largest("monthly_recurring_revenue", ["occurred_at", "event_id"]) }}
            as monthly_recurring_revenue,
        {{ value_at_largest("seats", ["occurred_at", "event_id"]) }} as seats,
        {{ value_at_largest("limit_used_share", ["occurred_at", "event_id"]) }}
            as limit_used_share,
        {{ value_at_largest("renewal_date", ["occurred_at", "event_id"]) }}
            as renewal_date,

        max(case when event_name is not null then occurred_at end)
            as last_subscription_event_at,
        max(case when plan is not null then occurred_at end)
            as plan_at,
        max(case when monthly_recurring_revenue is not null then occurred_at end)
            as monthly_recurring_revenue_at,
        max(case when seats is not null then occurred_at end)
            as seats_at,
        max(case when limit_used_share is not null then occurred_at end)
            as limit_used_share_at,
        max(case when renewal_date is not null then occurred_at end)
            as renewal_date_at,

        cast(
            count(*) filter (where event_name = 'subscription_upgraded') as bigint
        ) as upgrades,
        cast(
            count(*) filter (where event_name = 'subscription_downgraded') as bigint
        ) as downgrades,
        cast(
            count(*) filter (where event_name = 'subscription_cancelled') as bigint
        ) as cancellations
    from subscription_events
    group by subscriber_id, local_date, known_from_date

)

select * from final
