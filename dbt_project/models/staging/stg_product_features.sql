with

event_catalogue as (

    select * from {{ ref('stg_event_catalogue') }}

),

features_on_offer as (

    select distinct feature
    from event_catalogue
    where feature is not null

),

final as (

    select
        feature,
        cast(row_number() over (order by feature) - 1 as integer) as feature_number
    from features_on_offer

)

select * from final
