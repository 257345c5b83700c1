{{ config(materialized='ephemeral') }}

with

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

customer_weeks as (

    select * from {{ ref('customer_weeks') }}

),

churn as (

    select * from {{ source('scores', 'churn') }}

),

health as (

    select * from {{ source('scores', 'health') }}

),

clusters as (

    select * from {{ source('scores', 'clusters') }}

),

final as (

    select
        customer_weeks.*,
        churn.churn_probability,
        churn.churn_score,
        churn.churn_band,
        health.health_score,
        health.health_band,
        health.weight_observed_share,
        clusters.cluster_id,
        clusters.cluster_name,
        clusters.centrality_share
    from customer_weeks
    inner join run_parameters
        on
            customer_weeks.review_week <= run_parameters.newest_review_week
            and customer_weeks.review_week > {{ add_days(
                "run_parameters.newest_review_week",
                "-7 * run_parameters.marts_history_weeks"
            ) }}
    left join churn
        on
            customer_weeks.customer_id = churn.customer_id
            and customer_weeks.review_week = churn.review_week
    left join health
        on
            customer_weeks.customer_id = health.customer_id
            and customer_weeks.review_week = health.review_week
    left join clusters
        on
            customer_weeks.customer_id = clusters.customer_id
            and customer_weeks.review_week = clusters.review_week

)

select * from final
