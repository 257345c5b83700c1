with

events as (

    select * from {{ ref('int_events') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

identities as (

    select * from {{ ref('identities') }}

),

identities_applied as (

    select * from {{ source('ops', 'identities_applied') }}

),

weeks_touched as (

    select * from {{ source('ops', 'weeks_touched') }}

),

weeks_in_doubt as (

    select * from {{ source('ops', 'weeks_in_doubt') }}

),

links_of_today as (

    select
        linking_key,
        id_type,
        id,
        customer_id,
        user_id,
        known_from_at,
        applies_from_at,
        applies_until_at
    from identities
    where
        is_linked
        and not is_shared

),

links_changed as (

    (
        select * from links_of_today
        except
        select * from identities_applied
    )

    union

    (
        select * from identities_applied
        except
        select * from links_of_today
    )

),

keys_changed as (

    select distinct linking_key
    from links_changed

),

-- Who gained and who lost: all customers that the id was or is.
customers_concerned as (

    select
        linking_key,
        customer_id
    from links_of_today
    where linking_key in (select keys_changed.linking_key from keys_changed)

    union

    select
        linking_key,
        customer_id
    from identities_applied
    where linking_key in (select keys_changed.linking_key from keys_changed)

    union

    select
        links_changed.linking_key,
        links_changed.id as customer_id
    from links_changed
    inner join run_parameters
        on links_changed.id_type = run_parameters.customer_kind

),

acts_of_ids as (

    select distinct
        attribution_key,
        actor_key,
        calendar_week
    from events
    where attribution_key in (select keys_changed.linking_key from keys_changed)

),

final as (

    select distinct
        acts_of_ids.actor_key,
        customers_concerned.customer_id,
        acts_of_ids.calendar_week
    from acts_of_ids
    inner join customers_concerned
        on acts_of_ids.attribution_key = customers_concerned.linking_key
    where
        acts_of_ids.calendar_week not in (
            select weeks_touched.calendar_week from weeks_touched
        )

    union

    select
        actor_key,
        customer_id,
        calendar_week
    from weeks_in_doubt
    where calendar_week not in (select weeks_touched.calendar_week from weeks_touched)

)

select * from final
