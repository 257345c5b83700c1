with

loads as (

    select * from {{ source('raw', 'loads') }}

),

final as (

    select
        load_id,

        source,
        file_name,
        sha256,

        bytes,
        rows_read,
        rows_duplicate,
        rows_rejected,
        rows_grouped,
        events_loaded,
        events_late,
        seconds,

        loaded_at
    from loads

)

select * from final
