{{ config(materialized='view') }}

with

customers_reviewed as (

    select * from {{ ref('int_customers_reviewed') }}

),

events as (

    select * from {{ ref('int_customer_events') }}

),

-- 90 days: the longest window of the feature row that comes from events.
events_before_the_end as (

    select
        events.*,
        customers_reviewed.review_week,
        {{ add_days("customers_reviewed.review_week", 7) }} as end_date
    from events
    inner join customers_reviewed
        on
            events.customer_id = customers_reviewed.customer_id
            and events.known_from_date
            < {{ add_days("customers_reviewed.review_week", 7) }}
            and events.local_date
            >= {{ add_days("customers_reviewed.review_week", 7 - 90) }}
    where {{ may_lie_in_windows("events.occurred_at", 90) }}

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
        acting_user_id as user_id,
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
