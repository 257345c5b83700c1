"""Customer health: a weighted mean of components, each 0-100 by anchors that stand in the settings.

Anchors, not percentiles: a whole business may decline, and its scores with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ml.anchors import apply_anchors
from ml.matrix import numbers, require_columns

HIGH_TOUCH, AUTOMATED, ADVOCACY = "high_touch", "automated", "advocacy"


@dataclass(frozen=True)
class HealthComponent:
    """One component: the column it reads, its weight, and anchors (value of the column, 0-100 points)."""

    name: str
    column: str
    weight: float
    anchors: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class HealthScores:
    """The scores (a row per customer and week) and their parts (a row per customer, week and component)."""

    scores: pd.DataFrame
    contributions: pd.DataFrame


def score_health(
    rows: pd.DataFrame,
    components: Sequence[HealthComponent],
    observed_weight_minimum_share: float,
    high_touch_below_score: float,
    advocacy_above_score: float,
) -> HealthScores:
    """Score every row of `rows` (grain: customer_id x review_week).

    A component is missing where its column is NULL; it gives its weight to the others in proportion. Where
    the components that are there hold less than `observed_weight_minimum_share` of the weight, score, band
    and contributions are NULL. The contribution of a component is component_score x weight / (sum of the
    weights observed), rounded to 2 decimals; the score is the sum of the contributions. Six roundings can
    lift a sum past 100 (six equal components at 100 give 6 x 16.67 = 100.02); the largest contribution then
    gives way, the first of equal ones, so that 0 <= score <= 100 holds. Bands: below
    `high_touch_below_score` high_touch, above `advocacy_above_score` advocacy, both edges and what lies
    between automated.

    Returns `scores` (customer_id, review_week, health_score, health_band, weight_observed_share,
    model_version) and `contributions` (customer_id, review_week, component, column_name, value,
    component_score, weight, contribution, model_version), where `weight` is the weight as set, before
    others' weights are shared out, and missing components have NULL in value, component_score and
    contribution. Both are sorted by customer and week, the contributions then by the order of the
    components.

    Raises ValueError where a component reads a column that is not there or holds no numbers.
    """
    if not components:
        raise ValueError("health needs at least one component")
    require_columns(rows, ["customer_id", "review_week"], "health")
    for component in components:
        require_columns(rows, [component.column], f"the health component {component.name}")
    rows = rows.sort_values(["customer_id", "review_week"], kind="stable", ignore_index=True)
    version = _version(
        components, observed_weight_minimum_share, high_touch_below_score, advocacy_above_score
    )

    values = np.column_stack([numbers(rows, component.column) for component in components])
    points = np.column_stack(
        [apply_anchors(values[:, place], component.anchors) for place, component in enumerate(components)]
    )
    weights = np.array([component.weight for component in components], dtype=np.float64)
    observed = ~np.isnan(points)
    observed_weight = observed @ weights
    observed_share = observed_weight / weights.sum()
    # A share such as 0.3 + 0.2 may fall short of 0.5 by the dust of floats.
    is_scored = observed.any(axis=1) & (observed_share >= observed_weight_minimum_share - 1e-9)

    hundredths = _contribution_hundredths(points, weights, observed_weight)
    score = np.where(is_scored, hundredths.sum(axis=1) / 100, np.nan)
    band = np.select(
        [~is_scored, score < high_touch_below_score, score > advocacy_above_score],
        [None, HIGH_TOUCH, ADVOCACY],
        default=AUTOMATED,
    )
    scores = pd.DataFrame(
        {
            "customer_id": rows["customer_id"],
            "review_week": rows["review_week"],
            "health_score": score,
            "health_band": pd.Series(band, dtype=object),
            "weight_observed_share": observed_share,
            "model_version": version,
        }
    )
    repeated = (
        rows[["customer_id", "review_week"]].loc[rows.index.repeat(len(components))].reset_index(drop=True)
    )
    contributes = observed & is_scored[:, None]
    contributions = repeated.assign(
        component=np.tile(np.array([component.name for component in components], dtype=object), len(rows)),
        column_name=np.tile(
            np.array([component.column for component in components], dtype=object), len(rows)
        ),
        value=values.ravel(),
        component_score=points.ravel(),
        weight=np.tile(weights, len(rows)),
        contribution=np.where(contributes, hundredths / 100, np.nan).ravel(),
        model_version=version,
    )
    return HealthScores(scores=scores, contributions=contributions)


def _contribution_hundredths(
    points: np.ndarray, weights: np.ndarray, observed_weight: np.ndarray
) -> np.ndarray:
    """Contributions in whole hundredths of a point, rows x components; 0 where missing, a row at most
    10000."""
    shares = weights / np.where(observed_weight > 0, observed_weight, 1.0)[:, None]
    hundredths = np.rint(np.nan_to_num(points) * shares * 100).astype(np.int64)
    excess = np.maximum(hundredths.sum(axis=1) - 100 * 100, 0)
    hundredths[np.arange(len(hundredths)), hundredths.argmax(axis=1)] -= excess
    return hundredths


def _version(
    components: Sequence[HealthComponent],
    observed_weight_minimum_share: float,
    high_touch_below_score: float,
    advocacy_above_score: float,
) -> str:
    said = {
        "components": [
            [
                component.name,
                component.column,
                float(component.weight),
                np.asarray(component.anchors, float).tolist(),
            ]
            for component in components
        ],
        "observed_weight_minimum_share": observed_weight_minimum_share,
        "high_touch_below_score": high_touch_below_score,
        "advocacy_above_score": advocacy_above_score,
    }
    return "health-" + hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]
