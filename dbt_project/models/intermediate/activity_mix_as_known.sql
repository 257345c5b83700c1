{{ config(materialized='view') }}

with

activity_mix as (

    select * from {{ ref('activity_mix') }}

),

histories_of_run as (

    select * from {{ ref('int_histories_of_run') }}

),

-- Occurrences add up, so what became known at different times stays in several rows.
final as (

    select
        activity_mix.*,
        histories_of_run.history_from_week
    from activity_mix
    inner join histories_of_run
        on
            activity_mix.customer_id = histories_of_run.customer_id
            and {{ is_known_in(
                "histories_of_run",
                "activity_mix.calendar_week",
                "activity_mix.known_from_week"
            ) }}

)

select * from final
