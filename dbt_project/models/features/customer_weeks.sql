{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='review_week',
        on_schema_change='fail'
    )
}}

with

event_kinds as (

    select * from {{ ref('stg_event_kinds') }}

),

history as (

    select * from {{ ref('int_history_carried_to_weeks') }}

),

usage as (

    select * from {{ ref('int_usage_summed_to_weeks') }}

),

visits as (

    select * from {{ ref('int_visits_listed_to_weeks') }}

),

firsts as (

    select * from {{ ref('int_firsts_carried_to_weeks') }}

),

activity_mix as (

    select * from {{ ref('int_activity_mix_summed_to_weeks') }}

),

transactions as (

    select * from {{ ref('int_transactions_summed_to_weeks') }}

),

messages as (

    select * from {{ ref('int_messages_summed_to_weeks') }}

),

tickets as (

    select * from {{ ref('int_tickets_closed_to_weeks') }}

),

order_rhythm as (

    select * from {{ ref('int_order_rhythm_summed_to_weeks') }}

),

rfm_scores as (

    select * from {{ ref('int_rfm_scored') }}

),

stages as (

    select * from {{ ref('int_stages_named') }}

),

final as (

    select
        history.customer_id,
        history.review_week,

        history.first_seen_date,
        history.tenure_days,
        usage.activities_7d > 0 as is_active_7d,
        history.days_since_last_activity,
        history.days_since_last_core_event,
        {% for days in (7, 28, 90) %}
        usage.activities_{{ days }}d,
        {% endfor %}
        {% for days in (7, 28, 90) %}
        case when event_kinds.has_core_events then usage.core_events_{{ days }}d end
            as core_events_{{ days }}d,
        {% endfor %}
        {% for days in (7, 28, 90) %}
        cast(usage.active_days_{{ days }}d as integer) as active_days_{{ days }}d,
        {% endfor %}
        {% for days in (7, 28, 90) %}
        usage.sessions_{{ days }}d,
        {% endfor %}
        cast(usage.session_microseconds_28d as double) / 60000000
            as session_minutes_28d,
        visits.session_minutes_median_28d,
        {{ share_of("usage.activities_28d", "usage.sessions_28d") }}
            as events_per_session_28d,
        case
            when event_kinds.has_pages
                then {{ share_of("usage.pages_28d", "usage.sessions_28d") }}
        end as pages_per_session_28d,
        usage.active_weeks_12,
        cast(usage.active_days_28d as double) / 28 as stickiness_28d,
        visits.days_between_visits_median_90d,
        visits.visit_regularity_90d,
        usage.usage_change_28d,
        stages.usage_slope_8w,
        stages.usage_slope_12w,
        case when event_kinds.has_core_events then stages.usage_trend end
            as usage_trend,
        usage.weekend_share_90d,
        activity_mix.best_hour_local,
        usage.best_weekday,
        {% for days in (7, 28, 90) %}
        case
            when event_kinds.features_on_offer > 0 then usage.features_used_{{ days }}d
        end as features_used_{{ days }}d,
        {% endfor %}
        case when event_kinds.features_on_offer > 0 then firsts.features_used_ever end
            as features_used_ever,
        {{ share_of("usage.features_used_28d", "event_kinds.features_on_offer") }}
            as feature_adoption_share_28d,
        case
            when history.tenure_days > 28
                then {{ share_of(
                    "(usage.features_used_28d - usage.features_used_28d_before)",
                    "event_kinds.features_on_offer"
                ) }}
        end as feature_adoption_change_28d,
        case when event_kinds.features_on_offer > 0 then firsts.new_features_28d end
            as new_features_28d,
        activity_mix.feature_concentration_28d,
        activity_mix.exploration_share_28d,
        activity_mix.top_feature_28d,
        activity_mix.top_feature_pair_90d,
        activity_mix.platform_main_28d,
        activity_mix.platforms_28d,

        {% for days in (28, 90, 365) %}
        case when event_kinds.has_orders then transactions.orders_{{ days }}d end
            as orders_{{ days }}d,
        {% endfor %}
        case when event_kinds.has_orders then history.orders_ever end as orders_ever,
        {% for days in (28, 90, 365) %}
        case when event_kinds.has_orders then transactions.revenue_{{ days }}d end
            as revenue_{{ days }}d,
        {% endfor %}
        case when event_kinds.has_orders then history.revenue_ever end as revenue_ever,
        cast(
            {{ share_of("transactions.revenue_365d", "transactions.orders_365d") }}
            as decimal(18, 4)
        ) as average_order_value_365d,
        {{ share_of(
            "nullif(transactions.order_items_365d, 0)", "transactions.orders_365d"
        ) }} as items_per_order_365d,
        history.days_since_last_order,
        order_rhythm.days_between_orders_median,
        order_rhythm.order_regularity,
        {{ add_days(
            "history.last_order_date",
            "floor(order_rhythm.days_between_orders_median + 0.5)"
        ) }} as expected_next_order_date,
        transactions.product_categories_365d,
        transactions.top_category_365d,
        transactions.category_concentration_365d,
        {{ share_of(
            "transactions.discounted_orders_365d", "transactions.orders_365d"
        ) }}
            as discounted_order_share_365d,
        {{ share_of(
            "transactions.discount_365d",
            "(transactions.order_revenue_365d + transactions.discount_365d)"
        ) }} as discount_share_365d,
        -- Orders a week in the weeks with an offer over those in the weeks without, of
        -- the last 52 weeks or of as many as the customer is known.
        {{ share_of(
            share_of(
                "transactions.orders_in_offer_weeks_52w", "transactions.offer_weeks_52w"
            ),
            share_of(
                "(transactions.orders_52w - transactions.orders_in_offer_weeks_52w)",
                "(history.weeks_known_52w - transactions.offer_weeks_52w)"
            )
        ) }} as discount_response,
        case
            when event_kinds.has_refunds
                then {{ capped_share_of(
                    "(transactions.order_revenue_365d - transactions.revenue_365d)",
                    "transactions.order_revenue_365d"
                ) }}
        end as refund_share_365d,
        transactions.payment_method_main,
        transactions.payment_methods_365d,
        case when transactions.orders_365d > 0 then history.days_since_last_order end
            as rfm_recency_days,
        cast(nullif(transactions.orders_365d, 0) as integer) as rfm_frequency,
        case when transactions.orders_365d > 0 then transactions.revenue_365d end
            as rfm_monetary,
        rfm_scores.rfm_r,
        rfm_scores.rfm_f,
        rfm_scores.rfm_m,
        case
            when not event_kinds.has_orders then null
            when history.orders_ever = 0 then 'no_orders'
            when transactions.orders_365d = 0 then 'lapsed'
            else rfm_scores.rfm_segment
        end as rfm_segment,

        {% for days in (28, 90) %}
        case when event_kinds.has_messages then messages.messages_sent_{{ days }}d end
            as messages_sent_{{ days }}d,
        {% endfor %}
        {% for channel in message_channels() %}
        case
            when event_kinds.has_message_opens
                then messages.{{ channel }}_open_share_90d
        end as {{ channel }}_open_share_90d,
        case
            when event_kinds.has_message_clicks
                then messages.{{ channel }}_click_share_90d
        end as {{ channel }}_click_share_90d,
        {% endfor %}
        messages.response_hours_median_90d,
        messages.preferred_channel,
        messages.preferred_send_hour_local,
        messages.preferred_send_weekday,
        messages.top_topic_90d,
        case when event_kinds.has_messages then messages.offers_sent_90d end
            as offers_sent_90d,
        case
            when
                event_kinds.has_messages
                and (event_kinds.has_orders or event_kinds.has_redemptions)
                then messages.offers_used_90d
        end as offers_used_90d,
        {% for channel in message_channels() %}
        history.is_subscribed_{{ channel }},
        {% endfor %}
        case when event_kinds.has_consents then messages.opt_outs_365d end
            as opt_outs_365d,
        history.days_since_opt_out,

        case when event_kinds.has_tickets then usage.tickets_28d end as tickets_28d,
        case when event_kinds.has_tickets then usage.tickets_90d end as tickets_90d,
        usage.tickets_change_28d,
        case when event_kinds.has_tickets then history.open_tickets end as open_tickets,
        tickets.ticket_hours_to_close_median_90d,
        {{ share_of("usage.sentiment_sum_90d", "usage.sentiments_90d") }}
            as support_sentiment_90d,
        {{ share_of("usage.csat_sum_90d", "usage.csat_answers_90d") }}
            as csat_mean_90d,
        history.nps_last,
        history.nps_days_ago,

        history.plan,
        case
            when history.is_cancelled then cast(0 as decimal(18, 4))
            else history.monthly_recurring_revenue
        end as monthly_recurring_revenue,
        history.seats,
        history.limit_used_share,
        history.days_to_renewal,
        case when event_kinds.has_subscriptions then history.upgrades_ever end
            as upgrades_ever,
        case when event_kinds.has_subscriptions then history.downgrades_ever end
            as downgrades_ever,
        case when event_kinds.has_subscriptions then history.is_cancelled end
            as is_cancelled,
        case when history.is_cancelled then history.last_cancelled_date end
            as cancelled_date,

        case when event_kinds.has_contents then usage.content_views_28d end
            as content_views_28d,
        case when event_kinds.has_contents then activity_mix.content_topics_28d end
            as content_topics_28d,
        activity_mix.top_content_topic_90d,
        case when event_kinds.has_invites then usage.invites_28d end as invites_28d,
        case when event_kinds.has_shares then usage.shares_28d end as shares_28d,
        case when event_kinds.has_comments then usage.comments_28d end as comments_28d,
        case when event_kinds.has_teams then coalesce(visits.active_members_28d, 0) end
            as active_members_28d,
        case when event_kinds.has_teams then history.team_size end as team_size,
        case when event_kinds.has_teams then usage.team_change_28d end
            as team_change_28d,
        case
            when event_kinds.has_teams and history.team_size > 0
                then {{ capped_share_of(
                    "coalesce(visits.active_members_28d, 0)", "history.team_size"
                ) }}
        end as team_activity_share_28d,
        case when event_kinds.activation_steps > 0 then firsts.activation_steps_done end
            as activation_steps_done,
        case
            when event_kinds.activation_steps > 0
                then firsts.days_to_activation is not null
        end as is_activated,
        firsts.days_to_activation,
        firsts.days_to_first_core_event,
        firsts.days_to_five_features,
        case when event_kinds.has_errors then usage.errors_28d end as errors_28d,
        case
            when event_kinds.has_errors
                then {{ share_of("usage.errors_28d", "usage.sessions_28d") }}
        end as errors_per_session_28d,
        case when event_kinds.has_views then usage.help_views_28d end as help_views_28d,
        case when event_kinds.has_views then usage.pricing_views_28d end
            as pricing_views_28d,
        case when event_kinds.has_comparisons then usage.comparison_searches_28d end
            as comparison_searches_28d,

        stages.engagement_level,
        stages.lifecycle_stage,
        stages.lifecycle_stage <> 'churned' and usage.activities_90d > 0 as is_scorable
    from history
    cross join event_kinds
    inner join usage
        on
            history.customer_id = usage.customer_id
            and history.review_week = usage.review_week
    inner join firsts
        on
            history.customer_id = firsts.customer_id
            and history.review_week = firsts.review_week
    inner join activity_mix
        on
            history.customer_id = activity_mix.customer_id
            and history.review_week = activity_mix.review_week
    inner join transactions
        on
            history.customer_id = transactions.customer_id
            and history.review_week = transactions.review_week
    inner join messages
        on
            history.customer_id = messages.customer_id
            and history.review_week = messages.review_week
    inner join stages
        on
            history.customer_id = stages.customer_id
            and history.review_week = stages.review_week
    left join visits
        on
            history.customer_id = visits.customer_id
            and history.review_week = visits.review_week
    left join tickets
        on
            history.customer_id = tickets.customer_id
            and history.review_week = tickets.review_week
    left join order_rhythm
        on
            history.customer_id = order_rhythm.customer_id
            and history.review_week = order_rhythm.review_week
    left join rfm_scores
        on
            history.customer_id = rfm_scores.customer_id
            and history.review_week = rfm_scores.review_week

)

select * from final
