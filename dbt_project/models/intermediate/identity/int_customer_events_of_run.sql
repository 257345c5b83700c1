{{ config(materialized='view') }}

with

events as (

    select * from {{ ref('int_events') }}

),

events_of_other_weeks as (

    select * from {{ ref('int_events') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

identities as (

    select * from {{ ref('identities') }}

),

bot_days as (

    select * from {{ ref('bot_days') }}

),

weeks_touched as (

    select * from {{ source('ops', 'weeks_touched') }}

),

weeks_relinked as (

    select * from {{ ref('int_weeks_relinked') }}

),

pairs as (

    select distinct
        customer_id,
        calendar_week
    from weeks_relinked

),

{{ customer_events_in_scope() }}

select * from final
