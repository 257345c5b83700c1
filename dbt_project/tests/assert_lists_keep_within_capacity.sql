-- No team gets more rows than it can work, and ranks count without a gap.
with

interventions as (

    select * from {{ ref('interventions') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

lists as (

    select
        owner_team,
        count(*) as actions,
        min(rank) as first_rank,
        max(rank) as last_rank
    from interventions
    group by owner_team

)

select
    lists.owner_team,
    lists.actions,
    lists.first_rank,
    lists.last_rank,
    run_parameters.capacity_per_owner_team
from lists
cross join run_parameters
where
    lists.actions > run_parameters.capacity_per_owner_team
    or lists.first_rank <> 1
    or lists.last_rank <> lists.actions
