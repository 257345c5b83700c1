{% set summed = (
    "orders", "revenue", "order_revenue", "order_items", "discount", "discounted_orders"
) %}
{% set counted_by_week = [
    "orders_after_monday", "revenue_after_monday", "offer_weeks"
] %}
{% for column in summed %}
{% do counted_by_week.extend([column, column ~ "_on_sunday"]) %}
{% endfor %}

with

customer_days as (

    select * from {{ ref('customer_days_as_known') }}

),

weeks_looked_back_on as (

    select * from {{ ref('int_weeks_looked_back_on') }}

),

customers_reviewed as (

    select * from {{ ref('int_customers_reviewed') }}

),

days_in_reach as (

    select
        customer_days.customer_id,
        customer_days.history_from_week,
        customer_days.local_date,
        {{ monday_of("customer_days.local_date") }} as calendar_week,
        {% for column in summed %}
        customer_days.{{ column }},
        {% endfor %}
        customer_days.offers_received,
        customer_days.product_categories,
        customer_days.payment_methods
    from customer_days
    where
        (
            customer_days.orders > 0
            or customer_days.refunds > 0
            or customer_days.offers_received > 0
        )
        and {{ may_lie_in_windows("customer_days.local_date", 365) }}
        and {{ monday_of("customer_days.local_date") }} in (
            select weeks_looked_back_on.calendar_week
            from weeks_looked_back_on
        )

),

weeks_summed as (

    select
        customer_id,
        history_from_week,
        calendar_week,
        {% for column in summed %}
        sum({{ column }}) as {{ column }},
        sum({{ column }}) filter (where local_date = {{ add_days("calendar_week", 6) }})
            as {{ column }}_on_sunday,
        {% endfor %}
        sum(case when local_date > calendar_week then orders end)
            as orders_after_monday,
        sum(case when local_date > calendar_week then revenue end)
            as revenue_after_monday,
        max(case when orders > 0 then local_date end) as last_order_date,
        max(case when offers_received > 0 then 1 else 0 end) as offer_weeks
    from days_in_reach
    group by customer_id, history_from_week, calendar_week

),

days_by_week as (

    select
        days_in_reach.customer_id,
        days_in_reach.history_from_week,
        weeks_looked_back_on.review_week,
        days_in_reach.product_categories,
        days_in_reach.payment_methods
    from days_in_reach
    inner join weeks_looked_back_on
        on
            days_in_reach.calendar_week = weeks_looked_back_on.calendar_week
            and days_in_reach.local_date
            >= {{ add_days("weeks_looked_back_on.end_date", -365) }}

),

categories_by_week as (

    select
        customer_id,
        history_from_week,
        review_week,
        {{ explode_list("product_categories") }} as category
    from days_by_week

),

categories_counted as (

    select
        customer_id,
        history_from_week,
        review_week,
        category,
        count(*) as items
    from categories_by_week
    group by customer_id, history_from_week, review_week, category

),

categories_summed as (

    select
        customer_id,
        history_from_week,
        review_week,
        count(*) as product_categories_365d,
        {{ value_at_smallest("category", ["-items", "category"]) }}
            as top_category_365d,
        {{ share_of("sum(items * items)", "(sum(items) * sum(items))") }}
            as category_concentration_365d
    from categories_counted
    group by customer_id, history_from_week, review_week

),

payment_methods_by_week as (

    select
        customer_id,
        history_from_week,
        review_week,
        {{ explode_list("payment_methods") }} as payment_method
    from days_by_week

),

payment_methods_counted as (

    select
        customer_id,
        history_from_week,
        review_week,
        payment_method,
        count(*) as orders
    from payment_methods_by_week
    group by customer_id, history_from_week, review_week, payment_method

),

payment_methods_summed as (

    select
        customer_id,
        history_from_week,
        review_week,
        count(*) as payment_methods_365d,
        {{ value_at_smallest("payment_method", ["-orders", "payment_method"]) }}
            as payment_method_main
    from payment_methods_counted
    group by customer_id, history_from_week, review_week

),

