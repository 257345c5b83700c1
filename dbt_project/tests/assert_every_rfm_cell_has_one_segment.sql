-- All 125 cells against the rule in words, in its order. A row is a cell that is
-- missing or whose segment is not that of the first rule that holds.
with

rfm_segments as (

    select * from {{ ref('rfm_segments') }}

),

scores as (

    select number + 1 as score
    from {{ numbers_to(4) }} as numbers

),

cells as (

    select
        recency.score as rfm_r,
        frequency.score as rfm_f,
        monetary.score as rfm_m
    from scores as recency
    cross join scores as frequency
    cross join scores as monetary

),

cells_named as (

    select
        rfm_r,
        rfm_f,
        rfm_m,
        case
            when rfm_r = 5 and rfm_f = 5 and rfm_m = 5 then 'champions'
            when rfm_r >= 4 and rfm_f >= 4 and rfm_m >= 3 then 'loyal'
            when rfm_r >= 4 and rfm_f >= 2 then 'potential_loyalists'
            when rfm_r >= 4 then 'new_customers'
            when rfm_r <= 2 and rfm_f >= 4 and rfm_m >= 4 then 'cant_lose_them'
            when rfm_r = 3 and rfm_f = 3 and rfm_m <= 2 then 'need_attention'
            when rfm_r <= 3 and rfm_f >= 3 then 'at_risk'
            when rfm_r <= 2 and rfm_m >= 3 then 'hibernating'
            when rfm_r <= 2 then 'lost'
            else 'need_attention'
        end as rfm_segment
    from cells

)

select
    cells_named.rfm_r,
    cells_named.rfm_f,
    cells_named.rfm_m,
    cells_named.rfm_segment as expected_segment,
    rfm_segments.rfm_segment as found_segment
from cells_named
left join rfm_segments
    on
        cells_named.rfm_r = rfm_segments.rfm_r
        and cells_named.rfm_f = rfm_segments.rfm_f
        and cells_named.rfm_m = rfm_segments.rfm_m
where coalesce(rfm_segments.rfm_segment, 'missing') <> cells_named.rfm_segment
