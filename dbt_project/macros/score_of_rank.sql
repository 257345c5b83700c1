{#-
    A score from 1 to 5 by rank: 1 + floor(5 * percent_rank), at most 5. Equal values have equal ranks,
    so they get equal scores. In whole numbers, because 5 * percent_rank can fall a hair short of one.
    Example: of 11 customers the one at rank 3 has percent_rank 0.2 and gets 1 + floor(1.0) = 2.
-#}
{% macro score_of_rank(rank, ranked) -%}
    cast(
        case
            when {{ ranked }} = 1 then 1
            else least(5, 1 + {{ full_lengths("5 * (" ~ rank ~ " - 1)", "(" ~ ranked ~ " - 1)") }})
        end as integer
    )
{%- endmacro %}
