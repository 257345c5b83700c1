"""Churn: the probability that a customer is gone within the horizon, learned by the rules of time.

The learner is scikit-learn's histogram gradient boosting over the feature row, missing values kept as they
are. Its log-odds are calibrated on weeks later than those it was fitted on: with an embargo, so that no
label window of the fit reaches into the calibration weeks. Then it is fitted again on all weeks, because
the newest weeks say most: the slope measured out of time is kept, and the level is set so that the mean
probability over the calibration weeks is the share that left. Only this level is set on rows the last fit
has seen; it is one number.

Assumptions, plainly: customers leave next month for the reasons they left for in the weeks learned from; a
share of leavers that moves with the season is followed only as far as the newest matured weeks show it; the
weekly rows of one customer are much alike, so the trees are kept small and their leaves large.

The learner runs on one thread: sums of floats then do not depend on the number of cores, and on a busy
machine of two cores it is faster as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sklearn
import threadpoolctl
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from ml.anchors import apply_anchors
from ml.errors import NotEnoughHistory
from ml.matrix import days, feature_matrix, numbers, require_columns
from ml.metrics import measure
from ml.sampling import customer_hashes, sampling_keys, smallest

MODEL = "churn"
LOW, MEDIUM, HIGH = "low", "medium", "high"

# What skops has to be told to trust to read the estimator, beyond what it trusts by itself: the arrays of a
# tree, and scikit-learn's dictionary of named parts. Neither runs anything of the file's choosing.
TRUSTED_TYPES = (
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils._bunch.Bunch",
)

METRIC_COLUMNS = (
    "model",
    "model_version",
    "review_week",
    "horizon_days",
    "rows_train",
    "rows_test",
    "trained_through",
    "metric",
    "value",
    "baseline",
    "low",
    "high",
    "is_backtest",
)

# Fewer rows, or fewer of either outcome, teach noise.
SMALLEST_ROWS = 200
SMALLEST_OUTCOMES = 20

# Calibration weeks: the newest four, as they show today's level; never more than a fifth of all weeks, …
CALIBRATION_WEEKS = 4
CALIBRATION_WEEKS_LARGEST_SHARE = 0.2
# … and only where the weeks before the embargo hold at least a third of the rows: a model of few early weeks
# says little about the sureness of a model of all.
FIT_ROWS_SMALLEST_SHARE = 1 / 3
# Folds of customers, where history is too short for later weeks.
FOLDS = 5

# Small steps, shallow trees, large leaves and a third of the columns per split: tuned on weekly rows of real
# buyers, where half as many or twice as many steps change the AUROC by about 0.001.
BOOSTING_PARAMETERS: dict[str, Any] = {
    "learning_rate": 0.075,
    "max_iter": 80,
    "max_depth": 4,
    "max_features": 0.3,
    "early_stopping": False,
}
# A leaf holds at least this share of the rows, between the two bounds.
LEAF_ROWS_SHARE = 1 / 100
LEAF_ROWS_SMALLEST, LEAF_ROWS_LARGEST = 20, 500
# Rarer categories than the most frequent 31 are one category.
LARGEST_CATEGORIES = 32

# A judged week learns from a third of what the final fit may read: eight weeks are eight times the work.
JUDGED_SAMPLE_SHARE = 1 / 3


@dataclass(frozen=True)
class TrainedChurn:
    """The estimator (a feature matrix in, probabilities of [stays, leaves] out) and its JSON-ready log."""

    estimator: StackingClassifier
    log: dict[str, Any]


def train_churn(
    rows: pd.DataFrame,
    *,
    numeric_columns: Sequence[str],
    categorical_columns: Sequence[str],
    as_of_date: date,
    horizon_days: int,
    sample_rows: int,
    seed: int,
) -> TrainedChurn:
    """Learn churn from what was known at the start of `as_of_date` (the Monday after the reviewed week).

    `rows`: grain customer_id x review_week, the feature row joined with its labels (customer_id,
    review_week, is_scorable, churned_next, matures_on and the feature columns; columns that are absent or
    NULL throughout are left out). Read are the rows that are scorable, have an outcome and matured by
    `as_of_date`, and whose `may_teach` is true where there is such a column; of these at most `sample_rows`,
    chosen by a hash of customer and week.

    The log says model, version, columns, parameters, rows, weeks, `trained_through` (end date of the last
    review week learned from), base rate, versions and, under `calibration`, whether "later weeks"
    were held out or, where history is too short for that, "customers".

    Raises NotEnoughHistory where there are too few rows or outcomes, in words that go behind "churn is not
    scored: ".
    """
    labelled = _Labelled.of(rows, seed)
    return _train(
        rows,
        labelled,
        numeric_columns=numeric_columns,
        categorical_columns=categorical_columns,
        as_of_date=as_of_date,
        horizon_days=horizon_days,
        sample_rows=sample_rows,
        seed=seed,
    )


def judge_churn(
    rows: pd.DataFrame,
    *,
    numeric_columns: Sequence[str],
    categorical_columns: Sequence[str],
    as_of_date: date,
    horizon_days: int,
    judged_weeks: int,
    sample_rows: int,
    baseline_column: str,
    seed: int,
) -> pd.DataFrame:
    """Judge the newest weeks whose outcomes are known as they would have been judged then.

    For each of the last `judged_weeks` review weeks with outcomes that matured by `as_of_date`: a model is
    trained with the labels that had matured by the end of that week, and its probabilities of that week's
    scorable customers are held against what happened (`ml.metrics.measure`). Naive rules: for the ranking
    metrics `baseline_column` alone (larger = riskier, NULL = riskiest; no baseline where the column is
    absent), for the others the share that left in the training rows. Sampling as in `train_churn`, with a
    third of `sample_rows` per week; all rows of a judged week that are handed in are judged, also those that
    may not teach.

    Returns a row per judged week and metric, in the columns METRIC_COLUMNS (ops.model_metrics without its
    run). A week without enough history before it, or in which all customers did the same, is left out;
    `.attrs["log"]` says which and why: {"judged": [week, …], "left_out": [{"review_week", "reason"}, …]}.
    """
    labelled = _Labelled.of(rows, seed)
    matured = labelled.where(labelled.matures_on <= np.datetime64(as_of_date, "D"))
    weeks = np.unique(matured.weeks)[-judged_weeks:]
    found: list[dict[str, Any]] = []
    log: dict[str, list] = {"judged": [], "left_out": []}
    for week in weeks:
        review_week: date = week.item()
        tested = matured.where(matured.weeks == week)
        try:
            _check_both_outcomes(tested)
            trained = _train(
                rows,
                labelled,
                numeric_columns=numeric_columns,
                categorical_columns=categorical_columns,
                as_of_date=review_week + timedelta(days=7),
                horizon_days=horizon_days,
                sample_rows=max(int(sample_rows * JUDGED_SAMPLE_SHARE), SMALLEST_ROWS),
                seed=seed,
            )
        except NotEnoughHistory as reason:
            log["left_out"].append({"review_week": review_week.isoformat(), "reason": str(reason)})
            continue
        of_week = rows.iloc[tested.positions]
        measured = measure(
            tested.churned == 1,
            _probabilities(trained.estimator, of_week, numeric_columns, categorical_columns),
            feature_matrix(of_week, [baseline_column])[baseline_column].to_numpy(),
            trained.log["base_rate"],
            # A week's intervals do not depend on which other weeks are judged.
            seed + review_week.toordinal(),
        )
        log["judged"].append(review_week.isoformat())
        found += [
            {
                "model": MODEL,
                "model_version": trained.log["model_version"],
                "review_week": review_week,
                "horizon_days": horizon_days,
                "rows_train": trained.log["rows_train"],
                "rows_test": len(of_week),
                "trained_through": date.fromisoformat(trained.log["trained_through"]),
                "metric": each.metric,
                "value": each.value,
                "baseline": each.baseline,
                "low": each.low,
                "high": each.high,
                "is_backtest": True,
            }
            for each in measured
        ]
    judged = pd.DataFrame(found, columns=list(METRIC_COLUMNS))
    judged.attrs["log"] = log
    return judged


def score_churn(
    estimator: StackingClassifier,
    rows: pd.DataFrame,
    *,
    numeric_columns: Sequence[str],
    categorical_columns: Sequence[str],
    score_anchors: Sequence[tuple[float, float]],
    low_band_up_to_score: float,
    medium_band_up_to_score: float,
    model_version: str,
) -> pd.DataFrame:
    """Score the scorable rows of `rows` (grain customer_id x review_week); rows may come in any batches.

    Returns customer_id, review_week, churn_probability (0-1), churn_score (0-100, by `score_anchors`),
    churn_band (low and medium up to and with their edge, high above), model_version, in the order of
    `rows`. The columns have to be those the estimator was trained with.
    """
    require_columns(rows, ["customer_id", "review_week", "is_scorable"], "scoring churn")
    scorable = rows.loc[numbers(rows, "is_scorable") == 1]
    probability = _probabilities(estimator, scorable, numeric_columns, categorical_columns)
    score = apply_anchors(probability, score_anchors)
    band = np.select(
        [score <= low_band_up_to_score, score <= medium_band_up_to_score], [LOW, MEDIUM], default=HIGH
    )
    return pd.DataFrame(
        {
            "customer_id": scorable["customer_id"].to_numpy(),
            "review_week": scorable["review_week"].to_numpy(),
            "churn_probability": probability,
            "churn_score": score,
            "churn_band": band.astype(object),
            "model_version": np.full(len(scorable), model_version, dtype=object),
        }
    )


@dataclass(frozen=True)
class _Labelled:
    """Scorable rows with an outcome, by week and customer: their positions in `rows`, and their labels."""

    positions: npt.NDArray[np.intp]
    weeks: npt.NDArray[np.datetime64]
    matures_on: npt.NDArray[np.datetime64]
    churned: npt.NDArray[np.float64]
    customers: npt.NDArray[np.uint64]
    keys: npt.NDArray[np.uint64]
    may_teach: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, rows: pd.DataFrame, seed: int) -> _Labelled:
        require_columns(
            rows,
            ["customer_id", "review_week", "is_scorable", "churned_next", "matures_on"],
            "learning churn",
        )
        churned = numbers(rows, "churned_next")
        positions = np.flatnonzero((numbers(rows, "is_scorable") == 1) & ~np.isnan(churned))
        kept = rows[["customer_id", "review_week", "matures_on"]].iloc[positions]
        weeks = days(kept, "review_week")
        codes, _ = pd.factorize(kept["customer_id"].astype(object), sort=True)
        order = np.lexsort((codes, weeks))
        customers = customer_hashes(kept["customer_id"])
        return cls(
            positions[order],
            weeks[order],
            days(kept, "matures_on")[order],
            churned[positions][order],
            customers[order],
            sampling_keys(customers, weeks, seed)[order],
            _teaching(rows)[positions][order],
        )

    def where(self, chosen: npt.NDArray) -> _Labelled:
        """The rows that `chosen` names, as a mask or as positions."""
        return _Labelled(
            self.positions[chosen],
            self.weeks[chosen],
            self.matures_on[chosen],
            self.churned[chosen],
            self.customers[chosen],
            self.keys[chosen],
            self.may_teach[chosen],
        )


def _teaching(rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    if "may_teach" not in rows.columns:
        return np.ones(len(rows), dtype=bool)
    return numbers(rows, "may_teach") == 1


@dataclass(frozen=True)
class _Calibration:
    """How the boosting's log-odds become probabilities: logit(p) = intercept + slope x log-odds."""

    held_out: str
    slope: float
    rows_fit: int
    last_fit_week: np.datetime64
    # Positions, within the training rows, over which the level is set.
    levelled: npt.NDArray[np.intp]


