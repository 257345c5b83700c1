with

events as (

    select * from {{ ref('int_customer_events') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

-- Of an account only what is said of it as a whole: colleagues help in many accounts.
traits_of_customers as (

    select
        events.customer_id,
        events.known_from_date,
        {{ json_text("events.traits", "$.is_test") }} as is_test,
        {{ json_text("events.traits", "$.email") }} as email,
        {{ json_text("events.traits", "$.email_domain") }} as email_domain
    from events
    cross join run_parameters
    where
        events.customer_id is not null
        and events.event_type = case
            when run_parameters.customer_kind = 'account' then 'group'
            else 'identify'
        end

),

final as (

    select
        traits_of_customers.customer_id,
        min(traits_of_customers.known_from_date) as flagged_from_date
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
    group by traits_of_customers.customer_id

)

select * from final