{{ weeks_numbered(counted_by_week, ["last_order_date"]) }},

-- 90 days are 12 weeks and Tuesday to Sunday of the week before them; 365 days are 52
-- weeks and the Sunday before them.
windows_summed as (

    select
        customer_id,
        history_from_week,
        calendar_week as review_week,
        is_reviewed,
        {% for column in ("orders", "revenue") %}
        sum({{ column }}) over last_4_weeks as {{ column }}_28d,
        sum({{ column }}) over last_12_weeks
        + coalesce(sum({{ column }}_after_monday) over the_week_before_12, 0)
            as {{ column }}_90d,
        {% endfor %}
        {% for column in summed %}
        sum({{ column }}) over last_52_weeks
        + coalesce(sum({{ column }}_on_sunday) over the_week_before_52, 0)
            as {{ column }}_365d,
        {% endfor %}
        max(last_order_date) over last_53_weeks as last_order_date,
        sum(orders) over last_52_weeks as orders_52w,
        sum(offer_weeks) over last_52_weeks as offer_weeks_52w,
        sum(orders * offer_weeks) over last_52_weeks as orders_in_offer_weeks_52w
    from weeks_numbered
    window
        last_4_weeks as (
            partition by customer_id, history_from_week
            order by week_number
            range between 3 preceding and current row
        ),
        last_12_weeks as (
            partition by customer_id, history_from_week
            order by week_number
            range between 11 preceding and current row
        ),
        the_week_before_12 as (
            partition by customer_id, history_from_week
            order by week_number
            range between 12 preceding and 12 preceding
        ),
        last_52_weeks as (
            partition by customer_id, history_from_week
            order by week_number
            range between 51 preceding and current row
        ),
        the_week_before_52 as (
            partition by customer_id, history_from_week
            order by week_number
            range between 52 preceding and 52 preceding
        ),
        last_53_weeks as (
            partition by customer_id, history_from_week
            order by week_number
            range between 52 preceding and current row
        )

),

final as (

    select
        windows_summed.customer_id,
        windows_summed.review_week,
        {% for days in (28, 90, 365) %}
        cast(windows_summed.orders_{{ days }}d as bigint) as orders_{{ days }}d,
        cast(windows_summed.revenue_{{ days }}d as decimal(18, 4))
            as revenue_{{ days }}d,
        {% endfor %}
        cast(windows_summed.order_revenue_365d as decimal(18, 4)) as order_revenue_365d,
        cast(windows_summed.order_items_365d as decimal(18, 4)) as order_items_365d,
        cast(windows_summed.discount_365d as decimal(18, 4)) as discount_365d,
        cast(windows_summed.discounted_orders_365d as bigint) as discounted_orders_365d,
        case when windows_summed.orders_365d > 0 then windows_summed.last_order_date end
            as last_order_date_365d,
        cast(categories_summed.product_categories_365d as integer)
            as product_categories_365d,
        categories_summed.top_category_365d,
        categories_summed.category_concentration_365d,
        cast(payment_methods_summed.payment_methods_365d as integer)
            as payment_methods_365d,
        payment_methods_summed.payment_method_main,
        cast(windows_summed.orders_52w as bigint) as orders_52w,
        cast(windows_summed.offer_weeks_52w as bigint) as offer_weeks_52w,
        cast(windows_summed.orders_in_offer_weeks_52w as bigint)
            as orders_in_offer_weeks_52w
    from windows_summed
    left join categories_summed
        on
            windows_summed.customer_id = categories_summed.customer_id
            and windows_summed.history_from_week = categories_summed.history_from_week
            and windows_summed.review_week = categories_summed.review_week
    left join payment_methods_summed
        on
            windows_summed.customer_id = payment_methods_summed.customer_id
            and windows_summed.history_from_week
            = payment_methods_summed.history_from_week
            and windows_summed.review_week = payment_methods_summed.review_week
    where windows_summed.is_reviewed

)

select * from final
