{% set dates = (
    "last_activity_date", "last_core_event_date", "last_order_date",
    "nps_date", "last_opt_out_date"
) %}
{% set counts = (
    "orders", "tickets_opened", "tickets_closed", "members_joined", "members_removed"
) %}
{% set states = ["nps_score"] %}
{% set consents = [] %}
{% for channel in message_channels() %}
{% do consents.append("is_subscribed_" ~ channel) %}
{% endfor %}

with

customer_days as (

    select * from {{ ref('customer_days_as_known') }}

),

plans as (

    select * from {{ ref('int_plans_carried_to_weeks') }}

),

weeks_to_build as (

    select * from {{ source('ops', 'weeks_to_build') }}

),

customers_reviewed as (

    select * from {{ ref('int_customers_reviewed') }}

),

first_week as (

    select min(review_week) as review_week
    from weeks_to_build

),

-- What came before the first week to build is one heap: nobody asks for its weeks.
days_by_week as (

    select
        customer_days.*,
        greatest(
            {{ monday_of("customer_days.local_date") }}, first_week.review_week
        ) as review_week
    from customer_days
    cross join first_week

),

weeks_with_events as (

    select
        customer_id,
        history_from_week,
        review_week,
        false as is_reviewed,
        min(local_date) as first_seen_date,
        max(case when activities > 0 then local_date end) as last_activity_date,
        max(case when core_events > 0 then local_date end) as last_core_event_date,
        max(case when orders > 0 then local_date end) as last_order_date,
        max(case when nps_score is not null then local_date end) as nps_date,
        max(case when opt_outs > 0 then local_date end) as last_opt_out_date,
        {% for counted in counts %}
        sum({{ counted }}) as {{ counted }},
        {% endfor %}
        {% for state in states + consents %}
        {{ value_at_largest(state, ["local_date"]) }}
            as {{ state }},
        {% endfor %}
        sum(revenue) as revenue
    from days_by_week
    group by customer_id, history_from_week, review_week

),

weeks_reviewed as (

    select
        customer_id,
        history_from_week,
        review_week,
        true as is_reviewed,
        cast(null as date) as first_seen_date,
        {% for date_column in dates %}
        cast(null as date) as {{ date_column }},
        {% endfor %}
        {% for counted in counts %}
        0 as {{ counted }},
        {% endfor %}
        cast(null as integer) as nps_score,
        {% for consent in consents %}
        cast(null as boolean) as {{ consent }},
        {% endfor %}
        0 as revenue
    from customers_reviewed

),

weeks_in_order as (

    select * from weeks_with_events
    union all
    select * from weeks_reviewed

),

history_carried as (

    select
        customer_id,
        review_week,
        is_reviewed,
        min(first_seen_date) over so_far as first_seen_date,
        {% for date_column in dates %}
        max({{ date_column }}) over so_far as {{ date_column }},
        {% endfor %}
        {% for counted in counts %}
        cast(sum({{ counted }}) over so_far as bigint) as {{ counted }},
        {% endfor %}
        {% for state in states + consents %}
        {{ last_known(state) }} over so_far as {{ state }},
        {% endfor %}
        cast(sum(revenue) over so_far as decimal(18, 4)) as revenue
    from weeks_in_order
    window so_far as (
        partition by customer_id, history_from_week
        order by review_week, is_reviewed
        rows between unbounded preceding and current row
    )

),

history_of_reviews as (

    select
        *,
        {{ add_days("review_week", 7) }} as end_date
    from history_carried
    where is_reviewed

),

final as (

    select
        history_of_reviews.customer_id,
        history_of_reviews.review_week,
        history_of_reviews.end_date,

        history_of_reviews.first_seen_date,
        {{ days_between(
            "history_of_reviews.first_seen_date", "history_of_reviews.end_date"
        ) }} as tenure_days,
        cast(
            least(
                52,
                ceil(
                    {{ days_between(
                        "history_of_reviews.first_seen_date",
                        "history_of_reviews.end_date"
                    ) }} / 7.0
                )
            ) as integer
        ) as weeks_known_52w,
        {{ days_between(
            "history_of_reviews.last_activity_date", "history_of_reviews.end_date"
        ) }} as days_since_last_activity,
        {{ days_between(
            "history_of_reviews.last_core_event_date", "history_of_reviews.end_date"
        ) }} as days_since_last_core_event,

        history_of_reviews.orders as orders_ever,
        history_of_reviews.revenue as revenue_ever,
        history_of_reviews.last_order_date,
        {{ days_between(
            "history_of_reviews.last_order_date", "history_of_reviews.end_date"
        ) }} as days_since_last_order,

        cast(
            greatest(
                history_of_reviews.tickets_opened - history_of_reviews.tickets_closed, 0
            ) as integer
        ) as open_tickets,
        history_of_reviews.nps_score as nps_last,
        {{ days_between("history_of_reviews.nps_date", "history_of_reviews.end_date") }}
            as nps_days_ago,

        plans.plan,
        plans.monthly_recurring_revenue,
        plans.seats,
        plans.limit_used_share,
        plans.days_to_renewal,
        plans.upgrades_ever,
        plans.downgrades_ever,
        coalesce(plans.is_cancelled, false) as is_cancelled,
        plans.last_cancelled_date,
        plans.subscriber_id,

        cast(
            history_of_reviews.members_joined - history_of_reviews.members_removed
            as integer
        ) as team_size,

        {% for consent in consents %}
        history_of_reviews.{{ consent }},
        {% endfor %}
        {{ days_between(
            "history_of_reviews.last_opt_out_date", "history_of_reviews.end_date"
        ) }} as days_since_opt_out
    from history_of_reviews
    left join plans
        on
            history_of_reviews.customer_id = plans.customer_id
            and history_of_reviews.review_week = plans.review_week

)

select * from final
