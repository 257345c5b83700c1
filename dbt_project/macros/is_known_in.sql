{#-
    Whether a history of a customer knows what happened in a calendar week and became known in another: by its first
    week, or in the week in which it happened.
-#}
{% macro is_known_in(history, calendar_week, known_week) -%}
    {{ known_week }} <= greatest({{ history }}.history_from_week, {{ calendar_week }})
{%- endmacro %}
