{#-
    The rows of a relation of events with the customer to whom each belongs, and from which day on that is known.
    The relation has the ids of the events, occurred_at and local_date.
-#}
{% macro with_customers(events) -%}
    select
        {{ events }}.*,
        case
            when run_parameters_of_customers.customer_kind = 'account'
                then {{ events }}.account_id
            else {{ events }}.user_id
        end as customer_id,
        {{ events }}.local_date as known_from_date
    from {{ events }}
    cross join {{ source('ops', 'run_parameters') }} as run_parameters_of_customers
{%- endmacro %}
