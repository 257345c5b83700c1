{#-
    1 / (1 + coefficient of variation) of n gaps, from their exact sums:
    1 is a steady beat, towards 0 ever more irregular. The standard deviation is the population's,
    sqrt(n * sum of squares - sum squared) / n.
    Example: gaps 7, 7, 7 give 1; gaps 1, 13 give 1 / (1 + 6 / 7) = 0.54.
-#}
{% macro regularity_of_gaps(gaps, gap_sum, gap_squared_sum) -%}
    (
        1 / (
            1 + sqrt(
                cast({{ gaps }} * {{ gap_squared_sum }} - {{ gap_sum }} * {{ gap_sum }} as double)
            ) / cast(nullif({{ gap_sum }}, 0) as double)
        )
    )
{%- endmacro %}
