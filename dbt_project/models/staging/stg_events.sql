with

events as (

    select * from {{ source('raw', 'events') }}

),

{{ events_staged() }},

final as (

    select * from events_staged

)

select * from final
