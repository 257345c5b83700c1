with

customer_weeks as (

    select * from {{ ref('customer_weeks') }}

),

measures as (

    {% for letter, measure in (
        ("r", "rfm_recency_days"), ("f", "rfm_frequency"), ("m", "rfm_monetary")
    ) %}
    select
        review_week,
        '{{ measure }}' as measure,
        rfm_{{ letter }} as score,
        cast({{ measure }} as decimal(18, 4)) as value
    from customer_weeks
    where rfm_{{ letter }} is not null
    {{ "union all" if not loop.last }}
    {% endfor %}

),

final as (

    select
        review_week,
        measure,
        score,
        min(value) as lowest_value,
        max(value) as highest_value,
        count(*) as customers
    from measures
    group by review_week, measure, score

)

select * from final
