{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='review_week',
        on_schema_change='fail'
    )
}}

with

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

event_kinds as (

    select * from {{ ref('stg_event_kinds') }}

),

rfm_segments as (

    select * from {{ ref('rfm_segments') }}

),

history as (

    select * from {{ ref('int_history_carried_to_weeks') }}

),

usage as (

    select * from {{ ref('int_usage_summed_to_weeks') }}

),

transactions as (

    select * from {{ ref('int_transactions_summed_to_weeks') }}

),

order_rhythm as (

    select * from {{ ref('int_order_rhythm_summed_to_weeks') }}

),

measured as (

    select
        history.customer_id,
        history.review_week,
        history.first_seen_date,
        {{ days_between("history.first_seen_date", "history.end_date") }} as tenure_days,
        coalesce(usage.activities_7d, 0) > 0 as is_active_7d,
        {{ days_between("history.last_activity_date", "history.end_date") }}
            as days_since_last_activity,
        {{ days_between("history.last_core_event_date", "history.end_date") }}
            as days_since_last_core_event,
        {% for counted in ("activities", "core_events", "active_days", "sessions") %}
        {% for days in (7, 28, 90) %}
        coalesce(usage.{{ counted }}_{{ days }}d, 0) as {{ counted }}_{{ days }}d,
        {% endfor %}
        {% endfor %}
        cast(coalesce(usage.session_microseconds_28d, 0) / 60000000 as double)
            as session_minutes_28d,
        usage.session_minutes_median_28d,
        usage.activities_28d / cast(nullif(usage.sessions_28d, 0) as double)
            as events_per_session_28d,
        case
            when event_kinds.has_pages
                then usage.pages_28d / cast(nullif(usage.sessions_28d, 0) as double)
        end as pages_per_session_28d,
        coalesce(usage.active_weeks_12, 0) as active_weeks_12,
        coalesce(usage.active_weeks_4, 0) as active_weeks_4,
        coalesce(usage.active_days_28d, 0) / cast(28 as double) as stickiness_28d,
        usage.days_between_visits_median_90d,
        usage.visit_regularity_90d,
        coalesce(usage.core_events_28d_before, 0) as core_events_28d_before,
        usage.core_events_28d / cast(nullif(usage.core_events_28d_before, 0) as double) - 1
            as usage_change_28d,
        -- Least squares over positions 1 to n: sum of squares of the positions is 42 for 8, 143 for 12.
        coalesce(usage.core_events_8w, 0) as core_events_8w,
        (usage.core_events_by_position_8w - 4.5 * usage.core_events_8w) / 42.0 as slope_8w,
        usage.core_events_squared_8w
        - usage.core_events_8w * usage.core_events_8w / 8.0 as spread_8w,
        (usage.core_events_by_position_12w - 6.5 * usage.core_events_12w) / 143.0 as slope_12w,
        usage.core_events_12w,
        event_kinds.features_on_offer,
        case
            when event_kinds.features_on_offer > 0
                then cast(coalesce(bit_count(usage.feature_mask_28d), 0) as integer)
        end as features_used_28d,

        {% for column in ("orders_28d", "orders_90d", "orders_365d") %}
        case when event_kinds.has_orders then coalesce(transactions.{{ column }}, 0) end
            as {{ column }},
        {% endfor %}
        case when event_kinds.has_orders then history.orders end as orders_ever,
        {% for column in ("revenue_28d", "revenue_90d", "revenue_365d") %}
        case when event_kinds.has_orders then coalesce(transactions.{{ column }}, 0) end
            as {{ column }},
        {% endfor %}
        case when event_kinds.has_orders then history.revenue end as revenue_ever,
        cast(
            transactions.revenue_365d / cast(nullif(transactions.orders_365d, 0) as double)
            as decimal(18, 4)
        ) as average_order_value_365d,
        cast(nullif(transactions.order_items_365d, 0) as double)
        / cast(nullif(transactions.orders_365d, 0) as double) as items_per_order_365d,
        {{ days_between("history.last_order_date", "history.end_date") }}
            as days_since_last_order,
        history.last_order_date,
        order_rhythm.days_between_orders_median,
        order_rhythm.order_regularity,
        transactions.product_categories_365d,
        transactions.top_category_365d,
        transactions.category_concentration_365d,
        transactions.discounted_orders_365d / cast(nullif(transactions.orders_365d, 0) as double)
            as discounted_order_share_365d,
        cast(transactions.discount_365d as double)
        / cast(
            nullif(transactions.order_revenue_365d + transactions.discount_365d, 0) as double
        ) as discount_share_365d,
        (
            transactions.orders_in_offer_weeks
            / cast(nullif(transactions.offer_weeks, 0) as double)
        )
        / nullif(
            (transactions.orders_52w - transactions.orders_in_offer_weeks)
            / cast(
                nullif(
                    least(
                        52,
                        floor(
                            ({{ days_between("history.first_seen_date", "history.end_date") }} + 6)
                            / 7
                        )
                    ) - transactions.offer_weeks, 0
                ) as double
            ), 0
        ) as discount_response,
        case
            when event_kinds.has_refunds
                then
                    cast(transactions.order_revenue_365d - transactions.revenue_365d as double)
                    / cast(nullif(transactions.order_revenue_365d, 0) as double)
        end as refund_share_365d,
        transactions.payment_method_main,
        transactions.payment_methods_365d,
        coalesce(transactions.orders_365d, 0) > 0 as has_order_365d,

        case when event_kinds.has_tickets then coalesce(usage.tickets_28d, 0) end as tickets_28d,
        case when event_kinds.has_tickets then coalesce(usage.tickets_90d, 0) end as tickets_90d,
        case
            when event_kinds.has_tickets
                then cast(greatest(history.tickets_opened - history.tickets_closed, 0) as integer)
        end as open_tickets,
        cast(usage.sentiment_sum_90d as double)
        / cast(nullif(usage.sentiments_90d, 0) as double) as support_sentiment_90d,
        history.nps_score as nps_last,
        {{ days_between("history.nps_date", "history.end_date") }} as nps_days_ago,

        history.plan,
        case
            when history.last_subscription_event = 'subscription_cancelled' then 0
            else history.monthly_recurring_revenue
        end as monthly_recurring_revenue,
        history.seats,
        history.limit_used_share,
        case when event_kinds.has_subscriptions then cast(history.upgrades as integer) end
            as upgrades_ever,
        case when event_kinds.has_subscriptions then cast(history.downgrades as integer) end
            as downgrades_ever,
        case
            when event_kinds.has_subscriptions
                then
                    coalesce(
                        history.last_subscription_event = 'subscription_cancelled', false
                    )
        end as is_cancelled,
        history.last_cancelled_date,

        case
            when event_kinds.has_teams then coalesce(usage.active_members_28d, 0)
        end as active_members_28d,
        case
            when event_kinds.has_teams
                then cast(history.members_joined - history.members_removed as integer)
        end as team_size,
        case when event_kinds.has_teams then coalesce(usage.team_change_28d, 0) end
            as team_change_28d
    from history
    cross join event_kinds
    left join usage
        on
            history.customer_id = usage.customer_id
            and history.review_week = usage.review_week
    left join transactions
        on
            history.customer_id = transactions.customer_id
            and history.review_week = transactions.review_week
    left join order_rhythm
        on
            history.customer_id = order_rhythm.customer_id
            and history.review_week = order_rhythm.review_week

),

