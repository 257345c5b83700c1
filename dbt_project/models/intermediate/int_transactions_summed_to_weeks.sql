{{ config(materialized='ephemeral') }}

with

customer_days as (

    select * from {{ ref('customer_days') }}

),

weeks_to_build as (

    select * from {{ source('ops', 'weeks_to_build') }}

),

newest_week as (

    select
        min(end_date) as first_end_date,
        max(end_date) as last_end_date
    from weeks_to_build

),

order_days as (

    select customer_days.*
    from customer_days
    cross join newest_week
    where
        (customer_days.orders > 0 or customer_days.refunds > 0)
        and customer_days.local_date < newest_week.last_end_date

),

-- A day belongs to the windows of its own week and of the weeks after it: 365 days reach 52 further.
order_days_by_week as (

    select
        weeks_to_build.review_week,
        order_days.*,
        {{ days_between("order_days.local_date", "weeks_to_build.end_date") }} as days_since
    from order_days
    cross join {{ numbers_to(52) }} as weeks_later
    inner join weeks_to_build
        on
            weeks_to_build.review_week = {{ add_days(
                monday_of("order_days.local_date"), "7 * weeks_later.number"
            ) }}
            and order_days.known_from_date < weeks_to_build.end_date

),

windows_summed as (

    select
        customer_id,
        review_week,
        {% for days in (28, 90, 365) %}
        cast(coalesce(sum(orders) filter (where days_since <= {{ days }}), 0) as bigint)
            as orders_{{ days }}d,
        cast(
            coalesce(sum(revenue) filter (where days_since <= {{ days }}), 0)
            as decimal(18, 4)
        ) as revenue_{{ days }}d,
        {% endfor %}
        cast(sum(order_items) as decimal(18, 4)) as order_items_365d,
        cast(sum(order_revenue) as decimal(18, 4)) as order_revenue_365d,
        cast(sum(discount) as decimal(18, 4)) as discount_365d,
        cast(sum(discounted_orders) as bigint) as discounted_orders_365d
    from order_days_by_week
    where days_since <= 365
    group by customer_id, review_week

),

categories_by_week as (

    select
        customer_id,
        review_week,
        {{ explode_list("product_categories") }} as category
    from order_days_by_week
    where days_since <= 365

),

categories_counted as (

    select
        customer_id,
        review_week,
        category,
        count(*) as items
    from categories_by_week
    group by customer_id, review_week, category

),

categories_summed as (

    select
        customer_id,
        review_week,
        cast(count(*) as integer) as product_categories_365d,
        {{ value_at_smallest("category", ["-items", "category"]) }} as top_category_365d,
        cast(sum(items * items) as double) / cast(sum(items) * sum(items) as double)
            as category_concentration_365d
    from categories_counted
    group by customer_id, review_week

),

payment_methods_by_week as (

    select
        customer_id,
        review_week,
        {{ explode_list("payment_methods") }} as payment_method
    from order_days_by_week
    where days_since <= 365

),

payment_methods_counted as (

    select
        customer_id,
        review_week,
        payment_method,
        count(*) as orders
    from payment_methods_by_week
    group by customer_id, review_week, payment_method

),

payment_methods_summed as (

    select
        customer_id,
        review_week,
        cast(count(*) as integer) as payment_methods_365d,
        {{ value_at_smallest("payment_method", ["-orders", "payment_method"]) }}
            as payment_method_main
    from payment_methods_counted
    group by customer_id, review_week

),

calendar_weeks_with_orders_or_offers as (

    select
        customer_id,
        {{ monday_of("local_date") }} as calendar_week,
        max(known_from_date) as known_from_date,
        sum(orders) as orders,
        max(case when offers_received > 0 then 1 else 0 end) as has_offer
    from customer_days
    where orders > 0 or offers_received > 0
    group by customer_id, {{ monday_of("local_date") }}

),

offers_summed as (

    select
        calendar_weeks_with_orders_or_offers.customer_id,
        weeks_to_build.review_week,
        sum(calendar_weeks_with_orders_or_offers.has_offer) as offer_weeks,
        sum(
            calendar_weeks_with_orders_or_offers.orders
            * calendar_weeks_with_orders_or_offers.has_offer
        ) as orders_in_offer_weeks,
        sum(calendar_weeks_with_orders_or_offers.orders) as orders_52w
    from calendar_weeks_with_orders_or_offers
    cross join {{ numbers_to(51) }} as weeks_later
    inner join weeks_to_build
        on
            weeks_to_build.review_week = {{ add_days(
                "calendar_weeks_with_orders_or_offers.calendar_week",
                "7 * weeks_later.number"
            ) }}
    group by
        calendar_weeks_with_orders_or_offers.customer_id,
        weeks_to_build.review_week

),

final as (

    select
        windows_summed.*,
        categories_summed.product_categories_365d,
        categories_summed.top_category_365d,
        categories_summed.category_concentration_365d,
        payment_methods_summed.payment_methods_365d,
        payment_methods_summed.payment_method_main,
        offers_summed.offer_weeks,
        offers_summed.orders_in_offer_weeks,
        offers_summed.orders_52w
    from windows_summed
    left join categories_summed
        on
            windows_summed.customer_id = categories_summed.customer_id
            and windows_summed.review_week = categories_summed.review_week
    left join payment_methods_summed
        on
            windows_summed.customer_id = payment_methods_summed.customer_id
            and windows_summed.review_week = payment_methods_summed.review_week
    left join offers_summed
        on
            windows_summed.customer_id = offers_summed.customer_id
            and windows_summed.review_week = offers_summed.review_week

)

select * from final
