{{
    config(
        materialized='incremental',
        incremental_strategy='replace_touched',
        incremental_predicates=[in_weeks_touched('calendar_week')],
        on_schema_change='fail'
    )
}}

with

weeks_touched as (

    select * from {{ source('ops', 'weeks_touched') }}

),

ids as (
    {% for id_type in ("user", "anonymous", "account") %}
    {{ "union all" if not loop.first }}

    select
        calendar_week,
        '{{ id_type }}' as id_type,
        {{ id_type }}_id as id,
        min(occurred_at) as first_seen_at
    from {{ ref('int_events') }}
    where
        {{ is_touched("calendar_week") }}
        and {{ id_type }}_id is not null
    group by calendar_week, {{ id_type }}_id
    {% endfor %}

),

final as (

    select * from ids

)

select * from final
