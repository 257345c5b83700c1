{#-
    The columns of a customer's day beside its keys: (name, how, type). `how` says what becomes of two parts of one
    day that became known at different times: sum, mask (bits of either), list (values of both, sorted), ids
    (the same without repetitions), first, or last (what became known last).
-#}
{% macro customer_day_columns() %}
    {% set columns = [
        ("events", "sum", "bigint"),
        ("activities", "sum", "bigint"),
        ("core_events", "sum", "bigint"),
        ("pages", "sum", "bigint"),
        ("sessions_started", "sum", "bigint"),
        ("session_microseconds", "sum", "bigint"),
        ("session_lengths", "list", ""),
        ("session_lengths_in_start_week", "list", ""),
        ("feature_mask", "mask", "bigint"),
        ("active_user_ids", "ids", ""),
        ("orders", "sum", "bigint"),
        ("refunds", "sum", "bigint"),
        ("discounted_orders", "sum", "bigint"),
        ("order_items", "sum", "decimal(18, 4)"),
        ("revenue", "sum", "decimal(18, 4)"),
        ("order_revenue", "sum", "decimal(18, 4)"),
        ("discount", "sum", "decimal(18, 4)"),
        ("payment_methods", "list", ""),
        ("product_categories", "list", ""),
        ("offers_received", "sum", "bigint"),
        ("offers_used", "sum", "bigint"),
        ("opt_outs", "sum", "bigint"),
        ("tickets_opened", "sum", "bigint"),
        ("tickets_closed", "sum", "bigint"),
        ("sentiment_sum", "sum", "decimal(18, 6)"),
        ("sentiments", "sum", "bigint"),
        ("nps_score", "last", ""),
        ("members_joined", "sum", "bigint"),
        ("members_removed", "sum", "bigint"),
    ] %}
    {% for channel in message_channels() %}
        {% do columns.append(("is_subscribed_" ~ channel, "last", "")) %}
    {% endfor %}
    {{ return(columns) }}
{% endmacro %}

{#- One column of a day from the parts of the day -#}
{% macro whole_of_parts(name, how, type) -%}
    {%- if how == "sum" -%} cast(sum({{ name }}) as {{ type }})
    {%- elif how == "mask" -%} bit_or({{ name }})
    {%- elif how == "list" -%} {{ sorted_lists(name) }}
    {%- elif how == "ids" -%} {{ distinct_lists(name) }}
    {%- elif how == "first" -%} min({{ name }})
    {%- else -%} {{ value_at_largest(name, ["known_from_date"]) }}
    {%- endif -%}
{%- endmacro %}
