{{ config(materialized='ephemeral') }}

with

customer_days as (

    select * from {{ ref('customer_days') }}

),

customers_ended as (

    select * from {{ ref('int_customers_ended') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

final as (

    select
        customer_days.customer_id,
        customer_days.local_date,
        cast(sum(customer_days.activities) as bigint) as activities,
        cast(sum(customer_days.sessions_started) as bigint) as sessions_started,
        cast(sum(customer_days.orders) as bigint) as orders,
        cast(sum(customer_days.revenue) as decimal(18, 4)) as revenue
    from customer_days
    inner join run_parameters
        on
            customer_days.known_from_date
            < {{ add_days("run_parameters.newest_review_week", 7) }}
    left join customers_ended
        on
            customer_days.customer_id = customers_ended.customer_id
            and customers_ended.ended_date
            < {{ add_days("run_parameters.newest_review_week", 7) }}
    where customers_ended.customer_id is null
    group by customer_days.customer_id, customer_days.local_date

)

select * from final
