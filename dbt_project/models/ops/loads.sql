with

loads as (

    select * from {{ source('raw', 'loads') }}

)

select * from loads
