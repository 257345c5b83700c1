{{ config(materialized='ephemeral') }}

with

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

merges as (

    select * from {{ ref('user_merges') }}

),

test_customers as (

    select * from {{ ref('test_customers') }}

),

customers_ended as (

    select
        merges.user_id as customer_id,
        cast(
            {{ local_time("merges.merged_at", "run_parameters.time_zone") }} as date
        ) as ended_date,
        merges.merged_into,
        merges.steps
    from merges
    cross join run_parameters
    where run_parameters.customer_kind = 'user'

    union all

    select
        customer_id,
        flagged_from_date as ended_date,
        cast(null as string) as merged_into,
        0 as steps
    from test_customers

),

-- Who merged is in the end whoever stands at the end of the chain.
final as (

    select
        customer_id,
        min(ended_date) as ended_date,
        {{ value_at_largest("merged_into", ["steps"]) }} as merged_into
    from customers_ended
    group by customer_id

)

select * from final
