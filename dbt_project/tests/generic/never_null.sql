{#-
    None of the columns is NULL in any row.
    With weeks_of_run_only, only the weeks built in this run are read.
-#}
{% test never_null(model, columns, weeks_of_run_only=false) %}

select {{ columns | join(", ") }}
from {{ model }}
where
    ({{ columns | join(" is null or ") }} is null)
    {% if weeks_of_run_only %}
    and review_week in (select review_week from {{ source('ops', 'weeks_to_build') }})
    {% endif %}

{% endtest %}
