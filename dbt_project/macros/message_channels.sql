{#- The channels of messages that have columns of their own; others count in the sums of all channels only. -#}
{% macro message_channels() %}
    {{ return(("email", "sms", "push", "in_app")) }}
{% endmacro %}

{#- Whether a channel is one of them -#}
{% macro is_message_channel(channel) -%}
    {{ channel }} in ('{{ message_channels() | join("', '") }}')
{%- endmacro %}
