-- A small world that keeps every promise, as it stands after the review of the week of Monday 2025-03-03.
-- Time zone Europe/Berlin: the week is 2025-03-02 23:00 to 2025-03-09 23:00 UTC.
create schema raw;
create schema features;
create schema scores;
create schema marts;

create table raw.loads as
select
    load_id::bigint as load_id,
    'day_' || load_id || '.jsonl' as file_name,
    sha256('file ' || load_id) as sha256,
    4096::bigint as bytes,
    40::bigint as rows_read,
    1::bigint as rows_duplicate,
    1::bigint as rows_rejected,
    0::bigint as rows_grouped,
    38::bigint as events_loaded,
    1::bigint as events_late,
    0.1::double as seconds,
    timestamp '2025-03-10 05:00:00' as loaded_at
from range(1, 4) as loads (load_id);

create table raw.rejected_events as
select load_id, file_name, 7::bigint as line_number, 'not JSON' as reason, '{"event": ' as content
from raw.loads;

create table raw.events as
select
    'event_' || number as event_id,
    'track' as event_type,
    case when number % 10 = 0 then 'order_completed' else 'report_created' end as event_name,
    'user_' || number % 7 as user_id,
    'device_' || number % 9 as anonymous_id,
    'account_' || number % 5 as account_id,
    null::varchar as session_id,
    -- Two hours apart: from Monday 2025-02-24 to the Monday after the reviewed week.
    timestamp '2025-02-24 08:00:00' + number * interval 3 hour as occurred_at,
    timestamp '2025-02-24 08:00:02' + number * interval 3 hour as received_at,
    case when number % 10 = 0 then 19.9 end::decimal(18, 4) as revenue,
    case when number % 10 = 0 then 'EUR' end as currency,
    '{"plan": "team"}' as properties,
    null::varchar as traits,
    'collector' as source,
    1 + number // 38 as load_id
from range(114) as numbers (number);
-- One refund, and a page view without an account.
update raw.events set event_name = 'order_refunded', revenue = -19.9 where event_id = 'event_20';
update raw.events set event_type = 'page', event_name = null, account_id = null where event_id = 'event_21';

