{#-
    The columns of a customer's day beside its keys: (name, how, type). `how` says what becomes of two parts of one
    day that became known at different times: sum, mask (bits of either), list (values of both, sorted), ids
    (the same without repetitions), last (by the time beside it, <name>_at), latest, or session (put together from the
    parts of sessions that are known).
-#}
{% macro customer_day_columns() %}
    {% set columns = [
        ("events", "sum", "bigint"),
        ("activities", "sum", "bigint"),
        ("core_events", "sum", "bigint"),
        ("pages", "sum", "bigint"),
        ("sessions_started", "session", "bigint"),
        ("session_microseconds", "sum", "bigint"),
        ("session_lengths", "session", ""),
        ("session_lengths_in_start_week", "session", ""),
        ("feature_mask", "mask", "bigint"),
        ("activation_mask", "mask", "bigint"),
        ("active_user_ids", "ids", ""),
        ("content_views", "sum", "bigint"),
        ("help_views", "sum", "bigint"),
        ("pricing_views", "sum", "bigint"),
        ("comparison_searches", "sum", "bigint"),
        ("shares", "sum", "bigint"),
        ("comments", "sum", "bigint"),
        ("errors", "sum", "bigint"),
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
        ("csat_sum", "sum", "decimal(18, 6)"),
        ("csat_answers", "sum", "bigint"),
        ("nps_score", "last", ""),
        ("nps_score_at", "latest", ""),
        ("members_invited", "sum", "bigint"),
        ("members_joined", "sum", "bigint"),
        ("members_removed", "sum", "bigint"),
    ] %}
    {% for channel in message_channels() %}
        {% do columns.append(("is_subscribed_" ~ channel, "last", "")) %}
        {% do columns.append(("is_subscribed_" ~ channel ~ "_at", "latest", "")) %}
    {% endfor %}
    {{ return(columns) }}
{% endmacro %}

{#- One column of a day from the parts of the day -#}
{% macro whole_of_parts(name, how, type) -%}
    {%- if how == "sum" -%} cast(sum({{ name }}) as {{ type }})
    {%- elif how == "mask" -%} bit_or({{ name }})
    {%- elif how == "list" -%} {{ sorted_lists(name) }}
    {%- elif how == "ids" -%} {{ distinct_lists(name) }}
    {%- elif how == "latest" -%} max({{ name }})
    {%- else -%} {{ value_at_largest(name, [name ~ "_at", "known_from_date"]) }}
    {%- endif -%}
{%- endmacro %}

{#- The same where sessions come from their own parts (session_starts_in_histories), the rest from days_of_parts -#}
{% macro whole_of_days(name, how) -%}
    {%- if name == "sessions_started" -%}
        cast(coalesce(session_starts_in_histories.sessions_started, 0) as bigint)
    {%- elif how == "session" -%} session_starts_in_histories.{{ name }}
    {%- else -%} days_of_parts.{{ name }}
    {%- endif -%}
{%- endmacro %}
