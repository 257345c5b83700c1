{#-
    No two rows agree in all of the columns.
    With weeks_of_run_only, only the weeks built in this run are read.
-#}
{% test unique_combination(model, columns, weeks_of_run_only=false) %}

select
    {{ columns | join(", ") }},
    count(*) as rows_found
from {{ model }}
{% if weeks_of_run_only %}
where review_week in (select review_week from {{ source('ops', 'weeks_to_build') }})
{% endif %}
group by {{ columns | join(", ") }}
having count(*) > 1

{% endtest %}
