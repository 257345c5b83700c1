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

pairs as (

    select * from {{ ref('int_customer_weeks_of_run') }}

),

{{ customer_events_in_scope() }}

select * from final
