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
        sessions_assembled.session_id,
        sessions_assembled.actor_id,
        sessions_assembled.source_session_id,
        sessions_assembled.customer_id,
        sessions_assembled.entry_page,
        sessions_assembled.exit_page,
        sessions_assembled.channel,
        sessions_assembled.events,
        sessions_assembled.core_events,
        sessions_assembled.pages,
        sessions_assembled.session_seconds,
        sessions_assembled.is_bot,
        test_customers.customer_id is not null as is_test,
        sessions_assembled.started_at,
        sessions_assembled.ended_at,
        sessions_assembled.start_date
    from sessions_assembled
    left join test_customers
        on sessions_assembled.customer_id = test_customers.customer_id

)

select * from final
