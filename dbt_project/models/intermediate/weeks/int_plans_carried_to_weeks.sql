{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='review_week',
        on_schema_change='fail'
    )
}}

{% set counts = ("upgrades", "downgrades") %}
{% set states = (
    "last_subscription_event", "plan", "monthly_recurring_revenue", "seats",
    "limit_used_share", "renewal_date"
) %}

with

subscriber_days as (

    select * from {{ ref('subscriber_days') }}

),

subscribers_of_customers as (

    select * from {{ ref('int_subscribers_of_customers') }}

),

weeks_to_build as (

    select * from {{ source('ops', 'weeks_to_build') }}

),

first_week as (

    select min(review_week) as review_week
    from weeks_to_build

),

-- What was known before the first week to build is one heap: nobody asks for its weeks.
days_by_week as (

    select
        subscriber_days.*,
        greatest(
            {{ monday_of("subscriber_days.known_from_date") }}, first_week.review_week
        ) as review_week
    from subscriber_days
    cross join first_week

),

weeks_with_events as (

    select
        subscriber_id,
        review_week,
        {% for counted in counts %}
        sum({{ counted }}) as {{ counted }},
        {% endfor %}
        {% for state in states %}
        {{ value_at_largest(state, ["local_date", state ~ "_at", "known_from_date"]) }}
            as {{ state }},
        max(case when {{ state }} is not null then local_date end) as {{ state }}_date,
        max({{ state }}_at) as {{ state }}_at,
        {% endfor %}
        max(case when cancellations > 0 then local_date end) as last_cancelled_date
    from days_by_week
    group by subscriber_id, review_week

),

-- What happened later decides, whenever it became known.
plans_carried as (

    select
        weeks_to_build.review_week,
        weeks_with_events.subscriber_id,
        {% for counted in counts %}
        sum(weeks_with_events.{{ counted }}) as {{ counted }},
        {% endfor %}
        {% for state in states %}
        {{ value_at_largest(
            "weeks_with_events." ~ state,
            [
                "weeks_with_events." ~ state ~ "_date",
                "weeks_with_events." ~ state ~ "_at",
                "weeks_with_events.review_week",
            ]
        ) }} as {{ state }},
        {% endfor %}
        max(weeks_with_events.last_cancelled_date) as last_cancelled_date
    from weeks_with_events
    inner join weeks_to_build
        on weeks_with_events.review_week <= weeks_to_build.review_week
    group by weeks_to_build.review_week, weeks_with_events.subscriber_id

),

-- Where nothing is known of an account's plan, its user's own is all there is.
plans_of_customers as (

    select
        subscribers_of_customers.customer_id,
        subscribers_of_customers.review_week,
        case
            when plans_of_subscribers.subscriber_id is null
                then subscribers_of_customers.own_subscriber_id
            else subscribers_of_customers.subscriber_id
        end as subscriber_id
    from subscribers_of_customers
    left join plans_carried as plans_of_subscribers
        on
            subscribers_of_customers.subscriber_id = plans_of_subscribers.subscriber_id
            and subscribers_of_customers.review_week = plans_of_subscribers.review_week

),

final as (

    select
        plans_of_customers.customer_id,
        plans_of_customers.review_week,
        plans_of_customers.subscriber_id,

        plans_carried.plan,
        plans_carried.monthly_recurring_revenue,
        plans_carried.seats,
        plans_carried.limit_used_share,
        -- A date that has passed says nothing of the next one.
        case
            when
                plans_carried.last_subscription_event <> 'subscription_cancelled'
                and plans_carried.renewal_date
                >= {{ add_days("plans_of_customers.review_week", 7) }}
                then {{ days_between(
                    add_days("plans_of_customers.review_week", 7),
                    "plans_carried.renewal_date"
                ) }}
        end as days_to_renewal,
        cast(coalesce(plans_carried.upgrades, 0) as integer) as upgrades_ever,
        cast(coalesce(plans_carried.downgrades, 0) as integer) as downgrades_ever,
        coalesce(
            plans_carried.last_subscription_event = 'subscription_cancelled', false
        ) as is_cancelled,
        plans_carried.last_cancelled_date
    from plans_of_customers
    left join plans_carried
        on
            plans_of_customers.subscriber_id = plans_carried.subscriber_id
            and plans_of_customers.review_week = plans_carried.review_week

)

select * from final
