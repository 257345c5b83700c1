{{
    config(
        materialized='incremental',
        incremental_strategy='replace_touched',
        incremental_predicates=[
            on_days_touched('local_date'),
            of_customer_weeks('int_customer_weeks_of_run', monday_of('local_date'))
        ],
        on_schema_change='fail'
    )
}}

with

events as (

    select * from {{ ref('int_events_of_days_of_run') }}

),

session_days as (

    select * from {{ ref('int_session_days_of_run') }}

),

orders as (

    select * from {{ ref('int_orders') }}

),

order_items as (

    select * from {{ ref('int_order_items') }}

),

support_events as (

    select * from {{ ref('int_support_events') }}

),

messages as (

    select * from {{ ref('messages') }}

),

offers_and_orders as (

    select * from {{ ref('int_offers_matched_to_uses') }}

),

consent_events as (

    select * from {{ ref('int_consent_events') }}

),

-- By user first: numbers add up, and the users of a day are those that are left.
days_of_users as (

    select
        customer_id,
        local_date,
        known_from_date,
        acting_user_id,
        count(*) as events,
        count(*) filter (where is_activity) as activities,
        count(*) filter (where is_activity and is_core) as core_events,
        count(*) filter (where is_activity and event_name = 'page_viewed') as pages,
        bit_or(case when is_activity then {{ bit_at("feature_number") }} end)
            as feature_mask,
        bit_or({{ bit_at("(activation_step - 1)") }}) as activation_mask,
        count(*) filter (where is_listed and event_name = 'content_viewed')
            as content_views,
        count(*) filter (
            where
            is_listed
            and event_name in ('page_viewed', 'content_viewed')
            and {{ is_page_below("page_path", help_pages()) }}
        ) as help_views,
        count(*) filter (
            where
            is_listed
            and event_name in ('page_viewed', 'content_viewed')
            and {{ is_page_below("page_path", pricing_pages()) }}
        ) as pricing_views,
        count(*) filter (where is_listed and event_name = 'comparison_searched')
            as comparison_searches,
        count(*) filter (where is_listed and event_name = 'item_shared') as shares,
        count(*) filter (where is_listed and event_name = 'comment_posted')
            as comments,
        count(*) filter (where is_listed and event_name = 'error_shown') as errors,
        count(*) filter (where is_listed and event_name = 'team_member_invited')
            as members_invited,
        count(*) filter (where is_listed and event_name = 'team_member_joined')
            as members_joined,
        count(*) filter (where is_listed and event_name = 'team_member_removed')
            as members_removed
    from events
    group by customer_id, local_date, known_from_date, acting_user_id

),

days_with_events as (

    select
        customer_id,
        local_date,
        known_from_date,
        {{ sorted_list("case when activities > 0 then acting_user_id end") }}
            as active_user_ids,
        bit_or(feature_mask) as feature_mask,
        bit_or(activation_mask) as activation_mask,
        sum(events) as events,
        sum(activities) as activities,
        sum(core_events) as core_events,
        sum(pages) as pages,
        sum(content_views) as content_views,
        sum(help_views) as help_views,
        sum(pricing_views) as pricing_views,
        sum(comparison_searches) as comparison_searches,
        sum(shares) as shares,
        sum(comments) as comments,
        sum(errors) as errors,
        sum(members_invited) as members_invited,
        sum(members_joined) as members_joined,
        sum(members_removed) as members_removed
    from days_of_users
    group by customer_id, local_date, known_from_date

),

days_with_session_time as (

    select
        customer_id,
        local_date,
        known_from_date,
        sum(session_microseconds) as session_microseconds
    from session_days
    where customer_id is not null
    group by customer_id, local_date, known_from_date

),

-- A session cannot outlast its start week by more than its cap, a day at most, so its
-- length as of the end of the start week and its whole length are all that any week
-- needs.
sessions_by_week as (

    select
        customer_id,
        actor_id,
        source_session_id,
        burst_started_at,
        division,
        {{ monday_of("local_date") }} as calendar_week,
        min(local_date) as first_date,
        {{ value_at_smallest("known_from_date", ["local_date", "known_from_date"]) }}
            as known_from_date,
        sum(session_microseconds) as session_microseconds
    from session_days
    where customer_id is not null
    group by
        customer_id,
        actor_id,
        source_session_id,
        burst_started_at,
        division,
        {{ monday_of("local_date") }}

),

