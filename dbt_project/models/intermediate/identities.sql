with

events as (

    select * from {{ ref('int_customer_events') }}

),

identified_events as (

    select * from events
    where customer_id is not null

),

ids_seen_with_a_customer as (

    select
        'account' as id_type,
        account_id as id,
        customer_id,
        local_date
    from identified_events
    where account_id is not null

    union all

    select
        'user' as id_type,
        user_id as id,
        customer_id,
        local_date
    from identified_events
    where user_id is not null

    union all

    select
        'anonymous' as id_type,
        anonymous_id as id,
        customer_id,
        local_date
    from identified_events
    where anonymous_id is not null

),

final as (

    select
        id_type,
        id,
        customer_id,
        min(local_date) as known_from_date
    from ids_seen_with_a_customer
    group by id_type, id, customer_id

)

select * from final
