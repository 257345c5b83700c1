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

message_events as (

    select * from events
    where
        event_name in ('message_sent', 'message_opened', 'message_clicked')
        and is_listed
        and customer_id is not null

),

final as (

    select
        event_id,
        customer_id,
        -- Who sends without naming the message sends one that nobody can answer.
        coalesce(
            nullif({{ json_text("properties", "$.message_id") }}, ''),
            case
                when event_name = 'message_sent'
                    then 'event:' || {{ hashed_id(["event_id", "occurred_at"]) }}
            end
        ) as message_id,

        event_name,
        nullif({{ json_text("properties", "$.message_channel") }}, '')
            as message_channel,
        nullif({{ json_text("properties", "$.topic") }}, '') as topic,
        nullif({{ json_text("properties", "$.coupon") }}, '') as coupon,
        nullif({{ json_text("properties", "$.offer_id") }}, '') as offer_id,

        coalesce(
            nullif({{ json_text("properties", "$.coupon") }}, ''),
            nullif({{ json_text("properties", "$.offer_id") }}, '')
        ) is not null as is_offer,

        occurred_at,
        occurred_local_at,
        local_date,
        known_from_date
    from message_events

)

select * from final
