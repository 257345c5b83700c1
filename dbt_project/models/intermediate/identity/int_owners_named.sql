{{
    config(
        materialized='incremental',
        incremental_strategy='replace_touched',
        incremental_predicates=[in_weeks_touched('calendar_week')],
        on_schema_change='fail'
    )
}}

with

events_of_devices_counted as (

    select * from {{ ref('int_events') }}

),

events_of_users_counted as (

    select * from {{ ref('int_events') }}

),

events_of_devices_ordered as (

    select * from {{ ref('int_events') }}

),

events_of_users_ordered as (

    select * from {{ ref('int_events') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

weeks_touched as (

    select * from {{ source('ops', 'weeks_touched') }}

),

aliases as (

    select * from {{ ref('int_aliases') }}

),

owners_of_weeks as (

    select
        calendar_week,
        id_type,
        id,
        owner_type,
        owner_id,
        min(occurred_at) as named_at
    from (
        {{ ids_named('counted') }}
    ) as ids_named
    group by calendar_week, id_type, id, owner_type, owner_id

),

owners_counted as (

    select
        *,
        count(*) over (partition by calendar_week, id_type, id) as owners
    from owners_of_weeks

),

ids_with_several_owners as (

    select distinct
        calendar_week,
        id_type,
        id
    from owners_counted
    where owners > 1

),

namings_in_order as (

    select
        ids_named.*,
        lag(ids_named.owner_type || ':' || ids_named.owner_id) over (
            partition by ids_named.calendar_week, ids_named.id_type, ids_named.id
            order by ids_named.occurred_at, ids_named.owner_type, ids_named.owner_id
        ) as owner_before
    from (
        {{ ids_named('ordered') }}
    ) as ids_named
    inner join ids_with_several_owners
        on
            ids_named.calendar_week = ids_with_several_owners.calendar_week
            and ids_named.id_type = ids_with_several_owners.id_type
            and ids_named.id = ids_with_several_owners.id

),

-- Of a week only the changes: who is named a hundred times is named once.
final as (

    select
        calendar_week,
        id_type,
        id,
        owner_type,
        owner_id,
        named_at
    from owners_counted
    where owners = 1

    union all

    select
        calendar_week,
        id_type,
        id,
        owner_type,
        owner_id,
        occurred_at as named_at
    from namings_in_order
    where
        owner_before is null
        or owner_before <> owner_type || ':' || owner_id

)

select * from final
