{#-
    The CTEs that make, of the weeks in which something happened to a customer (weeks_summed), and of those that are
    reviewed, one row each, with the number of the week for windows by range: most weeks of most customers have
    nothing, and need no row. `counted` columns are 0 where nothing happened, `others` NULL.
    The model imports customers_reviewed, makes weeks_summed, and reads from weeks_numbered.
-#}
{% macro weeks_numbered(counted, others=()) -%}
    weeks_of_customers as (

        select
            coalesce(customers_reviewed.customer_id, weeks_summed.customer_id)
                as customer_id,
            coalesce(
                customers_reviewed.history_from_week, weeks_summed.history_from_week
            ) as history_from_week,
            coalesce(customers_reviewed.review_week, weeks_summed.calendar_week)
                as calendar_week,
            customers_reviewed.review_week is not null as is_reviewed
            {%- for column in counted %},
            coalesce(weeks_summed.{{ column }}, 0) as {{ column }}
            {%- endfor %}
            {%- for column in others %},
            weeks_summed.{{ column }}
            {%- endfor %}
        from customers_reviewed
        full outer join weeks_summed
            on
                customers_reviewed.customer_id = weeks_summed.customer_id
                and customers_reviewed.history_from_week
                = weeks_summed.history_from_week
                and customers_reviewed.review_week = weeks_summed.calendar_week

    ),

    weeks_numbered as (

        select
            *,
            {{ week_number("calendar_week") }} as week_number
        from weeks_of_customers

    )
{%- endmacro %}
