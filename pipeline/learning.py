"""The steps `train` and `score`: rows to the ml room, models to files, scores to tables."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas

from pipeline.display import StepDisplay
from pipeline.errors import SettingsError, VitalsError
from pipeline.extension.building import feature_rows
from pipeline.quality import check_promises
from pipeline.settings import REVIEW_FILE
from pipeline.weeks import WEEK

if TYPE_CHECKING:
    from pipeline.review import Review

# Recency alone: the rule that every churn model has to beat, in terms of what the workspace calls churn.
RECENCY_COLUMN = {"inactivity": "days_since_last_core_event", "cancellation": "days_since_last_activity"}


def train_step(review: Review, display: StepDisplay) -> dict[str, Any]:
    """Learn churn and clusters from what was known at the end of the week; judge churn on past weeks.

    Models are files of the week in the build folder, each with its log as JSON beside it. A model that
    cannot be learnt yet is left out and said; the review goes on without it.
    """
    _check_health_columns(review)
    folder = _models_folder(review)
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    review.warehouse.run("delete from ops.models where review_week = ?", [review.review_week])
    review.warehouse.run("delete from ops.model_metrics where run_id = ?", [review.run_id])
    said = [_train_churn(review, display, folder), _train_clusters(review, display, folder)]
    display.summary = "; ".join(said)
    return {"models": said}


def score_step(review: Review, display: StepDisplay) -> dict[str, Any]:
    """Write the scores of the week: churn and clusters where there is a model, health always."""
    warehouse, settings, week = review.warehouse, review.settings, review.review_week
    _check_health_columns(review)
    display.update("scoring customers")
    rows = _living_customers(review)
    counts = {
        "churn": _score_churn(review, rows),
        "clusters": _score_clusters(review, rows),
        "health": _score_health(review, rows),
    }

    from expectations import scores as promises

    health = settings.health
    tables = [
        promises.health(
            week,
            high_touch_below_score=health.high_touch_below_score,
            advocacy_above_score=health.advocacy_above_score,
            observed_weight_minimum_share=health.observed_weight_minimum_share,
        ),
        promises.health_contributions(week, components=[each.name for each in health.components]),
    ]
    if counts["churn"]:
        tables.append(
            promises.churn(
                week,
                low_band_up_to_score=settings.churn.low_band_up_to_score,
                medium_band_up_to_score=settings.churn.medium_band_up_to_score,
            )
        )
    if counts["clusters"]:
        tables.append(promises.clusters(week, largest_count=settings.clusters.largest_count))
    checks = check_promises(
        warehouse, display, tables, border="scores", run_id=review.run_id, review_week=week
    )
    display.summary = (
        ", ".join(f"{name} of {count:,}" for name, count in counts.items()) + f" customers; {checks} checks"
    )
    return {**counts, "checks": checks}


def _train_churn(review: Review, display: StepDisplay, folder: Path) -> str:
    from ml.churn import judge_churn, train_churn
    from ml.columns import CHURN_CATEGORICAL_COLUMNS, CHURN_NUMERIC_COLUMNS
    from ml.errors import NotEnoughHistory

    settings, as_of = review.settings, review.review_week + WEEK
    display.update("reading what was known")
    rows = _matured_rows(review, as_of)
    what = {
        "numeric_columns": CHURN_NUMERIC_COLUMNS,
        "categorical_columns": CHURN_CATEGORICAL_COLUMNS,
        "as_of_date": as_of,
        "horizon_days": settings.churn.horizon_days,
        "sample_rows": settings.training.sample_rows,
        "seed": settings.training.seed,
    }
    try:
        display.update("learning churn")
        trained = train_churn(rows, **what)
    except NotEnoughHistory as error:
        display.notice(f"churn is not scored: {error}.")
        return "churn not scored"
    _keep_model(review, trained.estimator, trained.log, folder)
    display.update("judging churn on past weeks")
    metrics = judge_churn(
        rows,
        judged_weeks=settings.training.judged_weeks,
        baseline_column=RECENCY_COLUMN[settings.churn.definition],
        **what,
    )
    left_out = metrics.attrs["log"]["left_out"]
    if left_out:
        display.notice(
            f"churn could not be judged on {len(left_out)} past weeks; the week of "
            f"{left_out[-1]['review_week']}: {left_out[-1]['reason']}."
        )
    review.warehouse.append("ops.model_metrics", metrics.assign(run_id=review.run_id))
    auroc = metrics[metrics["metric"] == "auroc"]
    if auroc.empty:
        return "churn learnt, no past week to judge it on yet"
    return (
        f"churn: mean AUROC {auroc['value'].mean():.3f} on {len(auroc)} past weeks, "
        f"recency alone {auroc['baseline'].mean():.3f}"
    )


def _train_clusters(review: Review, display: StepDisplay, folder: Path) -> str:
    from ml.clusters import train_clusters
    from ml.columns import CLUSTER_COLUMNS, CLUSTER_COLUMNS_OF_SHOPS
    from ml.errors import NotEnoughHistory

    settings = review.settings
    display.update("finding clusters")
    rows = _living_customers(review)
    uses_features = rows["features_used_28d"].notna().any()
    try:
        trained = train_clusters(
            rows,
            columns=CLUSTER_COLUMNS if uses_features else CLUSTER_COLUMNS_OF_SHOPS,
            smallest_count=settings.clusters.smallest_count,
            largest_count=settings.clusters.largest_count,
            seed=settings.training.seed,
            sample_rows=settings.training.sample_rows,
        )
    except NotEnoughHistory as error:
        display.notice(f"clusters are not made: {error}.")
        return "no clusters"
    _keep_model(review, trained.estimator, trained.log, folder)
    return f"{len(trained.names)} clusters"


def _score_churn(review: Review, rows: pandas.DataFrame) -> int:
    from ml.churn import MODEL, TRUSTED_TYPES, score_churn

    kept = _read_model(review, MODEL, TRUSTED_TYPES)
    if kept is None:
        return _replace_scores(review, "scores.churn", None)
    estimator, log = kept
    churn = review.settings.churn
    scores = score_churn(
        estimator,
        rows,
        numeric_columns=log["columns"]["numeric"],
        categorical_columns=log["columns"]["categorical"],
        score_anchors=churn.score_anchors,
        low_band_up_to_score=churn.low_band_up_to_score,
        medium_band_up_to_score=churn.medium_band_up_to_score,
        model_version=log["model_version"],
    )
    return _replace_scores(review, "scores.churn", scores)


def _score_clusters(review: Review, rows: pandas.DataFrame) -> int:
    from ml.clusters import MODEL, TRUSTED_TYPES, TrainedClusters, score_clusters

    kept = _read_model(review, MODEL, TRUSTED_TYPES)
    if kept is None:
        return _replace_scores(review, "scores.clusters", None)
    estimator, log = kept
    scores = score_clusters(TrainedClusters(estimator, tuple(log["names"]), log), rows)
    return _replace_scores(review, "scores.clusters", scores)


def _score_health(review: Review, rows: pandas.DataFrame) -> int:
    from ml.health import HealthComponent, score_health

    health = review.settings.health
    components = [
        HealthComponent(each.name, each.column, each.weight, each.anchors) for each in health.components
    ]
    found = score_health(
        rows,
        components,
        health.observed_weight_minimum_share,
        health.high_touch_below_score,
        health.advocacy_above_score,
    )
    _replace_scores(review, "scores.health_contributions", found.contributions)
    return _replace_scores(review, "scores.health", found.scores)


def _check_health_columns(review: Review) -> None:
    """Raises SettingsError where a component reads what is no number of the feature row."""
    types = dict(
        review.warehouse.rows(
            """
            select column_name, data_type from information_schema.columns
            where table_schema = 'features' and table_name in ('customer_weeks', 'own_features')
            """
        )
    )
    for component in review.settings.health.components:
        kind = types.get(component.column)
        if kind is None or not kind.startswith(("INTEGER", "BIGINT", "DOUBLE", "DECIMAL")):
            what = "is no column" if kind is None else f"is a {kind} column"
            raise SettingsError(
                f"{review.workspace.folder / REVIEW_FILE}: the health component {component.name} reads "
                f"{component.column!r}, which {what} of features.customer_weeks or of "
                "the workspace's own features; give a column of numbers."
            )


def _replace_scores(review: Review, table: str, scores: pandas.DataFrame | None) -> int:
    """Put scores in the place of the week's; how many there are now."""
    if scores is None or scores.empty:
        review.warehouse.run(f"delete from {table} where review_week = ?", [review.review_week])
        return 0
    review.warehouse.replace_week(table, scores, review.review_week)
    return len(scores)


