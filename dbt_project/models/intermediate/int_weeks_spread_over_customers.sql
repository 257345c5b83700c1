{{ config(materialized='ephemeral') }}

with

histories_of_run as (

    select * from {{ ref('int_histories_of_run') }}

),

weeks_looked_back_on as (

    select * from {{ ref('int_weeks_looked_back_on') }}

),

calendar_weeks as (

    select
        calendar_week,
        min(weeks_ago) as weeks_until_review
    from weeks_looked_back_on
    group by calendar_week

),

-- A week before a history begins is only looked back on: its own review saw the history
-- before.
final as (

    select
        histories_of_run.customer_id,
        histories_of_run.history_from_week,
        calendar_weeks.calendar_week,
        case
            when calendar_weeks.calendar_week < histories_of_run.history_from_week
                then greatest(calendar_weeks.weeks_until_review, 1)
            else calendar_weeks.weeks_until_review
        end as weeks_until_review
    from histories_of_run
    inner join calendar_weeks
        on
            histories_of_run.first_week <= calendar_weeks.calendar_week
            and (
                histories_of_run.history_until_week is null
                or histories_of_run.history_until_week > calendar_weeks.calendar_week
            )

)

select * from final
