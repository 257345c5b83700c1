with

customer_weeks as (

    select * from {{ ref('customer_weeks_narrow') }}

),

customers_in_segments as (

    {% for scheme, column in segment_schemes() %}
    select
        '{{ scheme }}' as scheme,
        {{ column }} as segment,
        review_week,
        revenue_365d,
        revenue_90d,
        active_days_28d,
        churn_probability,
        health_score
    from customer_weeks
    where {{ column }} is not null
    {{ "union all" if not loop.last }}
    {% endfor %}

),

segments_summed as (

    select
        scheme,
        segment,
        review_week,
        count(*) as customers,
        sum(revenue_365d) as revenue_365d,
        sum(revenue_90d) as revenue_90d,
        avg(active_days_28d) as active_days_28d_mean,
        avg(cast(churn_probability as decimal(18, 9))) as churn_probability_mean,
        avg(cast(health_score as decimal(18, 4))) as health_score_mean
    from customers_in_segments
    group by scheme, segment, review_week

),

final as (

    select
        scheme,
        segment,
        review_week,
        cast(customers as bigint) as customers,
        customers
        / cast(sum(customers) over (partition by scheme, review_week) as double)
            as customer_share,
        cast(revenue_365d as decimal(18, 4)) as revenue_365d,
        cast(revenue_90d as decimal(18, 4)) as revenue_90d,
        cast(active_days_28d_mean as double) as active_days_28d_mean,
        cast(churn_probability_mean as double) as churn_probability_mean,
        cast(health_score_mean as double) as health_score_mean
    from segments_summed

)

select * from final