-- Scores 1 to 5 among the customers with an order in 365 days; 5 × percent_rank in whole numbers, so
-- that equal values get equal scores on every engine.
rfm_ranked as (

    select
        customer_id,
        review_week,
        count(*) over (partition by review_week) as buyers,
        rank() over (partition by review_week order by days_since_last_order desc) as recency_rank,
        rank() over (partition by review_week order by orders_365d) as frequency_rank,
        rank() over (partition by review_week order by revenue_365d) as monetary_rank
    from measured
    where has_order_365d

),

rfm_scored as (

    select
        customer_id,
        review_week,
        {% for letter, measure in (("r", "recency"), ("f", "frequency"), ("m", "monetary")) %}
        cast(
            least(
                5,
                1 + coalesce(
                    floor(
                        cast(5 * ({{ measure }}_rank - 1) as double)
                        / cast(nullif(buyers - 1, 0) as double)
                    ), 0
                )
            ) as integer
        ) as rfm_{{ letter }}
        {{- "," if not loop.last }}
        {% endfor %}
    from rfm_ranked

),

usage_ranked as (

    select
        customer_id,
        review_week,
        percent_rank() over (partition by review_week order by core_events_28d)
            as core_events_rank_share
    from measured
    where activities_28d > 0

),

trends_judged as (

    select
        measured.*,
        case
            when measured.tenure_days >= 56
                then measured.slope_8w / nullif(measured.core_events_8w / 8.0, 0)
        end as usage_slope_8w,
        case
            when measured.tenure_days >= 84
                then measured.slope_12w / nullif(measured.core_events_12w / 12.0, 0)
        end as usage_slope_12w,
        -- Rounding can leave a hair below zero where the line fits exactly.
        sqrt(
            greatest(measured.spread_8w - measured.slope_8w * measured.slope_8w * 42.0, 0)
            / 6.0 / 42.0
        ) as slope_error_8w,
        coalesce(measured.days_since_last_activity, measured.tenure_days) as quiet_days
    from measured

),

