with

activity_mix as (

    select * from {{ ref('activity_mix_as_known') }}

),

customer_days as (

    select * from {{ ref('customer_days_as_known') }}

),

product_features as (

    select * from {{ ref('stg_product_features') }}

),

firsts as (

    select * from {{ ref('int_firsts_carried_to_weeks') }}

),

weeks_looked_back_on as (

    select * from {{ ref('int_weeks_looked_back_on') }}

),

customers_reviewed as (

    select * from {{ ref('int_customers_reviewed') }}

),

-- 28 days are 4 weeks; 90 days are 12 weeks and Tuesday to Sunday of the week before
-- them. A week before a history begins was reviewed by the history before.
mix_by_week as (

    select
        activity_mix.customer_id,
        activity_mix.history_from_week,
        weeks_looked_back_on.review_week,
        activity_mix.hour_local,
        activity_mix.feature_number,
        activity_mix.platform,
        activity_mix.content_topic,
        case
            when weeks_looked_back_on.weeks_ago < 4 then activity_mix.occurrences
            else 0
        end as occurrences_28d,
        case
            when weeks_looked_back_on.weeks_ago < 12 then activity_mix.occurrences
            else activity_mix.occurrences_after_monday
        end as occurrences_90d
    from activity_mix
    inner join weeks_looked_back_on
        on
            activity_mix.calendar_week = weeks_looked_back_on.calendar_week
            and activity_mix.history_from_week <= weeks_looked_back_on.review_week
    where
        {{ may_lie_in_windows("activity_mix.calendar_week", 90) }}
        and (
            weeks_looked_back_on.weeks_ago < 4
            or (
                weeks_looked_back_on.weeks_ago <= 12
                and (
                    activity_mix.hour_local is not null
                    or activity_mix.content_topic is not null
                )
            )
        )

),

mix_summed as (

    select
        customer_id,
        history_from_week,
        review_week,
        hour_local,
        feature_number,
        platform,
        content_topic,
        sum(occurrences_28d) as occurrences_28d,
        sum(occurrences_90d) as occurrences_90d
    from mix_by_week
    group by
        customer_id,
        history_from_week,
        review_week,
        hour_local,
        feature_number,
        platform,
        content_topic
    having sum(occurrences_90d) > 0

),

mix_compared as (

    select
        customer_id,
        history_from_week,
        review_week,
        {{ value_at_smallest(
            "hour_local", [most_frequent_first("hour_local", "occurrences_90d")]
        ) }} as best_hour_local,
        {{ value_at_smallest("platform", ["-occurrences_28d", "platform"]) }}
            as platform_main_28d,
        count(platform) as platforms_28d,
        count(case when occurrences_28d > 0 then content_topic end)
            as content_topics_28d,
        {{ value_at_smallest("content_topic", ["-occurrences_90d", "content_topic"]) }}
            as top_content_topic_90d
    from mix_summed
    where feature_number is null
    group by customer_id, history_from_week, review_week

),

features_compared as (

    select
        mix_summed.customer_id,
        mix_summed.history_from_week,
        mix_summed.review_week,
        {{ value_at_smallest(
            "mix_summed.feature_number",
            [most_frequent_first(
                "mix_summed.feature_number", "mix_summed.occurrences_28d"
            )]
        ) }} as top_feature_number,
        {{ share_of(
            "sum(mix_summed.occurrences_28d * mix_summed.occurrences_28d)",
            "(sum(mix_summed.occurrences_28d) * sum(mix_summed.occurrences_28d))"
        ) }} as feature_concentration_28d,
        {{ share_of(
            "sum(case when "
            ~ has_bits("firsts.new_feature_mask_28d", bit_at("mix_summed.feature_number"))
            ~ " then mix_summed.occurrences_28d else 0 end)",
            "sum(mix_summed.occurrences_28d)"
        ) }} as exploration_share_28d
    from mix_summed
    inner join firsts
        on
            mix_summed.customer_id = firsts.customer_id
            and mix_summed.review_week = firsts.review_week
    where mix_summed.feature_number is not null
    group by
        mix_summed.customer_id, mix_summed.history_from_week, mix_summed.review_week

),

feature_pairs as (

    select
        first_features.feature || ' + ' || second_features.feature as feature_pair,
        row_number() over (
            order by first_features.feature || ' + ' || second_features.feature
        ) as pair_number,
        {{ bits_of_either(
            bit_at("first_features.feature_number"),
            bit_at("second_features.feature_number")
        ) }} as feature_mask
    from product_features as first_features
    inner join product_features as second_features
        on first_features.feature_number < second_features.feature_number

),

