{{ config(materialized='view') }}

with

events as (

    select * from {{ ref('stg_events') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

identities as (

    select * from {{ ref('identities') }}

),

bot_days as (

    select * from {{ ref('bot_days') }}

),

events_of_customers as (

    {{ with_customers("events") }}

),

-- On the day of a bot a click is nobody's, and nothing is activity; what is on record,
-- an order or a ticket, is its customer's all the same.
final as (

    select
        event_id,
        case when not is_bot or {{ is_on_record("event_name") }} then customer_id end
            as customer_id,
        user_id,
        anonymous_id,
        account_id,
        acting_user_id,
        actor_id,
        actor_key,
        attribution_key,
        source_session_id,
        event_type,
        event_name,
        category,
        channel,
        platform,
        page_path,
        properties,
        traits,
        revenue,
        feature_number,
        activation_step,
        is_listed,
        is_activity and not is_bot as is_activity,
        is_core and not is_bot as is_core,
        is_bot,
        occurred_at,
        occurred_local_at,
        local_date,
        known_from_date
    from events_of_customers

)

select * from final