def _train(
    rows: pd.DataFrame,
    labelled: _Labelled,
    *,
    numeric_columns: Sequence[str],
    categorical_columns: Sequence[str],
    as_of_date: date,
    horizon_days: int,
    sample_rows: int,
    seed: int,
) -> TrainedChurn:
    labelled = labelled.where(labelled.may_teach)
    matured = labelled.where(labelled.matures_on <= np.datetime64(as_of_date, "D"))
    _check_history(labelled, matured, as_of_date)
    chosen = matured.where(smallest(matured.keys, sample_rows))
    problem = _too_few(chosen.churned)
    if problem:
        raise NotEnoughHistory(f"{problem} in the sample of {sample_rows:,} rows that training may read")
    matrix = feature_matrix(rows.iloc[chosen.positions], numeric_columns, categorical_columns)

    with _one_thread():
        calibration = _calibrate(matrix, chosen, numeric_columns, categorical_columns, seed)
        boosting = _fit_boosting(matrix, chosen.churned, numeric_columns, categorical_columns, seed)
        levelled = matrix.iloc[calibration.levelled]
        outcomes = chosen.churned[calibration.levelled]
        scaled = calibration.slope * boosting.decision_function(levelled)
        intercept = _level(scaled, float(outcomes.mean()))
        estimator = _assemble(boosting, calibration.slope, intercept, levelled, outcomes)

    trained_through = _end_of_week(chosen.weeks.max())
    log: dict[str, Any] = {
        "model": MODEL,
        "as_of_date": as_of_date.isoformat(),
        "horizon_days": horizon_days,
        "columns": {"numeric": list(numeric_columns), "categorical": list(categorical_columns)},
        "columns_without_values": [column for column in matrix.columns if not matrix[column].notna().any()],
        "parameters": {
            "learner": "HistGradientBoostingClassifier",
            **BOOSTING_PARAMETERS,
            "min_samples_leaf": _leaf_rows(len(matrix)),
            "seed": seed,
            "sample_rows": sample_rows,
        },
        "calibration": {
            "held_out": calibration.held_out,
            "rows_fit": calibration.rows_fit,
            "fitted_through": _end_of_week(calibration.last_fit_week).isoformat(),
            "rows": len(calibration.levelled),
            "first_review_week": str(chosen.weeks[calibration.levelled].min()),
            "slope": calibration.slope,
            "intercept": intercept,
        },
        "rows_matured": len(matured.positions),
        "rows_train": len(matrix),
        "first_review_week": str(chosen.weeks.min()),
        "last_review_week": str(chosen.weeks.max()),
        "trained_through": trained_through.isoformat(),
        "base_rate": float(chosen.churned.mean()),
        "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__, "pandas": pd.__version__},
    }
    log["model_version"] = _version(log, matrix, chosen)
    return TrainedChurn(estimator=estimator, log=log)


