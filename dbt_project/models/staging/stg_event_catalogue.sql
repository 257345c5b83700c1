with

events as (

    select * from {{ ref('events') }}

),

final as (

    select
        event_name,
        category,
        feature,
        activation_step,
        is_activity,
        is_core
    from events

)

select * from final
