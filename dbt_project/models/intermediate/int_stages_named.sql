{{ config(materialized='ephemeral') }}

with

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

event_kinds as (

    select * from {{ ref('stg_event_kinds') }}

),

history as (

    select * from {{ ref('int_history_carried_to_weeks') }}

),

usage as (

    select * from {{ ref('int_usage_summed_to_weeks') }}

),

-- Least squares over positions 1 to n: their squared distances from the mean sum to 42
-- for n = 8 and to 143 for n = 12.
lines_fitted as (

    select
        customer_id,
        review_week,
        (core_events_by_position_8w - 4.5 * core_events_8w) / 42.0 as slope_8w,
        core_events_squared_8w - core_events_8w * core_events_8w / 8.0 as spread_8w,
        (core_events_by_position_12w - 6.5 * core_events_12w) / 143.0 as slope_12w
    from usage

),

usage_ranked as (

    select
        customer_id,
        review_week,
        percent_rank() over (partition by review_week order by core_events_28d)
            as core_events_rank_share
    from usage
    where activities_28d > 0

),

weeks_measured as (

    select
        history.customer_id,
        history.review_week,
        history.tenure_days,
        history.days_since_last_activity,
        -- Who was never active has been quiet since the first event.
        coalesce(history.days_since_last_activity, history.tenure_days) as quiet_days,
        history.is_cancelled,
        usage.activities_28d,
        usage.active_days_28d,
        usage.active_weeks_4,
        usage.features_used_28d,
        usage.usage_change_28d,
        usage.core_events_28d_before,
        usage.core_events_8w,
        usage_ranked.core_events_rank_share,
        cast(lines_fitted.slope_8w as double) as slope_8w,
        case
            when history.tenure_days >= 56
                then
                    cast(lines_fitted.slope_8w as double)
                    / (cast(nullif(usage.core_events_8w, 0) as double) / 8)
        end as usage_slope_8w,
        case
            when history.tenure_days >= 84
                then
                    cast(lines_fitted.slope_12w as double)
                    / (cast(nullif(usage.core_events_12w, 0) as double) / 12)
        end as usage_slope_12w,
        -- Rounding can leave a hair below zero where the line fits exactly.
        sqrt(
            greatest(
                cast(lines_fitted.spread_8w as double)
                - cast(lines_fitted.slope_8w as double)
                * cast(lines_fitted.slope_8w as double) * 42, 0
            ) / 6 / 42
        ) as slope_error_8w
    from history
    inner join usage
        on
            history.customer_id = usage.customer_id
            and history.review_week = usage.review_week
    inner join lines_fitted
        on
            history.customer_id = lines_fitted.customer_id
            and history.review_week = lines_fitted.review_week
    left join usage_ranked
        on
            history.customer_id = usage_ranked.customer_id
            and history.review_week = usage_ranked.review_week

),

trends as (

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
    from weeks_measured

),

levels as (

    select
        trends.*,
        event_kinds.features_on_offer,
        case
            when
                trends.days_since_last_activity is null
                or trends.quiet_days >= run_parameters.disengaged_after_quiet_days
                then 'disengaged'
            when
                trends.active_days_28d >= run_parameters.highly_engaged_active_days_28d
                and trends.features_used_28d
                >= least(
                    run_parameters.highly_engaged_features,
                    event_kinds.features_on_offer
                )
                then 'highly_engaged'
            when
                trends.active_weeks_4 = 4
                and trends.features_used_28d
                >= least(
                    run_parameters.moderately_engaged_features,
                    event_kinds.features_on_offer
                )
                then 'moderately_engaged'
            when trends.activities_28d > 0 then 'lightly_engaged'
            else 'barely_engaged'
        end as engagement_level
    from trends
    cross join run_parameters
    cross join event_kinds

),

final as (

    select
        levels.customer_id,
        levels.review_week,
        levels.usage_slope_8w,
        levels.usage_slope_12w,
        levels.usage_trend,
        levels.engagement_level,
        case
            when
                levels.is_cancelled
                or levels.quiet_days > run_parameters.churned_after_quiet_days
                then 'churned'
            when levels.quiet_days > run_parameters.dormant_after_quiet_days
                then 'dormant'
            when levels.tenure_days <= run_parameters.onboarding_up_to_tenure_days
                then 'onboarding'
            when
                levels.usage_trend = 'declining'
                or (
                    levels.usage_change_28d <= run_parameters.at_risk_usage_change_share
                    and levels.core_events_28d_before
                    >= run_parameters.at_risk_core_events_before
                )
                then 'at_risk'
            when levels.tenure_days <= run_parameters.adopting_up_to_tenure_days
                then 'adopting'
            when
                levels.engagement_level = 'highly_engaged'
                and levels.core_events_rank_share
                >= run_parameters.power_user_rank_share
                and levels.features_used_28d
                >= least(run_parameters.power_user_features, levels.features_on_offer)
                then 'power_user'
            else 'established'
        end as lifecycle_stage
    from levels
    cross join run_parameters

)

select * from final
