with

test_flags as (

    select * from {{ ref('int_test_flags') }}

),

final as (

    select
        customer_id,
        min(known_from_date) as flagged_from_date
    from test_flags
    group by customer_id

)

select * from final
