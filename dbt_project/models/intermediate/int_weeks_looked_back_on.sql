with

weeks_to_build as (

    select * from {{ source('ops', 'weeks_to_build') }}

),

-- 365 days are 52 weeks and the Sunday before them.
final as (

    select
        weeks_to_build.review_week,
        weeks_to_build.end_date,
        weeks_back.number as weeks_ago,
        {{ add_days("weeks_to_build.review_week", "-7 * weeks_back.number") }}
            as calendar_week
    from weeks_to_build
    cross join {{ numbers_to(52) }} as weeks_back

)

select * from final
