with recursive

claims as (

    select * from {{ ref('user_merge_claims') }}

),

merges as (

    select
        user_id,
        merged_into,
        merged_at
    from claims
    where outcome = 'merged'

),

-- Along a chain an id reaches a customer when the last of the links on the way is made.
paths as (

    select
        user_id,
        merged_into,
        merged_at,
        1 as steps
    from merges

    union all

    select
        paths.user_id,
        merges.merged_into,
        greatest(paths.merged_at, merges.merged_at) as merged_at,
        paths.steps + 1 as steps
    from paths
    inner join merges
        on paths.merged_into = merges.user_id

),

final as (

    select
        user_id,
        merged_into,
        merged_at,
        lead(merged_at) over (
            partition by user_id
            order by steps
        ) as merged_until_at,
        cast(steps as integer) as steps
    from paths

)

select * from final
