with recursive

ids_of_weeks as (

    select * from {{ ref('int_ids_of_weeks') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

aliases as (

    select * from {{ ref('int_aliases') }}

),

-- The id before may be that of a device, which merges with nobody; a user can be merged
-- once there is one.
users as (

    select
        id,
        min(first_seen_at) as first_seen_at
    from ids_of_weeks
    where id_type = 'user'
    group by id

),

claims as (

    select
        aliases.previous_id as user_id,
        aliases.user_id as merged_into,
        greatest(min(aliases.occurred_at), min(users.first_seen_at)) as merged_at
    from aliases
    inner join users
        on aliases.previous_id = users.id
    group by aliases.previous_id, aliases.user_id

),

claims_numbered as (

    select
        *,
        row_number() over (
            partition by user_id
            order by merged_at, merged_into
        ) as claim_number
    from claims
    where user_id <> merged_into

),

-- An id merges once, into the customer that claimed it first; who claims without end is
-- no person.
first_claims as (

    select
        *,
        row_number() over (
            partition by merged_into
            order by merged_at, user_id
        ) as place
    from claims_numbered
    where claim_number = 1

),

edges as (

    select
        first_claims.user_id,
        first_claims.merged_into,
        first_claims.merged_at
    from first_claims
    inner join run_parameters
        on first_claims.place <= run_parameters.ids_merged_per_customer_at_most

),

paths as (

    select
        user_id,
        merged_into
    from edges

    union

    select
        paths.user_id,
        edges.merged_into
    from paths
    inner join edges
        on paths.merged_into = edges.user_id

),

users_in_circles as (

    select user_id
    from paths
    where user_id = merged_into

),

circles as (

    select
        paths.user_id,
        min(paths.merged_into) as circle
    from paths
    inner join users_in_circles
        on paths.user_id = users_in_circles.user_id
    group by paths.user_id

),

edges_of_circles as (

    select
        edges.user_id,
        row_number() over (
            partition by circles.circle
            order by edges.merged_at desc, edges.user_id desc
        ) as place
    from edges
    inner join circles
        on edges.user_id = circles.user_id

),

-- The claim that closes a circle would make everybody somebody else.
closing_edges as (

    select user_id
    from edges_of_circles
    where place = 1

),

final as (

    select
        claims.user_id,
        claims.merged_into,
        claims.merged_at,
        case
            when claims.user_id = claims.merged_into then 'itself'
            when claims_numbered.claim_number > 1 then 'claimed_before'
            when edges.user_id is null then 'too_many'
            when closing_edges.user_id is not null then 'circle'
            else 'merged'
        end as outcome
    from claims
    left join claims_numbered
        on
            claims.user_id = claims_numbered.user_id
            and claims.merged_into = claims_numbered.merged_into
    left join edges
        on
            claims.user_id = edges.user_id
            and claims.merged_into = edges.merged_into
    left join closing_edges
        on claims.user_id = closing_edges.user_id

)

select * from final