def _living_customers(review: Review) -> pandas.DataFrame:
    """The feature rows of the week of everybody who has not churned: only they are scored."""
    return review.warehouse.frame(
        f"""
        select * from ({feature_rows(review.warehouse)}) as feature_rows
        where review_week = ? and lifecycle_stage <> 'churned'
        order by customer_id
        """,
        [review.review_week],
    )


def _models_folder(review: Review) -> Path:
    return review.workspace.models / review.review_week.isoformat()


def _matured_rows(review: Review, as_of: date) -> pandas.DataFrame:
    """Feature rows with outcomes known by `as_of`: a bounded sample of customers, and the judged weeks whole.

    Customers are drawn by a hash of their id, so that the same data always gives the same rows.
    """
    training = review.settings.training
    matured = """
        from features.customer_weeks
        inner join features.customer_week_labels using (customer_id, review_week)
        where is_scorable and churned_next is not null and matures_on <= $as_of
    """
    count = review.warehouse.value(f"select count(*) {matured}", {"as_of": as_of})
    share = min(1.0, training.sample_rows / count) if count else 1.0
    return review.warehouse.frame(
        f"""
        select customer_weeks.*, horizon_days, matures_on, churned_next {matured}
            and (
                hash(customer_id) % 1000000 < $bucket
                or review_week in (
                    select distinct review_week {matured}
                    order by review_week desc limit $judged
                )
            )
        order by review_week, customer_id
        """,
        {"as_of": as_of, "bucket": round(share * 1_000_000), "judged": training.judged_weeks},
    )


