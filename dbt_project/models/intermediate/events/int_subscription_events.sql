with

events as (

    select * from {{ ref('int_customer_events') }}

),

subscription_events as (

    select * from events
    where
        event_name in (
            'subscription_started',
            'subscription_upgraded',
            'subscription_downgraded',
            'subscription_renewed',
            'subscription_cancelled'
        )
        and is_listed
        and customer_id is not null

),

final as (

    select
        event_id,
        customer_id,

        event_name,
        nullif({{ json_text("properties", "$.plan") }}, '') as plan,

        {{ json_number("properties", "$.mrr", "decimal(18, 4)") }}
            as monthly_recurring_revenue,
        {{ json_number("properties", "$.seats", "integer") }} as seats,
        {{ json_number("properties", "$.limit_used_share") }} as limit_used_share,

        occurred_at,
        local_date,
        known_from_date
    from subscription_events

)

select * from final
