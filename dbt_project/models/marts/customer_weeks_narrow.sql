{{ config(alias='customer_weeks') }}

with

scored_weeks as (

    select * from {{ ref('int_scores_joined_to_weeks') }}

),

final as (

    select
        scored_weeks.customer_id,
        scored_weeks.review_week,

        scored_weeks.lifecycle_stage,
        scored_weeks.engagement_level,
        scored_weeks.rfm_segment,
        scored_weeks.usage_trend,
        scored_weeks.plan,
        scored_weeks.rfm_r,
        scored_weeks.rfm_f,
        scored_weeks.rfm_m,

        scored_weeks.tenure_days,
        scored_weeks.days_since_last_activity,
        scored_weeks.activities_7d,
        scored_weeks.active_days_28d,
        scored_weeks.core_events_28d,
        scored_weeks.sessions_28d,
        scored_weeks.session_minutes_28d,
        scored_weeks.active_weeks_12,
        scored_weeks.stickiness_28d,
        scored_weeks.usage_change_28d,
        scored_weeks.usage_slope_8w,
        scored_weeks.features_used_28d,
        scored_weeks.feature_adoption_share_28d,
        scored_weeks.orders_365d,
        scored_weeks.revenue_365d,
        scored_weeks.revenue_90d,
        scored_weeks.tickets_28d,
        scored_weeks.nps_last,
        scored_weeks.monthly_recurring_revenue,
        scored_weeks.team_size,
        scored_weeks.is_active_7d,
        scored_weeks.is_scorable,

        scored_weeks.churn_probability,
        scored_weeks.churn_score,
        scored_weeks.churn_band,
        scored_weeks.health_score,
        scored_weeks.health_band,
        scored_weeks.weight_observed_share,
        scored_weeks.cluster_id,
        scored_weeks.cluster_name,
        scored_weeks.centrality_share
    from scored_weeks

)

select * from final
