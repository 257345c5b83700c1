{{
    config(
        materialized='incremental',
        incremental_strategy='replace_touched',
        incremental_predicates=[in_weeks_touched('calendar_week')],
        on_schema_change='fail'
    )
}}

{% set id_types = ("user", "anonymous", "account") %}

with

{# Imported once for each: what is named once is read and not held. #}
{% for id_type in id_types %}
events_of_{{ id_type }}_ids as (

    select * from {{ ref('int_events') }}

),

{% endfor %}
weeks_touched as (

    select * from {{ source('ops', 'weeks_touched') }}

),

ids as (
    {% for id_type in id_types %}
    {{ "union all" if not loop.first }}

    select
        calendar_week,
        '{{ id_type }}' as id_type,
        {{ id_type }}_id as id,
        min(occurred_at) as first_seen_at
    from events_of_{{ id_type }}_ids
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
