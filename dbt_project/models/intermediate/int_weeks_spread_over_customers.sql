{{ config(materialized='ephemeral') }}

with

customer_days as (

    select * from {{ ref('customer_days') }}

),

weeks_looked_back_on as (

    select * from {{ ref('int_weeks_looked_back_on') }}

),

customers as (

    select
        customer_id,
        min(known_from_date) as known_from_date
    from customer_days
    group by customer_id

),

calendar_weeks as (

    select
        calendar_week,
        min(weeks_ago) as weeks_until_review
    from weeks_looked_back_on
    group by calendar_week

),

final as (

    select
        customers.customer_id,
        calendar_weeks.calendar_week,
        calendar_weeks.weeks_until_review
    from customers
    inner join calendar_weeks
        on customers.known_from_date < {{ add_days("calendar_weeks.calendar_week", 7) }}

)

select * from final
