with

event_catalogue as (

    select * from {{ ref('stg_event_catalogue') }}

),

final as (

    select
        cast(count(distinct feature) as integer) as features_on_offer,
        cast(count(distinct activation_step) as integer) as activation_steps,

        coalesce(bool_or(is_core), false) as has_core_events,
        coalesce(bool_or(event_name = 'page_viewed'), false) as has_pages,
        coalesce(bool_or(event_name in ('page_viewed', 'content_viewed')), false)
            as has_views,
        coalesce(bool_or(event_name = 'content_viewed'), false) as has_contents,
        coalesce(bool_or(event_name = 'comparison_searched'), false) as has_comparisons,
        coalesce(bool_or(event_name = 'team_member_invited'), false) as has_invites,
        coalesce(bool_or(event_name = 'item_shared'), false) as has_shares,
        coalesce(bool_or(event_name = 'comment_posted'), false) as has_comments,
        coalesce(bool_or(event_name = 'error_shown'), false) as has_errors,
        coalesce(bool_or(event_name = 'order_completed'), false) as has_orders,
        coalesce(bool_or(event_name = 'order_refunded'), false) as has_refunds,
        coalesce(bool_or(event_name = 'ticket_opened'), false) as has_tickets,
        coalesce(
            bool_or(
                event_name in (
                    'subscription_started',
                    'subscription_upgraded',
                    'subscription_downgraded',
                    'subscription_renewed',
                    'subscription_cancelled'
                )
            ),
            false
        ) as has_subscriptions,
        coalesce(bool_or(event_name = 'team_member_joined'), false) as has_teams,
        coalesce(bool_or(event_name = 'coupon_redeemed'), false) as has_redemptions,
        coalesce(bool_or(event_name = 'message_sent'), false) as has_messages,
        coalesce(bool_or(event_name = 'message_opened'), false) as has_message_opens,
        coalesce(bool_or(event_name = 'message_clicked'), false) as has_message_clicks,
        coalesce(
            bool_or(event_name in ('channel_subscribed', 'channel_unsubscribed')), false
        ) as has_consents
    from event_catalogue

)

select * from final
