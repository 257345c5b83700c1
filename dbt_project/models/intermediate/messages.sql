with

message_events as (

    select * from {{ ref('int_message_events') }}

),

sendings_in_order as (

    select
        *,
        row_number() over (
            partition by customer_id, message_id
            order by known_from_date, occurred_at, event_id
        ) as sending_number
    from message_events
    where event_name = 'message_sent'

),

answers_found as (

    select
        customer_id,
        message_id,
        min(case when event_name = 'message_opened' then known_from_date end)
            as opened_date,
        min(case when event_name = 'message_clicked' then known_from_date end)
            as clicked_date,
        min(known_from_date) as answered_date,
        -- An answer that a later link brings may have been given before: a week that
        -- had ended by then knew only of the other.
        {{ value_at_smallest("occurred_at", ["known_from_date", "occurred_at"]) }}
            as answered_at
    from message_events
    where event_name in ('message_opened', 'message_clicked')
    group by customer_id, message_id

),

-- What came first is all that a week has to know: it was opened by the end of the week
-- exactly when the first opening lies before that.
final as (

    select
        sendings_in_order.customer_id,
        sendings_in_order.message_id,

        sendings_in_order.message_channel,
        sendings_in_order.topic,
        sendings_in_order.coupon,
        sendings_in_order.offer_id,

        {{ hour_of("sendings_in_order.occurred_local_at") }} as sent_hour_local,
        {{ weekday_of("sendings_in_order.local_date") }} as sent_weekday,
        -- The clock of a reader may be behind that of the sender.
        case
            when answers_found.answered_at < sendings_in_order.occurred_at then 0
            else {{ microseconds_between(
                "sendings_in_order.occurred_at", "answers_found.answered_at"
            ) }}
        end as response_microseconds,

        sendings_in_order.is_offer,

        sendings_in_order.occurred_at as sent_at,
        sendings_in_order.local_date as sent_date,
        sendings_in_order.known_from_date,
        answers_found.opened_date,
        answers_found.clicked_date,
        answers_found.answered_date
    from sendings_in_order
    left join answers_found
        on
            sendings_in_order.customer_id = answers_found.customer_id
            and sendings_in_order.message_id = answers_found.message_id
    where sendings_in_order.sending_number = 1

)

select * from final
