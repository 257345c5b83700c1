with

events as (

    select * from {{ source('raw', 'events') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

late_events as (

    select
        events.*,
        cast(
            {{ local_time("events.occurred_at", "run_parameters.time_zone") }} as date
        ) as local_date
    from events
    cross join run_parameters
    where events.is_late

),

final as (

    select
        local_date,
        event_name,
        count(*) as late_events,
        cast(sum(revenue) as decimal(18, 4)) as revenue
    from late_events
    group by local_date, event_name

)

select * from final
