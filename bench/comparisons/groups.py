"""Stages and clusters beside the archetypes by which customers live.

All functions read `living`, one row per customer that has not churned × reviewed week: customer_id,
review_week, lifecycle_stage, cluster_name (NULL where no clusters were made) and archetype, which is planted.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import threadpoolctl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GroupKFold

from bench.comparisons.comparison import Comparison
from bench.record import Target

FOLDS = 5
SEED = 7
ROUNDS = 60
MOST_CATEGORIES = 200  # of a text column that a classifier reads

# The shares that a business like the demo has, by the beginning of a cluster's name; the archetype that comes
# next to it.
CLUSTER_SHARES: tuple[tuple[str, str | None, Target | None], ...] = (
    ("Power", "power", Target(0.10, 0.20)),
    ("Casual", "casual", Target(0.35, 0.50)),
    ("At-risk", "declining", Target(0.10, 0.25)),
    ("New", "new", Target(0.10, 0.25)),
    ("Dormant", "dormant", None),
)


def compare_agreement(living: pd.DataFrame, recognised: pd.Series | None) -> list[Comparison]:
    """Adjusted Rand index of stages and clusters with the archetypes: 0 by chance, 1 the same groups.

    It is taken week by week, because clusters are made anew every week, and averaged over the rows. Planted
    is that of `recognised` (aligned with `living`): how far feature rows can tell at all.
    """
    best = None if recognised is None else agreement(living.assign(recognised=recognised), "recognised")
    return [
        Comparison(
            f"{what}: agreement with the archetypes",
            best,
            agreement(living, column),
            "adjusted Rand index",
            detail={
                "planted_means": "a classifier that was shown the archetypes of other customers",
                "weeks": {
                    f"{week:%Y-%m-%d}": agreement(of_week, column)
                    for week, of_week in living.groupby("review_week")
                },
                "archetypes_by_group": cross_table(living, column),
            },
        )
        for what, column in (("lifecycle stage", "lifecycle_stage"), ("cluster", "cluster_name"))
    ]


def compare_cluster_sizes(living: pd.DataFrame) -> list[Comparison]:
    """Shares of the clusters by the beginning of their names, in the mean of the reviewed weeks."""
    rows = living.dropna(subset=["cluster_name"])
    others = ~rows["cluster_name"].astype(str).str.startswith(tuple(name for name, *_ in CLUSTER_SHARES))
    comparisons = []
    for name, archetype, target in (*CLUSTER_SHARES, ("other", None, None)):
        chosen = others if name == "other" else rows["cluster_name"].astype(str).str.startswith(name)
        by_week = chosen.groupby(rows["review_week"]).mean()
        planted = None if archetype is None or rows.empty else float((rows["archetype"] == archetype).mean())
        comparisons.append(
            Comparison(
                f"cluster: share of {name}",
                planted,
                None if rows.empty else float(chosen.mean()),
                "share",
                target,
                detail={
                    "planted_means": None if archetype is None else f"the share of the archetype {archetype}",
                    "weeks": {f"{week:%Y-%m-%d}": float(share) for week, share in by_week.items()},
                    "names": _shares(rows.loc[chosen, "cluster_name"]),
                },
            )
        )
    return comparisons


def agreement(living: pd.DataFrame, column: str) -> float | None:
    """The adjusted Rand index of a column with the archetype within weeks, in the mean of the rows."""
    rows = living.dropna(subset=[column, "archetype"])
    if rows.empty:
        return None
    weeks = [
        (adjusted_rand_score(of_week["archetype"], of_week[column]), len(of_week))
        for _, of_week in rows.groupby("review_week")
    ]
    values, sizes = zip(*weeks, strict=True)
    return float(np.average(values, weights=sizes))


def cross_table(living: pd.DataFrame, column: str) -> dict[str, dict[str, float]]:
    """By group: the shares of the archetypes in it, and its own share of all rows."""
    rows = living.dropna(subset=[column, "archetype"])
    table = {}
    for name, of_group in rows.groupby(column):
        table[str(name)] = _shares(of_group["archetype"]) | {
            "share_of_all": round(len(of_group) / len(rows), 4)
        }
    return table


def recognise_archetypes(features: pd.DataFrame, archetype: pd.Series) -> pd.Series | None:
    """The archetype that a classifier gives each feature row, having learnt from other customers' rows.

    `features`: whole feature rows (customer_id, review_week and the rest); what is neither a number, a truth
    value nor a short list of texts is left out. None where there are too few customers for the folds, or one
    archetype alone.
    """
    if features["customer_id"].nunique() < FOLDS or archetype.nunique() < 2:
        return None
    matrix = _matrix(features)
    recognised = pd.Series(index=features.index, dtype=object)
    for learnt, held_out in GroupKFold(FOLDS).split(matrix, archetype, features["customer_id"]):
        classifier = HistGradientBoostingClassifier(
            max_iter=ROUNDS, categorical_features="from_dtype", early_stopping=False, random_state=SEED
        )
        # One thread: several wait for one another where the machine has other work.
        with threadpoolctl.threadpool_limits(limits=1):
            classifier.fit(matrix.iloc[learnt], archetype.iloc[learnt])
            recognised.iloc[held_out] = classifier.predict(matrix.iloc[held_out])
    return recognised


def _matrix(features: pd.DataFrame) -> pd.DataFrame:
    columns = {}
    for name, values in features.drop(columns=["customer_id", "review_week"]).items():
        if pd.api.types.is_datetime64_any_dtype(values):
            continue
        if pd.api.types.is_bool_dtype(values) or pd.api.types.is_numeric_dtype(values):
            columns[name] = values.astype(float)
        elif values.nunique() <= MOST_CATEGORIES and values.dropna().map(type).eq(str).all():
            columns[name] = values.astype("category")
    return pd.DataFrame(columns, index=features.index)


def _shares(values: pd.Series) -> dict[str, float]:
    shares = values.value_counts(normalize=True)
    return {str(name): round(float(share), 4) for name, share in shares.items()}
