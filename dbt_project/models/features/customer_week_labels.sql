{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='review_week',
        on_schema_change='fail'
    )
}}

{% set kinds = ("activity", "core_event") %}
{% set plan_changes = ("cancellation", "upgrade") %}

with

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

customer_weeks as (

    select * from {{ ref('customer_weeks') }}

),

all_customer_days as (

    select * from {{ ref('customer_days') }}

),

customer_histories as (

    select * from {{ ref('customer_histories') }}

),

user_merges as (

    select * from {{ ref('user_merges') }}

),

plans as (

    select * from {{ ref('int_plans_carried_to_weeks') }}

),

subscriber_days as (

    select * from {{ ref('subscriber_days') }}

),

event_kinds as (

    select * from {{ ref('stg_event_kinds') }}

),

-- Labels that had matured before anything changed stay as they are.
customer_days as (

    select all_customer_days.*
    from all_customer_days
    inner join run_parameters
        on
            run_parameters.labels_from_week is null
            or all_customer_days.local_date >= run_parameters.labels_from_week

),

weeks_asked as (

    select
        customer_weeks.customer_id,
        customer_weeks.review_week,
        {{ add_days("customer_weeks.review_week", 7) }} as end_date,
        plans.subscriber_id
    from customer_weeks
    inner join run_parameters
        on
            run_parameters.labels_from_week is null
            or customer_weeks.review_week >= run_parameters.labels_from_week
    left join plans
        on
            customer_weeks.customer_id = plans.customer_id
            and customer_weeks.review_week = plans.review_week

),