def _keep_model(review: Review, estimator: Any, log: dict[str, Any], folder: Path) -> None:
    """Write a model and its log, and record it in ops.models."""
    from skops.io import dumps

    name = log["model"]
    (folder / f"{name}.skops").write_bytes(dumps(estimator))
    (folder / f"{name}.json").write_text(json.dumps(log, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    through = log.get("trained_through")
    record = {
        "run_id": review.run_id,
        "model": name,
        "model_version": log["model_version"],
        "review_week": review.review_week,
        "file_name": f"{review.review_week}/{name}.skops",
        "rows_train": log["rows_train"],
        "trained_through": date.fromisoformat(through) if through else None,
        "parameters": json.dumps(log["parameters"], sort_keys=True),
        "columns": json.dumps(log["columns"]),
    }
    review.warehouse.append("ops.models", pandas.DataFrame([record]))


def _read_model(review: Review, name: str, trusted: tuple[str, ...]) -> tuple[Any, dict[str, Any]] | None:
    """A model of the week and its log; None where it could not be learnt. No code of the file is run."""
    from skops.io import load

    folder = _models_folder(review)
    path = folder / f"{name}.skops"
    if not path.is_file():
        return None
    try:
        return (
            load(path, trusted=list(trusted)),
            json.loads((folder / f"{name}.json").read_text(encoding="utf-8")),
        )
    except Exception as error:
        # skops raises many kinds for a file that is not what it should be.
        raise VitalsError(
            f"the model {path} cannot be read: {str(error).splitlines()[0]} Run `vitals train` again."
        ) from None
