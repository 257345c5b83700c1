{{ config(materialized='ephemeral') }}

select
    cast(null as string) as customer_id,
    cast(null as date) as ended_date
where 1 = 0
