{#-
    Dates and times of day, where engines differ. All timestamps are plain and in UTC.
-#}

{#- Wall-clock time of a UTC timestamp in a zone: local_time("occurred_at", "time_zone") -#}
{% macro local_time(utc_timestamp, time_zone) -%}
    timezone({{ time_zone }}, timezone('UTC', {{ utc_timestamp }}))
{%- endmacro %}

{#- A date moved by whole days: add_days("week_end_date", -7) -#}
{% macro add_days(day, days) -%}
    ({{ day }} + cast({{ days }} as integer))
{%- endmacro %}

{#- Whole days from one date to a later one: days_between("first_seen_date", "week_end_date") -#}
{% macro days_between(earlier, later) -%}
    cast({{ later }} - {{ earlier }} as integer)
{%- endmacro %}

{#- The Monday on or before a date -#}
{% macro monday_of(day) -%}
    cast(date_trunc('week', {{ day }}) as date)
{%- endmacro %}

{#- Day of the week as a number: 1 is Monday, 7 Sunday -#}
{% macro weekday_of(day) -%}
    ({{ days_between(monday_of(day), day) }} + 1)
{%- endmacro %}

{#- Full hour of the day of a timestamp, 0 to 23 -#}
{% macro hour_of(moment) -%}
    cast(extract(hour from {{ moment }}) as integer)
{%- endmacro %}

{#- Days since 1970-01-01, for windows that reach over whole days -#}
{% macro day_number(day) -%}
    cast({{ day }} - cast('1970-01-01' as date) as integer)
{%- endmacro %}

{#- Weeks since the Monday before 1970-01-01, the same for all days of a week -#}
{% macro week_number(day) -%}
    cast(floor(({{ day_number(day) }} + 3) / 7) as integer)
{%- endmacro %}

{#- Microseconds from one timestamp to a later one, exactly -#}
{% macro microseconds_between(earlier, later) -%}
    (epoch_us({{ later }}) - epoch_us({{ earlier }}))
{%- endmacro %}

{#- A timestamp moved by whole microseconds -#}
{% macro add_microseconds(moment, microseconds) -%}
    ({{ moment }} + to_microseconds({{ microseconds }}))
{%- endmacro %}

{#- Rows of one column `number`: 0 to last -#}
{% macro numbers_to(last) -%}
    (select cast(range as integer) as number from range({{ last + 1 }}))
{%- endmacro %}

{#- Rows of one column `day`: every date from first to last -#}
{% macro days_from(first_day, last_day) -%}
    (
        select cast(unnest(generate_series({{ first_day }}, {{ last_day }}, interval 1 day)) as date) as day
    )
{%- endmacro %}
