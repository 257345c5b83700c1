with

events as (

    select * from {{ ref('stg_events') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

activities as (

    select
        actor_id,
        event_id,
        customer_id,
        user_id,
        channel,
        page_path,
        event_name = 'page_viewed' as is_page,
        is_core,
        feature_number,
        occurred_at,
        local_date,
        lag(occurred_at) over (
            partition by actor_id
            order by occurred_at, event_id
        ) as previous_occurred_at
    from events
    where
        is_activity
        and actor_id is not null

),

activities_with_gaps as (

    select
        activities.*,
        {{ microseconds_between("activities.previous_occurred_at", "activities.occurred_at") }}
            as gap_microseconds,
        run_parameters.session_timeout_microseconds as timeout_microseconds,
        run_parameters.session_cap_microseconds as cap_microseconds
    from activities
    cross join run_parameters

),

-- A burst ends after a gap longer than the timeout; a gap of exactly the timeout does not end it.
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
            partition by actor_id
            order by occurred_at, event_id
            rows between unbounded preceding and current row
        ) as burst_started_at
    from activities_with_gaps

),

-- A session is a burst, divided at each full length of the cap after the burst's first event.
activities_in_sessions as (

    select
        *,
        cast(
            floor(
                {{ microseconds_between("burst_started_at", "occurred_at") }}
                / cap_microseconds
            ) as bigint
        ) as division,
        case
            when previous_occurred_at is null then -1
            when gap_microseconds > timeout_microseconds then -1
            else cast(
                floor(
                    {{ microseconds_between("burst_started_at", "previous_occurred_at") }}
                    / cap_microseconds
                ) as bigint
            )
        end as previous_division
    from activities_in_bursts

),

final as (

    select
        actor_id,
        burst_started_at,
        division,
        customer_id,
        local_date,

        {{ value_at_smallest("page_path", ["occurred_at", "event_id"]) }} as entry_page,
        {{ value_at_largest("page_path", ["occurred_at", "event_id"]) }} as exit_page,
        {{ value_at_smallest("channel", ["occurred_at", "event_id"]) }} as channel,
        {{ distinct_list("user_id") }} as user_ids,

        count(*) as activities,
        count(*) filter (where is_core) as core_events,
        count(*) filter (where is_page) as pages,
        -- Time belongs to the day of the event that ends the gap: what came later cannot change it.
        coalesce(
            sum(gap_microseconds) filter (where division = previous_division), 0
        ) as session_microseconds,
        coalesce(bit_or({{ bit_at("feature_number") }}), 0) as feature_mask,

        min(occurred_at) as first_activity_at,
        max(occurred_at) as last_activity_at
    from activities_in_sessions
    group by actor_id, burst_started_at, division, customer_id, local_date

)

select * from final
