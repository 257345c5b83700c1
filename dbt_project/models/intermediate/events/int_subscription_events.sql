{{ config(materialized='view') }}

with

all_events as (

    select * from {{ ref('int_events') }}

),

identities as (

    select * from {{ ref('identities') }}

),

bot_days as (

    select * from {{ ref('bot_days') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

links as (

    select * from {{ ref('identity_links') }}

),

events as (

    select * from all_events
    where
        event_name in (
            'subscription_started',
            'subscription_upgraded',
            'subscription_downgraded',
            'subscription_renewed',
            'subscription_cancelled'
        )
        and is_listed

),

customer_events as (

    {{ with_customers("events") }}

),

-- The plan of an account is that of all of its users. What names a user only is that
-- user's, and its account's too, if the user belonged to one by then: a plan that
-- somebody had before is no plan of the account.
events_of_subscribers as (

    select
        'account:' || customer_events.customer_id as subscriber_id,
        customer_events.event_id,
        customer_events.event_name,
        customer_events.properties,
        customer_events.occurred_at,
        customer_events.local_date,
        customer_events.known_from_date
    from customer_events
    cross join run_parameters
    where
        run_parameters.customer_kind = 'account'
        and customer_events.customer_id is not null
        and (
            customer_events.account_id is not null
            or customer_events.known_from_date = customer_events.local_date
        )

    union all

    select
        'account:' || events.account_id as subscriber_id,
        events.event_id,
        events.event_name,
        events.properties,
        events.occurred_at,
        events.local_date,
        events.local_date as known_from_date
    from events
    cross join run_parameters
    where
        run_parameters.customer_kind = 'user'
        and events.account_id is not null

    union all

    select
        'user:' || customer_events.customer_id as subscriber_id,
        customer_events.event_id,
        customer_events.event_name,
        customer_events.properties,
        customer_events.occurred_at,
        customer_events.local_date,
        customer_events.known_from_date
    from customer_events
    cross join run_parameters
    where
        run_parameters.customer_kind = 'user'
        and customer_events.account_id is null
        and customer_events.customer_id is not null

    union all

    select
        'account:' || links.owner_id as subscriber_id,
        events.event_id,
        events.event_name,
        events.properties,
        events.occurred_at,
        events.local_date,
        events.local_date as known_from_date
    from events
    inner join links
        on
            events.user_id = links.id
            and links.id_type = 'user'
            and not links.is_shared
            and {{ is_within(
                "events.occurred_at", "links.linked_at", "links.applies_until_at"
            ) }}
    cross join run_parameters
    where
        run_parameters.customer_kind = 'user'
        and events.account_id is null

),

final as (

    select
        event_id,
        subscriber_id,

        event_name,
        nullif({{ json_text("properties", "$.plan") }}, '') as plan,

        cast(
            {{ json_number("properties", "$.mrr", "decimal(15, 4)") }} as decimal(18, 4)
        ) as monthly_recurring_revenue,
        {{ json_number("properties", "$.seats", "integer") }} as seats,
        {{ json_number("properties", "$.limit_used_share") }} as limit_used_share,
        {{ json_number("properties", "$.renewal_date", "date") }} as renewal_date,

        occurred_at,
        local_date,
        known_from_date
    from events_of_subscribers

)

select * from final
