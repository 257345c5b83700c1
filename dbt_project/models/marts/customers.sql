with

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

scored_weeks as (

    select * from {{ ref('int_scores_joined_to_weeks') }}

),

interventions as (

    select * from {{ ref('interventions') }}

),

final as (

    select
        scored_weeks.*,
        interventions.action_id as next_action_id,
        interventions.title as next_action_title,
        interventions.reason as next_action_reason
    from scored_weeks
    inner join run_parameters
        on scored_weeks.review_week = run_parameters.newest_review_week
    left join interventions
        on scored_weeks.customer_id = interventions.customer_id

)

select * from final
