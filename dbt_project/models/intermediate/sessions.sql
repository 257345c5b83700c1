{{ config(materialized='view') }}

with

sessions_assembled as (

    select * from {{ ref('int_sessions_assembled') }}

),

test_customers as (

    select * from {{ ref('test_customers') }}

),

final as (

    select
        sessions_assembled.* exclude (actor_key),
        test_customers.customer_id is not null as is_test
    from sessions_assembled
    left join test_customers
        on sessions_assembled.customer_id = test_customers.customer_id

)

select * from final