sessions_of_customers as (

    select
        customer_id,
        min(first_date) as local_date,
        {{ value_at_smallest("known_from_date", ["calendar_week"]) }}
            as known_from_date,
        cast(sum(session_microseconds) as bigint) as session_length,
        cast(
            {{ value_at_smallest("session_microseconds", ["calendar_week"]) }} as bigint
        ) as session_length_in_start_week
    from sessions_by_week
    group by customer_id, actor_id, source_session_id, burst_started_at, division

),

days_with_session_starts as (

    select
        customer_id,
        local_date,
        known_from_date,
        count(*) as sessions_started,
        {{ sorted_list("session_length") }} as session_lengths,
        {{ sorted_list("session_length_in_start_week") }}
            as session_lengths_in_start_week
    from sessions_of_customers
    group by customer_id, local_date, known_from_date

),

days_with_orders as (

    select
        customer_id,
        local_date,
        known_from_date,
        count(*) filter (where not is_refund) as orders,
        count(*) filter (where is_refund) as refunds,
        count(*) filter (
            where not is_refund and (discount > 0 or has_coupon)
        ) as discounted_orders,
        sum(revenue) as revenue,
        coalesce(sum(revenue) filter (where not is_refund), 0) as order_revenue,
        coalesce(sum(discount) filter (where not is_refund), 0) as discount,
        {{ sorted_list("case when not is_refund then payment_method end") }}
            as payment_methods
    from orders
    group by customer_id, local_date, known_from_date

),

days_with_order_items as (

    select
        customer_id,
        local_date,
        known_from_date,
        sum(quantity) as order_items,
        {{ sorted_list("category") }} as product_categories
    from order_items
    group by customer_id, local_date, known_from_date

),

days_with_support_events as (

    select
        customer_id,
        local_date,
        known_from_date,
        count(*) filter (where event_name = 'ticket_opened') as tickets_opened,
        count(*) filter (where event_name = 'ticket_closed') as tickets_closed,
        sum(sentiment) as sentiment_sum,
        count(sentiment) as sentiments,
        sum(csat_score) as csat_sum,
        count(csat_score) as csat_answers,
        {{ value_at_largest("nps_score", ["occurred_at", "event_id"]) }} as nps_score,
        max(case when nps_score is not null then occurred_at end) as nps_score_at
    from support_events
    group by customer_id, local_date, known_from_date

),

days_with_offers as (

    select
        customer_id,
        sent_date as local_date,
        known_from_date,
        count(*) as offers_received
    from messages
    where is_offer
    group by customer_id, sent_date, known_from_date

),

days_with_offers_used as (

    select
        customer_id,
        local_date,
        known_from_date,
        count(*) as offers_used
    from offers_and_orders
    where is_offer_used
    group by customer_id, local_date, known_from_date

),

days_with_consents as (

    select
        customer_id,
        local_date,
        known_from_date,
        {% for channel in message_channels() %}
        {{ value_at_largest(
            "case when message_channel = '" ~ channel ~ "' then is_subscribed end",
            ["occurred_at", "event_id"]
        ) }}
            as is_subscribed_{{ channel }},
        max(case when message_channel = '{{ channel }}' then occurred_at end)
            as is_subscribed_{{ channel }}_at,
        {% endfor %}
        count(*) filter (where not is_subscribed) as opt_outs
    from consent_events
    group by customer_id, local_date, known_from_date

),

