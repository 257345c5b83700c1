-- A message is missing or made up, or the offers of the days are not those of the
-- messages.
with

message_events as (

    select * from {{ ref('int_message_events') }}

),

messages as (

    select * from {{ ref('messages') }}

),

customer_days as (

    select * from {{ ref('customer_days') }}

),

messages_named as (

    select distinct
        customer_id,
        message_id
    from message_events
    where event_name = 'message_sent'

),

sums as (

    select
        (select count(*) from messages_named) as messages_named,
        (select count(*) from messages) as messages,
        (select sum(case when messages.is_offer then 1 else 0 end) from messages)
            as offers,
        (select coalesce(sum(customer_days.offers_received), 0) from customer_days)
            as offers_of_days

)

select * from sums
where
    messages_named <> messages
    or coalesce(offers, 0) <> offers_of_days