days_with_several_features as (

    select
        customer_id,
        history_from_week,
        local_date,
        {{ monday_of("local_date") }} as calendar_week,
        feature_mask
    from customer_days
    where
        bit_count(feature_mask) >= 2
        and {{ monday_of("local_date") }} in (
            select weeks_looked_back_on.calendar_week
            from weeks_looked_back_on
            where weeks_looked_back_on.weeks_ago <= 12
        )

),

masks_seen as (

    select distinct feature_mask
    from days_with_several_features

),

-- Days agree in their features more often than not: pairs are told apart once per mask.
pairs_of_masks as (

    select
        masks_seen.feature_mask,
        feature_pairs.pair_number
    from masks_seen
    inner join feature_pairs
        on {{ has_bits("masks_seen.feature_mask", "feature_pairs.feature_mask") }}

),

weeks_with_pairs as (

    select
        days_with_several_features.customer_id,
        days_with_several_features.history_from_week,
        days_with_several_features.calendar_week,
        pairs_of_masks.pair_number,
        count(*) as days_used,
        count(*) filter (
            where
            days_with_several_features.local_date
            > days_with_several_features.calendar_week
        ) as days_used_after_monday
    from days_with_several_features
    inner join pairs_of_masks
        on days_with_several_features.feature_mask = pairs_of_masks.feature_mask
    group by
        days_with_several_features.customer_id,
        days_with_several_features.history_from_week,
        days_with_several_features.calendar_week,
        pairs_of_masks.pair_number

),

pairs_summed as (

    select
        weeks_with_pairs.customer_id,
        weeks_with_pairs.history_from_week,
        weeks_looked_back_on.review_week,
        weeks_with_pairs.pair_number,
        sum(
            case
                when weeks_looked_back_on.weeks_ago < 12 then weeks_with_pairs.days_used
                else weeks_with_pairs.days_used_after_monday
            end
        ) as days_used
    from weeks_with_pairs
    inner join weeks_looked_back_on
        on
            weeks_with_pairs.calendar_week = weeks_looked_back_on.calendar_week
            and weeks_with_pairs.history_from_week <= weeks_looked_back_on.review_week
    where weeks_looked_back_on.weeks_ago <= 12
    group by
        weeks_with_pairs.customer_id,
        weeks_with_pairs.history_from_week,
        weeks_looked_back_on.review_week,
        weeks_with_pairs.pair_number

),

pairs_compared as (

    select
        customer_id,
        history_from_week,
        review_week,
        {{ value_at_smallest(
            "pair_number", [most_frequent_first("pair_number", "days_used")]
        ) }} as top_pair_number
    from pairs_summed
    where days_used > 0
    group by customer_id, history_from_week, review_week

),

final as (

    select
        customers_reviewed.customer_id,
        customers_reviewed.review_week,
        mix_compared.best_hour_local,
        product_features.feature as top_feature_28d,
        features_compared.feature_concentration_28d,
        features_compared.exploration_share_28d,
        feature_pairs.feature_pair as top_feature_pair_90d,
        mix_compared.platform_main_28d,
        cast(nullif(mix_compared.platforms_28d, 0) as integer) as platforms_28d,
        cast(coalesce(mix_compared.content_topics_28d, 0) as integer)
            as content_topics_28d,
        mix_compared.top_content_topic_90d
    from customers_reviewed
    left join mix_compared
        on
            customers_reviewed.customer_id = mix_compared.customer_id
            and customers_reviewed.history_from_week = mix_compared.history_from_week
            and customers_reviewed.review_week = mix_compared.review_week
    left join features_compared
        on
            customers_reviewed.customer_id = features_compared.customer_id
            and customers_reviewed.history_from_week
            = features_compared.history_from_week
            and customers_reviewed.review_week = features_compared.review_week
    left join product_features
        on features_compared.top_feature_number = product_features.feature_number
    left join pairs_compared
        on
            customers_reviewed.customer_id = pairs_compared.customer_id
            and customers_reviewed.history_from_week = pairs_compared.history_from_week
            and customers_reviewed.review_week = pairs_compared.review_week
    left join feature_pairs
        on pairs_compared.top_pair_number = feature_pairs.pair_number

)

select * from final
