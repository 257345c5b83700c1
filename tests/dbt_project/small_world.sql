-- A small business made of arithmetic: 40 accounts, 30 weeks from 2025-01-06 on, every kind of event.
-- Sessions cross midnights, weeks' ends and both changes of the clocks; numbers repeat, so that there are ties.
create schema raw;
create schema scores;
create schema ops;

create table raw.events (
    event_id varchar, event_type varchar, event_name varchar, user_id varchar, anonymous_id varchar,
    account_id varchar, session_id varchar, occurred_at timestamp, received_at timestamp, channel varchar,
    platform varchar, device varchar, page_path varchar, referrer varchar, utm_source varchar,
    utm_medium varchar, utm_campaign varchar, feature varchar, revenue decimal(18, 4), currency varchar,
    properties json, traits json, source varchar, load_id bigint, is_late boolean
);
create table raw.loads (
    load_id bigint, source varchar, file_name varchar, sha256 varchar, bytes bigint, modified_at timestamp,
    rows_read bigint, rows_duplicate bigint, rows_rejected bigint, rows_grouped bigint,
    events_loaded bigint, events_late bigint, seconds double, loaded_at timestamp
);
create table raw.rejected_events (
    load_id bigint, file_name varchar, line_number bigint, reason varchar, content varchar
);
insert into raw.loads
values (1, 'collector', 'a.jsonl', 'x', 10, null, 12, 1, 2, 3, 6, 1, 0.5, timestamp '2025-08-10 01:00:00');
insert into raw.rejected_events values (1, 'a.jsonl', 3, 'no time', '{'), (1, 'a.jsonl', 4, 'no time', '[');

