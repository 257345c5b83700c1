with

histories_of_run as (

    select * from {{ ref('int_histories_of_run') }}

),

weeks_to_build as (

    select * from {{ source('ops', 'weeks_to_build') }}

),

final as (

    select
        histories_of_run.customer_id,
        histories_of_run.history_from_week,
        weeks_to_build.review_week
    from histories_of_run
    inner join weeks_to_build
        on
            histories_of_run.first_week <= weeks_to_build.review_week
            and histories_of_run.history_from_week <= weeks_to_build.review_week
            and (
                histories_of_run.history_until_week is null
                or histories_of_run.history_until_week > weeks_to_build.review_week
            )

)

select * from final
