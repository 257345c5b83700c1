"""The steps `train` and `score`: rows to the ml room, models to files, scores to tables."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas

from pipeline.display import StepDisplay
from pipeline.errors import VitalsError
from pipeline.quality import check_promises
from pipeline.weeks import WEEK

if TYPE_CHECKING:
    from pipeline.review import Review

# Recency alone: the rule that every churn model has to beat, in terms of what the workspace calls churn.
RECENCY_COLUMN = {"inactivity": "days_since_last_core_event", "cancellation": "days_since_last_activity"}


def train_step(review: Review, display: StepDisplay) -> dict[str, Any]:
    """Learn churn and clusters from what was known at the end of the week; judge churn on past weeks.

    Models are files of the week in the build folder, each with its log as JSON beside it.
    """
    folder = _models_folder(review)
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    review.warehouse.run("delete from ops.models where review_week = ?", [review.review_week])
    review.warehouse.run("delete from ops.model_metrics where run_id = ?", [review.run_id])
    churn = _train_churn(review, display, folder)
    clusters = _train_clusters(review, display, folder)
    display.summary = f"{churn}; {clusters}"
    return {"churn": churn, "clusters": clusters}


def score_step(review: Review, display: StepDisplay) -> dict[str, Any]:
    """Write the scores of the week: churn and clusters where there is a model, health always."""
    warehouse, week = review.warehouse, review.review_week
    display.update("scoring customers")
    rows = warehouse.frame(
        "select * from features.customer_weeks where review_week = ? order by customer_id", [week]
    )
    counts = {
        "churn": _score_churn(review, rows),
        "health": _score_health(review, rows),
        "clusters": _score_clusters(review, rows),
    }

    from expectations import scores as promises

    checks = check_promises(
        warehouse,
        display,
        promises.all_tables(week, has_churn=counts["churn"] > 0, has_clusters=counts["clusters"] > 0),
        border="scores",
        run_id=review.run_id,
        review_week=week,
    )
    display.summary = (
        ", ".join(f"{name} of {count:,}" for name, count in counts.items()) + f" customers; {checks} checks"
    )
    return {**counts, "checks": checks}
