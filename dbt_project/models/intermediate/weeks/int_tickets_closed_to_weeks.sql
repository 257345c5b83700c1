with

tickets as (

    select * from {{ ref('tickets') }}

),

weeks_looked_back_on as (

    select * from {{ ref('int_weeks_looked_back_on') }}

),

customers_reviewed as (

    select * from {{ ref('int_customers_reviewed') }}

),

tickets_by_week as (

    select
        tickets.customer_id,
        weeks_looked_back_on.review_week,
        tickets.open_microseconds
    from tickets
    inner join weeks_looked_back_on
        on
            {{ monday_of("tickets.closed_date") }} = weeks_looked_back_on.calendar_week
            and tickets.closed_known_from_date < weeks_looked_back_on.end_date
            and tickets.closed_date
            >= {{ add_days("weeks_looked_back_on.end_date", -90) }}
    where weeks_looked_back_on.weeks_ago <= 12

),

tickets_summed as (

    select
        customer_id,
        review_week,
        median(open_microseconds) as open_microseconds_median_90d
    from tickets_by_week
    group by customer_id, review_week

),

final as (

    select
        tickets_summed.customer_id,
        tickets_summed.review_week,
        tickets_summed.open_microseconds_median_90d / 3600000000
            as ticket_hours_to_close_median_90d
    from tickets_summed
    inner join customers_reviewed
        on
            tickets_summed.customer_id = customers_reviewed.customer_id
            and tickets_summed.review_week = customers_reviewed.review_week

)

select * from final
