with

events as (

    select * from {{ source('raw', 'events') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

event_catalogue as (

    select * from {{ ref('stg_event_catalogue') }}

),

product_features as (

    select * from {{ ref('stg_product_features') }}

),

-- Events that came after the lateness limit stay in raw and are counted in
-- ops.late_events_daily.
events_in_time as (

    select * from events
    where not is_late

),

events_described as (

    select
        events_in_time.event_id,
        events_in_time.user_id,
        events_in_time.anonymous_id,
        events_in_time.account_id,
        coalesce(
            'anonymous:' || events_in_time.anonymous_id,
            'user:' || events_in_time.user_id,
            'account:' || events_in_time.account_id
        ) as actor_id,

        events_in_time.event_type,
        events_in_time.event_name,
        event_catalogue.category,
        events_in_time.channel,
        events_in_time.platform,
        events_in_time.page_path,
        events_in_time.properties,

        events_in_time.revenue,
        product_features.feature_number,
        event_catalogue.activation_step,

        event_catalogue.event_name is not null as is_listed,
        coalesce(event_catalogue.is_activity, false) as is_activity,
        coalesce(event_catalogue.is_core, false) as is_core,

        events_in_time.occurred_at,
        {{ local_time("events_in_time.occurred_at", "run_parameters.time_zone") }}
            as occurred_local_at
    from events_in_time
    cross join run_parameters
    left join event_catalogue
        on events_in_time.event_name = event_catalogue.event_name
    left join product_features
        on event_catalogue.feature = product_features.feature

),

final as (

    select
        *,
        cast(occurred_local_at as date) as local_date
    from events_described

)

select * from final
