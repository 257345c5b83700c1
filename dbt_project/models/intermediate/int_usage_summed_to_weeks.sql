{{ config(materialized='ephemeral') }}

with

customer_days as (

    select * from {{ ref('customer_days') }}

),

weeks_to_build as (

    select * from {{ source('ops', 'weeks_to_build') }}

),

newest_week as (

    select
        min(end_date) as first_end_date,
        max(end_date) as last_end_date
    from weeks_to_build

),

days_in_reach as (

    select customer_days.*
    from customer_days
    cross join newest_week
    where
        customer_days.local_date < newest_week.last_end_date
        and customer_days.local_date >= {{ add_days("newest_week.first_end_date", -91) }}

),

-- A day belongs to the windows of its own week and of the weeks after it: 90 days reach 13 further.
days_by_week as (

    select
        weeks_to_build.review_week,
        weeks_to_build.end_date,
        days_in_reach.*,
        {{ days_between("days_in_reach.local_date", "weeks_to_build.end_date") }} as days_since
    from days_in_reach
    cross join {{ numbers_to(13) }} as weeks_later
    inner join weeks_to_build
        on
            weeks_to_build.review_week = {{ add_days(
                monday_of("days_in_reach.local_date"), "7 * weeks_later.number"
            ) }}
            and days_in_reach.known_from_date < weeks_to_build.end_date

),

windows_summed as (

    select
        customer_id,
        review_week,
        {% for days in (7, 28, 90) %}
        cast(coalesce(sum(activities) filter (where days_since <= {{ days }}), 0) as bigint)
            as activities_{{ days }}d,
        cast(coalesce(sum(core_events) filter (where days_since <= {{ days }}), 0) as bigint)
            as core_events_{{ days }}d,
        cast(
            count(distinct local_date) filter (
                where days_since <= {{ days }} and activities > 0
            ) as integer
        ) as active_days_{{ days }}d,
        cast(
            coalesce(sum(sessions_started) filter (where days_since <= {{ days }}), 0) as bigint
        ) as sessions_{{ days }}d,
        {% endfor %}
        cast(
            coalesce(sum(core_events) filter (where days_since between 29 and 56), 0) as bigint
        ) as core_events_28d_before,
        cast(
            coalesce(sum(session_microseconds) filter (where days_since <= 28), 0) as bigint
        ) as session_microseconds_28d,
        cast(coalesce(sum(pages) filter (where days_since <= 28), 0) as bigint) as pages_28d,
        coalesce(bit_or(case when days_since <= 28 then feature_mask end), 0)
            as feature_mask_28d,
        {% for days in (28, 90) %}
        cast(
            coalesce(sum(tickets_opened) filter (where days_since <= {{ days }}), 0) as integer
        ) as tickets_{{ days }}d,
        {% endfor %}
        cast(coalesce(sum(sentiment_sum), 0) as decimal(18, 6)) as sentiment_sum_90d,
        cast(coalesce(sum(sentiments), 0) as bigint) as sentiments_90d,
        cast(
            coalesce(
                sum(members_joined - members_removed) filter (where days_since <= 28), 0
            ) as integer
        ) as team_change_28d
    from days_by_week
    where days_since <= 90
    group by customer_id, review_week

),

session_lengths_by_week as (

    select
        customer_id,
        review_week,
        {{ explode_list(
            "case when days_since <= 7 then session_lengths_in_start_week else session_lengths end"
        ) }} as session_microseconds
    from days_by_week
    where
        days_since <= 28
        and sessions_started > 0

),

session_lengths_summed as (

    select
        customer_id,
        review_week,
        median(session_microseconds) / 60000000 as session_minutes_median_28d
    from session_lengths_by_week
    group by customer_id, review_week

),

weekly_usage as (

    select
        customer_id,
        review_week,
        cast(floor((days_since - 1) / 7) as integer) as weeks_ago,
        sum(core_events) as core_events,
        max(case when activities > 0 then 1 else 0 end) as is_active
    from days_by_week
    where days_since <= 84
    group by customer_id, review_week, cast(floor((days_since - 1) / 7) as integer)

),

