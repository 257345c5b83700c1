{{ config(materialized='view') }}

with

events as (

    select * from {{ ref('stg_events') }}

),

final as (

    {{ with_customers("events") }}

)

select * from final
