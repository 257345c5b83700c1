with

events as (

    select * from {{ source('raw', 'events') }}

),

{{ events_staged() }}

select * from events_staged
