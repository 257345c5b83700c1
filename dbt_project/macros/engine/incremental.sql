{#-
    An incremental model that replaces what a run looks at again: the rows that each of its `incremental_predicates`
    names go, whether or not there are new ones in their place, and the rows of the model come. Where an engine
    replaces whole partitions, the predicates name them.
-#}
{% macro get_incremental_replace_touched_sql(arg_dict) %}
    {%- set columns = arg_dict["dest_columns"] | map(attribute="quoted") | join(", ") -%}
    {% for predicate in arg_dict["incremental_predicates"] %}
    delete from {{ arg_dict["target_relation"] }} where {{ predicate }};
    {% endfor %}
    insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict["temp_relation"] }}
{% endmacro %}

{#- Predicate of such a model: the row lies in a week that new events touch -#}
{% macro in_weeks_touched(calendar_week) -%}
    {{ calendar_week }} in (select weeks.calendar_week from ops.weeks_touched as weeks)
{%- endmacro %}

{#- The same where the days of a table say its weeks, so that only the days between are read -#}
{% macro on_days_touched(day) -%}
    {{ day }} >= (select min(weeks.calendar_week) from ops.weeks_touched as weeks)
    and {{ in_weeks_touched(monday_of(day)) }}
{%- endmacro %}

{#- Predicate: the row is that of a customer in another week, which links or offers changed; `pairs` says which -#}
{% macro of_customer_weeks(pairs, calendar_week) -%}
    (customer_id, {{ calendar_week }}) in (
        select (pairs.customer_id, pairs.calendar_week) from intermediate.{{ pairs }} as pairs
    )
{%- endmacro %}

{#- The same for what an id did that is no customer's -#}
{% macro of_actor_weeks(calendar_week) -%}
    (actor_key, {{ calendar_week }}) in (
        select (pairs.actor_key, pairs.calendar_week) from intermediate.int_weeks_relinked as pairs
    )
{%- endmacro %}

{#- The same in a model that imports weeks_touched. Of a plain column the engine reads only what lies in these weeks -#}
{% macro is_touched(calendar_week) -%}
    {{ calendar_week }} in (select weeks_touched.calendar_week from weeks_touched)
{%- endmacro %}

{#-
    Whether a moment of a raw event lies between the first and the last week that is read again. The pipeline writes
    the bounds as functions without arguments: to the engine they are constants, so it skips what was loaded for
    other days, and knows that it is not left with a handful of rows.
-#}
{% macro is_between_touched(moment) -%}
    {{ moment }} >= ops.touched_from_at() and {{ moment }} < ops.touched_until_at()
{%- endmacro %}

{#-
    Whether a day, or a moment in UTC, can lie in a window of so many days that ends with a week that is built; a day
    more on both sides, for all zones. By functions for the same reason: windows are joined to weeks by inequalities,
    which keep an engine from reading no more than it needs.
-#}
{% macro may_lie_in_windows(moment, days) -%}
    {{ moment }} >= ops.first_week_to_build() - {{ days - 7 + 1 }}
    and {{ moment }} < ops.last_week_to_build() + {{ 7 + 1 }}
{%- endmacro %}

{#-
    Of a CTE whose rows are few: they are to be found before anything is joined to them, where an engine would rather
    join first: parts as {{ made_first() }} ( select …
-#}
{% macro made_first() -%}
    materialized
{%- endmacro %}

{#- Predicates for sessions, which belong to the week in which they began and may go on in the next -#}
{% macro sessions_touched() -%}
    start_date >= (select min(weeks.calendar_week) - 7 from ops.weeks_touched as weeks)
    and {{ monday_of("start_date") }} in (
        select weeks.calendar_week from ops.weeks_touched as weeks
        union
        select weeks.calendar_week - 7 from ops.weeks_touched as weeks
    )
{%- endmacro %}

{% macro sessions_of_actors_relinked() -%}
    (actor_key, {{ monday_of("start_date") }}) in (
        select (pairs.actor_key, pairs.calendar_week) from intermediate.int_weeks_relinked as pairs
        union
        select (pairs.actor_key, pairs.calendar_week - 7) from intermediate.int_weeks_relinked as pairs
    )
{%- endmacro %}