-- Usage: bursts of up to six events, 11 minutes apart, many of them begun shortly before midnight in Berlin.
insert into raw.events by name
with bursts as (
    select
        account.number as account_number,
        burst.number as burst_number,
        (account.number * 37 + burst.number * 101) % 210 as day_number,
        case
            when (account.number + burst.number) % 3 = 0 then 21 * 3600 + 2400 + burst.number * 7 % 3000
            else 6 * 3600 + (account.number * 977 + burst.number * 4409) % 50000
        end as second_of_day,
        1 + (account.number * 5 + burst.number * 3) % 6 as events,
        (account.number + burst.number) % 3 as member
    from range(40) as account (number)
    cross join range(60) as burst (number)
    where burst.number < 8 + account.number * 3 % 53
)
select
    'u' || account_number || '-' || burst_number || '-' || event.number as event_id,
    'track' as event_type,
    ([
        'page_viewed', 'dashboard_viewed', 'report_created', 'task_completed', 'search_run', 'comment_posted',
        'content_viewed', 'project_created', 'automation_run'
    ])[1 + (account_number + burst_number * 2 + event.number) % (6 + (account_number + 1) % 4)] as event_name,
    'user-' || account_number || '-' || member as user_id,
    case when burst_number % 7 <> 0 then 'device-' || account_number || '-' || member end as anonymous_id,
    case when burst_number % 11 <> 10 then 'account-' || account_number end as account_id,
    timestamp '2025-01-06' + to_days(cast(day_number as integer))
    + to_seconds(second_of_day + event.number * 660) as occurred_at,
    occurred_at as received_at,
    'web' as channel,
    (['Windows', 'macOS', 'iOS', null])[1 + (account_number + burst_number // 5) % 4] as platform,
    (['/page', '/help', '/Pricing', '/docs', '/helpers'])[1 + (burst_number + event.number) % 5]
    || case when burst_number % 2 = 0 then '/' || event.number else '' end as page_path,
    json_object('topic', (['planning', 'security', 'reporting', null])[1 + (account_number + burst_number) % 4])
    as properties,
    'collector' as source,
    1 as load_id,
    account_number % 13 = 12 and burst_number = 3 as is_late
from bursts
cross join range(6) as event (number)
where event.number < events;

-- The rest: one event per account and step, spread over the days.
insert into raw.events by name
with steps (event_name, steps, day_step, properties, revenue) as (
    values
    ('subscription_started', 1, 0, '{"plan": "team", "mrr": 49, "seats": 3, "limit_used_share": 0.NUMBER, "renewal_date": "2025-07-2NUMBER"}', null),
    ('subscription_upgraded', 1, 67, '{"plan": "pro", "mrr": 99.5, "seats": 1NUMBER, "renewal_date": "2026-01-1NUMBER"}', null),
    ('subscription_downgraded', 1, 150, '{"plan": "team", "mrr": 49}', null),
    ('subscription_cancelled', 2, 61, '{"plan": "pro", "reason": "price"}', null),
    ('signed_up', 1, 1, '{}', null),
    ('email_verified', 2, 43, '{}', null),
    ('profile_completed', 2, 40, '{}', null),
    ('team_member_invited', 5, 27, '{"member_id": "m"}', null),
    ('item_shared', 6, 21, '{}', null),
    ('comparison_searched', 6, 25, '{}', null),
    ('error_shown', 7, 19, '{}', null),
    ('team_member_joined', 3, 17, '{"member_id": "m"}', null),
    ('team_member_removed', 1, 120, '{"member_id": "m"}', null),
    (
        'order_completed', 7, 23,
        '{"discount": 1.5, "coupon": "SPRING", "payment_method": "card", "products":
        [{"category": "books", "quantity": 2}, {"category": "toys"}, {"category": "books", "quantity": 0.5}]}', 20.25
    ),
    (
        'order_completed', 4, 41,
        '{"payment_method": "invoice", "products": [{"category": "games"}, {"category": "games"}, {}]}', 80
    ),
    ('order_refunded', 1, 60, '{}', -20.25),
    ('message_sent', 5, 19, '{"coupon": "SPRING"}', null),
    ('ticket_opened', 7, 29, '{"ticket_id": "t-STEP", "sentiment": -0.NUMBER}', null),
    ('ticket_opened', 5, 37, '{"ticket_id": "again-STEP"}', null),
    ('ticket_closed', 6, 31, '{"ticket_id": "t-STEP"}', null),
    ('csat_answered', 5, 34, '{"ticket_id": "t-STEP", "score": NUMBER}', null),
    ('nps_answered', 2, 71, '{"score": NUMBER}', null),
    ('newsletter_read', 2, 33, '{}', null)
)
select
    steps.event_name || '-' || account.number || '-' || step.number || '-' || steps.day_step as event_id,
    'track' as event_type,
    steps.event_name,
    'user-' || account.number || '-0' as user_id,
    'account-' || account.number as account_id,
    timestamp '2025-01-06 09:00:00'
    + to_days(cast((account.number * 11 % 50 + steps.day_step * (step.number + 1)) % 210 as integer))
    + to_seconds(account.number * 61 % 7200) as occurred_at,
    occurred_at as received_at,
    'server' as channel,
    cast(steps.revenue as decimal(18, 4)) as revenue,
    'EUR' as currency,
    replace(
        replace(steps.properties, 'NUMBER', cast((account.number + step.number * 3) % 10 as varchar)),
        'STEP', cast(step.number as varchar)
    ) as properties,
    'collector' as source,
    1 as load_id,
    false as is_late
from steps
cross join range(40) as account (number)
cross join range(7) as step (number)
where
    step.number < steps.steps
    -- Some accounts never order, never cancel, never write.
    and (account.number + length(steps.event_name) + steps.day_step) % 4 <> 0;

-- Messages: fourteen per account, on all channels and one more, some sent twice; what became of them up to eighty hours
-- later, often after a week's end, sometimes clicked and never opened, sometimes before their own sending.
insert into raw.events by name
with messages as (
    select
        account.number as account_number,
        message.number as message_number,
        timestamp '2025-01-06 05:20:00'
        + to_days(cast((account.number * 11 % 50 + message.number * 13) % 210 as integer))
        + to_hours(cast((account.number + message.number * 5) % 20 as integer)) as sent_at,
        to_json({
            message_id: 'm-' || account_number || '-' || message_number,
            message_channel: (['email', 'push', 'sms', 'in_app', 'post'])
            [1 + (account_number + message_number * message_number) % 5],
            topic: (['news', 'tips', 'offers', null])[1 + (account_number * 3 + message_number) % 4],
            coupon: case when message_number % 4 = 1 then 'SPRING' end,
            offer_id: case when message_number % 5 = 2 then 'offer-' || message_number end
        }) as properties
    from range(40) as account (number)
    cross join range(14) as message (number)
    where account.number % 9 <> 8
),
kinds (event_name, every, first, hours) as (
    values
    ('message_sent', 1, 0, 0), ('message_sent', 6, 5, 30),
    ('message_opened', 3, 1, 1), ('message_opened', 5, 0, 3), ('message_opened', 13, 12, -1),
    ('message_clicked', 4, 1, 2), ('message_clicked', 7, 6, 0)
)
select
    messages.properties ->> 'message_id' || '-' || kinds.event_name || '-' || kinds.every as event_id,
    'track' as event_type,
    kinds.event_name,
    'user-' || messages.account_number || '-0' as user_id,
    'account-' || messages.account_number as account_id,
    messages.sent_at + to_minutes(cast(kinds.hours * ((account_number * 7 + message_number * 5) % 40 * 60 + 7) as integer))
    as occurred_at,
    occurred_at as received_at,
    'server' as channel,
    cast(messages.properties as varchar) as properties,
    'collector' as source,
    1 as load_id,
    false as is_late
from messages
inner join kinds on (messages.account_number + messages.message_number * 2) % kinds.every = kinds.first;

-- Consents: given on a first day, withdrawn and given again at all times of the day, some at the very same moment.
insert into raw.events by name
select
    'consent-' || account.number || '-' || consent.number as event_id,
    'track' as event_type,
    case when (account.number + consent.number) % 3 = 2 then 'channel_unsubscribed' else 'channel_subscribed' end
    as event_name,
    'user-' || account.number || '-0' as user_id,
    'account-' || account.number as account_id,
    timestamp '2025-01-07 10:00:00'
    + to_days(cast((account.number % 5 + consent.number // 2 * 29) % 210 as integer))
    + to_hours(cast(account.number % 14 as integer)) as occurred_at,
    occurred_at as received_at,
    'server' as channel,
    json_object(
        'message_channel', (['email', 'push', 'sms', 'in_app', null])[1 + (account.number + consent.number // 2) % 5]
    ) as properties,
    'collector' as source,
    1 as load_id,
    false as is_late
from range(40) as account (number)
cross join range(14) as consent (number)
where account.number % 7 <> 6;

create table scores.churn (
    customer_id varchar, review_week date,
    churn_probability double, churn_score double, churn_band varchar, model_version varchar
);
create table scores.health (
    customer_id varchar, review_week date,
    health_score double, health_band varchar, weight_observed_share double, model_version varchar
);
create table scores.clusters (
    customer_id varchar, review_week date,
    cluster_id integer, cluster_name varchar, centrality_share double, model_version varchar
);
insert into scores.churn
select
    'account-' || number, date '2025-06-30', number / 50.0, number * 2,
    (['low', 'medium', 'high'])[cast(1 + number % 3 as integer)], 'churn-1'
from range(30) as account (number);
insert into scores.health
select
    'account-' || number, date '2025-06-30', 100 - number * 2,
    (['high_touch', 'automated', 'advocacy'])[cast(1 + number % 3 as integer)], 1, 'health-1'
from range(30) as account (number);

create schema features;
create table features.own_segments (customer_id varchar, review_week date, segment varchar);
insert into features.own_segments
select 'account-' || account.number, date '2025-06-30' - cast(7 * week.number as integer), segment.name
from range(40) as account (number)
cross join range(6) as week (number)
cross join (values ('even', 2), ('third', 3)) as segment (name, divisor)
where account.number % segment.divisor = 0;

create table ops.run_parameters as
select
    date '2025-06-30' as review_week,
    date '2025-06-30' as newest_review_week,
    date '2025-07-07' as observed_until_date,
    cast(null as date) as labels_from_week,
    'account' as customer_kind,
    'Europe/Berlin' as time_zone,
    cast(1800000000 as bigint) as session_timeout_microseconds,
    cast(86400000000 as bigint) as session_cap_microseconds,
    false as uses_session_ids_of_sources,
    5 as owners_per_id_at_most,
    20 as ids_merged_per_customer_at_most,
    ['null', 'undefined'] as meaningless_ids,
    9 as longest_meaningless_id_letters,
    ['testers.example'] as test_email_domains,
    100 as bot_activities_per_hour,
    cast(3 as double) as bot_seconds_between_activities,
    'inactivity' as churn_definition,
    28 as churn_horizon_days,
    90 as churned_after_quiet_days,
    28 as dormant_after_quiet_days,
    30 as onboarding_up_to_tenure_days,
    90 as adopting_up_to_tenure_days,
    cast(-0.5 as double) as at_risk_usage_change_share,
    16 as at_risk_core_events_before,
    cast(0.9 as double) as power_user_rank_share,
    5 as power_user_features,
    60 as disengaged_after_quiet_days,
    20 as highly_engaged_active_days_28d,
    3 as highly_engaged_features,
    2 as moderately_engaged_features,
    5 as capacity_per_owner_team,
    26 as marts_history_weeks;

create table ops.weeks_to_build (review_week date, end_date date);

-- All weeks are read again, whatever the stream holds of them, so nothing is carried and nothing applied before.
create table ops.weeks_touched as
select
    cast(week as date) as calendar_week,
    timezone('UTC', timezone('Europe/Berlin', week)) as from_at,
    timezone('UTC', timezone('Europe/Berlin', week + interval 7 day)) as until_at
from generate_series(
    (select date_trunc('week', min(occurred_at)) - interval 7 day from raw.events),
    (select date_trunc('week', max(occurred_at)) + interval 7 day from raw.events),
    interval 7 day
) as weeks (week);

create macro ops.touched_from_at() as timestamp '2000-01-01';
create macro ops.touched_until_at() as timestamp '2100-01-01';
create macro ops.first_week_to_build() as date '2001-01-01';
create macro ops.last_week_to_build() as date '2099-12-28';

create table ops.clock_offsets as
select * from (
    values
    (timestamp '0001-01-01 00:00:00', timestamp '2025-03-30 01:00:00', cast(3600000000 as bigint)),
    (timestamp '2025-03-30 01:00:00', timestamp '2025-10-26 01:00:00', cast(7200000000 as bigint)),
    (timestamp '2025-10-26 01:00:00', timestamp '9999-12-31 00:00:00', cast(3600000000 as bigint))
) as spans (from_at, until_at, microseconds_ahead);

create table ops.bursts_carried (
    actor_key ubigint, source_session_id varchar, last_activity_at timestamp, burst_started_at timestamp
);

create table ops.identities_applied (
    linking_key ubigint, id_type varchar, id varchar, customer_id varchar, user_id varchar,
    known_from_at timestamp, applies_from_at timestamp, applies_until_at timestamp
);

create table ops.weeks_in_doubt (actor_key ubigint, customer_id varchar, calendar_week date);

create table ops.offers_applied (
    customer_id varchar, local_date date, known_from_date date, offers_received bigint, offers_used bigint
);
