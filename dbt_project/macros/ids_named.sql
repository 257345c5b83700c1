{#-
    The ids that touched events name together with an owner, who owns them from then on: devices with users or accounts,
    users with accounts; and what an alias says, which may also speak of the anonymous id that somebody had before.
    The model imports run_parameters, weeks_touched and aliases, and for each reading of the events the events
    themselves as events_of_devices_<reading> and events_of_users_<reading>: as long as they are, they are read again
    rather than held.
-#}
{% macro ids_named(reading) -%}
    select
        events.calendar_week,
        'anonymous' as id_type,
        events.anonymous_id as id,
        case when events.user_id is null then 'account' else 'user' end
            as owner_type,
        coalesce(events.user_id, events.account_id) as owner_id,
        events.occurred_at
    from events_of_devices_{{ reading }} as events
    cross join run_parameters
    where
        {{ is_touched("events.calendar_week") }}
        and events.anonymous_id is not null
        and (
            events.user_id is not null
            or (
                run_parameters.customer_kind = 'account'
                and events.account_id is not null
            )
        )

    union all

    select
        calendar_week,
        'user' as id_type,
        user_id as id,
        'account' as owner_type,
        account_id as owner_id,
        occurred_at
    from events_of_users_{{ reading }}
    where
        {{ is_touched("calendar_week") }}
        and user_id is not null
        and account_id is not null

    union all

    select
        calendar_week,
        'anonymous' as id_type,
        previous_id as id,
        'user' as owner_type,
        user_id as owner_id,
        occurred_at
    from aliases
    where {{ is_touched("calendar_week") }}
{%- endmacro %}
