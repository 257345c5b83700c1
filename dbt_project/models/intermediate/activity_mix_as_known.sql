{{ config(materialized='view') }}

with

activity_mix as (

    select * from {{ ref('activity_mix') }}

),

customer_histories as (

    select * from {{ ref('customer_histories') }}

),

weeks_to_build as (

    select * from {{ source('ops', 'weeks_to_build') }}

),

span_of_run as (

    select
        min(review_week) as first_review_week,
        max(review_week) as last_review_week
    from weeks_to_build

),

histories_of_run as (

    select customer_histories.*
    from customer_histories
    inner join span_of_run
        on {{ is_history_between(
            "customer_histories",
            "span_of_run.first_review_week",
            "span_of_run.last_review_week"
        ) }}

),

-- Occurrences add up, so what became known at different times stays in several rows.
final as (

    select
        activity_mix.*,
        histories_of_run.history_from_week
    from activity_mix
    inner join histories_of_run
        on
            activity_mix.customer_id = histories_of_run.customer_id
            and activity_mix.known_from_week <= greatest(
                histories_of_run.history_from_week, activity_mix.calendar_week
            )

)

select * from final
