with

owners_named as (

    select * from {{ ref('int_owners_named') }}

),

ids_of_weeks as (

    select * from {{ ref('int_ids_of_weeks') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

devices as (

    select distinct id
    from ids_of_weeks
    where id_type = 'anonymous'

),

-- An alias may speak of a user's id as well as of that of a device.
ids_named as (

    select
        owners_named.id_type,
        owners_named.id,
        owners_named.owner_type,
        owners_named.owner_id,
        owners_named.named_at
    from owners_named
    where
        owners_named.id_type = 'user'
        or owners_named.id in (select devices.id from devices)

),

-- Nearly all ids have one owner for good: only of the others the order matters.
ids_counted as (

    select
        id_type,
        id,
        min(owner_type) as owner_type,
        min(owner_id) as owner_id,
        min(named_at) as first_named_at,
        min(owner_type) < max(owner_type) or min(owner_id) < max(owner_id)
            as has_several_owners
    from ids_named
    group by id_type, id

),

namings_of_several_owners as (

    select ids_named.*
    from ids_named
    inner join ids_counted
        on
            ids_named.id_type = ids_counted.id_type
            and ids_named.id = ids_counted.id
    where ids_counted.has_several_owners

),

owners as (

    select
        id_type,
        id,
        owner_type,
        owner_id,
        min(named_at) as first_named_at
    from namings_of_several_owners
    group by id_type, id, owner_type, owner_id

),

owners_numbered as (

    select
        *,
        row_number() over (
            partition by id_type, id
            order by first_named_at asc, owner_type desc, owner_id asc
        ) as owner_number
    from owners

),

namings_in_order as (

    select
        *,
        lag(owner_type || ':' || owner_id) over (
            partition by id_type, id
            order by named_at, owner_type, owner_id
        ) as owner_before
    from namings_of_several_owners

),

changes_of_owner as (

    select
        id_type,
        id,
        owner_type,
        owner_id,
        named_at as linked_at
    from namings_in_order
    where
        owner_before is null
        or owner_before <> owner_type || ':' || owner_id

),

links_of_several_owners as (

    select
        changes_of_owner.id_type,
        changes_of_owner.id,
        changes_of_owner.owner_type,
        changes_of_owner.owner_id,
        changes_of_owner.linked_at,
        lead(changes_of_owner.linked_at) over in_order as linked_until_at,
        row_number() over in_order as link_number,
        max(owners_numbered.owner_number) over (
            partition by changes_of_owner.id_type, changes_of_owner.id
            order by
                changes_of_owner.linked_at,
                changes_of_owner.owner_type,
                changes_of_owner.owner_id
            rows between unbounded preceding and current row
        ) as owners_so_far
    from changes_of_owner
    inner join owners_numbered
        on
            changes_of_owner.id_type = owners_numbered.id_type
            and changes_of_owner.id = owners_numbered.id
            and changes_of_owner.owner_type = owners_numbered.owner_type
            and changes_of_owner.owner_id = owners_numbered.owner_id
    window in_order as (
        partition by changes_of_owner.id_type, changes_of_owner.id
        order by
            changes_of_owner.linked_at,
            changes_of_owner.owner_type,
            changes_of_owner.owner_id
    )

),

links as (

    select
        id_type,
        id,
        owner_type,
        owner_id,
        linked_at,
        linked_until_at,
        link_number,
        owners_so_far
    from links_of_several_owners

    union all

    select
        id_type,
        id,
        owner_type,
        owner_id,
        first_named_at as linked_at,
        cast(null as timestamp) as linked_until_at,
        1 as link_number,
        1 as owners_so_far
    from ids_counted
    where not has_several_owners

),

-- What an id did before its first link is that of its first owner. An id that more own
-- than the settings allow belongs to nobody from then on.
final as (

    select
        links.id_type,
        links.id,
        links.owner_type,
        links.owner_id,
        links.linked_at,
        case when links.link_number > 1 then links.linked_at end as applies_from_at,
        links.linked_until_at as applies_until_at,
        cast(links.owners_so_far as integer) as owners_so_far,
        links.owners_so_far > run_parameters.owners_per_id_at_most as is_shared
    from links
    cross join run_parameters

)

select * from final
