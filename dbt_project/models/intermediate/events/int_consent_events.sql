with

events as (

    select * from {{ ref('int_customer_events') }}

),

consent_events as (

    select * from events
    where
        event_name in ('channel_subscribed', 'channel_unsubscribed')
        and is_listed
        and customer_id is not null

),

final as (

    select
        event_id,
        customer_id,

        nullif({{ json_text("properties", "$.message_channel") }}, '')
            as message_channel,

        event_name = 'channel_subscribed' as is_subscribed,

        occurred_at,
        local_date,
        known_from_date
    from consent_events

)

select * from final
