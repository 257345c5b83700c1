{% set summed = (
    "orders", "revenue", "order_revenue", "order_items", "discount", "discounted_orders"
) %}

with

customer_days as (

    select * from {{ ref('customer_days_as_known') }}

),

weeks_looked_back_on as (

    select * from {{ ref('int_weeks_looked_back_on') }}

),

customers_by_week as (

    select * from {{ ref('int_weeks_spread_over_customers') }}

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

-- A row for every week of a customer, so that rows before a row are weeks before a
-- week.
weeks_in_order as (

    select
        customers_by_week.customer_id,
        customers_by_week.history_from_week,
        customers_by_week.calendar_week,
        customers_by_week.weeks_until_review,
        {% for column in summed %}
        coalesce(weeks_summed.{{ column }}, 0) as {{ column }},
        coalesce(weeks_summed.{{ column }}_on_sunday, 0) as {{ column }}_on_sunday,
        {% endfor %}
        coalesce(weeks_summed.orders_after_monday, 0) as orders_after_monday,
        coalesce(weeks_summed.revenue_after_monday, 0) as revenue_after_monday,
        weeks_summed.last_order_date,
        coalesce(weeks_summed.offer_weeks, 0) as offer_weeks,
        categories_summed.product_categories_365d,
        categories_summed.top_category_365d,
        categories_summed.category_concentration_365d,
        payment_methods_summed.payment_methods_365d,
        payment_methods_summed.payment_method_main
    from customers_by_week
    left join weeks_summed
        on
            customers_by_week.customer_id = weeks_summed.customer_id
            and customers_by_week.history_from_week = weeks_summed.history_from_week
            and customers_by_week.calendar_week = weeks_summed.calendar_week
    left join categories_summed
        on
            customers_by_week.customer_id = categories_summed.customer_id
            and customers_by_week.history_from_week = categories_summed.history_from_week
            and customers_by_week.calendar_week = categories_summed.review_week
    left join payment_methods_summed
        on
            customers_by_week.customer_id = payment_methods_summed.customer_id
            and customers_by_week.history_from_week = payment_methods_summed.history_from_week
            and customers_by_week.calendar_week = payment_methods_summed.review_week

),

-- 90 days are 12 weeks and Tuesday to Sunday of the week before them; 365 days are 52
-- weeks and the Sunday before them.
windows_summed as (

    select
        customer_id,
        history_from_week,
        calendar_week as review_week,
        weeks_until_review,
        product_categories_365d,
        top_category_365d,
        category_concentration_365d,
        payment_methods_365d,
        payment_method_main,
        {% for column in ("orders", "revenue") %}
        sum({{ column }}) over last_4_weeks as {{ column }}_28d,
        sum({{ column }}) over last_12_weeks
        + lag({{ column }}_after_monday, 12, 0) over in_order as {{ column }}_90d,
        {% endfor %}
        {% for column in summed %}
        sum({{ column }}) over last_52_weeks
        + lag({{ column }}_on_sunday, 52, 0) over in_order as {{ column }}_365d,
        {% endfor %}
        max(last_order_date) over last_53_weeks as last_order_date,
        sum(orders) over last_52_weeks as orders_52w,
        sum(offer_weeks) over last_52_weeks as offer_weeks_52w,
        sum(orders * offer_weeks) over last_52_weeks as orders_in_offer_weeks_52w
    from weeks_in_order
    window
        in_order as (
            partition by customer_id, history_from_week
            order by calendar_week
        ),
        last_4_weeks as (
            partition by customer_id, history_from_week
            order by calendar_week
            rows between 3 preceding and current row
        ),
        last_12_weeks as (
            partition by customer_id, history_from_week
            order by calendar_week
            rows between 11 preceding and current row
        ),
        last_52_weeks as (
            partition by customer_id, history_from_week
            order by calendar_week
            rows between 51 preceding and current row
        ),
        last_53_weeks as (
            partition by customer_id, history_from_week
            order by calendar_week
            rows between 52 preceding and current row
        )

),

final as (

    select
        customer_id,
        review_week,
        {% for days in (28, 90, 365) %}
        cast(orders_{{ days }}d as bigint) as orders_{{ days }}d,
        cast(revenue_{{ days }}d as decimal(18, 4)) as revenue_{{ days }}d,
        {% endfor %}
        cast(order_revenue_365d as decimal(18, 4)) as order_revenue_365d,
        cast(order_items_365d as decimal(18, 4)) as order_items_365d,
        cast(discount_365d as decimal(18, 4)) as discount_365d,
        cast(discounted_orders_365d as bigint) as discounted_orders_365d,
        case when orders_365d > 0 then last_order_date end as last_order_date_365d,
        cast(product_categories_365d as integer) as product_categories_365d,
        top_category_365d,
        category_concentration_365d,
        cast(payment_methods_365d as integer) as payment_methods_365d,
        payment_method_main,
        cast(orders_52w as bigint) as orders_52w,
        cast(offer_weeks_52w as bigint) as offer_weeks_52w,
        cast(orders_in_offer_weeks_52w as bigint) as orders_in_offer_weeks_52w
    from windows_summed
    where weeks_until_review = 0

)

select * from final
