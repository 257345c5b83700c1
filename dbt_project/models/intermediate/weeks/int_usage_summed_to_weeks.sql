{% set counted_over_28_days = (
    "content_views", "help_views", "pricing_views", "comparison_searches", "invites",
    "shares", "comments", "errors"
) %}
{% set summed = (
    "activities", "core_events", "active_days", "sessions", "session_microseconds",
    "pages", "tickets", "sentiment_sum", "sentiments", "csat_sum", "csat_answers",
    "members_added"
) + counted_over_28_days %}
{% set summed_over_90_days = (
    "activities", "core_events", "active_days", "sessions", "tickets", "sentiment_sum",
    "sentiments", "csat_sum", "csat_answers"
) %}
{% set weekdays = (1, 2, 3, 4, 5, 6, 7) %}
{% set counted_by_week = ["feature_mask", "feature_mask_after_monday"] %}
{% do counted_by_week.extend(summed) %}
{% for column in summed_over_90_days %}
{% do counted_by_week.append(column ~ "_after_monday") %}
{% endfor %}
{% for weekday in weekdays %}
{% do counted_by_week.append("activities_on_weekday_" ~ weekday) %}
{% endfor %}

with

customer_days as (

    select * from {{ ref('customer_days_as_known') }}

),

weeks_looked_back_on as (

    select * from {{ ref('int_weeks_looked_back_on') }}

),

customers_reviewed as (

    select * from {{ ref('int_customers_reviewed') }}

),