final as (

    select
        days_with_events.customer_id,
        days_with_events.local_date,
        days_with_events.known_from_date,

        cast(days_with_events.events as bigint) as events,
        cast(days_with_events.activities as bigint) as activities,
        cast(days_with_events.core_events as bigint) as core_events,
        cast(days_with_events.pages as bigint) as pages,
        cast(coalesce(days_with_session_starts.sessions_started, 0) as bigint)
            as sessions_started,
        cast(coalesce(days_with_session_time.session_microseconds, 0) as bigint)
            as session_microseconds,
        days_with_session_starts.session_lengths,
        days_with_session_starts.session_lengths_in_start_week,
        cast(coalesce(days_with_events.feature_mask, 0) as bigint) as feature_mask,
        cast(coalesce(days_with_events.activation_mask, 0) as bigint)
            as activation_mask,
        days_with_events.active_user_ids,

        cast(days_with_events.content_views as bigint) as content_views,
        cast(days_with_events.help_views as bigint) as help_views,
        cast(days_with_events.pricing_views as bigint) as pricing_views,
        cast(days_with_events.comparison_searches as bigint) as comparison_searches,
        cast(days_with_events.shares as bigint) as shares,
        cast(days_with_events.comments as bigint) as comments,
        cast(days_with_events.errors as bigint) as errors,

        cast(coalesce(days_with_orders.orders, 0) as bigint) as orders,
        cast(coalesce(days_with_orders.refunds, 0) as bigint) as refunds,
        cast(coalesce(days_with_orders.discounted_orders, 0) as bigint)
            as discounted_orders,
        cast(coalesce(days_with_order_items.order_items, 0) as decimal(18, 4))
            as order_items,
        cast(coalesce(days_with_orders.revenue, 0) as decimal(18, 4)) as revenue,
        cast(coalesce(days_with_orders.order_revenue, 0) as decimal(18, 4))
            as order_revenue,
        cast(coalesce(days_with_orders.discount, 0) as decimal(18, 4)) as discount,
        days_with_orders.payment_methods,
        days_with_order_items.product_categories,

        cast(coalesce(days_with_offers.offers_received, 0) as bigint)
            as offers_received,
        cast(coalesce(days_with_offers_used.offers_used, 0) as bigint) as offers_used,
        cast(coalesce(days_with_consents.opt_outs, 0) as bigint) as opt_outs,
        {% for channel in message_channels() %}
        days_with_consents.is_subscribed_{{ channel }},
        days_with_consents.is_subscribed_{{ channel }}_at,
        {% endfor %}

        cast(coalesce(days_with_support_events.tickets_opened, 0) as bigint)
            as tickets_opened,
        cast(coalesce(days_with_support_events.tickets_closed, 0) as bigint)
            as tickets_closed,
        cast(coalesce(days_with_support_events.sentiment_sum, 0) as decimal(18, 6))
            as sentiment_sum,
        cast(coalesce(days_with_support_events.sentiments, 0) as bigint) as sentiments,
        cast(coalesce(days_with_support_events.csat_sum, 0) as decimal(18, 6))
            as csat_sum,
        cast(coalesce(days_with_support_events.csat_answers, 0) as bigint)
            as csat_answers,
        days_with_support_events.nps_score,
        days_with_support_events.nps_score_at,

        cast(days_with_events.members_invited as bigint) as members_invited,
        cast(days_with_events.members_joined as bigint) as members_joined,
        cast(days_with_events.members_removed as bigint) as members_removed
    from days_with_events
    left join days_with_session_time
        on
            days_with_events.customer_id = days_with_session_time.customer_id
            and days_with_events.local_date = days_with_session_time.local_date
            and days_with_events.known_from_date
            = days_with_session_time.known_from_date
    left join days_with_session_starts
        on
            days_with_events.customer_id = days_with_session_starts.customer_id
            and days_with_events.local_date = days_with_session_starts.local_date
            and days_with_events.known_from_date
            = days_with_session_starts.known_from_date
    left join days_with_orders
        on
            days_with_events.customer_id = days_with_orders.customer_id
            and days_with_events.local_date = days_with_orders.local_date
            and days_with_events.known_from_date = days_with_orders.known_from_date
    left join days_with_order_items
        on
            days_with_events.customer_id = days_with_order_items.customer_id
            and days_with_events.local_date = days_with_order_items.local_date
            and days_with_events.known_from_date = days_with_order_items.known_from_date
    left join days_with_support_events
        on
            days_with_events.customer_id = days_with_support_events.customer_id
            and days_with_events.local_date = days_with_support_events.local_date
            and days_with_events.known_from_date
            = days_with_support_events.known_from_date
    left join days_with_offers
        on
            days_with_events.customer_id = days_with_offers.customer_id
            and days_with_events.local_date = days_with_offers.local_date
            and days_with_events.known_from_date = days_with_offers.known_from_date
    left join days_with_offers_used
        on
            days_with_events.customer_id = days_with_offers_used.customer_id
            and days_with_events.local_date = days_with_offers_used.local_date
            and days_with_events.known_from_date = days_with_offers_used.known_from_date
    left join days_with_consents
        on
            days_with_events.customer_id = days_with_consents.customer_id
            and days_with_events.local_date = days_with_consents.local_date
            and days_with_events.known_from_date = days_with_consents.known_from_date

)

select * from final
