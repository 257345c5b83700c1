{{
    config(
        materialized='incremental',
        incremental_strategy='replace_touched',
        incremental_predicates=[
            in_weeks_touched('calendar_week'),
            of_customer_weeks('int_weeks_relinked', 'calendar_week')
        ],
        on_schema_change='fail'
    )
}}

with

events as (

    select * from {{ ref('int_customer_events_of_run') }}

),

events_described as (

    select
        customer_id,
        local_date,
        calendar_week,
        {{ monday_of("known_from_date") }} as known_from_week,
        case when is_activity then {{ hour_of("occurred_local_at") }} end as hour_local,
        case when is_activity then feature_number end as feature_number,
        case when is_activity then nullif(platform, '') end as platform,
        content_topic
    from events
    where
        is_activity
        or content_topic is not null

),

-- One reading of the events, counted by each of the four.
final as (

    select
        customer_id,
        calendar_week,
        known_from_week,
        hour_local,
        feature_number,
        platform,
        content_topic,
        cast(count(*) as bigint) as occurrences,
        cast(count(*) filter (where local_date > calendar_week) as bigint)
            as occurrences_after_monday
    from events_described
    group by
        grouping sets (
            (customer_id, calendar_week, known_from_week, hour_local),
            (customer_id, calendar_week, known_from_week, feature_number),
            (customer_id, calendar_week, known_from_week, platform),
            (customer_id, calendar_week, known_from_week, content_topic)
        )
    having
        hour_local is not null
        or feature_number is not null
        or platform is not null
        or content_topic is not null

)

select * from final
