{#- The parts sum to the total in every row -#}
{% test adds_up(model, total, parts) %}

select
    {{ total }},
    {{ parts | join(", ") }}
from {{ model }}
where {{ total }} <> {{ parts | join(" + ") }}

{% endtest %}