create table features.customer_weeks as
select
    'account_0' as customer_id,
    date '2025-03-03' as review_week,
    date '2024-06-03' as first_seen_date,
    280 as tenure_days,
    true as is_active_7d,
    1 as days_since_last_activity,
    2 as days_since_last_core_event,
    30::bigint as activities_7d,
    120::bigint as activities_28d,
    400::bigint as activities_90d,
    20::bigint as core_events_7d,
    80::bigint as core_events_28d,
    300::bigint as core_events_90d,
    5 as active_days_7d,
    20 as active_days_28d,
    64 as active_days_90d,
    6::bigint as sessions_7d,
    24::bigint as sessions_28d,
    80::bigint as sessions_90d,
    310.5::double as session_minutes_28d,
    12.5::double as session_minutes_median_28d,
    5.0::double as events_per_session_28d,
    2.0::double as pages_per_session_28d,
    12 as active_weeks_12,
    20 / 28 as stickiness_28d,
    1.0::double as days_between_visits_median_90d,
    0.8::double as visit_regularity_90d,
    0.1::double as usage_change_28d,
    0.01::double as usage_slope_8w,
    0.01::double as usage_slope_12w,
    'plateaued' as usage_trend,
    6 as features_used_28d,
    0.6::double as feature_adoption_share_28d,
    1 as orders_28d,
    3 as orders_90d,
    9 as orders_365d,
    9 as orders_ever,
    19.9::decimal(18, 4) as revenue_28d,
    59.7::decimal(18, 4) as revenue_90d,
    159.2::decimal(18, 4) as revenue_365d,
    159.2::decimal(18, 4) as revenue_ever,
    17.6889::decimal(18, 4) as average_order_value_365d,
    1.5::double as items_per_order_365d,
    12 as days_since_last_order,
    30.0::double as days_between_orders_median,
    0.7::double as order_regularity,
    date '2025-03-28' as expected_next_order_date,
    2 as product_categories_365d,
    'seats' as top_category_365d,
    0.6::double as category_concentration_365d,
    0.2::double as discounted_order_share_365d,
    0.05::double as discount_share_365d,
    1.4::double as discount_response,
    0.1::double as refund_share_365d,
    'card' as payment_method_main,
    1 as payment_methods_365d,
    12 as rfm_recency_days,
    9 as rfm_frequency,
    159.2::decimal(18, 4) as rfm_monetary,
    5 as rfm_r,
    5 as rfm_f,
    5 as rfm_m,
    'champions' as rfm_segment,
    2::bigint as messages_sent_28d,
    6::bigint as messages_sent_90d,
    0.75::double as email_open_share_90d,
    0.25::double as email_click_share_90d,
    null::double as sms_open_share_90d,
    null::double as sms_click_share_90d,
    1.0::double as push_open_share_90d,
    0.0::double as push_click_share_90d,
    0.0::double as in_app_open_share_90d,
    0.0::double as in_app_click_share_90d,
    5.25::double as response_hours_median_90d,
    'push' as preferred_channel,
    9 as preferred_send_hour_local,
    2 as preferred_send_weekday,
    'planning' as top_topic_90d,
    1::bigint as offers_sent_90d,
    1::bigint as offers_used_90d,
    true as is_subscribed_email,
    null::boolean as is_subscribed_sms,
    true as is_subscribed_push,
    false as is_subscribed_in_app,
    1 as opt_outs_365d,
    120 as days_since_opt_out,
    1 as tickets_28d,
    2 as tickets_90d,
    0 as open_tickets,
    0.5::double as support_sentiment_90d,
    9 as nps_last,
    40 as nps_days_ago,
    'team' as plan,
    99::decimal(18, 4) as monthly_recurring_revenue,
    10 as seats,
    0.7::double as limit_used_share,
    30 as days_to_renewal,
    1 as upgrades_ever,
    0 as downgrades_ever,
    false as is_cancelled,
    null::date as cancelled_date,
    6 as active_members_28d,
    8 as team_size,
    0 as team_change_28d,
    0.75::double as team_activity_share_28d,
    'highly_engaged' as engagement_level,
    'power_user' as lifecycle_stage,
    true as is_scorable;

-- An account that has gone quiet, bought once more than a year ago, and was never asked anything.
insert into features.customer_weeks
select * replace (
    'account_1' as customer_id, false as is_active_7d, 50 as days_since_last_activity,
    50 as days_since_last_core_event, 0 as activities_7d, 0 as activities_28d, 9 as activities_90d,
    0 as core_events_7d, 0 as core_events_28d, 4 as core_events_90d, 0 as active_days_7d, 0 as active_days_28d,
    3 as active_days_90d, 0 as sessions_7d, 0 as sessions_28d, 3 as sessions_90d, 0 as session_minutes_28d,
    null as session_minutes_median_28d, null as events_per_session_28d, null as pages_per_session_28d,
    2 as active_weeks_12, 0 as stickiness_28d, null as usage_change_28d, 0 as orders_28d, 0 as orders_90d,
    0 as orders_365d, 1 as orders_ever, 0 as revenue_28d, 0 as revenue_90d, 0 as revenue_365d,
    null as average_order_value_365d, 380 as days_since_last_order, 500 as tenure_days, null as rfm_recency_days,
    null as rfm_frequency, null as rfm_monetary, null as rfm_r, null as rfm_f, null as rfm_m,
    'lapsed' as rfm_segment, 0 as messages_sent_28d, 0 as messages_sent_90d, null as email_open_share_90d,
    null as email_click_share_90d, null as push_open_share_90d, null as push_click_share_90d,
    null as in_app_open_share_90d, null as in_app_click_share_90d, null as response_hours_median_90d,
    null as preferred_channel, null as preferred_send_hour_local, null as preferred_send_weekday,
    null as top_topic_90d, 0 as offers_sent_90d, 0 as offers_used_90d, 0 as opt_outs_365d,
    400 as days_since_opt_out, null as support_sentiment_90d, null as nps_last, null as nps_days_ago,
    0 as active_members_28d, 0 as team_activity_share_28d, 'barely_engaged' as engagement_level,
    'dormant' as lifecycle_stage
)
from features.customer_weeks
where customer_id = 'account_0';

