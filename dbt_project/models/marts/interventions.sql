with

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

playbook as (

    select * from {{ ref('playbook') }}

),

scored_weeks as (

    select * from {{ ref('int_scores_joined_to_weeks') }}

),

own_segments as (

    select * from {{ source('features', 'own_segments') }}

),

customers_of_review as (

    select
        scored_weeks.*,
        coalesce(
            12 * scored_weeks.monthly_recurring_revenue, scored_weeks.revenue_365d, 0
        ) as yearly_value
    from scored_weeks
    inner join run_parameters
        on scored_weeks.review_week = run_parameters.newest_review_week

),

segments_of_customers as (

    {% for scheme, column in segment_schemes() %}
    select
        customer_id,
        '{{ column }}' as scheme,
        {{ column }} as segment
    from customers_of_review
    where {{ column }} is not null
    union all
    {% endfor %}
    select
        customers_of_review.customer_id,
        'own' as scheme,
        own_segments.segment
    from customers_of_review
    inner join own_segments
        on
            customers_of_review.customer_id = own_segments.customer_id
            and customers_of_review.review_week = own_segments.review_week

),

actions as (

    select
        *,
        split_part(applies_to, ':', 1) as scheme,
        split_part(applies_to, ':', 2) as segment
    from playbook

),

-- One action a customer: the first of the playbook that applies, so nobody is called by
-- three teams.
actions_in_order as (

    select
        segments_of_customers.customer_id,
        actions.*,
        row_number() over (
            partition by segments_of_customers.customer_id
            order by actions.position
        ) as choice
    from segments_of_customers
    inner join actions
        on
            segments_of_customers.scheme = actions.scheme
            and segments_of_customers.segment = actions.segment

),

actions_chosen as (

    select
        customers_of_review.customer_id,
        customers_of_review.review_week,
        actions_in_order.action_id,
        actions_in_order.title,
        actions_in_order.scheme,
        actions_in_order.segment,
        actions_in_order.channel,
        actions_in_order.owner_team,
        actions_in_order.cost,
        actions_in_order.assumed_uplift,
        actions_in_order.message,
        cast(
            actions_in_order.assumed_uplift
            * cast(customers_of_review.yearly_value as double)
            - actions_in_order.cost as decimal(18, 4)
        ) as priority_score,
        customers_of_review.churn_probability,
        customers_of_review.churn_score,
        customers_of_review.health_score,
        customers_of_review.lifecycle_stage,
        customers_of_review.days_since_last_activity,
        customers_of_review.yearly_value,
        customers_of_review.revenue_365d
    from customers_of_review
    inner join actions_in_order
        on customers_of_review.customer_id = actions_in_order.customer_id
    where actions_in_order.choice = 1

),

actions_ranked as (

    select
        *,
        cast(
            row_number() over (
                partition by owner_team
                order by
                    priority_score desc, churn_score desc nulls last, customer_id asc
            ) as integer
        ) as rank
    from actions_chosen

),

final as (

    select
        actions_ranked.customer_id,
        actions_ranked.review_week,
        actions_ranked.action_id,
        actions_ranked.customer_id || ':' || actions_ranked.action_id as sync_key,
        actions_ranked.rank,
        actions_ranked.priority_score,
        actions_ranked.title,
        {{ reason_in_words(
            "case when actions_ranked.scheme = 'own' then 'segment' else actions_ranked.scheme end",
            "actions_ranked.segment",
            "actions_ranked.churn_probability",
            "actions_ranked.health_score",
            "actions_ranked.days_since_last_activity",
            "run_parameters.churn_horizon_days"
        ) }} as reason,
        actions_ranked.channel,
        actions_ranked.owner_team,
        cast(actions_ranked.cost as double) as cost,
        cast(actions_ranked.assumed_uplift as double) as assumed_uplift,
        actions_ranked.message,
        actions_ranked.churn_probability,
        actions_ranked.health_score,
        actions_ranked.lifecycle_stage,
        cast(actions_ranked.yearly_value as decimal(18, 4)) as yearly_value,
        actions_ranked.revenue_365d
    from actions_ranked
    cross join run_parameters
    where actions_ranked.rank <= run_parameters.capacity_per_owner_team

)

select * from final
