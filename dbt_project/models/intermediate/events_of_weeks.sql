{{ config(materialized='view') }}

with

weeks_to_build as (

    select * from {{ source('ops', 'weeks_to_build') }}

),

events as (

    select * from {{ ref('int_customer_events') }}

),

customer_histories as (

    select * from {{ ref('customer_histories') }}

),

-- 90 days: the longest window of the feature row that comes from events.
events_before_the_end as (

    select
        events.*,
        weeks_to_build.review_week,
        weeks_to_build.end_date
    from events
    inner join customer_histories
        on events.customer_id = customer_histories.customer_id
    inner join weeks_to_build
        on
            {{ is_history_between(
                "customer_histories",
                "weeks_to_build.review_week",
                "weeks_to_build.review_week"
            ) }}
            and {{ known_by("events", "weeks_to_build.end_date") }}
            and events.local_date < weeks_to_build.end_date
            and events.local_date >= {{ add_days("weeks_to_build.end_date", "-90") }}

),

final as (

    select
        customer_id,
        review_week,
        end_date,
        local_date,
        {{ days_between("local_date", "end_date") }} as days_before_end,
        {{ weekday_of("local_date") }} as weekday,
        {{ hour_of("occurred_local_at") }} as local_hour,
        event_id,
        user_id,
        event_name,
        category,
        channel,
        platform,
        page_path,
        properties,
        revenue,
        is_activity,
        is_core,
        occurred_at,
        occurred_local_at
    from events_before_the_end

)

select * from final
