with

rejected_events as (

    select * from {{ source('raw', 'rejected_events') }}

),

loads as (

    select * from {{ source('raw', 'loads') }}

),

final as (

    select
        cast(loads.loaded_at as date) as loaded_date,
        loads.source,
        rejected_events.reason,
        count(*) as rejected_rows
    from rejected_events
    inner join loads
        on rejected_events.load_id = loads.load_id
    group by cast(loads.loaded_at as date), loads.source, rejected_events.reason

)

select * from final
