with

customer_weeks as (

    select * from {{ ref('customer_weeks_narrow') }}

),

own_segments as (

    select * from {{ source('features', 'own_segments') }}

),

customers_counted as (

    select
        review_week,
        count(*) as customers_known
    from customer_weeks
    group by review_week

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
    union all
    {% endfor %}
    select
        'own' as scheme,
        own_segments.segment,
        customer_weeks.review_week,
        customer_weeks.revenue_365d,
        customer_weeks.revenue_90d,
        customer_weeks.active_days_28d,
        customer_weeks.churn_probability,
        customer_weeks.health_score
    from customer_weeks
    inner join own_segments
        on
            customer_weeks.customer_id = own_segments.customer_id
            and customer_weeks.review_week = own_segments.review_week

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
        segments_summed.scheme,
        segments_summed.segment,
        segments_summed.review_week,
        cast(segments_summed.customers as bigint) as customers,
        -- Own segments divide nothing: who is in them is held against everybody.
        segments_summed.customers
        / cast(
            case
                when segments_summed.scheme = 'own'
                    then customers_counted.customers_known
                else sum(segments_summed.customers) over (
                    partition by segments_summed.scheme, segments_summed.review_week
                )
            end as double
        ) as customer_share,
        cast(segments_summed.revenue_365d as decimal(18, 4)) as revenue_365d,
        cast(segments_summed.revenue_90d as decimal(18, 4)) as revenue_90d,
        cast(segments_summed.active_days_28d_mean as double) as active_days_28d_mean,
        cast(segments_summed.churn_probability_mean as double)
            as churn_probability_mean,
        cast(segments_summed.health_score_mean as double) as health_score_mean
    from segments_summed
    inner join customers_counted
        on segments_summed.review_week = customers_counted.review_week

)

select * from final