-- An account that cancelled and has been silent for half a year.
insert into features.customer_weeks
select * replace (
    'account_2' as customer_id, 200 as days_since_last_activity, 200 as days_since_last_core_event,
    0 as activities_90d, 0 as core_events_90d, 0 as active_days_90d, 0 as sessions_90d, 0 as active_weeks_12,
    true as is_cancelled, date '2025-02-03' as cancelled_date, 0 as monthly_recurring_revenue,
    'disengaged' as engagement_level, 'churned' as lifecycle_stage, false as is_scorable
)
from features.customer_weeks
where customer_id = 'account_1';

-- An account that came on the Sunday of the week and has never ordered.
insert into features.customer_weeks
select * replace (
    'account_3' as customer_id, date '2025-03-09' as first_seen_date, 1 as tenure_days, 1 as days_since_last_activity,
    null as days_since_last_core_event, 2 as activities_7d, 2 as activities_28d, 2 as activities_90d,
    0 as core_events_7d, 0 as core_events_28d, 0 as core_events_90d, 1 as active_days_7d, 1 as active_days_28d,
    1 as active_days_90d, 1 as sessions_7d, 1 as sessions_28d, 1 as sessions_90d, 1 as active_weeks_12,
    1 / 28 as stickiness_28d, null as usage_slope_8w, null as usage_slope_12w, 'too_short' as usage_trend,
    0 as orders_28d, 0 as orders_90d, 0 as orders_365d, 0 as orders_ever, null as days_since_last_order,
    null as rfm_recency_days, null as rfm_frequency, null as rfm_monetary, null as rfm_r, null as rfm_f,
    null as rfm_m, 'no_orders' as rfm_segment, 0 as offers_used_90d, 0 as opt_outs_365d,
    null as days_since_opt_out, null as nps_last, null as nps_days_ago,
    'lightly_engaged' as engagement_level, 'onboarding' as lifecycle_stage
)
from features.customer_weeks
where customer_id = 'account_0';

-- Any other week may be anything: the promises look at the reviewed one.
insert into features.customer_weeks
select * replace (date '2025-02-24' as review_week, 99 as active_days_7d)
from features.customer_weeks;

create table features.customer_week_labels as
select
    customer_id,
    review_week - 28 as review_week,
    28 as horizon_days,
    (review_week + 7)::date as matures_on,
    customer_id = 'account_2' as churned_next,
    customer_id <> 'account_2' as active_next_7d,
    null::boolean as upgraded_next_90d,
    1 as orders_next,
    null::decimal(18, 4) as revenue_next_90d
from features.customer_weeks;
update features.customer_week_labels set review_week = review_week::date;

create table scores.churn as
select
    customer_id,
    review_week,
    case customer_id when 'account_0' then 0.01 when 'account_1' then 0.35 else 0.1 end::double
        as churn_probability,
    case customer_id when 'account_0' then 7.5 when 'account_1' then 85 else 50 end::double as churn_score,
    case customer_id when 'account_0' then 'low' when 'account_1' then 'high' else 'medium' end as churn_band,
    'churn-2025-03-03' as model_version
from features.customer_weeks
where is_scorable;