def _check_history(labelled: _Labelled, matured: _Labelled, as_of_date: date) -> None:
    if not len(labelled.positions):
        raise NotEnoughHistory("no scorable customer has a week whose outcome is known")
    if not len(matured.positions):
        raise NotEnoughHistory(
            f"no outcome was known by {as_of_date.isoformat()};"
            f" the first is known on {labelled.matures_on.min()}"
        )
    problem = _too_few(matured.churned)
    if problem:
        raise NotEnoughHistory(f"{problem} by {as_of_date.isoformat()}")


def _check_both_outcomes(tested: _Labelled) -> None:
    if tested.churned.min() == tested.churned.max():
        raise NotEnoughHistory(f"all {len(tested.churned):,} customers of the week had the same outcome")


def _too_few(churned: npt.NDArray[np.float64]) -> str | None:
    """Why these outcomes teach nothing, as the beginning of a sentence; None where they are enough."""
    left = int(churned.sum())
    stayed = len(churned) - left
    if len(churned) < SMALLEST_ROWS:
        return (
            f"{len(churned):,} customer weeks have a known outcome and at least {SMALLEST_ROWS:,} are needed"
        )
    if min(left, stayed) < SMALLEST_OUTCOMES:
        return (
            f"of {len(churned):,} customer weeks {left:,} were followed by leaving and {stayed:,} by staying,"
            f" and at least {SMALLEST_OUTCOMES:,} of each are needed"
        )
    return None


