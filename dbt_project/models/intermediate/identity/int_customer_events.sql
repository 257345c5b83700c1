{{ config(materialized='view') }}

with

events as (

    select * from {{ ref('stg_events') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

identities as (

    select * from {{ ref('identities') }}

),

bots as (

    select * from {{ ref('bots') }}

),

final as (

    {{ with_customers("events") }}

)

select * from final
