with

event_catalogue as (

    select * from {{ ref('events') }}

),

final as (

    select
        cast(count(distinct feature) as integer) as features_on_offer,
        coalesce(bool_or(event_type_of_page), false) as has_pages,
        coalesce(bool_or(event_name = 'order_completed'), false) as has_orders,
        coalesce(bool_or(event_name = 'order_refunded'), false) as has_refunds,
        coalesce(bool_or(event_name = 'ticket_opened'), false) as has_tickets,
        coalesce(bool_or(event_name = 'nps_answered'), false) as has_nps,
        coalesce(bool_or(event_name = 'subscription_started'), false)
            as has_subscriptions,
        coalesce(bool_or(event_name = 'team_member_joined'), false) as has_teams,
        coalesce(bool_or(event_name = 'message_sent'), false) as has_messages
    from (
        select
            *,
            event_name = 'page_viewed' as event_type_of_page
        from event_catalogue
    ) as catalogue_with_pages

)

select * from final
