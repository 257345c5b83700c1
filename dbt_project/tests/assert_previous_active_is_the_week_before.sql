-- What one week calls active the next calls previously active.
with

metrics_weekly as (

    select * from {{ ref('metrics_weekly') }}

),

weeks_with_previous as (

    select
        review_week,
        previous_active_customers,
        lag(active_customers, 1, 0) over (order by review_week)
            as active_customers_before
    from metrics_weekly

)

select * from weeks_with_previous
where previous_active_customers <> active_customers_before