create table scores.health as
select
    customer_id,
    review_week,
    case customer_id when 'account_0' then 80.25 when 'account_1' then 12.5 end::double as health_score,
    case customer_id when 'account_0' then 'advocacy' when 'account_1' then 'high_touch' end as health_band,
    case customer_id when 'account_3' then 0.4 else 1 end::double as weight_observed_share,
    'health-1' as model_version
from features.customer_weeks
where is_scorable;

create table scores.health_contributions as
select
    health.customer_id,
    health.review_week,
    components.component,
    components.column_name,
    case when health.health_score is not null then 5 end::double as value,
    case when health.health_score is not null then 50 end::double as component_score,
    components.weight,
    round(health.health_score * components.weight / 100, 2) as contribution,
    health.model_version
from scores.health as health
cross join (
    values ('usage_frequency', 'active_days_28d', 60::double), ('nps', 'nps_last', 40::double)
) as components (component, column_name, weight);

create table scores.clusters as
select
    customer_id,
    review_week,
    case customer_id when 'account_0' then 0 else 1 end as cluster_id,
    case customer_id when 'account_0' then 'Power users' else 'Casual users' end as cluster_name,
    0.9::double as centrality_share,
    'clusters-2025-03-03' as model_version
from features.customer_weeks
where is_scorable;

create table marts.customers as
select
    weeks.*,
    churn.churn_probability,
    churn.churn_score,
    churn.churn_band,
    health.health_score,
    health.health_band,
    clusters.cluster_id,
    clusters.cluster_name,
    case weeks.customer_id when 'account_1' then 'rescue_call' end as next_action_id,
    case weeks.customer_id when 'account_1' then 'Call the owner' end as next_action_title,
    case weeks.customer_id when 'account_1' then 'Likely to leave' end as next_action_reason
from features.customer_weeks as weeks
left join scores.churn using (customer_id, review_week)
left join scores.health using (customer_id, review_week)
left join scores.clusters using (customer_id, review_week)
where weeks.review_week = date '2025-03-03';

create table marts.customer_weeks as
select customer_id, review_week, lifecycle_stage from features.customer_weeks;

create table marts.segments_weekly as
select
    'lifecycle' as scheme, lifecycle_stage as segment, review_week, count(*) as customers,
    count(*) / 4 as customer_share, avg(active_days_28d) as active_days_28d_mean,
    avg(churn_probability) as churn_probability_mean, avg(health_score) as health_score_mean
from marts.customers
group by all
union all
select
    'engagement', engagement_level, review_week, count(*), count(*) / 4, avg(active_days_28d),
    avg(churn_probability), avg(health_score)
from marts.customers
group by all
union all
select
    'churn_band', churn_band, review_week, count(*), count(*) / 3, avg(active_days_28d),
    avg(churn_probability), avg(health_score)
from marts.customers
where churn_band is not null
group by all;

create table marts.metrics_daily as
select
    activity_date::date as activity_date,
    2::bigint as active_customers,
    3::bigint as active_customers_7d,
    4::bigint as active_customers_28d,
    0.5::double as stickiness_share,
    1::bigint as new_customers,
    1::bigint as orders
from range(date '2025-02-24', date '2025-03-10', interval 1 day) as days (activity_date);

create table marts.metrics_weekly as
select
    review_week::date as review_week,
    400::bigint as known_customers,
    90::bigint as active_customers,
    100::bigint as previous_active_customers,
    180::bigint as active_customers_28d,
    0.5::double as stickiness_share,
    3::bigint as churned_customers
from range(date '2025-02-10', date '2025-03-10', interval 7 day) as weeks (review_week);

create table marts.interventions as
select
    'account_1' as customer_id,
    date '2025-03-03' as review_week,
    'rescue_call' as action_id,
    'account_1:rescue_call' as sync_key,
    1 as rank,
    63.7::decimal(18, 4) as priority_score,
    'Call the owner' as title,
    'Likely to leave' as reason,
    'phone' as channel,
    'customer_success' as owner_team,
    25::double as cost,
    0.08::double as assumed_uplift,
    'May we help?' as message;