days_in_reach as (

    select
        customer_days.customer_id,
        customer_days.history_from_week,
        customer_days.local_date,
        {{ monday_of("customer_days.local_date") }} as calendar_week,
        {{ weekday_of("customer_days.local_date") }} as weekday,
        customer_days.activities,
        customer_days.core_events,
        case when customer_days.activities > 0 then 1 else 0 end as active_days,
        customer_days.sessions_started as sessions,
        customer_days.session_microseconds,
        customer_days.pages,
        customer_days.tickets_opened as tickets,
        customer_days.sentiment_sum,
        customer_days.sentiments,
        customer_days.csat_sum,
        customer_days.csat_answers,
        customer_days.content_views,
        customer_days.help_views,
        customer_days.pricing_views,
        customer_days.comparison_searches,
        customer_days.members_invited as invites,
        customer_days.shares,
        customer_days.comments,
        customer_days.errors,
        customer_days.members_joined - customer_days.members_removed as members_added,
        customer_days.feature_mask
    from customer_days
    where
        {{ may_lie_in_windows("customer_days.local_date", 90) }}
        and {{ monday_of("customer_days.local_date") }} in (
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
        {% for weekday in weekdays %}
        sum(case when weekday = {{ weekday }} then activities end)
            as activities_on_weekday_{{ weekday }},
        {% endfor %}
        bit_or(feature_mask) as feature_mask,
        bit_or(case when local_date > calendar_week then feature_mask end)
            as feature_mask_after_monday
    from days_in_reach
    group by customer_id, history_from_week, calendar_week

),

{{ weeks_numbered(counted_by_week) }},

-- 7 and 28 days are whole weeks; 90 days are 12 weeks and Tuesday to Sunday of the week
-- before them.
windows_summed as (

    select
        customer_id,
        history_from_week,
        calendar_week as review_week,
        is_reviewed,
        week_number,
        {% for column in ("activities", "core_events", "active_days", "sessions") %}
        {{ column }} as {{ column }}_7d,
        sum({{ column }}) over last_4_weeks as {{ column }}_28d,
        {% endfor %}
        {% for column in summed_over_90_days %}
        sum({{ column }}) over last_12_weeks
        + coalesce(sum({{ column }}_after_monday) over the_week_before_12, 0)
            as {{ column }}_90d,
        {% endfor %}
        coalesce(sum(core_events) over the_4_weeks_before, 0)
            as core_events_28d_before,
        sum(session_microseconds) over last_4_weeks as session_microseconds_28d,
        sum(pages) over last_4_weeks as pages_28d,
        sum(tickets) over last_4_weeks as tickets_28d,
        coalesce(sum(tickets) over the_4_weeks_before, 0)
            as tickets_28d_before,
        {% for column in counted_over_28_days %}
        sum({{ column }}) over last_4_weeks as {{ column }}_28d,
        {% endfor %}
        -- Of the oldest of the 13 weeks only its Monday lies before the 90 days.
        sum(activities_on_weekday_1) over last_12_weeks as activities_on_weekday_1_90d,
        {% for weekday in weekdays[1:] %}
        sum(activities_on_weekday_{{ weekday }}) over last_13_weeks
            as activities_on_weekday_{{ weekday }}_90d,
        {% endfor %}
        sum(members_added) over last_4_weeks as team_change_28d,
        feature_mask as feature_mask_7d,
        bit_or(feature_mask) over last_4_weeks as feature_mask_28d,
        coalesce(bit_or(feature_mask) over the_4_weeks_before, 0)
            as feature_mask_28d_before,
        {{ bits_of_either(
            "bit_or(feature_mask) over last_12_weeks",
            "coalesce(bit_or(feature_mask_after_monday) over the_week_before_12, 0)"
        ) }} as feature_mask_90d,
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
    from weeks_numbered
    window
        last_4_weeks as (
            partition by customer_id, history_from_week
            order by week_number
            range between 3 preceding and current row
        ),
        the_4_weeks_before as (
            partition by customer_id, history_from_week
            order by week_number
            range between 7 preceding and 4 preceding
        ),
        last_8_weeks as (
            partition by customer_id, history_from_week
            order by week_number
            range between 7 preceding and current row
        ),
        last_12_weeks as (
            partition by customer_id, history_from_week
            order by week_number
            range between 11 preceding and current row
        ),
        the_week_before_12 as (
            partition by customer_id, history_from_week
            order by week_number
            range between 12 preceding and 12 preceding
        ),
        last_13_weeks as (
            partition by customer_id, history_from_week
            order by week_number
            range between 12 preceding and current row
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
        cast(core_events_28d_before as bigint) as core_events_28d_before,
        {{ share_of("core_events_28d", "core_events_28d_before") }} - 1
            as usage_change_28d,
        cast(session_microseconds_28d as bigint) as session_microseconds_28d,
        cast(pages_28d as bigint) as pages_28d,
        cast(active_weeks_4 as integer) as active_weeks_4,
        cast(active_weeks_12 as integer) as active_weeks_12,
        {{ share_of(
            "activities_on_weekday_6_90d + activities_on_weekday_7_90d",
            "activities_90d"
        ) }} as weekend_share_90d,
        -- The first weekday with the largest count.
        case
            when activities_90d = 0 then null
            {% for weekday in weekdays %}
            when
                activities_on_weekday_{{ weekday }}_90d = greatest(
                    {% for other in weekdays %}
                    activities_on_weekday_{{ other }}_90d{{ "," if not loop.last }}
                    {% endfor %}
                )
                then {{ weekday }}
            {% endfor %}
        end as best_weekday,
        cast(bit_count(feature_mask_7d) as integer) as features_used_7d,
        cast(bit_count(feature_mask_28d) as integer) as features_used_28d,
        cast(bit_count(feature_mask_28d_before) as integer) as features_used_28d_before,
        cast(bit_count(feature_mask_90d) as integer) as features_used_90d,
        {% for column in counted_over_28_days %}
        cast({{ column }}_28d as bigint) as {{ column }}_28d,
        {% endfor %}
        cast(team_change_28d as integer) as team_change_28d,
        cast(tickets_28d as integer) as tickets_28d,
        cast(tickets_90d as integer) as tickets_90d,
        {{ share_of("tickets_28d", "tickets_28d_before") }} - 1 as tickets_change_28d,
        cast(sentiment_sum_90d as decimal(18, 6)) as sentiment_sum_90d,
        cast(sentiments_90d as bigint) as sentiments_90d,
        cast(csat_sum_90d as decimal(18, 6)) as csat_sum_90d,
        cast(csat_answers_90d as bigint) as csat_answers_90d,
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
    where is_reviewed

)

select * from final
