{{
    config(
        materialized='incremental',
        incremental_strategy='replace_touched',
        incremental_predicates=[in_weeks_touched('calendar_week')],
        on_schema_change='fail'
    )
}}

with

raw_events as (

    select * from {{ source('raw', 'events') }}

),

weeks_touched as (

    select * from {{ source('ops', 'weeks_touched') }}

),

events as (

    select * from raw_events
    where {{ is_between_touched("occurred_at") }}

),

{{ events_staged() }},

events_touched as (

    select * from events_staged
    where {{ is_touched("calendar_week") }}

),

final as (

    select
        events_touched.calendar_week,
        events_touched.local_date,
        events_touched.occurred_at,
        events_touched.occurred_local_at,
        events_touched.event_id,
        events_touched.event_key,

        events_touched.actor_key,
        events_touched.attribution_key,
        events_touched.actor_id,
        events_touched.user_id,
        events_touched.anonymous_id,
        events_touched.account_id,
        events_touched.source_session_id,

        events_touched.event_type,
        events_touched.event_name,
        events_touched.channel,
        events_touched.platform,
        events_touched.page_path,
        events_touched.revenue,
        events_touched.feature_number,
        events_touched.activation_step,
        events_touched.is_listed,
        events_touched.is_activity,
        events_touched.is_core,

        case
            when
                events_touched.is_listed
                and events_touched.event_name = 'content_viewed'
                then nullif(
                    {{ json_text("events_touched.properties", "$.topic") }}, ''
                )
        end as content_topic,
        -- Of most events nothing else of the document is read again.
        case
            when
                events_touched.event_type = 'alias'
                or {{ is_on_record("events_touched.event_name") }}
                then events_touched.properties
        end as properties,
        case
            when events_touched.event_type in ('identify', 'group')
                then events_touched.traits
        end as traits
    from events_touched

)

select * from final
