-- What counts in 7 days counts in 28, and so on: of the weeks built in this run.
with

event_kinds as (

    select * from {{ ref('stg_event_kinds') }}

),

customer_weeks as (

    select * from {{ ref('customer_weeks') }}

),

weeks_to_build as (

    select * from {{ source('ops', 'weeks_to_build') }}

)

select
    customer_weeks.customer_id,
    customer_weeks.review_week
from customer_weeks
inner join weeks_to_build
    on customer_weeks.review_week = weeks_to_build.review_week
cross join event_kinds
where
    customer_weeks.activities_7d > customer_weeks.activities_28d
    or customer_weeks.activities_28d > customer_weeks.activities_90d
    or customer_weeks.core_events_7d > customer_weeks.core_events_28d
    or customer_weeks.core_events_28d > customer_weeks.core_events_90d
    or customer_weeks.core_events_90d > customer_weeks.activities_90d
    or customer_weeks.active_days_7d > customer_weeks.active_days_28d
    or customer_weeks.active_days_28d > customer_weeks.active_days_90d
    or customer_weeks.active_days_90d > customer_weeks.activities_90d
    or customer_weeks.sessions_7d > customer_weeks.sessions_28d
    or customer_weeks.sessions_28d > customer_weeks.sessions_90d
    or customer_weeks.orders_28d > customer_weeks.orders_90d
    or customer_weeks.orders_90d > customer_weeks.orders_365d
    or customer_weeks.orders_365d > customer_weeks.orders_ever
    or customer_weeks.messages_sent_28d > customer_weeks.messages_sent_90d
    or customer_weeks.offers_sent_90d > customer_weeks.messages_sent_90d
    or (
        not event_kinds.has_redemptions
        and customer_weeks.offers_used_90d > customer_weeks.orders_90d
    )
    or customer_weeks.tickets_28d > customer_weeks.tickets_90d
    or customer_weeks.features_used_7d > customer_weeks.features_used_28d
    or customer_weeks.features_used_28d > customer_weeks.features_used_90d
    or customer_weeks.features_used_90d > customer_weeks.features_used_ever
    or customer_weeks.new_features_28d > customer_weeks.features_used_28d
    or customer_weeks.content_topics_28d > customer_weeks.content_views_28d