def _calibrate(
    matrix: pd.DataFrame,
    chosen: _Labelled,
    numeric_columns: Sequence[str],
    categorical_columns: Sequence[str],
    seed: int,
) -> _Calibration:
    """Measure, on rows a first fit has not seen, how far the boosting's log-odds are to be believed.

    On the newest weeks, by a fit of the weeks whose label windows end before the first of them begins.
    Where history is too short for that, by customers: each fifth of them is scored by a fit of the other
    four fifths. Nobody then vouches for themselves, but the weeks are the same, so a change over time stays
    unseen.
    """
    weeks = np.unique(chosen.weeks)
    count = min(CALIBRATION_WEEKS, int(len(weeks) * CALIBRATION_WEEKS_LARGEST_SHARE))
    if count:
        first = weeks[-count]
        later = np.flatnonzero(chosen.weeks >= first)
        earlier = np.flatnonzero(chosen.matures_on <= first)
        is_enough = len(earlier) >= FIT_ROWS_SMALLEST_SHARE * len(matrix)
        is_observed = matrix.iloc[earlier].notna().any().any()
        if (
            is_enough
            and is_observed
            and not _too_few(chosen.churned[earlier])
            and not _too_few(chosen.churned[later])
        ):
            boosting = _fit_boosting(
                matrix.iloc[earlier], chosen.churned[earlier], numeric_columns, categorical_columns, seed
            )
            return _Calibration(
                "later weeks",
                _slope(boosting.decision_function(matrix.iloc[later]), chosen.churned[later]),
                len(earlier),
                chosen.weeks[earlier].max(),
                later,
            )

    fold = (chosen.customers % np.uint64(FOLDS)).astype(int)
    log_odds = np.full(len(matrix), np.nan)
    for held_out in range(FOLDS):
        others = np.flatnonzero(fold != held_out)
        ours = np.flatnonzero(fold == held_out)
        if not 0 < chosen.churned[others].sum() < len(others):
            raise NotEnoughHistory("all who left, or all who stayed, are a handful of customers")
        if len(ours):
            boosting = _fit_boosting(
                matrix.iloc[others], chosen.churned[others], numeric_columns, categorical_columns, seed
            )
            log_odds[ours] = boosting.decision_function(matrix.iloc[ours])
    return _Calibration(
        "customers",
        _slope(log_odds, chosen.churned),
        len(matrix),
        chosen.weeks.max(),
        np.arange(len(matrix)),
    )