trends_named as (

    select
        *,
        case
            when tenure_days < 56 then 'too_short'
            when
                usage_slope_8w <= -0.05
                and core_events_8w >= 16
                and slope_8w <= -1.64 * slope_error_8w
                then 'declining'
            when
                usage_slope_8w >= 0.05
                and core_events_8w >= 16
                and slope_8w >= 1.64 * slope_error_8w
                then 'growing'
            when abs(usage_slope_12w) < 0.02 then 'plateaued'
            else 'irregular'
        end as usage_trend
    from trends_judged

),

engagement_named as (

    select
        trends_named.*,
        usage_ranked.core_events_rank_share,
        case
            when
                trends_named.days_since_last_activity is null
                or trends_named.quiet_days >= run_parameters.disengaged_after_quiet_days
                then 'disengaged'
            when
                trends_named.active_days_28d >= run_parameters.highly_engaged_active_days_28d
                and coalesce(trends_named.features_used_28d, 0)
                >= least(run_parameters.highly_engaged_features, trends_named.features_on_offer)
                then 'highly_engaged'
            when
                trends_named.active_weeks_4 = 4
                and coalesce(trends_named.features_used_28d, 0)
                >= least(
                    run_parameters.moderately_engaged_features, trends_named.features_on_offer
                )
                then 'moderately_engaged'
            when trends_named.activities_28d > 0 then 'lightly_engaged'
            else 'barely_engaged'
        end as engagement_level
    from trends_named
    cross join run_parameters
    left join usage_ranked
        on
            trends_named.customer_id = usage_ranked.customer_id
            and trends_named.review_week = usage_ranked.review_week

),

stages_named as (

    select
        engagement_named.*,
        case
            when
                coalesce(engagement_named.is_cancelled, false)
                or engagement_named.quiet_days > run_parameters.churned_after_quiet_days
                then 'churned'
            when engagement_named.quiet_days > run_parameters.dormant_after_quiet_days
                then 'dormant'
            when engagement_named.tenure_days <= run_parameters.onboarding_up_to_tenure_days
                then 'onboarding'
            when
                engagement_named.usage_trend = 'declining'
                or (
                    engagement_named.usage_change_28d
                    <= run_parameters.at_risk_usage_change_share
                    and engagement_named.core_events_28d_before
                    >= run_parameters.at_risk_core_events_before
                )
                then 'at_risk'
            when engagement_named.tenure_days <= run_parameters.adopting_up_to_tenure_days
                then 'adopting'
            when
                engagement_named.engagement_level = 'highly_engaged'
                and engagement_named.core_events_rank_share
                >= run_parameters.power_user_rank_share
                and coalesce(engagement_named.features_used_28d, 0)
                >= least(
                    run_parameters.power_user_features, engagement_named.features_on_offer
                )
                then 'power_user'
            else 'established'
        end as lifecycle_stage
    from engagement_named
    cross join run_parameters

),

