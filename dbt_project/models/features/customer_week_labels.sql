with

customer_weeks as (

    select * from {{ ref('customer_weeks') }}

),

customer_days as (

    select * from {{ ref('customer_days') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

event_kinds as (

    select * from {{ ref('stg_event_kinds') }}

),

-- Every customer-week is asked what followed it, so silence counts as an answer.
weeks_asked as (

    select
        customer_weeks.customer_id,
        customer_weeks.review_week,
        {{ add_days("customer_weeks.review_week", 7) }} as end_date
    from customer_weeks

),

outcome_days as (

    select
        customer_id,
        local_date,
        activities,
        core_events,
        orders,
        revenue,
        cancellations,
        upgrades
    from customer_days
    where
        activities > 0
        or core_events > 0
        or orders > 0
        or revenue <> 0
        or cancellations > 0
        or upgrades > 0

),

-- The longest look ahead is 90 days or the horizon, whichever is longer: up to a year.
outcomes_by_week as (

    select
        outcome_days.*,
        {{ add_days(monday_of("outcome_days.local_date"), "-7 * weeks_earlier.number") }}
            as review_week,
        {{ days_between(
            add_days(monday_of("outcome_days.local_date"), "-7 * (weeks_earlier.number - 1)"),
            "outcome_days.local_date"
        ) }} as days_after_end
    from outcome_days
    cross join {{ numbers_to(53) }} as weeks_earlier
    cross join run_parameters
    where
        weeks_earlier.number > 0
        and 7 * (weeks_earlier.number - 1)
        < greatest(90, run_parameters.churn_horizon_days)

),

outcomes_summed as (

    select
        outcomes_by_week.customer_id,
        outcomes_by_week.review_week,
        sum(outcomes_by_week.core_events) filter (
            where outcomes_by_week.days_after_end < run_parameters.churn_horizon_days
        ) as core_events_next,
        sum(outcomes_by_week.cancellations) filter (
            where outcomes_by_week.days_after_end < run_parameters.churn_horizon_days
        ) as cancellations_next,
        sum(outcomes_by_week.orders) filter (
            where outcomes_by_week.days_after_end < run_parameters.churn_horizon_days
        ) as orders_next,
        sum(outcomes_by_week.activities) filter (where outcomes_by_week.days_after_end < 7)
            as activities_next_7d,
        sum(outcomes_by_week.upgrades) filter (where outcomes_by_week.days_after_end < 90)
            as upgrades_next_90d,
        sum(outcomes_by_week.revenue) filter (where outcomes_by_week.days_after_end < 90)
            as revenue_next_90d
    from outcomes_by_week
    cross join run_parameters
    group by outcomes_by_week.customer_id, outcomes_by_week.review_week

),

labels_with_maturity as (

    select
        weeks_asked.customer_id,
        weeks_asked.review_week,
        run_parameters.churn_definition,
        run_parameters.churn_horizon_days as horizon_days,
        {{ add_days("weeks_asked.end_date", "run_parameters.churn_horizon_days") }}
            as matures_on,
        {{ add_days("weeks_asked.end_date", 7) }} as matures_on_7d,
        {{ add_days("weeks_asked.end_date", 90) }} as matures_on_90d,
        run_parameters.observed_until_date,
        outcomes_summed.core_events_next,
        outcomes_summed.cancellations_next,
        outcomes_summed.orders_next,
        outcomes_summed.activities_next_7d,
        outcomes_summed.upgrades_next_90d,
        outcomes_summed.revenue_next_90d
    from weeks_asked
    cross join run_parameters
    left join outcomes_summed
        on
            weeks_asked.customer_id = outcomes_summed.customer_id
            and weeks_asked.review_week = outcomes_summed.review_week

),

final as (

    select
        labels_with_maturity.customer_id,
        labels_with_maturity.review_week,
        labels_with_maturity.horizon_days,
        labels_with_maturity.matures_on,
        case
            when labels_with_maturity.matures_on <= labels_with_maturity.observed_until_date
                then
                    case labels_with_maturity.churn_definition
                        when 'cancellation'
                            then coalesce(labels_with_maturity.cancellations_next, 0) > 0
                        else coalesce(labels_with_maturity.core_events_next, 0) = 0
                    end
        end as churned_next,
        case
            when labels_with_maturity.matures_on_7d <= labels_with_maturity.observed_until_date
                then coalesce(labels_with_maturity.activities_next_7d, 0) > 0
        end as active_next_7d,
        case
            when
                event_kinds.has_subscriptions
                and labels_with_maturity.matures_on_90d
                <= labels_with_maturity.observed_until_date
                then coalesce(labels_with_maturity.upgrades_next_90d, 0) > 0
        end as upgraded_next_90d,
        case
            when
                event_kinds.has_orders
                and labels_with_maturity.matures_on <= labels_with_maturity.observed_until_date
                then cast(coalesce(labels_with_maturity.orders_next, 0) as integer)
        end as orders_next,
        case
            when
                event_kinds.has_orders
                and labels_with_maturity.matures_on_90d
                <= labels_with_maturity.observed_until_date
                then cast(coalesce(labels_with_maturity.revenue_next_90d, 0) as decimal(18, 4))
        end as revenue_next_90d
    from labels_with_maturity
    cross join event_kinds

)

select * from final
