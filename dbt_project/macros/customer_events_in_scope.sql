{#-
    The CTEs of a model of events that a run looks at again, each with its customer: all of the weeks that new events
    touch, and of other weeks those of the customers that `pairs` (customer_id, calendar_week) names. The last CTE is
    final.
    The model imports events (twice, also as events_of_other_weeks: what is named once need not be held), identities, bot_days, run_parameters, weeks_touched and pairs under these names.
-#}
{% macro customer_events_in_scope() -%}
    -- Under these ids stands in the events who is looked at again.
    keys_of_pairs as (

        select identities.linking_key
        from identities
        where
            identities.is_linked
            and identities.customer_id in (select pairs.customer_id from pairs)

        union

        select
            {{ key_of("run_parameters.customer_kind || ':' || pairs.customer_id") }}
                as linking_key
        from pairs
        cross join run_parameters

    ),

    events_to_attribute as (

        select * from events
        where {{ is_touched("calendar_week") }}

        union all

        select * from events_of_other_weeks
        where
            calendar_week >= (select min(pairs.calendar_week) from pairs)
            and calendar_week <= (select max(pairs.calendar_week) from pairs)
            and attribution_key in (
                select keys_of_pairs.linking_key from keys_of_pairs
            )
            and calendar_week not in (
                select weeks_touched.calendar_week from weeks_touched
            )

    ),

    events_of_customers as (

        {{ with_customers("events_to_attribute") }}

    ),

    -- On the day of a bot a click is nobody's, and nothing is activity; what is on
    -- record, an order or a ticket, is its customer's all the same.
    final as (

        select
            events_of_customers.calendar_week,
            events_of_customers.local_date,
            events_of_customers.occurred_at,
            events_of_customers.occurred_local_at,
            events_of_customers.event_id,
            events_of_customers.event_key,
            events_of_customers.actor_key,
            events_of_customers.attribution_key,
            events_of_customers.actor_id,
            events_of_customers.user_id,
            events_of_customers.anonymous_id,
            events_of_customers.account_id,
            events_of_customers.source_session_id,
            events_of_customers.event_type,
            events_of_customers.event_name,
            events_of_customers.channel,
            events_of_customers.platform,
            events_of_customers.page_path,
            events_of_customers.revenue,
            events_of_customers.feature_number,
            events_of_customers.activation_step,
            events_of_customers.is_listed,
            events_of_customers.content_topic,
            events_of_customers.properties,
            events_of_customers.traits,
            events_of_customers.customer_id,
            events_of_customers.acting_user_id,
            events_of_customers.known_from_date,
            events_of_customers.is_bot,
            events_of_customers.is_activity and not events_of_customers.is_bot
                as is_activity,
            events_of_customers.is_core and not events_of_customers.is_bot as is_core
        from events_of_customers
        left join pairs
            on
                events_of_customers.customer_id = pairs.customer_id
                and events_of_customers.calendar_week = pairs.calendar_week
        where
            events_of_customers.customer_id is not null
            and (
                not events_of_customers.is_bot
                or {{ is_on_record("events_of_customers.event_name") }}
            )
            and (
                pairs.customer_id is not null
                or events_of_customers.calendar_week in (
                    select weeks_touched.calendar_week from weeks_touched
                )
            )

    )
{%- endmacro %}
