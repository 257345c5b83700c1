with

messages as (

    select * from {{ ref('messages') }}

),

customer_days as (

    select * from {{ ref('customer_days_as_known') }}

),

weeks_looked_back_on as (

    select * from {{ ref('int_weeks_looked_back_on') }}

),

customers_reviewed as (

    select * from {{ ref('int_customers_reviewed') }}

),

-- A message belongs to every week in whose window it was sent, each time as far as it
-- had been answered when that week ended.
messages_by_week as (

    select
        messages.customer_id,
        weeks_looked_back_on.review_week,
        messages.message_channel,
        messages.topic,
        messages.is_offer,
        messages.sent_hour_local,
        messages.sent_weekday,
        weeks_looked_back_on.weeks_ago < 4 as is_sent_in_28_days,
        coalesce(messages.opened_date < weeks_looked_back_on.end_date, false)
            as is_opened,
        coalesce(messages.clicked_date < weeks_looked_back_on.end_date, false)
            as is_clicked,
        coalesce(messages.answered_date < weeks_looked_back_on.end_date, false)
            as is_answered,
        messages.response_microseconds
    from messages
    inner join weeks_looked_back_on
        on
            {{ monday_of("messages.sent_date") }} = weeks_looked_back_on.calendar_week
            and messages.known_from_date < weeks_looked_back_on.end_date
            and messages.sent_date
            >= {{ add_days("weeks_looked_back_on.end_date", -90) }}
    where
        weeks_looked_back_on.weeks_ago <= 12
        and {{ may_lie_in_windows("messages.sent_date", 90) }}

),

messages_summed as (

    select
        customer_id,
        review_week,
        count(*) filter (where is_sent_in_28_days) as messages_sent_28d,
        count(*) as messages_sent_90d,
        count(*) filter (where is_offer) as offers_sent_90d,
        median(case when is_answered then response_microseconds end)
            as response_microseconds_median_90d,
        {{ mode_of_list(sorted_list("case when is_opened then sent_hour_local end")) }}
            as preferred_send_hour_local,
        {{ mode_of_list(sorted_list("case when is_opened then sent_weekday end")) }}
            as preferred_send_weekday,
        {{ mode_of_list(sorted_list("case when is_answered then topic end")) }}
            as top_topic_90d
    from messages_by_week
    group by customer_id, review_week

),

channels_counted as (

    select
        customer_id,
        review_week,
        message_channel,
        count(*) filter (where is_opened) as messages_opened,
        {{ share_of("count(*) filter (where is_opened)", "count(*)") }} as open_share,
        {{ share_of("count(*) filter (where is_clicked)", "count(*)") }} as click_share
    from messages_by_week
    where {{ is_message_channel("message_channel") }}
    group by customer_id, review_week, message_channel

),

channels_compared as (

    select
        customer_id,
        review_week,
        {% for channel in message_channels() %}
        max(case when message_channel = '{{ channel }}' then open_share end)
            as {{ channel }}_open_share_90d,
        max(case when message_channel = '{{ channel }}' then click_share end)
            as {{ channel }}_click_share_90d,
        {% endfor %}
        {{ value_at_smallest(
            "case when messages_opened > 0 then message_channel end",
            ["-open_share", "-messages_opened", "message_channel"]
        ) }} as preferred_channel
    from channels_counted
    group by customer_id, review_week

),

days_by_week as (

    select
        customer_days.customer_id,
        customer_days.history_from_week,
        weeks_looked_back_on.review_week,
        case
            when
                customer_days.local_date
                >= {{ add_days("weeks_looked_back_on.end_date", -90) }}
                then customer_days.offers_used
            else 0
        end as offers_used_90d,
        customer_days.opt_outs as opt_outs_365d
    from customer_days
    inner join weeks_looked_back_on
        on
            {{ monday_of("customer_days.local_date") }}
            = weeks_looked_back_on.calendar_week
            and customer_days.local_date
            >= {{ add_days("weeks_looked_back_on.end_date", -365) }}
    where
        customer_days.offers_used > 0
        or customer_days.opt_outs > 0

),

days_summed as (

    select
        customer_id,
        history_from_week,
        review_week,
        sum(offers_used_90d) as offers_used_90d,
        sum(opt_outs_365d) as opt_outs_365d
    from days_by_week
    group by customer_id, history_from_week, review_week

),

final as (

    select
        customers_reviewed.customer_id,
        customers_reviewed.review_week,

        cast(coalesce(messages_summed.messages_sent_28d, 0) as bigint)
            as messages_sent_28d,
        cast(coalesce(messages_summed.messages_sent_90d, 0) as bigint)
            as messages_sent_90d,
        {% for channel in message_channels() %}
        channels_compared.{{ channel }}_open_share_90d,
        channels_compared.{{ channel }}_click_share_90d,
        {% endfor %}
        messages_summed.response_microseconds_median_90d / 3600000000
            as response_hours_median_90d,
        channels_compared.preferred_channel,
        messages_summed.preferred_send_hour_local,
        messages_summed.preferred_send_weekday,
        messages_summed.top_topic_90d,
        cast(coalesce(messages_summed.offers_sent_90d, 0) as bigint) as offers_sent_90d,
        cast(coalesce(days_summed.offers_used_90d, 0) as bigint) as offers_used_90d,
        cast(coalesce(days_summed.opt_outs_365d, 0) as integer) as opt_outs_365d
    from customers_reviewed
    left join messages_summed
        on
            customers_reviewed.customer_id = messages_summed.customer_id
            and customers_reviewed.review_week = messages_summed.review_week
    left join channels_compared
        on
            customers_reviewed.customer_id = channels_compared.customer_id
            and customers_reviewed.review_week = channels_compared.review_week
    left join days_summed
        on
            customers_reviewed.customer_id = days_summed.customer_id
            and customers_reviewed.history_from_week = days_summed.history_from_week
            and customers_reviewed.review_week = days_summed.review_week

)

select * from final
