with

events as (

    select * from {{ ref('int_customer_events') }}

),

final as (

    select
        local_date,
        event_name,
        bool_or(is_listed) as is_listed,
        count(*) as events,
        count(*) filter (where customer_id is null) as unidentified_events
    from events
    group by local_date, event_name

)

select * from final
