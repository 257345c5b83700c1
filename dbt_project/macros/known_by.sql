{#-
    Whether a row was known by the end of a reviewed week: what is learnt later changes no week before it.
    Example: known_by("events", "weeks_to_build.end_date") where events has known_from_date.
-#}
{% macro known_by(row, end_date) -%}
    ({{ row }}.known_from_date < {{ end_date }})
{%- endmacro %}
