with

orders as (

    select * from {{ ref('int_orders') }}

),

products_listed as (

    select
        event_id,
        customer_id,
        local_date,
        known_from_date,
        {{ explode_list(json_elements("properties", "$.products")) }} as product
    from orders
    where not is_refund

),

final as (

    select
        event_id,
        customer_id,

        nullif({{ json_text("product", "$.category") }}, '') as category,

        coalesce({{ json_number("product", "$.quantity", "decimal(18, 4)") }}, 1)
            as quantity,

        local_date,
        known_from_date
    from products_listed

)

select * from final