def _fit_boosting(
    matrix: pd.DataFrame,
    churned: npt.NDArray[np.float64],
    numeric_columns: Sequence[str],
    categorical_columns: Sequence[str],
    seed: int,
) -> Pipeline:
    """Fit the boosting on the columns that hold a value in these rows; `decision_function` gives log-odds."""
    is_observed = matrix.notna().any()
    if not is_observed.any():
        raise NotEnoughHistory("none of the columns to learn from holds a value")
    # Categories become ranks of their names, which trees take apart by several cuts. scikit-learn's own
    # handling of categories would put a function into the model file, for skops to trust.
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=LARGEST_CATEGORIES,
    )
    columns = ColumnTransformer(
        [
            ("categories", encoder, [column for column in categorical_columns if is_observed[column]]),
            ("numbers", "passthrough", [column for column in numeric_columns if is_observed[column]]),
        ]
    )
    boosting = HistGradientBoostingClassifier(
        min_samples_leaf=_leaf_rows(len(matrix)), random_state=seed, **BOOSTING_PARAMETERS
    )
    return Pipeline([("columns", columns), ("boosting", boosting)]).fit(matrix, churned.astype(int))


def _leaf_rows(rows_train: int) -> int:
    return int(np.clip(rows_train * LEAF_ROWS_SHARE, LEAF_ROWS_SMALLEST, LEAF_ROWS_LARGEST))


def _slope(log_odds: npt.NDArray[np.float64], churned: npt.NDArray[np.float64]) -> float:
    """Platt's slope (1999), lightly held towards 0; never negative: a model that ranks upside down says
    nothing."""
    return max(float(LogisticRegression(C=1.0).fit(log_odds[:, None], churned.astype(int)).coef_[0, 0]), 0.0)


def _level(scaled_log_odds: npt.NDArray[np.float64], share: float) -> float:
    """The intercept with which the mean probability is `share` (strictly between 0 and 1)."""
    logit = float(np.log(share / (1 - share)))
    lowest, highest = logit - float(scaled_log_odds.max()), logit - float(scaled_log_odds.min())
    # At either end of the bracket all probabilities lie on one side of the share; the margin is for float
    # dust.
    return float(
        brentq(
            lambda level: expit(level + scaled_log_odds).mean() - share,
            lowest - 1e-6,
            highest + 1e-6,
            xtol=1e-10,
        )
    )


def _assemble(
    boosting: Pipeline,
    slope: float,
    intercept: float,
    examples: pd.DataFrame,
    outcomes: npt.NDArray[np.float64],
) -> StackingClassifier:
    """One estimator of both parts, neither fitted again: the boosting, then the line through its log-odds."""
    line = LogisticRegression().fit(np.array([[-1.0], [1.0]]), [0, 1])
    line.coef_, line.intercept_ = np.array([[slope]]), np.array([intercept])
    return StackingClassifier(
        estimators=[("boosting", FrozenEstimator(boosting))],
        final_estimator=FrozenEstimator(line),
        cv="prefit",
        stack_method="decision_function",
    ).fit(examples, outcomes.astype(int))


def _probabilities(
    estimator: StackingClassifier,
    rows: pd.DataFrame,
    numeric_columns: Sequence[str],
    categorical_columns: Sequence[str],
) -> npt.NDArray[np.float64]:
    if not len(rows):
        return np.empty(0)
    with _one_thread():
        return estimator.predict_proba(feature_matrix(rows, numeric_columns, categorical_columns))[:, 1]


def _version(log: dict[str, Any], matrix: pd.DataFrame, chosen: _Labelled) -> str:
    """A short hash of everything the model comes from: what the log says, and the rows it read."""
    digest = hashlib.sha256(json.dumps(log, sort_keys=True).encode())
    digest.update(pd.util.hash_pandas_object(matrix, index=False).to_numpy().tobytes())
    for labels in (chosen.customers, chosen.weeks, chosen.churned):
        digest.update(labels.tobytes())
    return f"{MODEL}-{digest.hexdigest()[:12]}"


def _end_of_week(week: np.datetime64) -> date:
    return (week + np.timedelta64(7, "D")).item()


@contextmanager
def _one_thread() -> Iterator[None]:
    with threadpoolctl.threadpool_limits(limits=1):
        yield
