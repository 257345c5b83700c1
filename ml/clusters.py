"""Clusters: groups of customers who use the product alike, found by KMeans and named by their profile.

Assumes that likeness is nearness after every column has been bent towards a normal shape and put on one
scale (Yeo and Johnson 2000), so that no column counts more for its unit and few very large customers do not
make clusters of their own. Ids are ordered from the most to the least active cluster, so that they mean
much the same from week to week; the count of clusters is the smallest whose mean silhouette
(Rousseeuw 1987) is near the best.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sklearn
import threadpoolctl
from sklearn.cluster import KMeans
from sklearn.impute import SimpleImputer
from sklearn.metrics import silhouette_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PowerTransformer

from ml.errors import NotEnoughHistory
from ml.matrix import days, feature_matrix, require_columns
from ml.sampling import customer_hashes, sampling_keys, smallest

MODEL = "clusters"

# What skops has to be told to trust to read the estimator: the type of the imputed numbers.
TRUSTED_TYPES = ("numpy.dtype",)

# A cluster that a team can act on has at least about this many customers.
SMALLEST_MEAN_SIZE = 10
# A column that more than half of the customers lack, or that is the same for nearly all, sets nobody apart.
LARGEST_MISSING_SHARE = 0.5
LARGEST_SAME_VALUE_SHARE = 0.95
# Rows on which the count of clusters is chosen: silhouettes compare every pair.
SILHOUETTE_ROWS = 2_000
# Of counts this close to the best mean silhouette the smallest is taken: one business differs by as much from
# week to week, and its clusters should not.
SILHOUETTE_TOLERANCE = 0.02
STARTS = 10

# What a profile is read from; columns that were not clustered on are passed over.
USAGE_COLUMNS = (
    "active_days_28d",
    "active_days_90d",
    "active_weeks_12",
    "core_events_28d",
    "sessions_28d",
    "features_used_28d",
)
VALUE_COLUMNS = ("revenue_365d", "orders_365d")
QUIET_COLUMN, TENURE_COLUMN, TREND_COLUMN = "days_since_last_activity", "tenure_days", "usage_change_28d"
ACTIVE_DAYS_COLUMN = "active_days_28d"

# Names that state a fact hold for the cluster's median customer; the others compare with the whole
# population, in its standard deviations.
DORMANT_QUIET_DAYS = 45  # half way from the first quiet month to the end of a quarter
AT_RISK_QUIET_DAYS = 14
NEW_TENURE_DAYS = 60
FALLING_CHANGE_SHARE = -0.3
CASUAL_ACTIVE_DAYS = 10  # of 28: on more than every third day one is a steady user
HIGH_DEVIATIONS = 0.75
# What tells clusters of one name apart: by signal, the words for less and for more.
DISTINCTIONS = {
    "value": ("lower spend", "higher spend"),
    "tenure": ("newer", "longer known"),
    "usage": ("less active", "more active"),
    "quiet": ("quiet for less long", "quiet for longer"),
    "trend": ("falling", "rising"),
}


@dataclass(frozen=True)
class TrainedClusters:
    """The estimator, a name per cluster id, and the JSON-ready log.

    `TrainedClusters(estimator, tuple(log["names"]), log)` restores it from the model file and its log.
    """

    estimator: Pipeline
    names: tuple[str, ...]
    log: dict[str, Any]


def train_clusters(
    rows: pd.DataFrame,
    *,
    columns: Sequence[str],
    smallest_count: int,
    largest_count: int,
    seed: int,
    sample_rows: int,
) -> TrainedClusters:
    """Find between `smallest_count` and `largest_count` clusters among the customers that have not churned.

    `rows`: feature rows of one week (customer_id, review_week, lifecycle_stage, and `columns` as far as the
    workspace has them); at most `sample_rows` of them are read, chosen by a hash of the customer. Columns
    that are absent, missing for most, or the same for nearly all are left out; a missing value counts as
    the median, but for a customer who was never active the tenure stands in for the quiet days.

    Raises NotEnoughHistory, in words that go behind "clusters are not made: ", where there are fewer than 10
    customers per cluster, or no column to tell them apart by.
    """
    population = _population(rows)
    if len(population) < smallest_count * SMALLEST_MEAN_SIZE:
        raise NotEnoughHistory(
            f"{len(population):,} customers are known and not churned, and {smallest_count} clusters need"
            f" at least {smallest_count * SMALLEST_MEAN_SIZE:,}"
        )
    population = population.sort_values(["review_week", "customer_id"], kind="stable", ignore_index=True)
    keys = sampling_keys(customer_hashes(population["customer_id"]), days(population, "review_week"), seed)
    chosen = smallest(keys, sample_rows)
    matrix = _matrix(population.iloc[chosen], columns)
    used = [column for column in columns if _tells_apart(matrix[column])]
    matrix = matrix[used]
    if not used or len(matrix.drop_duplicates()) < smallest_count:
        raise NotEnoughHistory(
            f"the {len(matrix):,} customers are too much alike for {smallest_count} clusters"
        )

    with threadpoolctl.threadpool_limits(limits=1):
        scale = Pipeline(
            [("missing", SimpleImputer(strategy="median")), ("scale", PowerTransformer(method="yeo-johnson"))]
        )
        points = scale.fit_transform(matrix)
        compared = points[smallest(keys[chosen], SILHOUETTE_ROWS)]
        silhouettes = _silhouettes(
            compared, smallest_count, min(largest_count, len(matrix) // SMALLEST_MEAN_SIZE), seed
        )
        enough = max(silhouettes.values()) - SILHOUETTE_TOLERANCE
        count = min(candidate for candidate, value in silhouettes.items() if value >= enough)
        centres = KMeans(count, n_init=STARTS, random_state=seed).fit(points).cluster_centers_
        centres = centres[_most_active_first(centres, used)]
        # Started from its own result, KMeans stays there, and its ids follow the order of the centres.
        kmeans = KMeans(count, init=centres, n_init=1, random_state=seed).fit(points)
        # The last step reads what the first two made, so it is fitted on their result and only put behind
        # them.
        estimator = Pipeline([*scale.steps, ("clusters", kmeans)])
        distances = kmeans.transform(points)
    cluster_ids = distances.argmin(axis=1)
    names = _names(matrix, kmeans.cluster_centers_, cluster_ids)
    log: dict[str, Any] = {
        "model": MODEL,
        "review_week": str(days(population, "review_week").max()),
        "columns": used,
        "columns_left_out": [column for column in columns if column not in used],
        "parameters": {
            "learner": "KMeans",
            "clusters": count,
            "silhouettes": {str(candidate): round(value, 6) for candidate, value in silhouettes.items()},
            "starts": STARTS,
            "seed": seed,
            "sample_rows": sample_rows,
        },
        "names": list(names),
        "customers": np.bincount(cluster_ids, minlength=count).tolist(),
        "distance_percentiles": [
            np.percentile(distances[cluster_ids == cluster, cluster], np.arange(101)).tolist()
            for cluster in range(count)
        ],
        "rows_train": len(matrix),
        "trained_through": str(days(population, "review_week").max() + np.timedelta64(7, "D")),
        "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__, "pandas": pd.__version__},
    }
    log["model_version"] = (
        f"{MODEL}-{hashlib.sha256(json.dumps(log, sort_keys=True).encode()).hexdigest()[:12]}"
    )
    return TrainedClusters(estimator=estimator, names=names, log=log)


def score_clusters(trained: TrainedClusters, rows: pd.DataFrame) -> pd.DataFrame:
    """Put every customer of `rows` that has not churned into its nearest cluster.

    The rows may come in any batches. Returns customer_id, review_week, cluster_id, cluster_name,
    centrality_share, model_version, in the order of `rows`. `centrality_share`: the share of the cluster's
    customers in training that lie at least as far from its centre, in steps of a hundredth: 1 at the
    centre, 0 farther out than all of them.
    """
    population = _population(rows)
    if len(population):
        with threadpoolctl.threadpool_limits(limits=1):
            distances = trained.estimator.transform(_matrix(population, trained.log["columns"]))
    else:
        distances = np.empty((0, len(trained.names)))
    cluster_ids = distances.argmin(axis=1)
    nearest = distances.min(axis=1)
    centrality = np.empty(len(population))
    for cluster, percentiles in enumerate(trained.log["distance_percentiles"]):
        members = cluster_ids == cluster
        # A customer of the training sample must not fall behind itself by the dust of another batch's sums.
        nearer = np.searchsorted(np.asarray(percentiles) + 1e-9, nearest[members], side="left")
        centrality[members] = 1 - np.minimum(nearer, 100) / 100
    return pd.DataFrame(
        {
            "customer_id": population["customer_id"].to_numpy(),
            "review_week": population["review_week"].to_numpy(),
            "cluster_id": cluster_ids.astype(np.int64),
            "cluster_name": np.array(trained.names, dtype=object)[cluster_ids],
            "centrality_share": centrality,
            "model_version": np.full(len(population), trained.log["model_version"], dtype=object),
        }
    )


def _population(rows: pd.DataFrame) -> pd.DataFrame:
    require_columns(rows, ["customer_id", "review_week", "lifecycle_stage"], "clustering")
    stage = rows["lifecycle_stage"].astype(object)
    return rows.loc[(stage.notna() & (stage != "churned")).to_numpy(dtype=bool)]


def _matrix(population: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    matrix = feature_matrix(population, columns)
    if QUIET_COLUMN in matrix and TENURE_COLUMN in population:
        tenure = feature_matrix(population, [TENURE_COLUMN])[TENURE_COLUMN]
        matrix[QUIET_COLUMN] = matrix[QUIET_COLUMN].fillna(tenure)
    return matrix


def _tells_apart(values: pd.Series) -> bool:
    if values.isna().mean() > LARGEST_MISSING_SHARE:
        return False
    return values.fillna(values.median()).value_counts(normalize=True).iloc[0] <= LARGEST_SAME_VALUE_SHARE


def _silhouettes(points: np.ndarray, smallest_count: int, largest_count: int, seed: int) -> dict[int, float]:
    """Mean silhouette by count of clusters, over the counts for which the points can be told apart."""
    distinct = len(np.unique(points, axis=0))
    largest_count = max(min(largest_count, distinct - 1), smallest_count)
    found = {}
    for count in range(smallest_count, largest_count + 1):
        labels = KMeans(count, n_init=STARTS, random_state=seed).fit_predict(points)
        found[count] = (
            float(silhouette_score(points, labels)) if 1 < len(np.unique(labels)) < len(points) else -1.0
        )
    return found


def _most_active_first(centres: np.ndarray, columns: Sequence[str]) -> npt.NDArray[np.intp]:
    """The order of the centres by mean usage, falling; of equal ones by their coordinates, falling."""
    usage = _mean_of(centres, columns, USAGE_COLUMNS)
    usage = np.zeros(len(centres)) if usage is None else usage
    return np.lexsort((*(-centres[:, ::-1].T), -usage.round(9)))


def _mean_of(centres: np.ndarray, columns: Sequence[str], wanted: Sequence[str]) -> np.ndarray | None:
    places = [place for place, column in enumerate(columns) if column in wanted]
    return centres[:, places].mean(axis=1) if places else None


def _names(matrix: pd.DataFrame, centres: np.ndarray, cluster_ids: np.ndarray) -> tuple[str, ...]:
    """A unique name per cluster: the first rule of `_name` that holds, then what sets equal names apart."""
    columns = list(matrix.columns)
    signals = {
        "usage": _mean_of(centres, columns, USAGE_COLUMNS),
        "value": _mean_of(centres, columns, VALUE_COLUMNS),
        "tenure": _mean_of(centres, columns, [TENURE_COLUMN]),
        "quiet": _mean_of(centres, columns, [QUIET_COLUMN]),
        "trend": _mean_of(centres, columns, [TREND_COLUMN]),
    }
    signals = {name: values for name, values in signals.items() if values is not None}
    medians = matrix.groupby(cluster_ids).median()
    first = [
        _name(
            medians.loc[cluster],
            {name: float(values[cluster]) for name, values in signals.items()},
            _median_trend(matrix[cluster_ids != cluster]),
        )
        for cluster in range(len(centres))
    ]
    names = list(first)
    for name in dict.fromkeys(first):
        group = [cluster for cluster, given in enumerate(first) if given == name]
        for cluster, words in _told_apart(group, signals).items():
            names[cluster] = ", ".join([name, *words])
    return tuple(names)


def _name(median: pd.Series, signal: Mapping[str, float], others_trend: float) -> str:
    """The first name whose rule holds; Steady users where none does.

    `others_trend`: the median change of usage of the customers outside of the cluster.
    """
    quiet_days = median.get(QUIET_COLUMN, 0)
    if quiet_days > DORMANT_QUIET_DAYS:
        return "Dormant"
    if median.get(TENURE_COLUMN, np.inf) <= NEW_TENURE_DAYS:
        return "New users"
    # Summer lets everybody fall: at risk is who falls, or is silent, where the others are not.
    is_quiet = quiet_days > AT_RISK_QUIET_DAYS and signal.get("quiet", 0.0) >= HIGH_DEVIATIONS
    is_falling = median.get(TREND_COLUMN, 0) <= min(FALLING_CHANGE_SHARE, others_trend + FALLING_CHANGE_SHARE)
    if is_quiet or is_falling:
        return "At-risk"
    usage, value = signal.get("usage", 0.0), signal.get("value", 0.0)
    if usage >= HIGH_DEVIATIONS:
        return "Power users"
    if value >= HIGH_DEVIATIONS:
        return "Big spenders"
    is_casual = median.get(ACTIVE_DAYS_COLUMN, 0) < CASUAL_ACTIVE_DAYS
    return "Casual users" if is_casual else "Steady users"


def _median_trend(matrix: pd.DataFrame) -> float:
    trend = matrix[TREND_COLUMN].median() if TREND_COLUMN in matrix else np.nan
    return 0.0 if np.isnan(trend) else float(trend)


def _told_apart(group: Sequence[int], signals: Mapping[str, np.ndarray]) -> dict[int, list[str]]:
    """Words by cluster that set the clusters of one group apart; none for a group of one.

    The group is cut in two at the widest gap of the signal that varies most, and each half again by the other
    signals; where no signal is left, by running numbers.
    """
    if len(group) == 1:
        return {group[0]: []}
    if not signals:
        return {cluster: [str(number)] for number, cluster in enumerate(group, start=1)}
    widest = max(signals, key=lambda name: float(np.ptp(signals[name][group])))
    ordered = sorted(group, key=lambda cluster: float(signals[widest][cluster]))
    cut = int(np.diff(signals[widest][ordered]).argmax()) + 1
    others = {name: values for name, values in signals.items() if name != widest}
    words = {}
    for half, word in zip((ordered[:cut], ordered[cut:]), DISTINCTIONS[widest], strict=True):
        words.update({cluster: [word, *rest] for cluster, rest in _told_apart(half, others).items()})
    return words
