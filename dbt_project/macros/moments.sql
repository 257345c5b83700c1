{#- The later of two moments, either of which may be missing -#}
{% macro later_of(left_moment, right_moment) -%}
    greatest(
        coalesce({{ left_moment }}, {{ right_moment }}),
        coalesce({{ right_moment }}, {{ left_moment }})
    )
{%- endmacro %}

{#- The earlier of two moments, either of which may be missing -#}
{% macro earlier_of(left_moment, right_moment) -%}
    least(
        coalesce({{ left_moment }}, {{ right_moment }}),
        coalesce({{ right_moment }}, {{ left_moment }})
    )
{%- endmacro %}

{#- Whether a moment lies in a span whose ends may be open; the end is not part of it -#}
{% macro is_within(moment, from_moment, until_moment) -%}
    ({{ from_moment }} is null or {{ moment }} >= {{ from_moment }})
    and ({{ until_moment }} is null or {{ moment }} < {{ until_moment }})
{%- endmacro %}
