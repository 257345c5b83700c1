{#-
    Whether an event of this name is on record beyond the click that made it: money, a plan, a ticket, an answer, a
    message, a consent, a member of a team.
-#}
{% macro is_on_record(event_name) -%}
    {{ event_name }} in (
        'order_completed',
        'order_refunded',
        'coupon_redeemed',
        'subscription_started',
        'subscription_upgraded',
        'subscription_downgraded',
        'subscription_renewed',
        'subscription_cancelled',
        'ticket_opened',
        'ticket_closed',
        'csat_answered',
        'nps_answered',
        'message_sent',
        'message_opened',
        'message_clicked',
        'channel_subscribed',
        'channel_unsubscribed',
        'team_member_invited',
        'team_member_joined',
        'team_member_removed'
    )
{%- endmacro %}
