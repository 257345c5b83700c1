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

events_touched as (

    select * from events
    where {{ is_touched("calendar_week") }}

),

ids as (
    {% for id_type in ("user", "anonymous", "account") %}
    {{ "union all" if not loop.first }}

    select
        calendar_week,
        '{{ id_type }}' as id_type,
        {{ id_type }}_id as id,
        min(occurred_at) as first_seen_at
    from events_touched
    where {{ id_type }}_id is not null
    group by calendar_week, {{ id_type }}_id
    {% endfor %}

),

final as (

    select * from ids

)

select * from final
