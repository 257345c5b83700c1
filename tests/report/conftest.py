"""A small review made by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import pandas
import pytest

from report.page import ReviewHeader, ReviewTables, render_page
from tests.report.page_reader import Page

WEEK = date(2026, 11, 9)
BEFORE = WEEK - timedelta(days=7)


def customers_by_hand(week: date = WEEK) -> pandas.DataFrame:
    """Six customers: four buyers, five with a churn score, five with a health score."""
    return pandas.DataFrame(
        {
            "customer_id": ["a", "b", "c", "d", "e", "f"],
            "review_week": [week] * 6,
            "first_seen_date": [week - timedelta(days=700)] * 6,
            "lifecycle_stage": ["established", "established", "power_user", "at_risk", "dormant", "churned"],
            "engagement_level": ["lightly_engaged"] * 3 + ["disengaged"] * 3,
            "rfm_segment": ["loyal", "loyal", "champions", "at_risk", "no_orders", "lapsed"],
            "rfm_r": [4, 4, 5, 2, None, None],
            "rfm_f": [4, 4, 5, 4, None, None],
            "rfm_m": [3, 4, 5, 3, None, None],
            "orders_365d": [3, 4, 10, 5, 0, 0],
            "revenue_365d": [Decimal(value) for value in ("100", "300", "1000", "600", "0", "0")],
            "active_days_28d": [5, 7, 20, 3, 0, 0],
            "is_scorable": [True, True, True, True, True, False],
            "churn_probability": [0.01, 0.06, 0.01, 0.3, 0.25, None],
            "churn_band": ["low", "medium", "low", "high", "high", None],
            "health_score": [60.0, 65.0, 90.0, 30.0, 20.0, None],
            "health_band": ["automated", "automated", "advocacy", "high_touch", "high_touch", None],
            "cluster_name": ["Casual users", "Casual users", "Power users", "At-risk", "At-risk", "At-risk"],
            "nps_last": [9, None, 10, 3, None, None],
            "tickets_90d": [0, 1, 0, 4, 0, 0],
            "support_sentiment_90d": [None, 0.2, None, -0.5, None, None],
            "features_used_28d": [2, 3, 8, 1, 0, 0],
            "plan": ["basic"] * 6,
            "team_size": [1, 2, 9, 3, 1, 1],
        }
    )


def segments_by_hand(customers: pandas.DataFrame, week: date) -> pandas.DataFrame:
    rows = []
    for scheme, column in {
        "rfm": "rfm_segment",
        "lifecycle": "lifecycle_stage",
        "engagement": "engagement_level",
        "cluster": "cluster_name",
        "health_band": "health_band",
        "churn_band": "churn_band",
    }.items():
        known = customers.dropna(subset=[column])
        for segment, part in known.groupby(column):
            revenue = sum(part["revenue_365d"], Decimal(0))
            rows.append((scheme, segment, week, len(part), len(part) / len(known), revenue, 1.0))
    names = ["scheme", "segment", "review_week", "customers", "customer_share", "revenue_365d"]
    return pandas.DataFrame(rows, columns=[*names, "active_days_28d_mean"])


def tables_by_hand() -> dict[str, pandas.DataFrame]:
    customers = customers_by_hand()
    earlier = customers_by_hand(BEFORE).iloc[:5]
    earlier = earlier.assign(
        health_score=[60.0, 65.0, 90.0, 40.0, None],
        churn_band=["low", "medium", "low", "high", None],
        lifecycle_stage=["established", "established", "established", "at_risk", "dormant"],
    )
    weeks = [WEEK - timedelta(days=7 * back) for back in (2, 1, 0)]
    metrics_weekly = pandas.DataFrame(
        {
            "review_week": weeks,
            "active_customers": [1900, 2000, 2100],
            "new_customers": [90, 100, 80],
            "retained_customers": [1700, 1800, 1938],
            "resurrected_customers": [110, 100, 82],
            "gone_quiet_customers": [100, 100, 62],
            "previous_active_customers": [1800, 1900, 2000],
            "churned_customers": [None, 40, 40],
            "orders": [10, 20, 30],
            "revenue": [Decimal("500.0000"), Decimal("1500.0000"), Decimal("1200.5000")],
            "average_order_value": [Decimal("50.0000"), Decimal("75.0000"), Decimal("40.0167")],
        }
    )
    days = [BEFORE + timedelta(days=place) for place in range(14)]
    interventions = pandas.DataFrame(
        {
            "customer_id": ["d", "e", "c"],
            "review_week": [WEEK] * 3,
            "action_id": ["call", "call", "ask"],
            "sync_key": ["d:call", "e:call", "c:ask"],
            "rank": [1, 2, 1],
            "priority_score": [30.0, 20.0, 10.0],
            "title": ["Call the owner", "Call the owner", "Ask for a reference"],
            "reason": ["Churn probability 30 %", "Silent for 30 days", "Healthy"],
            "channel": ["phone", "phone", "email"],
            "owner_team": ["customer_success", "customer_success", "marketing"],
            "cost": [25.0, 25.0, 2.0],
            "assumed_uplift": [0.1, 0.1, 0.01],
            "message": ["Hello", "Hello", "Thank you"],
            "churn_probability": [0.3, 0.25, 0.01],
            "health_score": [30.0, 20.0, 90.0],
            "lifecycle_stage": ["at_risk", "dormant", "power_user"],
            "revenue_365d": [Decimal("600"), Decimal("0"), Decimal("1000")],
        }
    )
    checks = pandas.DataFrame(
        {
            "run_id": ["run-1", "run-1", "run-0"],
            "review_week": [WEEK, WEEK, BEFORE],
            "border": ["raw", "marts", "raw"],
            "table_name": ["events", "customers", "events"],
            "column_name": ["revenue", None, "revenue"],
            "expectation": ["values_between", "row_count", "values_between"],
            "severity": ["warn", "stop", "stop"],
            "passed": [False, True, False],
            "unexpected_count": [12, 0, 99],
            "message": ["12 events with an absurd revenue", "", "a failure of an earlier run"],
        }
    )
    metrics = pandas.DataFrame(
        {
            "run_id": ["run-1"] * 3,
            "model": ["churn"] * 3,
            "model_version": ["1"] * 3,
            "review_week": [BEFORE - timedelta(days=42), BEFORE - timedelta(days=35), BEFORE],
            "horizon_days": [28] * 3,
            "rows_train": [50_000, 51_000, 51_000],
            "rows_test": [9_000, 9_100, 9_100],
            "trained_through": [date(2026, 8, 2), date(2026, 8, 9), date(2026, 8, 9)],
            "metric": ["auroc", "auroc", "brier"],
            "value": [0.80, 0.82, 0.05],
            "baseline": [0.75, 0.76, 0.06],
            "low": [0.78, 0.80, None],
            "high": [0.82, 0.84, None],
            "is_backtest": [True, True, True],
        }
    )
    loads = pandas.DataFrame(
        {
            "file_name": ["one.jsonl", "two.jsonl"],
            "rows_read": [1000, 500],
            "rows_duplicate": [10, 0],
            "rows_rejected": [5, 0],
            "rows_grouped": [0, 0],
            "events_loaded": [985, 500],
            "events_late": [3, 0],
            "loaded_at": [datetime(2026, 11, 16, 5, 0), datetime(2026, 11, 16, 5, 1)],
        }
    )
    contributions = pandas.DataFrame(
        {
            "customer_id": ["a", "b", "a", "b"],
            "review_week": [WEEK] * 4,
            "component": ["usage_frequency", "usage_frequency", "nps", "nps"],
            "component_score": [50.0, 70.0, 90.0, None],
            "weight": [60.0, 60.0, 40.0, 40.0],
            "contribution": [30.0, 42.0, 36.0, None],
        }
    )
    return {
        "customers": customers,
        "customer_weeks": pandas.concat([customers, earlier], ignore_index=True),
        "newcomer_weeks": pandas.DataFrame(
            {"customer_id": ["a"], "review_week": [WEEK], "active_days_28d": [5]}
        ).iloc[:0],
        "segments_weekly": pandas.concat(
            [segments_by_hand(customers, WEEK), segments_by_hand(earlier, BEFORE)], ignore_index=True
        ),
        "metrics_daily": pandas.DataFrame(
            {"activity_date": days, "active_customers": [100 + place for place in range(14)]}
        ),
        "metrics_weekly": metrics_weekly,
        "interventions": interventions,
        "quality_checks": checks,
        "model_metrics": metrics,
        "loads": loads,
        "late_events_daily": pandas.DataFrame(
            {"local_date": [date(2026, 9, 1)], "event_name": ["page_viewed"], "late_events": [3]}
        ),
        "health_contributions": contributions,
    }


HEADER = ReviewHeader(
    title="A shop made by hand",
    data_notice="Simulated data: no number here is about a real company.",
    currency="EUR",
    review_week=WEEK,
    time_zone="Europe/Berlin",
    customer_kind="account",
    run_id="run-1",
)


@pytest.fixture
def header() -> ReviewHeader:
    return HEADER


@pytest.fixture
def frames() -> dict[str, pandas.DataFrame]:
    return tables_by_hand()


@pytest.fixture
def tables(frames: dict[str, pandas.DataFrame]) -> ReviewTables:
    return ReviewTables(**frames)


@pytest.fixture(scope="session")
def html() -> str:
    """The page of the review made by hand, as it is."""
    return render_page(HEADER, ReviewTables(**tables_by_hand()))


@pytest.fixture(scope="session")
def page(html: str) -> Page:
    """The same, read."""
    return Page(html)
