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

support_events as (

    select * from events
    where
        event_name in (
            'ticket_opened', 'ticket_closed', 'csat_answered', 'nps_answered'
        )
        and is_listed
        and customer_id is not null

),

final as (

    select
        event_id,
        customer_id,

        event_name,
        {{ json_text("properties", "$.ticket_id") }} as ticket_id,

        case
            when event_name in ('ticket_opened', 'ticket_closed')
                then {{ json_number("properties", "$.sentiment", "decimal(9, 6)") }}
        end as sentiment,
        case
            when event_name = 'csat_answered'
                then {{ json_number("properties", "$.score", "decimal(9, 6)") }}
        end as csat_score,
        case
            when event_name = 'nps_answered'
                then {{ json_number("properties", "$.score", "integer") }}
        end as nps_score,

        occurred_at,
        local_date,
        known_from_date
    from support_events

)

select * from final
