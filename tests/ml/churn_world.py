"""A world of customer weeks whose probability of leaving is known, and what the learners are called with."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

FIRST_WEEK = date(2024, 1, 1)
HORIZON_DAYS = 28
NUMERIC_COLUMNS = ("core_events_28d", "days_since_last_core_event", "support_sentiment_90d", "has_discount")
CATEGORICAL_COLUMNS = ("plan",)


def end_of_week(number: int) -> date:
    """The Monday after the week of this number; the first is 0."""
    return FIRST_WEEK + timedelta(days=7 * (number + 1))


def customer_weeks(customers: int, weeks: int, seed: int = 3) -> pd.DataFrame:
    """Feature rows with labels. Less usage, a bad word to support and the plan "free" make leaving likelier.

    `true_probability` is what an all-knowing model would say. Days since the last core event say a little.
    """
    generator = np.random.default_rng(seed)
    rows = customers * weeks
    usage = generator.normal(size=rows)
    sentiment = np.where(generator.random(rows) < 0.4, generator.uniform(-1, 1, rows), np.nan)
    plan = generator.choice(["free", "team", "business"], rows)
    log_odds = -1.4 - 1.2 * usage - 0.8 * np.nan_to_num(sentiment) + 0.7 * (plan == "free")
    probability = 1 / (1 + np.exp(-log_odds))
    number = np.repeat(np.arange(weeks), customers)
    review_week = pd.Timestamp(FIRST_WEEK) + pd.to_timedelta(7 * number, unit="D")
    return pd.DataFrame(
        {
            "customer_id": np.tile([f"customer_{place:05d}" for place in range(customers)], weeks),
            "review_week": review_week,
            "is_scorable": True,
            "core_events_28d": np.round(np.exp(usage + 3)),
            "days_since_last_core_event": 1 + generator.poisson(np.exp(1 - 0.5 * usage)),
            "support_sentiment_90d": sentiment,
            "has_discount": generator.random(rows) < 0.5,
            "plan": plan,
            "matures_on": review_week + pd.Timedelta(days=7 + HORIZON_DAYS),
            "churned_next": generator.random(rows) < probability,
            "true_probability": probability,
        }
    )


def arguments(as_of_date: date, **others: Any) -> dict[str, Any]:
    """What `train_churn` is called with, unless `others` says otherwise."""
    return {
        "numeric_columns": NUMERIC_COLUMNS,
        "categorical_columns": CATEGORICAL_COLUMNS,
        "as_of_date": as_of_date,
        "horizon_days": HORIZON_DAYS,
        "sample_rows": 100_000,
        "seed": 7,
        **others,
    }


def scoring(model_version: str = "churn-test") -> dict[str, Any]:
    """What `score_churn` is called with: the score is the probability in percent."""
    return {
        "numeric_columns": NUMERIC_COLUMNS,
        "categorical_columns": CATEGORICAL_COLUMNS,
        "score_anchors": ((0.0, 0.0), (1.0, 100.0)),
        "low_band_up_to_score": 30.0,
        "medium_band_up_to_score": 70.0,
        "model_version": model_version,
    }
