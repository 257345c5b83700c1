{{ config(materialized='ephemeral') }}

with

customer_days as (

    select * from {{ ref('customer_days') }}

),

weeks_to_build as (

    select * from {{ source('ops', 'weeks_to_build') }}

),

customers as (

    select
        customer_id,
        min(local_date) as first_seen_date,
        min(known_from_date) as known_from_date
    from customer_days
    group by customer_id

),

final as (

    select
        customers.customer_id,
        weeks_to_build.review_week,
        weeks_to_build.end_date,
        customers.first_seen_date
    from customers
    inner join weeks_to_build
        on
            customers.known_from_date < weeks_to_build.end_date
            and customers.first_seen_date < weeks_to_build.end_date

)

select * from final
