{{ config(alias='identity_exceptions') }}

with

identity_exceptions as (

    select * from {{ ref('identity_exceptions') }}

),

final as (

    select * from identity_exceptions

)

select * from final
