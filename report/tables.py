"""What the page is told: the published tables and the header, checked once at the door."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Literal

import pandas

from report.columns import dates

# What the page cannot do without, by table. Other columns may be missing: the page then says that the kind
# of data is not there.
REQUIRED_COLUMNS = {
    "customers": ("customer_id", "review_week"),
    "customer_weeks": ("customer_id", "review_week"),
    "newcomer_weeks": ("customer_id", "review_week", "active_days_28d"),
    "segments_weekly": ("scheme", "segment", "review_week", "customers", "customer_share"),
    "metrics_daily": ("activity_date", "active_customers"),
    "metrics_weekly": (
        "review_week",
        "active_customers",
        "new_customers",
        "retained_customers",
        "resurrected_customers",
        "gone_quiet_customers",
        "previous_active_customers",
        "churned_customers",
    ),
    "interventions": ("customer_id", "review_week", "rank", "title", "reason", "owner_team"),
    "quality_checks": ("run_id", "border", "table_name", "severity", "passed", "message"),
    "model_metrics": ("run_id", "model", "review_week", "metric", "value"),
    "loads": (
        "file_name",
        "rows_read",
        "rows_duplicate",
        "rows_rejected",
        "rows_grouped",
        "events_loaded",
        "events_late",
        "loaded_at",
    ),
    "late_events_daily": ("local_date", "late_events"),
    "health_contributions": (
        "customer_id",
        "review_week",
        "component",
        "weight",
        "component_score",
        "contribution",
    ),
}

# All that the page reads of the two tables that grow with the customers: handing in these is enough.
CUSTOMER_COLUMNS = (
    "customer_id",
    "review_week",
    "first_seen_date",
    "is_scorable",
    "lifecycle_stage",
    "rfm_segment",
    "rfm_r",
    "rfm_f",
    "churn_band",
    "health_score",
    "health_band",
    "orders_365d",
    "revenue_365d",
    "monthly_recurring_revenue",
    # Whether a kind of data is observed of anybody.
    "features_used_28d",
    "tickets_90d",
    "support_sentiment_90d",
    "nps_last",
    "plan",
    "team_size",
)
CUSTOMER_WEEK_COLUMNS = ("customer_id", "review_week", "health_score", "churn_band")


@dataclass(frozen=True)
class ReviewHeader:
    """What stands above the numbers.

    `review_week` is the Monday on which the reviewed week starts, `currency` an ISO code or "" where no money
    is counted, `data_notice` a sentence about the data that every reader must see ("" for none),
    `published_note` one about this publication, such as a restatement. Raises ValueError on another weekday.
    """

    title: str
    data_notice: str
    currency: str
    review_week: date
    time_zone: str
    customer_kind: Literal["user", "account"]
    run_id: str
    published_note: str = ""

    def __post_init__(self) -> None:
        if self.review_week.weekday() != 0:
            raise ValueError(f"review_week must be a Monday, and {self.review_week:%Y-%m-%d} is not")

    @property
    def week_before(self) -> date:
        """The Monday before."""
        return self.review_week - timedelta(days=7)


@dataclass(frozen=True, eq=False)
class ReviewTables:
    """The tables that the page reads, with the grain they have in `marts`, `ops`, `raw` and `scores`.

    A table may be without rows. Of `customer_weeks` only the reviewed week and the one before are read, of
    `health_contributions` (the table of that name in `scores`) only the reviewed week: handing in these is
    enough. `newcomer_weeks` are the rows of `customer_weeks`, of all its weeks, of the customers whose first
    week is one of them; these three columns are enough, and of the rows those that are active a whole number
    of periods after the first, and one of each week. Raises ValueError where a table with rows lacks a
    column that it always has.
    """

    customers: pandas.DataFrame
    customer_weeks: pandas.DataFrame
    newcomer_weeks: pandas.DataFrame
    segments_weekly: pandas.DataFrame
    metrics_daily: pandas.DataFrame
    metrics_weekly: pandas.DataFrame
    interventions: pandas.DataFrame
    quality_checks: pandas.DataFrame
    model_metrics: pandas.DataFrame
    loads: pandas.DataFrame
    late_events_daily: pandas.DataFrame
    health_contributions: pandas.DataFrame

    def __post_init__(self) -> None:
        for field in fields(self):
            table = getattr(self, field.name)
            lacking = [column for column in REQUIRED_COLUMNS[field.name] if column not in table]
            if len(table) and lacking:
                raise ValueError(f"the page needs these columns of {field.name}: {', '.join(lacking)}")


def check_week(header: ReviewHeader, tables: ReviewTables) -> None:
    """Raise ValueError where the customers are of another week than the page is about."""
    weeks = set(dates(tables.customers, "review_week"))
    if weeks - {header.review_week}:
        other = ", ".join(sorted(str(week) for week in weeks - {header.review_week}))
        raise ValueError(
            f"customers hold the review of {other}, but the page is about {header.review_week}: "
            "build the marts of that week first"
        )
