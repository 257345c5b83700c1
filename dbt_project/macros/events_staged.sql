{#-
    The CTEs that make events of raw ones: what events.csv says about them, the day of the business, and ids as numbers.
    The model imports raw events (all of them, or some) as events, and reads from events_staged.
-#}
{% macro events_staged() -%}
    run_parameters as (

        select * from {{ source('ops', 'run_parameters') }}

    ),

    clock_offsets as (

        select * from {{ source('ops', 'clock_offsets') }}

    ),

    event_catalogue as (

        select * from {{ ref('stg_event_catalogue') }}

    ),

    product_features as (

        select * from {{ ref('stg_product_features') }}

    ),

    -- Events that came after the lateness limit stay in raw and are counted in
    -- ops.late_events_daily. What trackers send in the place of an id is none.
    events_in_time as (

        select
            events.*,
            {% for id_column in ("user_id", "anonymous_id", "account_id") %}
            case
                when
                    length(events.{{ id_column }})
                    > run_parameters.longest_meaningless_id_letters
                    then events.{{ id_column }}
                when not {{ list_has(
                    "run_parameters.meaningless_ids", "lower(events." ~ id_column ~ ")"
                ) }}
                    then events.{{ id_column }}
            end as meaningful_{{ id_column }},
            {% endfor %}
            run_parameters.customer_kind,
            run_parameters.uses_session_ids_of_sources
        from events
        cross join run_parameters
        where not events.is_late

    ),

    events_described as (

        select
            events_in_time.event_id,
            events_in_time.meaningful_user_id as user_id,
            events_in_time.meaningful_anonymous_id as anonymous_id,
            events_in_time.meaningful_account_id as account_id,
            coalesce(
                'anonymous:' || events_in_time.meaningful_anonymous_id,
                'user:' || events_in_time.meaningful_user_id,
                'account:' || events_in_time.meaningful_account_id
            ) as actor_id,
            -- Whose links say who the customer is, where the event does not say it itself.
            case
                when
                    events_in_time.customer_kind = 'user'
                    or events_in_time.meaningful_account_id is null
                    then coalesce(
                        'user:' || events_in_time.meaningful_user_id,
                        'anonymous:' || events_in_time.meaningful_anonymous_id
                    )
            end as linking_id,
            case
                when events_in_time.uses_session_ids_of_sources
                    then nullif(events_in_time.session_id, '')
            end as source_session_id,

            events_in_time.event_type,
            events_in_time.event_name,
            event_catalogue.category,
            events_in_time.channel,
            events_in_time.platform,
            events_in_time.page_path,
            events_in_time.properties,
            events_in_time.traits,

            events_in_time.revenue,
            product_features.feature_number,
            event_catalogue.activation_step,

            event_catalogue.event_name is not null as is_listed,
            coalesce(event_catalogue.is_activity, false) as is_activity,
            coalesce(event_catalogue.is_core, false) as is_core,

            events_in_time.occurred_at,
            {{ add_microseconds(
                "events_in_time.occurred_at", "clock_offsets.microseconds_ahead"
            ) }}
                as occurred_local_at
        from events_in_time
        inner join clock_offsets
            on
                events_in_time.occurred_at >= clock_offsets.from_at
                and events_in_time.occurred_at < clock_offsets.until_at
        left join event_catalogue
            on events_in_time.event_name = event_catalogue.event_name
        left join product_features
            on event_catalogue.feature = product_features.feature

    ),

    -- Inside, ids are numbers: sorting and joining texts is what costs.
    events_staged as (

        select
            *,
            cast(occurred_local_at as date) as local_date,
            {{ monday_of("occurred_local_at") }} as calendar_week,
            {{ key_of("event_id") }} as event_key,
            {{ key_of("actor_id") }} as actor_key,
            {{ key_of("coalesce(linking_id, 'account:' || account_id)") }}
                as attribution_key
        from events_described

    )
{%- endmacro %}
