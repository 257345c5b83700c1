with

customer_days as (

    select * from {{ ref('customer_days_as_known') }}

),

customers_reviewed as (

    select * from {{ ref('int_customers_reviewed') }}

),

event_kinds as (

    select * from {{ ref('stg_event_kinds') }}

),

days_in_order as (

    select
        customer_id,
        history_from_week,
        local_date,
        core_events,
        feature_mask,
        activation_mask,
        row_number() over in_order as day_of_customer,
        coalesce(sum(core_events) over before_the_day, 0) as core_events_before,
        coalesce(bit_or(feature_mask) over before_the_day, 0) as feature_mask_before,
        coalesce(bit_or(activation_mask) over before_the_day, 0)
            as activation_mask_before
    from customer_days
    window
        in_order as (
            partition by customer_id, history_from_week
            order by local_date
        ),
        before_the_day as (
            partition by customer_id, history_from_week
            order by local_date
            rows between unbounded preceding and 1 preceding
        )

),

-- Days on which something happened for the first time are few: every reviewed week can
-- look at all that came before its end.
days_with_firsts as (

    select
        customer_id,
        history_from_week,
        local_date,
        {{ monday_of("local_date") }} as calendar_week,
        core_events > 0 and core_events_before = 0 as has_first_core_event,
        {{ bits_without("feature_mask", "feature_mask_before") }} as new_feature_mask,
        {{ bits_without("activation_mask", "activation_mask_before") }}
            as new_activation_mask,
        bit_count({{ bits_of_either("feature_mask", "feature_mask_before") }})
            as features_so_far,
        bit_count({{ bits_of_either("activation_mask", "activation_mask_before") }})
            as activation_steps_so_far
    from days_in_order
    where
        day_of_customer = 1
        or (core_events > 0 and core_events_before = 0)
        or {{ bits_without("feature_mask", "feature_mask_before") }} > 0
        or {{ bits_without("activation_mask", "activation_mask_before") }} > 0

),

firsts_by_week as (

    select
        customers_reviewed.customer_id,
        customers_reviewed.review_week,
        days_with_firsts.local_date,
        days_with_firsts.calendar_week
        > {{ add_days("customers_reviewed.review_week", -28) }} as is_in_28_days,
        days_with_firsts.has_first_core_event,
        days_with_firsts.new_feature_mask,
        days_with_firsts.new_activation_mask,
        days_with_firsts.features_so_far >= 5 as has_five_features,
        -- Without steps nobody is ever activated.
        days_with_firsts.activation_steps_so_far
        = nullif(event_kinds.activation_steps, 0) as has_all_steps
    from customers_reviewed
    inner join days_with_firsts
        on
            customers_reviewed.customer_id = days_with_firsts.customer_id
            and customers_reviewed.history_from_week
            = days_with_firsts.history_from_week
            and customers_reviewed.review_week >= days_with_firsts.calendar_week
    cross join event_kinds

),

firsts_summed as (

    select
        customer_id,
        review_week,
        min(local_date) as first_seen_date,
        min(case when has_first_core_event then local_date end)
            as first_core_event_date,
        min(case when has_five_features then local_date end) as five_features_date,
        min(case when has_all_steps then local_date end) as activated_date,
        sum(bit_count(new_feature_mask)) as features_used_ever,
        sum(bit_count(new_activation_mask)) as activation_steps_done,
        bit_or(case when is_in_28_days then new_feature_mask else 0 end)
            as new_feature_mask_28d
    from firsts_by_week
    group by customer_id, review_week

),

final as (

    select
        customer_id,
        review_week,
        cast(features_used_ever as integer) as features_used_ever,
        cast(bit_count(new_feature_mask_28d) as integer) as new_features_28d,
        cast(new_feature_mask_28d as bigint) as new_feature_mask_28d,
        cast(activation_steps_done as integer) as activation_steps_done,
        {{ days_between("first_seen_date", "activated_date") }} as days_to_activation,
        {{ days_between("first_seen_date", "first_core_event_date") }}
            as days_to_first_core_event,
        {{ days_between("first_seen_date", "five_features_date") }}
            as days_to_five_features
    from firsts_summed

)

select * from final