-- Every customer-week asks what followed it, so silence counts as an answer.
days_and_questions as (

    select
        customer_id,
        cast(null as date) as review_week,
        {{ day_number("local_date") }} as day_number,
        case when activities > 0 then local_date end as activity_date,
        case when core_events > 0 then local_date end as core_event_date,
        revenue
    from customer_days

    union all

    select
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
        review_week,
        {% for outcome in kinds %}
        min({{ outcome }}_date) over afterwards as next_{{ outcome }}_date,
        {% endfor %}
        sum(revenue) over next_90_days as revenue_next_90d
    from days_and_questions
    window
        afterwards as (
            partition by customer_id
            order by day_number
            range between 1 following and unbounded following
        ),
        next_90_days as (
            partition by customer_id
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

-- A label says what was known when it matured. That needs a closer look where something
-- of a day became known on a later one, or where the customer merged into another.
customers_known_from as (

    select
        customer_id,
        min(history_from_week) as first_known_week
    from customer_histories
    group by customer_id

),

customers_to_look_at as (

    select customer_days.customer_id
    from customer_days
    inner join customers_known_from
        on
            customer_days.customer_id = customers_known_from.customer_id
            and customer_days.local_date >= customers_known_from.first_known_week
    where customer_days.known_from_date <> customer_days.local_date
    group by customer_days.customer_id

    union

    select user_id as customer_id
    from user_merges

),

subscribers_to_look_at as (

    select subscriber_id
    from subscriber_days
    where known_from_date <> local_date
    group by subscriber_id

),

maturities as (

    select
        7 as days_7,
        churn_horizon_days as days_of_horizon,
        90 as days_90,
        time_zone
    from run_parameters

),

questions_to_look_at as (
    {% for days in ("days_7", "days_of_horizon", "days_90") %}

    select
        weeks_asked.customer_id,
        weeks_asked.review_week,
        weeks_asked.end_date,
        '{{ days }}' as maturity,
        {{ add_days("weeks_asked.end_date", "maturities." ~ days) }} as matures_on
    from weeks_asked
    inner join customers_to_look_at
        on weeks_asked.customer_id = customers_to_look_at.customer_id
    cross join maturities
    {{ "union all" if not loop.last }}
    {% endfor %}

),

merges_dated as (

    select
        user_merges.user_id as customer_id,
        user_merges.merged_into,
        user_merges.steps,
        cast({{ local_time("user_merges.merged_at", "maturities.time_zone") }} as date)
            as merged_date
    from user_merges
    cross join maturities

),

customers_when_matured as (

    select
        questions_to_look_at.customer_id,
        questions_to_look_at.review_week,
        questions_to_look_at.end_date,
        questions_to_look_at.maturity,
        questions_to_look_at.matures_on,
        coalesce(
            {{ value_at_largest("merges_dated.merged_into", ["merges_dated.steps"]) }},
            questions_to_look_at.customer_id
        ) as customer_id_later
    from questions_to_look_at
    left join merges_dated
        on
            questions_to_look_at.customer_id = merges_dated.customer_id
            and questions_to_look_at.matures_on > merges_dated.merged_date
    group by
        questions_to_look_at.customer_id,
        questions_to_look_at.review_week,
        questions_to_look_at.end_date,
        questions_to_look_at.maturity,
        questions_to_look_at.matures_on

),

answers_looked_at as (

    select
        customers_when_matured.customer_id,
        customers_when_matured.review_week,
        coalesce(
            bool_or(
                customers_when_matured.maturity = 'days_7'
                and customer_days.activities > 0
            ),
            false
        ) as is_active_7d,
        coalesce(
            bool_or(
                customers_when_matured.maturity = 'days_of_horizon'
                and customer_days.core_events > 0
            ),
            false
        ) as has_core_event,
        coalesce(
            sum(
                case
                    when customers_when_matured.maturity = 'days_of_horizon'
                        then customer_days.orders
                end
            ),
            0
        ) as orders_next,
        coalesce(
            sum(
                case
                    when customers_when_matured.maturity = 'days_90'
                        then customer_days.revenue
                end
            ),
            0
        ) as revenue_next_90d
    from customers_when_matured
    left join customer_days
        on
            customers_when_matured.customer_id_later = customer_days.customer_id
            and customers_when_matured.end_date <= customer_days.local_date
            and customers_when_matured.matures_on > customer_days.local_date
            and customers_when_matured.matures_on > customer_days.known_from_date
    group by customers_when_matured.customer_id, customers_when_matured.review_week

),

plan_answers_looked_at as (

    select
        weeks_asked.customer_id,
        weeks_asked.review_week,
        coalesce(
            bool_or(
                subscriber_days.cancellations > 0
                and subscriber_days.known_from_date
                < {{ add_days("weeks_asked.end_date", "maturities.days_of_horizon") }}
            ),
            false
        ) as is_cancelled_in_horizon,
        coalesce(
            bool_or(
                subscriber_days.upgrades > 0
                and subscriber_days.known_from_date
                < {{ add_days("weeks_asked.end_date", "maturities.days_90") }}
            ),
            false
        ) as is_upgraded_90d
    from weeks_asked
    inner join subscribers_to_look_at
        on weeks_asked.subscriber_id = subscribers_to_look_at.subscriber_id
    cross join maturities
    left join subscriber_days
        on
            weeks_asked.subscriber_id = subscriber_days.subscriber_id
            and weeks_asked.end_date <= subscriber_days.local_date
    group by weeks_asked.customer_id, weeks_asked.review_week

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
        answers_looked_at.is_active_7d,
        answers_looked_at.has_core_event,
        plan_answers_looked_at.is_cancelled_in_horizon,
        plan_answers_looked_at.is_upgraded_90d,
        coalesce(answers_looked_at.orders_next, orders_counted.orders_next, 0)
            as orders_next,
        coalesce(answers_looked_at.revenue_next_90d, outcomes_found.revenue_next_90d, 0)
            as revenue_next_90d
    from outcomes_found
    cross join run_parameters
    left join plan_changes_found
        on
            outcomes_found.customer_id = plan_changes_found.customer_id
            and outcomes_found.review_week = plan_changes_found.review_week
    left join answers_looked_at
        on
            outcomes_found.customer_id = answers_looked_at.customer_id
            and outcomes_found.review_week = answers_looked_at.review_week
    left join plan_answers_looked_at
        on
            outcomes_found.customer_id = plan_answers_looked_at.customer_id
            and outcomes_found.review_week = plan_answers_looked_at.review_week
    left join orders_counted
        on
            outcomes_found.customer_id = orders_counted.customer_id
            and outcomes_found.review_week = orders_counted.review_week
    where outcomes_found.review_week is not null

),

answers as (

    select
        *,
        coalesce(
            is_cancelled_in_horizon, next_cancellation_date < matures_on, false
        ) as is_cancelled_next,
        coalesce(has_core_event, next_core_event_date < matures_on, false)
            as has_core_event_next,
        coalesce(is_active_7d, next_activity_date < matures_on_7d, false)
            as active_next_7d,
        coalesce(is_upgraded_90d, next_upgrade_date < matures_on_90d, false)
            as upgraded_next_90d
    from outcomes

),

final as (

    select
        answers.customer_id,
        answers.review_week,
        cast(answers.horizon_days as integer) as horizon_days,
        answers.matures_on,
        case
            when answers.matures_on > answers.observed_until_date
                then null
            when answers.churn_definition = 'cancellation'
                then answers.is_cancelled_next
            else not answers.has_core_event_next
        end as churned_next,
        case
            when answers.matures_on_7d <= answers.observed_until_date
                then answers.active_next_7d
        end as active_next_7d,
        case
            when
                event_kinds.has_subscriptions
                and answers.matures_on_90d
                <= answers.observed_until_date
                then answers.upgraded_next_90d
        end as upgraded_next_90d,
        case
            when
                event_kinds.has_orders
                and answers.matures_on <= answers.observed_until_date
                then cast(answers.orders_next as integer)
        end as orders_next,
        case
            when
                event_kinds.has_orders
                and answers.matures_on_90d
                <= answers.observed_until_date
                then cast(answers.revenue_next_90d as decimal(18, 4))
        end as revenue_next_90d
    from answers
    cross join event_kinds

)

select * from final
