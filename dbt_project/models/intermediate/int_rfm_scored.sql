{{ config(materialized='ephemeral') }}

with

transactions as (

    select * from {{ ref('int_transactions_summed_to_weeks') }}

),

rfm_segments as (

    select * from {{ ref('rfm_segments') }}

),

buyers as (

    select
        customer_id,
        review_week,
        last_order_date_365d,
        orders_365d,
        revenue_365d
    from transactions
    where orders_365d > 0

),

-- Better is higher: the latest order, the most orders and the most revenue rank last.
buyers_ranked as (

    select
        customer_id,
        review_week,
        count(*) over (partition by review_week) as buyers,
        rank() over (partition by review_week order by last_order_date_365d)
            as recency_rank,
        rank() over (partition by review_week order by orders_365d) as frequency_rank,
        rank() over (partition by review_week order by revenue_365d) as monetary_rank
    from buyers

),

buyers_scored as (

    select
        customer_id,
        review_week,
        {{ score_of_rank("recency_rank", "buyers") }} as rfm_r,
        {{ score_of_rank("frequency_rank", "buyers") }} as rfm_f,
        {{ score_of_rank("monetary_rank", "buyers") }} as rfm_m
    from buyers_ranked

),

final as (

    select
        buyers_scored.customer_id,
        buyers_scored.review_week,
        buyers_scored.rfm_r,
        buyers_scored.rfm_f,
        buyers_scored.rfm_m,
        rfm_segments.rfm_segment
    from buyers_scored
    inner join rfm_segments
        on
            buyers_scored.rfm_r = rfm_segments.rfm_r
            and buyers_scored.rfm_f = rfm_segments.rfm_f
            and buyers_scored.rfm_m = rfm_segments.rfm_m

)

select * from final