final as (

    select
        stages_named.customer_id,
        stages_named.review_week,

        stages_named.first_seen_date,
        stages_named.tenure_days,
        stages_named.is_active_7d,
        stages_named.days_since_last_activity,
        stages_named.days_since_last_core_event,
        {% for counted in ("activities", "core_events", "active_days", "sessions") %}
        {% for days in (7, 28, 90) %}
        stages_named.{{ counted }}_{{ days }}d,
        {% endfor %}
        {% endfor %}
        stages_named.session_minutes_28d,
        stages_named.session_minutes_median_28d,
        stages_named.events_per_session_28d,
        stages_named.pages_per_session_28d,
        stages_named.active_weeks_12,
        stages_named.stickiness_28d,
        stages_named.days_between_visits_median_90d,
        stages_named.visit_regularity_90d,
        stages_named.usage_change_28d,
        cast(stages_named.usage_slope_8w as double) as usage_slope_8w,
        cast(stages_named.usage_slope_12w as double) as usage_slope_12w,
        stages_named.usage_trend,
        stages_named.features_used_28d,
        stages_named.features_used_28d
        / cast(nullif(stages_named.features_on_offer, 0) as double)
            as feature_adoption_share_28d,

        stages_named.orders_28d,
        stages_named.orders_90d,
        stages_named.orders_365d,
        stages_named.orders_ever,
        stages_named.revenue_28d,
        stages_named.revenue_90d,
        stages_named.revenue_365d,
        stages_named.revenue_ever,
        stages_named.average_order_value_365d,
        stages_named.items_per_order_365d,
        stages_named.days_since_last_order,
        stages_named.days_between_orders_median,
        stages_named.order_regularity,
        {{ add_days(
            "stages_named.last_order_date",
            "floor(stages_named.days_between_orders_median + 0.5)"
        ) }} as expected_next_order_date,
        stages_named.product_categories_365d,
        stages_named.top_category_365d,
        stages_named.category_concentration_365d,
        stages_named.discounted_order_share_365d,
        stages_named.discount_share_365d,
        stages_named.discount_response,
        stages_named.refund_share_365d,
        stages_named.payment_method_main,
        stages_named.payment_methods_365d,
        case when stages_named.has_order_365d then stages_named.days_since_last_order end
            as rfm_recency_days,
        case when stages_named.has_order_365d then stages_named.orders_365d end as rfm_frequency,
        case when stages_named.has_order_365d then stages_named.revenue_365d end as rfm_monetary,
        rfm_scored.rfm_r,
        rfm_scored.rfm_f,
        rfm_scored.rfm_m,
        case
            when stages_named.orders_ever is null then null
            when stages_named.orders_ever = 0 then 'no_orders'
            when not stages_named.has_order_365d then 'lapsed'
            else rfm_segments.rfm_segment
        end as rfm_segment,

        stages_named.tickets_28d,
        stages_named.tickets_90d,
        stages_named.open_tickets,
        stages_named.support_sentiment_90d,
        stages_named.nps_last,
        stages_named.nps_days_ago,

        stages_named.plan,
        cast(stages_named.monthly_recurring_revenue as decimal(18, 4))
            as monthly_recurring_revenue,
        stages_named.seats,
        stages_named.limit_used_share,
        stages_named.upgrades_ever,
        stages_named.downgrades_ever,
        stages_named.is_cancelled,
        case when stages_named.is_cancelled then stages_named.last_cancelled_date end
            as cancelled_date,

        stages_named.active_members_28d,
        stages_named.team_size,
        stages_named.team_change_28d,
        stages_named.active_members_28d / cast(nullif(stages_named.team_size, 0) as double)
            as team_activity_share_28d,

        stages_named.engagement_level,
        stages_named.lifecycle_stage,
        stages_named.lifecycle_stage <> 'churned'
        and stages_named.activities_90d > 0 as is_scorable
    from stages_named
    left join rfm_scored
        on
            stages_named.customer_id = rfm_scored.customer_id
            and stages_named.review_week = rfm_scored.review_week
    left join rfm_segments
        on
            rfm_scored.rfm_r = rfm_segments.rfm_r
            and rfm_scored.rfm_f = rfm_segments.rfm_f
            and rfm_scored.rfm_m = rfm_segments.rfm_m

)

select * from final
