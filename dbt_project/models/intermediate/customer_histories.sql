with

customer_days as (

    select * from {{ ref('customer_days') }}

),

customers_ended as (

    select * from {{ ref('int_customers_ended') }}

),

weeks_of_days as (

    select
        customer_id,
        {{ monday_of("local_date") }} as calendar_week,
        {{ monday_of("known_from_date") }} as known_week
    from customer_days

),

-- A week in which something of an earlier week became known begins another history of
-- the customer; so does its first week.
weeks_of_change as (

    select
        customer_id,
        min(known_week) as history_from_week
    from weeks_of_days
    group by customer_id

    union

    select
        customer_id,
        known_week as history_from_week
    from weeks_of_days
    where known_week > calendar_week

),

customers_summed as (

    select
        customer_id,
        min(calendar_week) as first_week
    from weeks_of_days
    group by customer_id

),

histories as (

    select
        weeks_of_change.customer_id,
        weeks_of_change.history_from_week,
        lead(weeks_of_change.history_from_week) over (
            partition by weeks_of_change.customer_id
            order by weeks_of_change.history_from_week
        ) as next_history_from_week
    from weeks_of_change

),

final as (

    select
        histories.customer_id,
        histories.history_from_week,
        {{ earlier_of(
            "histories.next_history_from_week",
            monday_of("customers_ended.ended_date")
        ) }} as history_until_week,
        customers_summed.first_week
    from histories
    inner join customers_summed
        on histories.customer_id = customers_summed.customer_id
    left join customers_ended
        on histories.customer_id = customers_ended.customer_id

)

select * from final