-- Sums for the least-squares line through the weekly counts; weeks without a row count as 0.
weekly_usage_summed as (

    select
        customer_id,
        review_week,
        sum(is_active) as active_weeks_12,
        sum(is_active) filter (where weeks_ago < 4) as active_weeks_4,
        coalesce(sum(core_events) filter (where weeks_ago < 8), 0) as core_events_8w,
        coalesce(sum(core_events * (8 - weeks_ago)) filter (where weeks_ago < 8), 0)
            as core_events_by_position_8w,
        coalesce(sum(core_events * core_events) filter (where weeks_ago < 8), 0)
            as core_events_squared_8w,
        sum(core_events) as core_events_12w,
        sum(core_events * (12 - weeks_ago)) as core_events_by_position_12w
    from weekly_usage
    group by customer_id, review_week

),

active_days as (

    select distinct
        customer_id,
        review_week,
        end_date,
        local_date
    from days_by_week
    where
        days_since <= 90
        and activities > 0

),

visit_gaps as (

    select
        customer_id,
        review_week,
        {{ days_between("previous_active_date", "local_date") }} as gap_days
    from (
        select
            *,
            lag(local_date) over (
                partition by customer_id, review_week
                order by local_date
            ) as previous_active_date
        from active_days
    ) as active_days_with_previous
    where previous_active_date is not null

),

visit_gaps_summed as (

    select
        customer_id,
        review_week,
        median(gap_days) as days_between_visits_median_90d,
        count(*) as gaps,
        sum(gap_days) as gap_days_sum,
        sum(gap_days * gap_days) as gap_days_squared_sum
    from visit_gaps
    group by customer_id, review_week

),

members_by_week as (

    select
        customer_id,
        review_week,
        {{ explode_list("active_user_ids") }} as user_id
    from days_by_week
    where days_since <= 28

),

members_counted as (

    select
        customer_id,
        review_week,
        cast(count(distinct user_id) as integer) as active_members_28d
    from members_by_week
    group by customer_id, review_week

),

final as (

    select
        windows_summed.*,
        session_lengths_summed.session_minutes_median_28d,
        cast(coalesce(weekly_usage_summed.active_weeks_12, 0) as integer) as active_weeks_12,
        cast(coalesce(weekly_usage_summed.active_weeks_4, 0) as integer) as active_weeks_4,
        cast(coalesce(weekly_usage_summed.core_events_8w, 0) as bigint) as core_events_8w,
        cast(coalesce(weekly_usage_summed.core_events_by_position_8w, 0) as bigint)
            as core_events_by_position_8w,
        cast(coalesce(weekly_usage_summed.core_events_squared_8w, 0) as bigint)
            as core_events_squared_8w,
        cast(coalesce(weekly_usage_summed.core_events_12w, 0) as bigint) as core_events_12w,
        cast(coalesce(weekly_usage_summed.core_events_by_position_12w, 0) as bigint)
            as core_events_by_position_12w,
        visit_gaps_summed.days_between_visits_median_90d,
        case
            when visit_gaps_summed.gaps >= 2
                then {{ regularity_of_gaps(
                    "visit_gaps_summed.gaps",
                    "visit_gaps_summed.gap_days_sum",
                    "visit_gaps_summed.gap_days_squared_sum"
                ) }}
        end as visit_regularity_90d,
        coalesce(members_counted.active_members_28d, 0) as active_members_28d
    from windows_summed
    left join session_lengths_summed
        on
            windows_summed.customer_id = session_lengths_summed.customer_id
            and windows_summed.review_week = session_lengths_summed.review_week
    left join weekly_usage_summed
        on
            windows_summed.customer_id = weekly_usage_summed.customer_id
            and windows_summed.review_week = weekly_usage_summed.review_week
    left join visit_gaps_summed
        on
            windows_summed.customer_id = visit_gaps_summed.customer_id
            and windows_summed.review_week = visit_gaps_summed.review_week
    left join members_counted
        on
            windows_summed.customer_id = members_counted.customer_id
            and windows_summed.review_week = members_counted.review_week

)

select * from final
