{#-
    The rows of a relation of events (with the ids of staging, actor_key, attribution_key, occurred_at and local_date), each
    with the customer to whom it belongs, the user who acted and the day from which on that is known. An event of an
    id that merged has a row for each customer that it was counted to in turn. What happened on a day of a bot
    says so (is_bot).
    The model imports identities, bot_days and run_parameters under these names.
-#}
{% macro with_customers(events) -%}
    select
        {{ events }}.*,
        coalesce(
            identities.customer_id,
            case
                when run_parameters.customer_kind = 'account'
                    then {{ events }}.account_id
                else {{ events }}.user_id
            end
        ) as customer_id,
        coalesce({{ events }}.user_id, identities.user_id) as acting_user_id,
        greatest(
            {{ events }}.local_date,
            coalesce(identities.known_from_date, {{ events }}.local_date)
        ) as known_from_date,
        bot_days.actor_key is not null as is_bot
    from {{ events }}
    cross join run_parameters
    left join identities
        on
            {{ events }}.attribution_key = identities.linking_key
            and identities.is_linked
            and not identities.is_shared
            and {{ is_within(
                events ~ ".occurred_at",
                "identities.applies_from_at",
                "identities.applies_until_at"
            ) }}
    left join bot_days
        on
            {{ events }}.actor_key = bot_days.actor_key
            and {{ events }}.local_date = bot_days.local_date
{%- endmacro %}
