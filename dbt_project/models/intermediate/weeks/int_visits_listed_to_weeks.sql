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

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

user_merges as (

    select * from {{ ref('user_merges') }}

),

active_days as (

    select
        customer_id,
        history_from_week,
        local_date,
        {{ monday_of("local_date") }} as calendar_week,
        sessions_started,
        session_lengths,
        session_lengths_in_start_week,
        {{ days_between(
            "lag(local_date) over ("
            ~ "partition by customer_id, history_from_week order by local_date)",
            "local_date"
        ) }} as gap_days
    from customer_days
    where
        activities > 0
        and {{ may_lie_in_windows("local_date", 90) }}
        and {{ monday_of("local_date") }} in (
            select weeks_looked_back_on.calendar_week
            from weeks_looked_back_on
            where weeks_looked_back_on.weeks_ago <= 12
        )

),

-- What a window holds lies side by side in these lists, so a median needs only a part
-- of a list.
customers_listed as (

    select
        customer_id,
        history_from_week,
        {{ ordered_list("coalesce(gap_days, 0)", "local_date") }} as gaps,
        {{ flattened_list(ordered_list("session_lengths", "local_date")) }}
            as session_lengths,
        {{ flattened_list(
            ordered_list("session_lengths_in_start_week", "local_date")
        ) }}
            as session_lengths_in_start_week
    from active_days
    group by customer_id, history_from_week

),

weeks_summed as (

    select
        customer_id,
        history_from_week,
        calendar_week,
        count(*) as visits,
        count(*) filter (where local_date > calendar_week) as visits_after_monday,
        sum(sessions_started) as sessions
    from active_days
    group by customer_id, history_from_week, calendar_week

),

{{ weeks_numbered(["visits", "visits_after_monday", "sessions"]) }},

-- 90 days are 12 weeks and Tuesday to Sunday of the week before them.
weeks_counted as (

    select
        customer_id,
        history_from_week,
        calendar_week as review_week,
        is_reviewed,
        sum(visits) over so_far as visits_so_far,
        sum(visits) over last_12_weeks
        + coalesce(sum(visits_after_monday) over the_week_before_12, 0) as visits_90d,
        sum(sessions) over so_far as sessions_so_far,
        sum(sessions) over last_4_weeks as sessions_28d,
        sessions as sessions_7d
    from weeks_numbered
    window
        so_far as (
            partition by customer_id, history_from_week
            order by week_number
            range between unbounded preceding and current row
        ),
        last_4_weeks as (
            partition by customer_id, history_from_week
            order by week_number
            range between 3 preceding and current row
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
        )

),

-- A gap belongs to the visit that ends it and counts where the visit before is in the
-- window too. A session of the reviewed week has the length that it had when the week
-- ended.
weeks_listed as (

    select
        weeks_counted.customer_id,
        weeks_counted.history_from_week,
        weeks_counted.review_week,
        {{ part_of_list(
            "customers_listed.gaps",
            "weeks_counted.visits_so_far - weeks_counted.visits_90d + 2",
            "weeks_counted.visits_so_far"
        ) }} as gaps,
        {{ joined_lists(
            part_of_list(
                "customers_listed.session_lengths",
                "weeks_counted.sessions_so_far - weeks_counted.sessions_28d + 1",
                "weeks_counted.sessions_so_far - weeks_counted.sessions_7d"
            ),
            part_of_list(
                "customers_listed.session_lengths_in_start_week",
                "weeks_counted.sessions_so_far - weeks_counted.sessions_7d + 1",
                "weeks_counted.sessions_so_far"
            )
        ) }} as session_lengths
    from weeks_counted
    inner join customers_listed
        on
            weeks_counted.customer_id = customers_listed.customer_id
            and weeks_counted.history_from_week = customers_listed.history_from_week
    where
        weeks_counted.is_reviewed
        -- Which other weeks are built with this one must not decide who has a row.
        and weeks_counted.visits_90d > 0

),

members_of_days as (

    select
        customer_id,
        history_from_week,
        {{ monday_of("local_date") }} as calendar_week,
        {{ explode_list("active_user_ids") }} as user_id
    from customer_days
    where
        {{ may_lie_in_windows("local_date", 28) }}
        and {{ monday_of("local_date") }} in (
            select weeks_looked_back_on.calendar_week
            from weeks_looked_back_on
            where weeks_looked_back_on.weeks_ago < 4
        )

),

members_of_weeks as (

    select distinct
        customer_id,
        history_from_week,
        calendar_week,
        user_id
    from members_of_days

),

members_by_week as (

    select distinct
        members_of_weeks.customer_id,
        members_of_weeks.history_from_week,
        weeks_looked_back_on.review_week,
        members_of_weeks.user_id
    from members_of_weeks
    inner join weeks_looked_back_on
        on members_of_weeks.calendar_week = weeks_looked_back_on.calendar_week
    where weeks_looked_back_on.weeks_ago < 4

),

-- Somebody with a new user id is one member, once the week knows it.
members_known_by_week as (

    select
        members_by_week.customer_id,
        members_by_week.history_from_week,
        members_by_week.review_week,
        members_by_week.user_id,
        {{ value_at_largest("user_merges.merged_into", ["user_merges.steps"]) }}
            as merged_into
    from members_by_week
    cross join run_parameters
    left join user_merges
        on
            members_by_week.user_id = user_merges.user_id
            and cast(
                {{ local_time("user_merges.merged_at", "run_parameters.time_zone") }}
                as date
            ) < {{ add_days("members_by_week.review_week", 7) }}
    group by
        members_by_week.customer_id,
        members_by_week.history_from_week,
        members_by_week.review_week,
        members_by_week.user_id

),

members_counted as (

    select
        customer_id,
        history_from_week,
        review_week,
        count(distinct coalesce(merged_into, user_id)) as active_members_28d
    from members_known_by_week
    group by customer_id, history_from_week, review_week

),

final as (

    select
        weeks_listed.customer_id,
        weeks_listed.review_week,
        {{ median_of_list("weeks_listed.session_lengths") }} / 60000000
            as session_minutes_median_28d,
        {{ median_of_list("weeks_listed.gaps") }} as days_between_visits_median_90d,
        case
            when {{ length_of_list("weeks_listed.gaps") }} >= 2
                then {{ regularity_of_gaps(
                    length_of_list("weeks_listed.gaps"),
                    sum_of_list("weeks_listed.gaps"),
                    sum_of_squares_of_list("weeks_listed.gaps")
                ) }}
        end as visit_regularity_90d,
        cast(coalesce(members_counted.active_members_28d, 0) as integer)
            as active_members_28d
    from weeks_listed
    left join members_counted
        on
            weeks_listed.customer_id = members_counted.customer_id
            and weeks_listed.history_from_week = members_counted.history_from_week
            and weeks_listed.review_week = members_counted.review_week

)

select * from final
