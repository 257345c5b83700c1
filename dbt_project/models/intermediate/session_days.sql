with

events as (

    select * from {{ ref('stg_events') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

identities as (

    select * from {{ ref('identities') }}

),

bot_days as (

    select * from {{ ref('bot_days') }}

),

activities as (

    select
        actor_id,
        source_session_id,
        linking_id,
        event_id,
        user_id,
        anonymous_id,
        account_id,
        channel,
        page_path,
        event_name = 'page_viewed' as is_page,
        is_core,
        occurred_at,
        local_date,
        lag(occurred_at) over in_order as previous_occurred_at,
        lead(occurred_at) over in_order as next_occurred_at
    from events
    where
        is_activity
        and actor_id is not null
    window in_order as (
        partition by actor_id, source_session_id
        order by occurred_at, event_id
    )

),

activities_with_gaps as (

    select
        activities.*,
        case
            when activities.source_session_id is null
                then run_parameters.session_timeout_microseconds
            else run_parameters.session_cap_microseconds
        end as timeout_microseconds,
        run_parameters.session_cap_microseconds as cap_microseconds,
        {{ microseconds_between(
            "activities.previous_occurred_at", "activities.occurred_at"
        ) }}
            as gap_microseconds,
        {{ microseconds_between(
            "activities.occurred_at", "activities.next_occurred_at"
        ) }}
            as next_gap_microseconds
    from activities
    cross join run_parameters

),

-- A burst ends after a gap longer than the timeout; a gap of exactly the timeout does
-- not end it. Where the source says which session it was, only the cap ends it.
activities_in_bursts as (

    select
        *,
        max(
            case
                when
                    previous_occurred_at is null
                    or gap_microseconds > timeout_microseconds
                    then occurred_at
            end
        ) over (
            partition by actor_id, source_session_id
            order by occurred_at, event_id
            rows between unbounded preceding and current row
        ) as burst_started_at
    from activities_with_gaps

),

-- A session is a burst, divided at each full length of the cap after the burst's first
-- event.
activities_in_divisions as (

    select
        *,
        {{ full_lengths(
            microseconds_between("burst_started_at", "occurred_at"), "cap_microseconds"
        ) }} as division,
        case
            when gap_microseconds <= timeout_microseconds
                then {{ full_lengths(
                    microseconds_between("burst_started_at", "previous_occurred_at"),
                    "cap_microseconds"
                ) }}
        end as previous_division,
        case
            when next_gap_microseconds <= timeout_microseconds
                then {{ full_lengths(
                    microseconds_between("burst_started_at", "next_occurred_at"),
                    "cap_microseconds"
                ) }}
        end as next_division
    from activities_in_bursts

),

activities_in_sessions as (

    select
        *,
        coalesce(previous_division, -1) <> division as starts_session,
        coalesce(next_division, -1) <> division as ends_session
    from activities_in_divisions

),

activities_with_customers as (

    {{ with_customers("activities_in_sessions") }}

),

activities_of_actors as (

    select
        *,
        case when not is_bot then customer_id end as session_customer_id
    from activities_with_customers

),

final as (

    select
        actor_id,
        source_session_id,
        burst_started_at,
        division,
        session_customer_id as customer_id,
        local_date,
        known_from_date,
        is_bot,

        max(page_path) filter (where starts_session) as entry_page,
        max(page_path) filter (where ends_session) as exit_page,
        max(channel) filter (where starts_session) as channel,

        count(*) as activities,
        count(*) filter (where is_core) as core_events,
        count(*) filter (where is_page) as pages,
        -- Time belongs to the day of the event that ends the gap: what came later
        -- cannot change it.
        cast(
            coalesce(sum(gap_microseconds) filter (where not starts_session), 0)
            as bigint
        ) as session_microseconds,

        min(occurred_at) as first_activity_at,
        max(occurred_at) as last_activity_at
    from activities_of_actors
    group by
        actor_id,
        source_session_id,
        burst_started_at,
        division,
        session_customer_id,
        local_date,
        known_from_date,
        is_bot

)

select * from final
