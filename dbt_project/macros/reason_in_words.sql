{#-
    Why a customer stands on a list, as one sentence for the person who works it.
    Example: "churn band high: 31 % likely to leave within 28 days; health 35 of 100; last active 23 days ago".
-#}
{% macro reason_in_words(
    scheme, segment, churn_probability, health_score, days_since_last_activity, horizon_days
) -%}
    (
        replace({{ scheme }}, '_', ' ') || ' ' || replace({{ segment }}, '_', ' ')
        || coalesce(
            ': ' || cast(cast(round(100 * {{ churn_probability }}) as integer) as string)
            || ' % likely to leave within ' || cast({{ horizon_days }} as string) || ' days',
            ''
        )
        || coalesce(
            '; health ' || cast(cast(round({{ health_score }}) as integer) as string)
            || ' of 100',
            ''
        )
        || coalesce(
            '; last active '
            || cast({{ days_since_last_activity }} as string)
            || case when {{ days_since_last_activity }} = 1 then ' day' else ' days' end
            || ' before the week ended',
            '; never active'
        )
    )
{%- endmacro %}
