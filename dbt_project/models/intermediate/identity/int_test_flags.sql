{{
    config(
        materialized='incremental',
        incremental_strategy='replace_touched',
        incremental_predicates=[
            on_days_touched('local_date'),
            of_customer_weeks('int_weeks_relinked', monday_of('local_date'))
        ],
        on_schema_change='fail'
    )
}}

with

events as (

    select * from {{ ref('int_customer_events_of_run') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

-- Of an account only what is said of it as a whole: colleagues help in many accounts.
traits_of_customers as (

    select
        events.customer_id,
        events.local_date,
        events.known_from_date,
        {{ json_text("events.traits", "$.is_test") }} as is_test,
        {{ json_text("events.traits", "$.email") }} as email,
        {{ json_text("events.traits", "$.email_domain") }} as email_domain
    from events
    cross join run_parameters
    where
        events.event_type = case
            when run_parameters.customer_kind = 'account' then 'group'
            else 'identify'
        end

),

final as (

    select distinct
        traits_of_customers.customer_id,
        traits_of_customers.local_date,
        traits_of_customers.known_from_date
    from traits_of_customers
    cross join run_parameters
    where
        lower(traits_of_customers.is_test) = 'true'
        or {{ list_has(
            "run_parameters.test_email_domains",
            "lower(coalesce("
            ~ "traits_of_customers.email_domain, "
            ~ part_after_sign("traits_of_customers.email", "@")
            ~ "))"
        ) }}

)

select * from final
