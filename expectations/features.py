"""The border features: what the weekly rows promise to the models, and to everybody after them.

Grain: customer × review_week. A row of week W is as of the end of W, Monday 00:00 of the week after.
dbt's tests guard keys, relations and identities inside the warehouse; here are ranges, values and what NULL
means, for the reviewed week only, so that the cost does not grow with the history.
"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from expectations.promise import (
    Promise,
    TablePromises,
    between,
    never_null,
    no_result_of,
    no_row_where,
    one_of,
    sql_date,
)

KEYS = ("customer_id", "review_week")

USAGE_TRENDS = ("too_short", "declining", "growing", "plateaued", "irregular")
ENGAGEMENT_LEVELS = (
    "disengaged",
    "highly_engaged",
    "moderately_engaged",
    "lightly_engaged",
    "barely_engaged",
)
LIFECYCLE_STAGES = (
    "churned",
    "dormant",
    "onboarding",
    "at_risk",
    "adopting",
    "power_user",
    "established",
)
RFM_SEGMENTS = (
    "champions",
    "loyal",
    "potential_loyalists",
    "new_customers",
    "cant_lose_them",
    "at_risk",
    "hibernating",
    "lost",
    "need_attention",
    "lapsed",
    "no_orders",
)

MESSAGE_CHANNELS = ("email", "sms", "push", "in_app")

# Counts over windows that lie within each other.
NESTED_WINDOWS = {
    "activities": ("7d", "28d", "90d"),
    "core_events": ("7d", "28d", "90d"),
    "active_days": ("7d", "28d", "90d"),
    "sessions": ("7d", "28d", "90d"),
    "orders": ("28d", "90d", "365d", "ever"),
    "features_used": ("7d", "28d", "90d", "ever"),
    "messages_sent": ("28d", "90d"),
    "tickets": ("28d", "90d"),
}
# Days since something: the Sunday of the week is one day ago, and nothing is longer ago than the first event.
RECENCIES = (
    "days_since_last_activity",
    "days_since_last_core_event",
    "days_since_last_order",
    "days_since_opt_out",
    "nps_days_ago",
)
# Ratios of counts that contain each other: outside 0-1 the arithmetic is wrong.
SHARES_OF_A_WHOLE = (
    "stickiness_28d",
    "visit_regularity_90d",
    "weekend_share_90d",
    "feature_adoption_share_28d",
    "feature_concentration_28d",
    "exploration_share_28d",
    "order_regularity",
    "category_concentration_365d",
    "discounted_order_share_365d",
    *(f"{channel}_{answer}_share_90d" for channel in MESSAGE_CHANNELS for answer in ("open", "click")),
)
# When in the day and in the week the activity of 90 days was.
TIMES_OF_ACTIVITY = ("weekend_share_90d", "best_hour_local", "best_weekday")
# What became of the messages of 90 days.
FROM_MESSAGES = (
    "response_hours_median_90d",
    "preferred_channel",
    "preferred_send_hour_local",
    "preferred_send_weekday",
    "top_topic_90d",
)
# Ratios of two things that are observed apart: single ones above 1 are honest.
SHARES_OF_ANOTHER = {
    "discount_share_365d": "corrections can make the gross small",
    "refund_share_365d": "older orders are refunded in the window, too",
    "limit_used_share": "plans may be overused",
    "team_activity_share_28d": "members who left were active",
}
# … but where more than one in twenty is, percent were taken for shares, or a sign is wrong.
HONEST_SHARE = 0.95
NEVER_NEGATIVE = (
    "session_minutes_28d",
    "session_minutes_median_28d",
    "events_per_session_28d",
    "pages_per_session_28d",
    "days_between_visits_median_90d",
    "new_features_28d",
    "platforms_28d",
    "items_per_order_365d",
    "days_between_orders_median",
    "product_categories_365d",
    "discount_response",
    "payment_methods_365d",
    "response_hours_median_90d",
    "offers_sent_90d",
    "offers_used_90d",
    "opt_outs_365d",
    "open_tickets",
    "ticket_hours_to_close_median_90d",
    "monthly_recurring_revenue",
    "seats",
    "upgrades_ever",
    "downgrades_ever",
    "content_views_28d",
    "content_topics_28d",
    "invites_28d",
    "shares_28d",
    "comments_28d",
    "active_members_28d",
    "activation_steps_done",
    "errors_28d",
    "errors_per_session_28d",
    "help_views_28d",
    "pricing_views_28d",
    "comparison_searches_28d",
)
# Days from the first event to something that was reached by the end of the week.
DAYS_TO_REACH = ("days_to_activation", "days_to_first_core_event", "days_to_five_features")
# Ratios that nothing else bounds: a division by zero gives infinity in DuckDB, and models choke on it.
UNBOUNDED_RATIOS = (
    "session_minutes_28d",
    "session_minutes_median_28d",
    "events_per_session_28d",
    "pages_per_session_28d",
    "days_between_visits_median_90d",
    "usage_change_28d",
    "usage_slope_8w",
    "usage_slope_12w",
    "items_per_order_365d",
    "days_between_orders_median",
    "discount_response",
    "response_hours_median_90d",
    "tickets_change_28d",
    "ticket_hours_to_close_median_90d",
    "errors_per_session_28d",
)
# Answers of customers on a scale that the score anchors assume; a source may have sent another one.
# So many customers may have answers off a scale before the scale is thought to be another.
SLIPS_OF_A_SMALL_BUSINESS = 5
SCALES = {"support_sentiment_90d": (-1, 1), "csat_mean_90d": (1, 5), "nps_last": (0, 10)}


def customer_weeks(review_week: date) -> TablePromises:
    """features.customer_weeks at the reviewed week."""
    end = sql_date(review_week + timedelta(days=7))
    week = sql_date(review_week)
    return TablePromises(
        table="features.customer_weeks",
        keys=KEYS,
        where=f"review_week = {week}",
        promises=(
            no_result_of(
                "the_reviewed_week_is_there",
                f"select {week} as review_week where not exists (select * from {{batch}})",
                "Nobody was known in the week under review, so there is nothing to train on, score or list.",
                column="review_week",
            ),
            never_null(
                "tenure_days", "Every known customer has a first day; it stands in where days since are NULL."
            ),
            between(
                "tenure_days",
                1,
                None,
                "A customer is known from the first event on, the last Sunday at the latest.",
            ),
            *(
                _never_null_count(f"{count}_{window}")
                for count in ("activities", "active_days", "sessions")
                for window in ("7d", "28d", "90d")
            ),
            never_null(
                "engagement_level", "Every customer has a level of engagement: its rules end in an else."
            ),
            never_null("lifecycle_stage", "Every customer has a stage: its rules end in an else."),
            no_row_where(
                "trends_are_those_of_core_events",
                "(usage_trend is null) <> (core_events_28d is null)",
                "Every customer has a trend, be it too_short, where events.csv lists a core event.",
                shown=(*KEYS, "usage_trend", "core_events_28d"),
                column="usage_trend",
            ),
            never_null("is_scorable", "Who is scored has to be said of every customer."),
            one_of("usage_trend", USAGE_TRENDS, "Marts, reports and playbooks know these trends only."),
            one_of(
                "engagement_level", ENGAGEMENT_LEVELS, "Marts, reports and playbooks know these levels only."
            ),
            one_of(
                "lifecycle_stage", LIFECYCLE_STAGES, "Marts, reports and playbooks know these stages only."
            ),
            one_of("rfm_segment", RFM_SEGMENTS, "Marts, reports and playbooks know these segments only."),
            *(
                between(
                    days,
                    1,
                    None,
                    "Days since are counted from the week's end; below 1 the row saw the future.",
                )
                for days in RECENCIES
            ),
            no_row_where(
                "nothing_is_longer_ago_than_the_first_event",
                " or ".join(f"{days} > tenure_days" for days in RECENCIES),
                "Nobody acts before the first event: first_seen_date or one of the days since is wrong.",
                shown=(*KEYS, "tenure_days", *RECENCIES),
            ),
            no_row_where(
                "rows_do_not_see_the_future",
                f"first_seen_date >= {end} or cancelled_date >= {end}",
                "A row is as of the end of its week; what happened later must not be in it (point in time).",
                shown=(*KEYS, "first_seen_date", "cancelled_date"),
            ),
            no_row_where(
                "recency_agrees_with_the_windows",
                " or ".join(
                    f"coalesce(days_since_last_activity <= {days}, false) <> (activities_{days}d > 0)"
                    for days in (7, 28, 90)
                )
                + " or is_active_7d <> (activities_7d > 0)",
                "The last activity lies within a window exactly when that window counts some.",
                shown=(
                    *KEYS,
                    "days_since_last_activity",
                    "is_active_7d",
                    "activities_7d",
                    "activities_28d",
                    "activities_90d",
                ),
                column="days_since_last_activity",
            ),
            *(_windows_nest(count, windows) for count, windows in NESTED_WINDOWS.items()),
            no_row_where(
                "core_events_and_active_days_are_activities",
                " or ".join(
                    f"{part}_{window} > activities_{window}"
                    for part in ("core_events", "active_days")
                    for window in ("7d", "28d", "90d")
                ),
                "A core event is an activity and an active day has one; events.csv and the rollup disagree.",
                shown=(*KEYS, "core_events_90d", "active_days_90d", "activities_90d"),
            ),
            between("active_days_7d", 0, 7, "A week has seven days."),
            between("active_days_28d", 0, 28, "The window has 28 days."),
            between("active_days_90d", 0, 90, "The window has 90 days."),
            between("active_weeks_12", 0, 12, "The last twelve weeks are twelve."),
            *(
                between(
                    share,
                    0,
                    1,
                    "A share of a whole lies between 0 and 1, and is NULL where the whole is zero.",
                )
                for share in SHARES_OF_A_WHOLE
            ),
            *(
                between(
                    share,
                    0,
                    1,
                    f"Single ones above 1 are honest ({why}); many mean percent, or a wrong sign.",
                    severity="warn",
                    at_least_share=HONEST_SHARE,
                )
                for share, why in SHARES_OF_ANOTHER.items()
            ),
            between("usage_change_28d", -1, None, "Usage cannot fall by more than all of it."),
            between("tickets_change_28d", -1, None, "Tickets cannot fall by more than all of them."),
            between("feature_adoption_change_28d", -1, 1, "Two shares differ by 1 at most."),
            between("best_hour_local", 0, 23, "A day has the hours 0 to 23."),
            between("best_weekday", 1, 7, "Weekdays go from 1, Monday, to 7, Sunday."),
            no_row_where(
                "the_times_of_activity_are_those_of_90_days",
                " or ".join(
                    f"({column} is not null) <> (activities_90d > 0)" for column in TIMES_OF_ACTIVITY
                ),
                "Who did something in 90 days did it at some hour of some weekday, and nobody else did.",
                shown=(*KEYS, "activities_90d", *TIMES_OF_ACTIVITY),
                column="activities_90d",
            ),
            no_row_where(
                "the_mix_of_features_is_that_of_the_features_used",
                "(coalesce(features_used_28d, 0) > 0) <> (top_feature_28d is not null)"
                " or new_features_28d > features_used_28d"
                " or (coalesce(exploration_share_28d, 0) > 0) <> (coalesce(new_features_28d, 0) > 0)"
                " or (top_feature_pair_90d is not null and coalesce(features_used_90d, 0) < 2)",
                "Counts and names of features come from two rollups of the same activity, which disagree.",
                shown=(
                    *KEYS,
                    "features_used_28d",
                    "top_feature_28d",
                    "new_features_28d",
                    "exploration_share_28d",
                ),
                column="top_feature_28d",
            ),
            no_row_where(
                "platforms_and_topics_are_counted_where_they_are_named",
                "(platforms_28d is null) <> (platform_main_28d is null)"
                " or content_topics_28d > content_views_28d",
                "Platforms without a main one, or more topics than contents: something was counted twice.",
                shown=(
                    *KEYS,
                    "platforms_28d",
                    "platform_main_28d",
                    "content_topics_28d",
                    "content_views_28d",
                ),
                column="platforms_28d",
            ),
            no_row_where(
                "who_is_activated_has_done_it_on_a_day",
                "is_activated <> (days_to_activation is not null)"
                " or (is_activated and activation_steps_done = 0)",
                "All steps are done on the day of the last one, and on no day by anybody else.",
                shown=(*KEYS, "is_activated", "activation_steps_done", "days_to_activation"),
                column="is_activated",
            ),
            no_row_where(
                "what_was_reached_lies_between_the_first_event_and_the_end_of_the_week",
                " or ".join(f"{days} < 0 or {days} >= tenure_days" for days in DAYS_TO_REACH),
                "Nothing is reached before the first event; what comes after the week is not known yet.",
                shown=(*KEYS, "tenure_days", *DAYS_TO_REACH),
            ),
            *(
                between(column, 0, None, "This counts or measures something and cannot be negative.")
                for column in NEVER_NEGATIVE
            ),
            between(
                "team_size",
                0,
                None,
                "More members left than ever joined: the events of the early members are not loaded.",
                severity="warn",
            ),
            no_row_where(
                "ratios_are_finite",
                " or ".join(f"not isfinite({ratio})" for ratio in UNBOUNDED_RATIOS),
                "Infinite or not a number: something was divided by zero, where it should be NULL.",
                shown=(*KEYS, *UNBOUNDED_RATIOS),
            ),
            one_of("preferred_channel", MESSAGE_CHANNELS, "Next actions are sent by these channels only."),
            between("preferred_send_hour_local", 0, 23, "A day has the hours 0 to 23."),
            between("preferred_send_weekday", 1, 7, "Weekdays go from 1, Monday, to 7, Sunday."),
            no_row_where(
                "preferences_come_from_messages_that_were_sent",
                "coalesce(messages_sent_90d, 0) = 0 and ("
                + " or ".join(f"{column} is not null" for column in FROM_MESSAGES)
                + ")",
                "Who was sent nothing in 90 days answered nothing: the answers belong to other messages.",
                shown=(*KEYS, "messages_sent_90d", *FROM_MESSAGES),
                column="messages_sent_90d",
            ),
            # That an order uses one offer at most, where no redemptions are told, is a test of the models.
            no_row_where(
                "offers_are_messages",
                "offers_sent_90d > messages_sent_90d",
                "An offer is a message: something was counted twice.",
                shown=(*KEYS, "messages_sent_90d", "offers_sent_90d"),
                column="offers_sent_90d",
            ),
            no_row_where(
                "opt_outs_agree_with_the_days_since",
                "(opt_outs_365d > 0) <> coalesce(days_since_opt_out <= 365, false)",
                "The last withdrawal lies within 365 days exactly when that window counts some.",
                shown=(*KEYS, "opt_outs_365d", "days_since_opt_out"),
                column="opt_outs_365d",
            ),
            *(promise for column, scale in SCALES.items() for promise in _on_scale(column, *scale)),
            *(between(f"rfm_{letter}", 1, 5, "RFM scores go from 1 to 5.") for letter in "rfm"),
            between("rfm_recency_days", 1, 365, "RFM looks at the orders of 365 days."),
            no_row_where(
                "rfm_scores_belong_to_buyers_of_the_year",
                " or ".join(
                    f"({score} is not null) <> (coalesce(orders_365d, 0) > 0)"
                    for score in (
                        "rfm_r",
                        "rfm_f",
                        "rfm_m",
                        "rfm_recency_days",
                        "rfm_frequency",
                        "rfm_monetary",
                    )
                ),
                "Customers with an order in 365 days have all RFM values, the others have none.",
                shown=(*KEYS, "orders_365d", "rfm_r", "rfm_f", "rfm_m", "rfm_frequency", "rfm_monetary"),
            ),
            no_row_where(
                "rfm_segments_fit_the_orders",
                "(rfm_segment = 'no_orders' and orders_ever > 0)"
                " or (rfm_segment = 'lapsed' and (orders_ever = 0 or orders_365d > 0))"
                " or (rfm_segment not in ('no_orders', 'lapsed') and coalesce(orders_365d, 0) = 0)"
                " or (rfm_segment is null and orders_ever is not null)",
                "no_orders never bought, lapsed not in 365 days, all other segments did.",
                shown=(*KEYS, "rfm_segment", "orders_365d", "orders_ever"),
                column="rfm_segment",
            ),
            no_row_where(
                "cancelled_customers_have_a_date",
                "is_cancelled <> (cancelled_date is not null)",
                "A cancellation has a date, and nobody else has one: resubscribing clears it.",
                shown=(*KEYS, "is_cancelled", "cancelled_date"),
                column="cancelled_date",
            ),
            no_row_where(
                "scorable_customers_can_be_lost",
                "is_scorable and (lifecycle_stage = 'churned' or activities_90d = 0)",
                "Who is churned or silent for 90 days has left already; scoring it spoils model and lists.",
                shown=(*KEYS, "is_scorable", "lifecycle_stage", "activities_90d"),
                column="is_scorable",
            ),
            no_result_of(
                "somebody_is_scorable",
                "select count(*) as customers from {batch} having count(*) > 0 and not bool_or(is_scorable)",
                "Nobody did anything in 90 days: does is_activity in events.csv mark what customers do?",
                column="is_scorable",
                severity="warn",
            ),
        ),
    )


def customer_week_labels(review_week: date, *, horizon_days: int) -> TablePromises:
    """features.customer_week_labels, the rows that matured with the reviewed week: the newest to learn from.

    horizon_days: of the churn label, from review.toml.
    """
    end = review_week + timedelta(days=7)
    return TablePromises(
        table="features.customer_week_labels",
        keys=KEYS,
        where=f"matures_on > {sql_date(review_week)} and matures_on <= {sql_date(end)}",
        promises=(
            between(
                "horizon_days",
                horizon_days,
                horizon_days,
                "The labels look ahead for other than the days in review.toml; build the features anew.",
            ),
            no_row_where(
                "labels_mature_a_horizon_after_their_week",
                "matures_on is distinct from cast(review_week + 7 + horizon_days as date)",
                "A label that counts as mature too early leaks the future into training.",
                shown=(*KEYS, "horizon_days", "matures_on"),
                column="matures_on",
            ),
            never_null(
                "churned_next", "A mature label is said of everybody: silence counts, or churn is forgotten."
            ),
            between("orders_next", 0, None, "A number of orders cannot be negative."),
            no_result_of(
                "some_stay_and_some_leave",
                "select count(*) as customers, sum(cast(churned_next as integer)) as churned from {batch}"
                " having count(churned_next) >= 100 and bool_and(churned_next) = bool_or(churned_next)",
                "Of a hundred customers or more all left, or none: does the churn definition fit?",
                column="churned_next",
                severity="warn",
            ),
        ),
    )


def _never_null_count(column: str) -> Promise:
    return never_null(column, "Nothing observed is 0, not NULL: models would take silence for ignorance.")


def _windows_nest(count: str, windows: tuple[str, ...]) -> Promise:
    columns = tuple(f"{count}_{window}" for window in windows)
    return no_row_where(
        f"{count}_windows_lie_within_each_other",
        " or ".join(f"{shorter} > {longer}" for shorter, longer in pairwise(columns))
        + f" or {columns[0]} < 0",
        "A longer window contains the shorter one and counts at least as much; none is negative.",
        shown=(*KEYS, *columns),
        column=columns[0],
    )


def _on_scale(column: str, lowest: int, highest: int) -> tuple[Promise, Promise]:
    """A single slip is reported; where more than one answer in a hundred is off, the scale is another."""
    off = f"({column} < {lowest} or {column} > {highest})"
    warning = between(
        column,
        lowest,
        highest,
        f"The scale goes from {lowest} to {highest}; the health score reads what lies beyond wrongly.",
        severity="warn",
        name="answers_are_on_the_scale",
    )
    # In a small business one slip alone is more than one in a hundred.
    stop = no_row_where(
        "the_scale_is_the_right_one",
        f"{off} and (select count(*) from {{batch}} where {off}) > greatest("
        f"{SLIPS_OF_A_SMALL_BUSINESS}, (select count({column}) from {{batch}}) / 100.0)",
        f"The scale goes from {lowest} to {highest}; the health score would read another one wrongly. "
        "Bring the answers onto it before they are delivered.",
        shown=(*KEYS, column),
        column=column,
    )
    return warning, stop
