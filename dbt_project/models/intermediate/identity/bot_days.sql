{{
    config(
        materialized='incremental',
        incremental_strategy='replace_touched',
        incremental_predicates=[on_days_touched('local_date')],
        on_schema_change='fail'
    )
}}

with

events as (

    select * from {{ ref('int_events') }}

),

weeks_touched as (

    select * from {{ source('ops', 'weeks_touched') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

hours_of_actors as (

    select
        actor_key,
        min(actor_id) as actor_id,
        local_date,
        {{ hour_of("occurred_local_at") }} as hour_local,
        count(*) as activities,
        {{ microseconds_between("min(occurred_at)", "max(occurred_at)") }}
            as microseconds
    from events
    where
        is_activity
        and actor_key is not null
        and {{ is_touched("calendar_week") }}
    group by actor_key, local_date, {{ hour_of("occurred_local_at") }}

),

-- Nobody reads a page every few seconds for a hundred pages. Only such days: a customer
-- whose account was abused for a day is a customer on the others.
final as (

    select
        hours_of_actors.actor_key,
        min(hours_of_actors.actor_id) as actor_id,
        hours_of_actors.local_date,
        cast(max(hours_of_actors.activities) as bigint) as activities_in_an_hour
    from hours_of_actors
    inner join run_parameters
        on
            hours_of_actors.activities >= run_parameters.bot_activities_per_hour
            and hours_of_actors.microseconds
            <= run_parameters.bot_seconds_between_activities
            * 1000000 * (hours_of_actors.activities - 1)
    group by hours_of_actors.actor_key, hours_of_actors.local_date

)

select * from final
