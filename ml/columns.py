"""Which columns of features.customer_weeks the learners read, unless a caller names others.

Left out everywhere: identifiers and dates, what only repeats another column (`stickiness_28d` is
`active_days_28d` divided by 28, `rfm_frequency` is `orders_365d`, `is_active_7d` is `activities_7d` above
0, …), what is constant among the customers that are scored (`is_scorable`, `is_cancelled`), and the stages,
levels and segments, which are rules over columns that are read themselves. A workspace that lacks a kind of
data has NULL there, which every learner takes as it is.
"""

from __future__ import annotations

CHURN_NUMERIC_COLUMNS = (
    "tenure_days",
    "days_since_last_activity",
    "days_since_last_core_event",
    "activities_7d",
    "activities_28d",
    "activities_90d",
    "core_events_7d",
    "core_events_28d",
    "core_events_90d",
    "active_days_7d",
    "active_days_28d",
    "active_days_90d",
    "sessions_7d",
    "sessions_28d",
    "sessions_90d",
    "session_minutes_28d",
    "session_minutes_median_28d",
    "events_per_session_28d",
    "pages_per_session_28d",
    "active_weeks_12",
    "days_between_visits_median_90d",
    "visit_regularity_90d",
    "usage_change_28d",
    "usage_slope_8w",
    "usage_slope_12w",
    "features_used_28d",
    "orders_28d",
    "orders_90d",
    "orders_365d",
    "orders_ever",
    "revenue_28d",
    "revenue_90d",
    "revenue_365d",
    "revenue_ever",
    "average_order_value_365d",
    "items_per_order_365d",
    "days_since_last_order",
    "days_between_orders_median",
    "order_regularity",
    "product_categories_365d",
    "category_concentration_365d",
    "discounted_order_share_365d",
    "discount_share_365d",
    "discount_response",
    "refund_share_365d",
    "payment_methods_365d",
    # The rank among all customers says how good a value is at the time; the value alone drifts with the
    # season.
    "rfm_r",
    "rfm_f",
    "rfm_m",
    "tickets_28d",
    "tickets_90d",
    "open_tickets",
    "support_sentiment_90d",
    "nps_last",
    "nps_days_ago",
    "monthly_recurring_revenue",
    "seats",
    "limit_used_share",
    "upgrades_ever",
    "downgrades_ever",
    "active_members_28d",
    "team_size",
    "team_change_28d",
    "team_activity_share_28d",
)

CHURN_CATEGORICAL_COLUMNS = (
    "usage_trend",
    "top_category_365d",
    "payment_method_main",
    "plan",
)

# The naive rule that churn is held against: who has been quiet for longer will leave.
CHURN_BASELINE_COLUMN = "days_since_last_core_event"

# Groups of customers who use the product alike. What they buy beside it is left out: most buy nothing, and
# a column in which half of the customers agree makes clusters of its own.
CLUSTER_COLUMNS = (
    "tenure_days",
    "days_since_last_activity",
    "active_days_28d",
    "active_days_90d",
    "active_weeks_12",
    "core_events_28d",
    "sessions_28d",
    "features_used_28d",
    "usage_change_28d",
)
# Where nothing is used, only bought, groups of customers who buy alike.
CLUSTER_COLUMNS_OF_SHOPS = (
    "tenure_days",
    "days_since_last_activity",
    "active_days_28d",
    "active_days_90d",
    "active_weeks_12",
    "core_events_28d",
    "sessions_28d",
    "usage_change_28d",
    "orders_365d",
    "revenue_365d",
)
