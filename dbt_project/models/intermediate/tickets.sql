with

support_events as (

    select * from {{ ref('int_support_events') }}

),

openings_and_closings_in_order as (

    select
        *,
        row_number() over (
            partition by customer_id, ticket_id, event_name
            order by known_from_date, occurred_at, event_id
        ) as event_number
    from support_events
    where
        event_name in ('ticket_opened', 'ticket_closed')
        and nullif(ticket_id, '') is not null

),

openings as (

    select * from openings_and_closings_in_order
    where
        event_name = 'ticket_opened'
        and event_number = 1

),

closings as (

    select * from openings_and_closings_in_order
    where
        event_name = 'ticket_closed'
        and event_number = 1

),

-- What was known first is all that a week has to know: a ticket that is opened again
-- stays the one that was opened and closed first.
final as (

    select
        openings.customer_id,
        openings.ticket_id,

        -- The clock of who closes may be behind that of who opens.
        case
            when closings.occurred_at < openings.occurred_at then 0
            else {{ microseconds_between(
                "openings.occurred_at", "closings.occurred_at"
            ) }}
        end as open_microseconds,

        openings.occurred_at as opened_at,
        openings.local_date as opened_date,
        closings.local_date as closed_date,
        -- Known to the customer once both ends are.
        case
            when closings.known_from_date is not null
                then greatest(openings.known_from_date, closings.known_from_date)
        end as closed_known_from_date
    from openings
    left join closings
        on
            openings.customer_id = closings.customer_id
            and openings.ticket_id = closings.ticket_id

)

select * from final
