{% set summed = (
    "activities", "core_events", "active_days", "sessions", "session_microseconds",
    "pages", "tickets", "sentiment_sum", "sentiments", "members_added"
) %}
{% set summed_over_90_days = (
    "activities", "core_events", "active_days", "sessions", "tickets", "sentiment_sum",
    "sentiments"
) %}

with

customer_days as (

    select * from {{ ref('customer_days_as_known') }}

),

weeks_looked_back_on as (

    select * from {{ ref('int_weeks_looked_back_on') }}

),

customers_by_week as (

    select * from {{ ref('int_weeks_spread_over_customers') }}

),

days_in_reach as (

    select
        customer_days.customer_id,
        customer_days.history_from_week,
        customer_days.local_date,
        {{ monday_of("customer_days.local_date") }} as calendar_week,
        customer_days.activities,
        customer_days.core_events,
        case when customer_days.activities > 0 then 1 else 0 end as active_days,
        customer_days.sessions_started as sessions,
        customer_days.session_microseconds,
        customer_days.pages,
        customer_days.tickets_opened as tickets,
        customer_days.sentiment_sum,
        customer_days.sentiments,
        customer_days.members_joined - customer_days.members_removed as members_added,
        customer_days.feature_mask
    from customer_days
    where {{ monday_of("customer_days.local_date") }} in (
        select weeks_looked_back_on.calendar_week
        from weeks_looked_back_on
        where weeks_looked_back_on.weeks_ago <= 12
    )

),

weeks_summed as (

    select
        customer_id,
        history_from_week,
        calendar_week,
        {% for column in summed %}
        sum({{ column }}) as {{ column }},
        {% endfor %}
        {% for column in summed_over_90_days %}
        sum(case when local_date > calendar_week then {{ column }} end)
            as {{ column }}_after_monday,
        {% endfor %}
        bit_or(feature_mask) as feature_mask
    from days_in_reach
    group by customer_id, history_from_week, calendar_week

),

-- A row for every week of a customer, so that rows before a row are weeks before a
-- week.
weeks_in_order as (

    select
        customers_by_week.customer_id,
        customers_by_week.history_from_week,
        customers_by_week.calendar_week,
        customers_by_week.weeks_until_review,
        {{ week_number("customers_by_week.calendar_week") }} as week_number,
        {% for column in summed %}
        coalesce(weeks_summed.{{ column }}, 0) as {{ column }},
        {% endfor %}
        {% for column in summed_over_90_days %}
        coalesce(weeks_summed.{{ column }}_after_monday, 0)
            as {{ column }}_after_monday,
        {% endfor %}
        coalesce(weeks_summed.feature_mask, 0) as feature_mask
    from customers_by_week
    left join weeks_summed
        on
            customers_by_week.customer_id = weeks_summed.customer_id
            and customers_by_week.history_from_week = weeks_summed.history_from_week
            and customers_by_week.calendar_week = weeks_summed.calendar_week
    where customers_by_week.weeks_until_review <= 12

),

-- 7 and 28 days are whole weeks; 90 days are 12 weeks and Tuesday to Sunday of the week
-- before them.
windows_summed as (

    select
        customer_id,
        history_from_week,
        calendar_week as review_week,
        weeks_until_review,
        week_number,
        {% for column in ("activities", "core_events", "active_days", "sessions") %}
        {{ column }} as {{ column }}_7d,
        sum({{ column }}) over last_4_weeks as {{ column }}_28d,
        {% endfor %}
        {% for column in summed_over_90_days %}
        sum({{ column }}) over last_12_weeks
        + lag({{ column }}_after_monday, 12, 0) over in_order as {{ column }}_90d,
        {% endfor %}
        sum(core_events) over the_4_weeks_before as core_events_28d_before,
        sum(session_microseconds) over last_4_weeks as session_microseconds_28d,
        sum(pages) over last_4_weeks as pages_28d,
        sum(tickets) over last_4_weeks as tickets_28d,
        sum(members_added) over last_4_weeks as team_change_28d,
        bit_or(feature_mask) over last_4_weeks as feature_mask_28d,
        sum(case when active_days > 0 then 1 else 0 end) over last_4_weeks
            as active_weeks_4,
        sum(case when active_days > 0 then 1 else 0 end) over last_12_weeks
            as active_weeks_12,
        sum(core_events) over last_8_weeks as core_events_8w,
        sum(core_events * week_number) over last_8_weeks
            as core_events_by_week_number_8w,
        sum(core_events * core_events) over last_8_weeks as core_events_squared_8w,
        sum(core_events) over last_12_weeks as core_events_12w,
        sum(core_events * week_number) over last_12_weeks
            as core_events_by_week_number_12w
    from weeks_in_order
    window
        in_order as (
            partition by customer_id, history_from_week
            order by calendar_week
        ),
        last_4_weeks as (
            partition by customer_id, history_from_week
            order by calendar_week
            rows between 3 preceding and current row
        ),
        the_4_weeks_before as (
            partition by customer_id, history_from_week
            order by calendar_week
            rows between 7 preceding and 4 preceding
        ),
        last_8_weeks as (
            partition by customer_id, history_from_week
            order by calendar_week
            rows between 7 preceding and current row
        ),
        last_12_weeks as (
            partition by customer_id, history_from_week
            order by calendar_week
            rows between 11 preceding and current row
        )

),

final as (

    select
        customer_id,
        review_week,
        {% for column in ("activities", "core_events", "active_days", "sessions") %}
        {% for days in (7, 28, 90) %}
        cast({{ column }}_{{ days }}d as bigint) as {{ column }}_{{ days }}d,
        {% endfor %}
        {% endfor %}
        cast(coalesce(core_events_28d_before, 0) as bigint) as core_events_28d_before,
        {{ share_of("core_events_28d", "core_events_28d_before") }} - 1
            as usage_change_28d,
        cast(session_microseconds_28d as bigint) as session_microseconds_28d,
        cast(pages_28d as bigint) as pages_28d,
        cast(active_weeks_4 as integer) as active_weeks_4,
        cast(active_weeks_12 as integer) as active_weeks_12,
        cast(bit_count(feature_mask_28d) as integer) as features_used_28d,
        cast(team_change_28d as integer) as team_change_28d,
        cast(tickets_28d as integer) as tickets_28d,
        cast(tickets_90d as integer) as tickets_90d,
        cast(sentiment_sum_90d as decimal(18, 6)) as sentiment_sum_90d,
        cast(sentiments_90d as bigint) as sentiments_90d,
        -- Positions 1 to n along the line: the oldest week is 1, the reviewed one n.
        {% for weeks in (8, 12) %}
        cast(core_events_{{ weeks }}w as bigint) as core_events_{{ weeks }}w,
        cast(
            core_events_by_week_number_{{ weeks }}w
            - (week_number - {{ weeks }}) * core_events_{{ weeks }}w as bigint
        ) as core_events_by_position_{{ weeks }}w,
        {% endfor %}
        cast(core_events_squared_8w as bigint) as core_events_squared_8w
    from windows_summed
    where weeks_until_review = 0

)

select * from final
