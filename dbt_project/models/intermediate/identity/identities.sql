with

ids_of_weeks as (

    select * from {{ ref('int_ids_of_weeks') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

links as (

    select * from {{ ref('identity_links') }}

),

user_merges as (

    select * from {{ ref('user_merges') }}

),

-- A customer's own id.
own_ids as (

    select
        ids_of_weeks.id_type,
        ids_of_weeks.id,
        min(ids_of_weeks.first_seen_at) as known_from_at
    from ids_of_weeks
    inner join run_parameters
        on ids_of_weeks.id_type = run_parameters.customer_kind
    group by ids_of_weeks.id_type, ids_of_weeks.id

),

-- Which customer a user is, where users are the customers: first itself, then whoever
-- it merged into.
users_before_merging as (

    select
        own_ids.id as user_id,
        own_ids.id as customer_id,
        own_ids.known_from_at as customer_from_at,
        user_merges.merged_at as customer_until_at
    from own_ids
    left join user_merges
        on
            own_ids.id = user_merges.user_id
            and user_merges.steps = 1
    where own_ids.id_type = 'user'

),

customers_of_users as (

    select
        user_id,
        customer_id,
        customer_from_at,
        customer_until_at
    from users_before_merging

    union all

    select
        user_merges.user_id,
        user_merges.merged_into as customer_id,
        user_merges.merged_at as customer_from_at,
        user_merges.merged_until_at as customer_until_at
    from user_merges
    cross join run_parameters
    where
        run_parameters.customer_kind = 'user'
        and (
            user_merges.merged_until_at is null
            or user_merges.merged_until_at > user_merges.merged_at
        )

),

-- Ids that merged are one person: what is known of one holds for the others once they
-- have.
members_of_families as (

    select
        user_id,
        merged_into as member_of,
        merged_at
    from user_merges

    union all

    select distinct
        merged_into as user_id,
        merged_into as member_of,
        cast(null as timestamp) as merged_at
    from user_merges

),

relatives as (

    select
        members.user_id,
        others.user_id as relative_id,
        min(
            greatest(
                coalesce(members.merged_at, others.merged_at),
                coalesce(others.merged_at, members.merged_at)
            )
        ) as related_at
    from members_of_families as members
    inner join members_of_families as others
        on
            members.member_of = others.member_of
            and members.user_id <> others.user_id
    group by members.user_id, others.user_id

),

links_of_users as (

    select
        id as user_id,
        owner_id as account_id,
        linked_at as named_at,
        linked_at,
        is_shared
    from links
    where id_type = 'user'

    union all

    select
        relatives.user_id,
        links.owner_id as account_id,
        links.linked_at as named_at,
        greatest(links.linked_at, relatives.related_at) as linked_at,
        links.is_shared
    from relatives
    inner join links
        on
            relatives.relative_id = links.id
            and links.id_type = 'user'

),

-- The account named last counts: what a relative was named with before changes nothing.
links_of_users_compared as (

    select
        *,
        max(named_at) over (
            partition by user_id
            order by linked_at, named_at, account_id
            rows between unbounded preceding and current row
        ) as last_named_at
    from links_of_users

),

links_of_users_in_order as (

    select
        *,
        row_number() over in_order as link_number,
        lead(linked_at) over in_order as applies_until_at
    from links_of_users_compared
    where named_at = last_named_at
    window in_order as (
        partition by user_id
        order by linked_at, named_at, account_id
    )

),

accounts_of_users as (

    select
        user_id,
        account_id,
        linked_at,
        case when link_number > 1 then linked_at end as applies_from_at,
        applies_until_at,
        is_shared
    from links_of_users_in_order

),

-- An anonymous id is whoever its user is.
anonymous_users_of_users as (

    select
        'anonymous' as id_type,
        links.id,
        links.owner_id as user_id,
        customers_of_users.customer_id,
        greatest(links.linked_at, customers_of_users.customer_from_at)
            as known_from_at,
        links.applies_from_at,
        {{ earlier_of(
            "links.applies_until_at", "customers_of_users.customer_until_at"
        ) }} as applies_until_at,
        links.is_shared
    from links
    inner join customers_of_users
        on links.owner_id = customers_of_users.user_id
    cross join run_parameters
    where
        run_parameters.customer_kind = 'user'
        and links.id_type = 'anonymous'
        and (
            customers_of_users.customer_until_at is null
            or links.linked_at < customers_of_users.customer_until_at
        )

),

anonymous_users_of_accounts as (

    select
        'anonymous' as id_type,
        links.id,
        links.owner_id as user_id,
        accounts_of_users.account_id as customer_id,
        greatest(links.linked_at, accounts_of_users.linked_at) as known_from_at,
        {{ later_of("links.applies_from_at", "accounts_of_users.applies_from_at") }}
            as applies_from_at,
        {{ earlier_of("links.applies_until_at", "accounts_of_users.applies_until_at") }}
            as applies_until_at,
        links.is_shared or accounts_of_users.is_shared as is_shared
    from links
    inner join accounts_of_users
        on links.owner_id = accounts_of_users.user_id
    cross join run_parameters
    where
        run_parameters.customer_kind = 'account'
        and links.id_type = 'anonymous'
        and links.owner_type = 'user'

),

ids_linked as (

    select
        'user' as id_type,
        user_id as id,
        user_id,
        customer_id,
        customer_from_at as known_from_at,
        cast(null as timestamp) as applies_from_at,
        customer_until_at as applies_until_at,
        false as is_shared
    from customers_of_users
    where
        user_id <> customer_id
        or customer_until_at is not null

    union all

    select
        'user' as id_type,
        accounts_of_users.user_id as id,
        accounts_of_users.user_id,
        accounts_of_users.account_id as customer_id,
        accounts_of_users.linked_at as known_from_at,
        accounts_of_users.applies_from_at,
        accounts_of_users.applies_until_at,
        accounts_of_users.is_shared
    from accounts_of_users
    cross join run_parameters
    where run_parameters.customer_kind = 'account'

    union all

    select * from anonymous_users_of_users

    union all

    select * from anonymous_users_of_accounts

    union all

    select
        'anonymous' as id_type,
        links.id,
        cast(null as string) as user_id,
        links.owner_id as customer_id,
        links.linked_at as known_from_at,
        links.applies_from_at,
        links.applies_until_at,
        links.is_shared
    from links
    where
        links.id_type = 'anonymous'
        and links.owner_type = 'account'

),

all_ids as (

    select
        id_type,
        id,
        user_id,
        case when not is_shared then customer_id end as customer_id,
        known_from_at,
        applies_from_at,
        applies_until_at,
        is_shared,
        true as is_linked
    from ids_linked
    where
        applies_from_at is null
        or applies_until_at is null
        or applies_from_at < applies_until_at

    union all

    select
        own_ids.id_type,
        own_ids.id,
        case when own_ids.id_type = 'user' then own_ids.id end as user_id,
        own_ids.id as customer_id,
        own_ids.known_from_at,
        cast(null as timestamp) as applies_from_at,
        cast(null as timestamp) as applies_until_at,
        false as is_shared,
        false as is_linked
    from own_ids
    left join user_merges
        on
            own_ids.id_type = 'user'
            and own_ids.id = user_merges.user_id
            and user_merges.steps = 1
    where user_merges.user_id is null

),

final as (

    select
        all_ids.id_type,
        all_ids.id,
        all_ids.customer_id,
        all_ids.user_id,
        all_ids.known_from_at,
        cast(
            {{ local_time("all_ids.known_from_at", "run_parameters.time_zone") }}
            as date
        ) as known_from_date,
        all_ids.applies_from_at,
        all_ids.applies_until_at,
        all_ids.is_shared,
        all_ids.is_linked,
        {{ key_of("all_ids.id_type || ':' || all_ids.id") }} as linking_key
    from all_ids
    cross join run_parameters

)

select * from final
