{#-
    One amount over another as a double, NULL where the other is zero or unknown.
    Example: share_of("active_members_28d", "team_size") of 2 and 8 is 0.25; of 2 and 0, NULL.
-#}
{% macro share_of(part, whole) -%}
    cast({{ part }} as double) / nullif(cast({{ whole }} as double), 0)
{%- endmacro %}

{#- The same, at most 1: refunds can exceed the orders of a window, and guests can act beside a team -#}
{% macro capped_share_of(part, whole) -%}
    case
        when {{ share_of(part, whole) }} > 1 then 1
        else {{ share_of(part, whole) }}
    end
{%- endmacro %}
