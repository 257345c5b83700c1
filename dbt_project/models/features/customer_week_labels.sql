{% set kinds = ("activity", "core_event") %}
{% set plan_changes = ("cancellation", "upgrade") %}

with

customer_weeks as (

    select * from {{ ref('customer_weeks') }}

),

customer_days as (

    select * from {{ ref('customer_days') }}

),

customers_ended as (

    select * from {{ ref('int_customers_ended') }}

),

plans as (

    select * from {{ ref('int_plans_carried_to_weeks') }}

),

subscriber_days as (

    select * from {{ ref('subscriber_days') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

event_kinds as (

    select * from {{ ref('stg_event_kinds') }}

),

-- What a customer does after it merged into another is done by the other.
weeks_asked as (

    select
        customer_weeks.customer_id,
        customer_weeks.review_week,
        coalesce(customers_ended.merged_into, customer_weeks.customer_id)
            as customer_id_later,
        plans.subscriber_id
    from customer_weeks
    left join customers_ended
        on customer_weeks.customer_id = customers_ended.customer_id
    left join plans
        on
            customer_weeks.customer_id = plans.customer_id
            and customer_weeks.review_week = plans.review_week

),

-- Every customer-week asks what followed it, so silence counts as an answer.
days_and_questions as (

    select
        customer_id as customer_id_later,
        cast(null as string) as customer_id,
        cast(null as date) as review_week,
        {{ day_number("local_date") }} as day_number,
        case when activities > 0 then local_date end as activity_date,
        case when core_events > 0 then local_date end as core_event_date,
        revenue
    from customer_days

    union all

    select
        customer_id_later,
        customer_id,
        review_week,
        {{ day_number("review_week") }} + 6 as day_number,
        cast(null as date) as activity_date,
        cast(null as date) as core_event_date,
        0 as revenue
    from weeks_asked

),

outcomes_found as (

    select
        customer_id,
        customer_id_later,
        review_week,
        {% for outcome in kinds %}
        min({{ outcome }}_date) over afterwards as next_{{ outcome }}_date,
        {% endfor %}
        sum(revenue) over next_90_days as revenue_next_90d
    from days_and_questions
    window
        afterwards as (
            partition by customer_id_later
            order by day_number
            range between 1 following and unbounded following
        ),
        next_90_days as (
            partition by customer_id_later
            order by day_number
            range between 1 following and 90 following
        )

),

plan_days_and_questions as (

    select
        subscriber_id,
        cast(null as string) as customer_id,
        cast(null as date) as review_week,
        {{ day_number("local_date") }} as day_number,
        case when cancellations > 0 then local_date end as cancellation_date,
        case when upgrades > 0 then local_date end as upgrade_date
    from subscriber_days

    union all

    select
        subscriber_id,
        customer_id,
        review_week,
        {{ day_number("review_week") }} + 6 as day_number,
        cast(null as date) as cancellation_date,
        cast(null as date) as upgrade_date
    from weeks_asked
    where subscriber_id is not null

),

plan_changes_found as (

    select
        customer_id,
        review_week,
        {% for change in plan_changes %}
        min({{ change }}_date) over afterwards as next_{{ change }}_date{{
            "," if not loop.last
        }}
        {% endfor %}
    from plan_days_and_questions
    window afterwards as (
        partition by subscriber_id
        order by day_number
        range between 1 following and unbounded following
    )

),

-- The horizon is a setting of at most 365 days, so an order can follow the 53 weeks
-- before its own.
orders_counted as (

    select
        customer_days.customer_id,
        {{ add_days(
            monday_of("customer_days.local_date"), "-7 * weeks_earlier.number"
        ) }}
            as review_week,
        sum(customer_days.orders) as orders_next
    from customer_days
    cross join {{ numbers_to(53) }} as weeks_earlier
    inner join run_parameters
        on
            {{ days_between(
                add_days(
                    monday_of("customer_days.local_date"),
                    "7 - 7 * weeks_earlier.number"
                ),
                "customer_days.local_date"
            ) }} < run_parameters.churn_horizon_days
    where
        customer_days.orders > 0
        and weeks_earlier.number > 0
    group by
        customer_days.customer_id,
        {{ add_days(
            monday_of("customer_days.local_date"), "-7 * weeks_earlier.number"
        ) }}

),

outcomes as (

    select
        outcomes_found.customer_id,
        outcomes_found.review_week,
        run_parameters.churn_definition,
        run_parameters.churn_horizon_days as horizon_days,
        run_parameters.observed_until_date,
        {{ add_days(
            "outcomes_found.review_week", "7 + run_parameters.churn_horizon_days"
        ) }}
            as matures_on,
        {{ add_days("outcomes_found.review_week", "7 + 7") }} as matures_on_7d,
        {{ add_days("outcomes_found.review_week", "7 + 90") }} as matures_on_90d,
        {% for outcome in kinds %}
        outcomes_found.next_{{ outcome }}_date,
        {% endfor %}
        {% for change in plan_changes %}
        plan_changes_found.next_{{ change }}_date,
        {% endfor %}
        coalesce(orders_counted.orders_next, 0) as orders_next,
        coalesce(outcomes_found.revenue_next_90d, 0) as revenue_next_90d
    from outcomes_found
    cross join run_parameters
    left join plan_changes_found
        on
            outcomes_found.customer_id = plan_changes_found.customer_id
            and outcomes_found.review_week = plan_changes_found.review_week
    left join orders_counted
        on
            outcomes_found.customer_id_later = orders_counted.customer_id
            and outcomes_found.review_week = orders_counted.review_week
    where outcomes_found.review_week is not null

),

final as (

    select
        outcomes.customer_id,
        outcomes.review_week,
        cast(outcomes.horizon_days as integer) as horizon_days,
        outcomes.matures_on,
        case
            when outcomes.matures_on > outcomes.observed_until_date
                then null
            when outcomes.churn_definition = 'cancellation'
                then coalesce(
                    outcomes.next_cancellation_date
                    < outcomes.matures_on, false
                )
            else coalesce(
                outcomes.next_core_event_date >= outcomes.matures_on,
                true
            )
        end as churned_next,
        case
            when outcomes.matures_on_7d <= outcomes.observed_until_date
                then coalesce(
                    outcomes.next_activity_date
                    < outcomes.matures_on_7d, false
                )
        end as active_next_7d,
        case
            when
                event_kinds.has_subscriptions
                and outcomes.matures_on_90d
                <= outcomes.observed_until_date
                then coalesce(
                    outcomes.next_upgrade_date
                    < outcomes.matures_on_90d, false
                )
        end as upgraded_next_90d,
        case
            when
                event_kinds.has_orders
                and outcomes.matures_on <= outcomes.observed_until_date
                then cast(outcomes.orders_next as integer)
        end as orders_next,
        case
            when
                event_kinds.has_orders
                and outcomes.matures_on_90d
                <= outcomes.observed_until_date
                then cast(outcomes.revenue_next_90d as decimal(18, 4))
        end as revenue_next_90d
    from outcomes
    cross join event_kinds

)

select * from final
