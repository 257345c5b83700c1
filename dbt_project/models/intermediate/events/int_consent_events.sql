{{
    config(
        materialized='incremental',
        incremental_strategy='replace_touched',
        incremental_predicates=[
            on_days_touched('local_date'),
            of_customer_weeks('int_weeks_relinked', monday_of('local_date'))
        ],
        on_schema_change='fail'
    )
}}

with

events as (

    select * from {{ ref('int_customer_events_of_run') }}

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
