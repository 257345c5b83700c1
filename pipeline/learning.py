"""The steps `train` and `score`: rows to the ml room, models to files, scores to tables."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas

from ml.columns import (
    CHURN_CATEGORICAL_COLUMNS,
    CHURN_NUMERIC_COLUMNS,
    CLUSTER_COLUMNS,
    CLUSTER_COLUMNS_OF_SHOPS,
)
from pipeline.display import StepDisplay
from pipeline.errors import SettingsError, VitalsError
from pipeline.extension.building import feature_rows
from pipeline.quality import check_promises
from pipeline.settings import REVIEW_FILE
from pipeline.warehouse import Warehouse
from pipeline.weeks import WEEK

if TYPE_CHECKING:
    from pipeline.review import Review

# Recency alone: the rule that every churn model has to beat, in terms of what the workspace calls churn.
RECENCY_COLUMN = {"inactivity": "days_since_last_core_event", "cancellation": "days_since_last_activity"}

# What one pass of scoring writes.
SCORE_TABLES = ("scores.churn", "scores.clusters", "scores.health", "scores.health_contributions")

# By which rows are drawn: a number below HASHES for each customer and week.
HASHES = 1_000_000_000
_DRAWN_BY = f"hash(customer_id, review_week) % {HASHES}"


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
    # With the models of a run that learnt them before go what they were judged by.
    review.warehouse.run(
        """
        delete from ops.model_metrics
        where run_id = ? or run_id in (select run_id from ops.models where review_week = ?)
        """,
        [review.run_id, review.review_week],
    )
    review.warehouse.run("delete from ops.models where review_week = ?", [review.review_week])
    said = [_train_churn(review, display, folder), _train_clusters(review, display, folder)]
    display.summary = "; ".join(said)
    learnt_from = review.warehouse.value(
        "select coalesce(sum(rows_train), 0)::bigint from ops.models where review_week = ?",
        [review.review_week],
    )
    return {"rows": learnt_from, "models": said}


def score_step(review: Review, display: StepDisplay) -> dict[str, Any]:
    """Write the scores of the week: churn and clusters where there is a model, health always."""
    warehouse, settings, week = review.warehouse, review.settings, review.review_week
    _check_health_columns(review)
    display.update("scoring customers")
    scored = warehouse.replace_week(SCORE_TABLES, _scores_in_batches(review, display), week)
    counts = {name: scored[f"scores.{name}"] for name in ("churn", "clusters", "health")}

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
    return {"rows": sum(scored.values()), **counts, "checks": checks}


def _train_churn(review: Review, display: StepDisplay, folder: Path) -> str:
    from ml.churn import judge_churn, train_churn
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
    from ml.errors import NotEnoughHistory

    settings = review.settings
    display.update("finding clusters")
    rows = _customers_to_cluster(review)
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


@dataclass(frozen=True)
class _Scorer:
    """One way of scoring: the columns it reads, and what makes score tables of feature rows."""

    columns: tuple[str, ...]
    score: Callable[[pandas.DataFrame], dict[str, pandas.DataFrame]]


def _scores_in_batches(review: Review, display: StepDisplay) -> Iterator[dict[str, pandas.DataFrame]]:
    """The scores of everybody who has not churned, by table, some customers at a time.

    No score looks at other customers than its own (scales are anchors of the settings, or were learnt), so
    batches give what one pass would.
    """
    scorers = [each for each in (_health(review), _churn(review), _clusters(review)) if each is not None]
    columns = {name for scorer in scorers for name in scorer.columns}
    living = f"""
        from ({_feature_rows(review.warehouse, columns)}) as feature_rows
        where review_week = ? and lifecycle_stage <> 'churned'
    """
    customers = review.warehouse.value(f"select count(*) {living}", [review.review_week])
    done = 0
    for rows in review.warehouse.batches(f"select * {living} order by customer_id", [review.review_week]):
        yield {table: scores for scorer in scorers for table, scores in scorer.score(rows).items()}
        done += len(rows)
        display.update("scoring customers", done / customers)


def _churn(review: Review) -> _Scorer | None:
    from ml.churn import MODEL, TRUSTED_TYPES, score_churn

    kept = _read_model(review, MODEL, TRUSTED_TYPES)
    if kept is None:
        return None
    estimator, log = kept
    churn, columns = review.settings.churn, log["columns"]

    def score(rows: pandas.DataFrame) -> dict[str, pandas.DataFrame]:
        scores = score_churn(
            estimator,
            rows,
            numeric_columns=columns["numeric"],
            categorical_columns=columns["categorical"],
            score_anchors=churn.score_anchors,
            low_band_up_to_score=churn.low_band_up_to_score,
            medium_band_up_to_score=churn.medium_band_up_to_score,
            model_version=log["model_version"],
        )
        return {"scores.churn": scores}

    return _Scorer((*columns["numeric"], *columns["categorical"], "is_scorable"), score)


def _clusters(review: Review) -> _Scorer | None:
    from ml.clusters import MODEL, TENURE_COLUMN, TRUSTED_TYPES, TrainedClusters, score_clusters

    kept = _read_model(review, MODEL, TRUSTED_TYPES)
    if kept is None:
        return None
    estimator, log = kept
    trained = TrainedClusters(estimator, tuple(log["names"]), log)
    return _Scorer(
        (*log["columns"], TENURE_COLUMN), lambda rows: {"scores.clusters": score_clusters(trained, rows)}
    )


def _health(review: Review) -> _Scorer:
    from ml.health import HealthComponent, score_health

    health = review.settings.health
    components = [
        HealthComponent(each.name, each.column, each.weight, each.anchors) for each in health.components
    ]

    def score(rows: pandas.DataFrame) -> dict[str, pandas.DataFrame]:
        found = score_health(
            rows,
            components,
            health.observed_weight_minimum_share,
            health.high_touch_below_score,
            health.advocacy_above_score,
        )
        return {"scores.health_contributions": found.contributions, "scores.health": found.scores}

    return _Scorer(tuple(each.column for each in components), score)


def _check_health_columns(review: Review) -> None:
    """Raises SettingsError where a component reads what is no number of the feature row."""
    warehouse = review.warehouse
    types = _types_of("features.customer_weeks", warehouse) | _types_of("features.own_features", warehouse)
    for component in review.settings.health.components:
        kind = types.get(component.column)
        if kind is None or not kind.startswith(("INTEGER", "BIGINT", "DOUBLE", "DECIMAL")):
            what = "is no column" if kind is None else f"is a {kind} column"
            raise SettingsError(
                f"{review.workspace.folder / REVIEW_FILE}: the health component {component.name} reads "
                f"{component.column!r}, which {what} of features.customer_weeks or of "
                "the workspace's own features; give a column of numbers."
            )


def _models_folder(review: Review) -> Path:
    return review.workspace.models / review.review_week.isoformat()


def _matured_rows(review: Review, as_of: date) -> pandas.DataFrame:
    """A bounded sample of the feature rows with outcomes known by `as_of`, drawn inside the engine.

    Two draws by one hash of customer and week, so that the same data always gives the same rows: rows to
    learn from, of all weeks alike (`may_teach`), and up to as many of each judged week.
    """
    warehouse, training = review.warehouse, review.settings.training
    weeks = [
        week
        for (week,) in warehouse.rows(
            """
            select review_week from features.customer_week_labels
            where matures_on <= ? and churned_next is not null
            group by review_week order by review_week desc
            """,
            [as_of],
        )
    ]
    rows_of_week = dict(
        warehouse.rows(
            """
            select review_week, count(*) from features.customer_weeks
            where is_scorable and list_contains(?, review_week) group by review_week
            """,
            [weeks],
        )
    )
    judged = weeks[: training.judged_weeks]
    most_judged = max((rows_of_week.get(week, 0) for week in judged), default=0)
    recency = RECENCY_COLUMN[review.settings.churn.definition]
    columns = {*CHURN_NUMERIC_COLUMNS, *CHURN_CATEGORICAL_COLUMNS, recency, "is_scorable"}
    # Both sides are thinned before they are joined: all weeks of all customers would not fit into memory.
    drawn = f"""
        {_DRAWN_BY} < case
            when list_contains($judged, review_week) then greatest($taught, $tested) else $taught
        end
    """
    return warehouse.frame(
        f"""
        select feature_rows.*, matures_on, churned_next, {_DRAWN_BY} < $taught as may_teach
        from (
            select {_to_learn_from(columns, warehouse)} from features.customer_weeks
            where is_scorable and {drawn}
        ) as feature_rows
        inner join (
            select customer_id, review_week, matures_on, churned_next from features.customer_week_labels
            where churned_next is not null and matures_on <= $as_of and {drawn}
        ) as labels using (customer_id, review_week)
        order by review_week, customer_id
        """,
        {
            "as_of": as_of,
            "judged": judged,
            "taught": _hashes_below(training.sample_rows, sum(rows_of_week.values())),
            "tested": _hashes_below(training.sample_rows, most_judged),
        },
    )


def _customers_to_cluster(review: Review) -> pandas.DataFrame:
    """Of everybody who has not churned a bounded sample, drawn inside the engine."""
    warehouse, week = review.warehouse, review.review_week
    living = "from features.customer_weeks where review_week = $week and lifecycle_stage <> 'churned'"
    count = warehouse.value(f"select count(*) {living}", {"week": week})
    columns = {*CLUSTER_COLUMNS, *CLUSTER_COLUMNS_OF_SHOPS, "lifecycle_stage"}
    return warehouse.frame(
        f"""
        select {_to_learn_from(columns, warehouse)} {living} and {_DRAWN_BY} < $taught
        order by customer_id
        """,
        {"week": week, "taught": _hashes_below(review.settings.training.sample_rows, count)},
    )


def _hashes_below(wanted: int, there: int) -> int:
    """The bound below which about a tenth more hashes lie than rows are wanted: the learner takes exactly
    as many of them."""
    return HASHES if there <= wanted else math.ceil(1.1 * wanted / there * HASHES)


def _to_learn_from(wanted: set[str], warehouse: Warehouse) -> str:
    """The keys and the wanted columns that are there, counts in half the room of a float.

    Up to 16,777,216 they are exact; beyond, no learner tells two neighbours apart.
    """
    types = _types_of("features.customer_weeks", warehouse)
    return ", ".join(
        [
            "customer_id",
            "review_week",
            *(
                f"{name}::real as {name}" if types[name] == "INTEGER" else name
                for name in sorted(wanted & set(types))
            ),
        ]
    )


def _feature_rows(warehouse: Warehouse, wanted: set[str]) -> str:
    """A query of the keys, the stage and the wanted columns that are there, own features among them."""
    types = _types_of("features.customer_weeks", warehouse)
    source = "features.customer_weeks"
    if not wanted <= set(types):
        source = f"({feature_rows(warehouse)})"
        types |= _types_of("features.own_features", warehouse)
    columns = {"customer_id", "review_week", "lifecycle_stage"} | (wanted & set(types))
    return f"select {', '.join(sorted(columns))} from {source} as all_columns"


def _types_of(table: str, warehouse: Warehouse) -> dict[str, str]:
    """The columns of a table and their types; none where there is no such table."""
    found = """
        select column_name, data_type from information_schema.columns
        where table_schema = ? and table_name = ?
    """
    return dict(warehouse.rows(found, table.split(".")))


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
