{{ config(materialized='ephemeral') }}

with

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

final as (

    select customer_histories.*
    from customer_histories
    inner join span_of_run
        on
            customer_histories.history_from_week <= span_of_run.last_review_week
            and (
                customer_histories.history_until_week is null
                or customer_histories.history_until_week > span_of_run.first_review_week
            )

)

select * from final
