{#-
    A key that sorts numbers from 0 to 4095 by how often they occur, the most frequent first and the smaller of
    equals; in one number, because two are compared much more slowly.
    Example: 8 and 9, three times each, before 7, once: 8 - 12288, 9 - 12288, 7 - 4096.
-#}
{% macro most_frequent_first(number, occurrences) -%}
    cast({{ number }} - 4096 * {{ occurrences }} as bigint)
{%- endmacro %}
