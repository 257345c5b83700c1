{{
    config(
        materialized='incremental',
        incremental_strategy='replace_touched',
        incremental_predicates=[in_weeks_touched('calendar_week')],
        on_schema_change='fail'
    )
}}

with

events as (

    select * from {{ ref('int_events') }}

),

weeks_touched as (

    select * from {{ source('ops', 'weeks_touched') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

aliases as (

    select
        calendar_week,
        event_id,
        coalesce(
            {{ json_text("properties", "$.previous_id") }},
            {{ json_text("properties", "$.previousId") }}
        ) as previous_id,
        user_id,
        occurred_at
    from events
    where
        {{ is_touched("calendar_week") }}
        and event_type = 'alias'
        and user_id is not null

),

final as (

    select aliases.*
    from aliases
    cross join run_parameters
    where
        aliases.previous_id <> ''
        and not {{ list_has(
            "run_parameters.meaningless_ids", "lower(aliases.previous_id)"
        ) }}

)

select * from final
