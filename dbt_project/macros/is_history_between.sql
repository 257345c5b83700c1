{#- Whether a history of a customer is what is known at the end of one of the weeks from first to last -#}
{% macro is_history_between(history, first_week, last_week) -%}
    {{ history }}.history_from_week <= {{ last_week }}
    and (
        {{ history }}.history_until_week is null
        or {{ history }}.history_until_week > {{ first_week }}
    )
{%- endmacro %}
