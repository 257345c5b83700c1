{#-
    No two rows agree in all of the columns.
    With weeks_of_run_only, only the weeks built in this run are read. With touched_by, a date, only the rows of weeks
    that the run replaced, and with pairs_of (customer_id or actor_key) also those of whose links changed; with replaced,
    the rows that these predicates name. The others were tested when they were written.
-#}
{% test unique_combination(
    model, columns, weeks_of_run_only=false, touched_by=none, pairs_of=none,
    replaced=none
) %}

select
    {{ columns | join(", ") }},
    count(*) as rows_found
from {{ model }}
{% if weeks_of_run_only %}
where review_week in (select review_week from {{ source('ops', 'weeks_to_build') }})
{% elif replaced %}
where {{ replaced | join(" or ") }}
{% elif touched_by %}
where
    {{ on_days_touched(touched_by) }}
    {% if pairs_of == "actor_key" %}
    or {{ of_actor_weeks(monday_of(touched_by)) }}
    {% elif pairs_of %}
    or {{ of_customer_weeks(
        ref('int_customer_weeks_of_run').identifier, monday_of(touched_by)
    ) }}
    {% endif %}
{% endif %}
group by {{ columns | join(", ") }}
having count(*) > 1

{% endtest %}
