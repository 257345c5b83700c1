"""Churn and health beside the true chance of every customer to leave.

All functions read `scored`, one row per scored customer × reviewed week: customer_id, review_week,
churn_probability and health_score (NULL where not scored), true_probability (the exact chance that the
subscription ends in the 28 days after the week, as far as events can tell), true_hazard (of deciding in the
week to leave), and has_ended (whether it did; NULL where the world is not old enough to know).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression

from bench.comparisons.comparison import Comparison
from bench.record import Target

RESAMPLES = 200
INTERVAL_PERCENT = (2.5, 97.5)
SEED = 7
# Probabilities are kept this far from 0 and 1 where their log-odds are taken.
SMALLEST_PROBABILITY = 1e-6
DECILES = 10

ENOUGH_OF_THE_ACHIEVABLE = Target(lowest=0.8)
GOOD_SLOPE = Target(0.8, 1.2)


def compare_ranking(scored: pd.DataFrame) -> list[Comparison]:
    """AUROC of the product beside the best that is possible, and its share of what can be achieved.

    The gap between both has a 95 % interval from resampled customers, all rows of a customer together.
    """
    rows = _known(scored)
    names = ("churn: AUROC", "churn: AUROC, share of the achievable")
    if not _has_both_outcomes(rows):
        return [
            Comparison(names[0], None, None, "AUROC"),
            Comparison(names[1], 1.0, None, "share", ENOUGH_OF_THE_ACHIEVABLE),
        ]
    best, found = _auroc(rows, "true_probability"), _auroc(rows, "churn_probability")
    gaps, shares = _resampled_gaps(rows)
    by_week = {
        f"{week:%Y-%m-%d}": {
            "planted": _auroc(of_week, "true_probability"),
            "found": _auroc(of_week, "churn_probability"),
            "customers": len(of_week),
            "ended": int(of_week["has_ended"].sum()),
        }
        for week, of_week in rows.groupby("review_week")
        if _has_both_outcomes(of_week)
    }
    return [
        Comparison(
            names[0],
            best,
            found,
            "AUROC",
            detail={
                "gap": best - found,
                "gap_95_percent_interval": _interval(gaps),
                "resamples": len(gaps),
                "weeks": by_week,
            },
        ),
        Comparison(
            names[1],
            1.0,
            (found - 0.5) / (best - 0.5) if best > 0.5 else None,
            "share",
            ENOUGH_OF_THE_ACHIEVABLE,
            detail={"share_95_percent_interval": _interval(shares)},
        ),
    ]


def compare_accuracy(scored: pd.DataFrame) -> list[Comparison]:
    """Brier score beside that of the true chances, and both as skill over the plain share who left."""
    rows = _known(scored)
    if not _has_both_outcomes(rows):
        return [
            Comparison("churn: Brier score", None, None, "squared error"),
            Comparison("churn: Brier skill", None, None, "share"),
        ]
    outcome = rows["has_ended"].to_numpy(float)
    best = float(np.mean((rows["true_probability"] - outcome) ** 2))
    found = float(np.mean((rows["churn_probability"] - outcome) ** 2))
    plain = float(np.var(outcome))
    return [
        Comparison(
            "churn: Brier score",
            best,
            found,
            "squared error",
            detail={"base_rate": float(outcome.mean()), "brier_of_the_base_rate": plain},
        ),
        Comparison("churn: Brier skill", 1 - best / plain, 1 - found / plain, "share"),
    ]


def compare_calibration(scored: pd.DataFrame) -> list[Comparison]:
    """Whether 10 % means 10 %: against what happened (slope, intercept) and against the true chances."""
    rows = scored.dropna(subset=["churn_probability", "true_probability"])
    known = _known(scored)
    slope = intercept = None
    if _has_both_outcomes(known):
        slope, intercept = calibration_line(
            known["churn_probability"].to_numpy(float), known["has_ended"].to_numpy(bool)
        )
    line = [
        Comparison("churn: calibration slope", 1.0, slope, "log-odds per log-odds", GOOD_SLOPE),
        Comparison("churn: calibration intercept", 0.0, intercept, "log-odds"),
    ]
    if rows.empty:
        return [
            *line,
            Comparison("churn: mean probability", None, None, "probability"),
            Comparison("churn: mean error of the deciles", 0.0, None, "probability"),
            Comparison("churn: largest error of a decile", 0.0, None, "probability"),
            Comparison("churn: rank correlation with the true chance", 1.0, None, "Spearman"),
        ]
    deciles = _deciles(rows)
    errors = (deciles["found"] - deciles["planted"]).abs()
    return [
        *line,
        Comparison(
            "churn: mean probability",
            float(rows["true_probability"].mean()),
            float(rows["churn_probability"].mean()),
            "probability",
            detail={
                "share_that_ended": float(known["has_ended"].astype(float).mean()) if len(known) else None,
                "weeks": {
                    f"{week:%Y-%m-%d}": {
                        "planted": float(of_week["true_probability"].mean()),
                        "found": float(of_week["churn_probability"].mean()),
                    }
                    for week, of_week in rows.groupby("review_week")
                },
            },
        ),
        Comparison(
            "churn: mean error of the deciles",
            0.0,
            float(errors.mean()),
            "probability",
            detail={"deciles": deciles.to_dict("records")},
        ),
        Comparison("churn: largest error of a decile", 0.0, float(errors.max()), "probability"),
        Comparison(
            "churn: rank correlation with the true chance",
            1.0,
            _rank_correlation(rows["churn_probability"], rows["true_probability"]),
            "Spearman",
        ),
    ]


def compare_health(scored: pd.DataFrame) -> list[Comparison]:
    """Rank correlation of health with the true chance to leave: −1 is best, 0 says nothing."""
    rows = scored.dropna(subset=["health_score", "true_probability"])
    return [
        Comparison(
            "health: rank correlation with the true chance to leave",
            -1.0,
            _rank_correlation(rows["health_score"], rows["true_probability"]),
            "Spearman",
            Target(highest=-0.4),
            detail={
                "with_the_hazard_of_the_week": _rank_correlation(rows["health_score"], rows["true_hazard"]),
                "of_the_churn_probability_for_comparison": _negative(
                    _rank_correlation(rows["churn_probability"], rows["true_probability"])
                ),
                "customer_weeks": len(rows),
                "without_a_health_score": int(scored["health_score"].isna().sum()),
            },
        )
    ]


def calibration_line(probability: np.ndarray, happened: np.ndarray) -> tuple[float | None, float | None]:
    """Slope and intercept of a logistic regression of what happened on the log-odds of the probability.

    1 and 0 are right; a slope below 1 means that the probabilities are too sure (Cox 1958). None where the
    probabilities do not differ.
    """
    kept = np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    log_odds = np.log(kept / (1 - kept))
    if np.ptp(log_odds) < 1e-9:
        return None, None
    line = LogisticRegression(C=np.inf, max_iter=1_000, tol=1e-8).fit(log_odds[:, None], happened)
    return float(line.coef_[0, 0]), float(line.intercept_[0])


def _known(scored: pd.DataFrame) -> pd.DataFrame:
    return scored.dropna(subset=["churn_probability", "true_probability", "has_ended"])


def _has_both_outcomes(rows: pd.DataFrame) -> bool:
    return rows["has_ended"].nunique() == 2


def _auroc(rows: pd.DataFrame, column: str) -> float:
    """The chance that of one who left and one who stayed the former has more; equal ones count half."""
    return _Ranked.by(rows[column]).auroc(rows["has_ended"].to_numpy(bool), np.ones(len(rows)))


@dataclass(frozen=True)
class _Ranked:
    """Rows ranked once, for many weightings. rank: of each row, equal for equal scores."""

    rank: np.ndarray

    @classmethod
    def by(cls, scores: pd.Series) -> _Ranked:
        return cls(np.unique(scores.to_numpy(float), return_inverse=True)[1])

    def auroc(self, outcome: np.ndarray, weights: np.ndarray) -> float:
        left = np.bincount(self.rank, weights * outcome)
        stayed = np.bincount(self.rank, weights * ~outcome)
        return float(left @ (np.cumsum(stayed) - stayed / 2) / (left.sum() * stayed.sum()))


def _resampled_gaps(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Gaps and shares of the achievable over resamples of the customers; the same resample for both."""
    random = np.random.default_rng(SEED)
    customer, customers = pd.factorize(rows["customer_id"])
    outcome = rows["has_ended"].to_numpy(bool)
    ranked = [_Ranked.by(rows[column]) for column in ("true_probability", "churn_probability")]
    pairs = []
    for _ in range(RESAMPLES):
        times = np.bincount(random.integers(0, len(customers), len(customers)), minlength=len(customers))
        weights = times[customer].astype(float)
        if 0 < weights @ outcome < weights.sum():
            pairs.append([each.auroc(outcome, weights) for each in ranked])
    best, found = np.array(pairs).reshape(-1, 2).T
    can_rank = best > 0.5
    return best - found, (found[can_rank] - 0.5) / (best[can_rank] - 0.5)


def _interval(values: np.ndarray) -> list[float] | None:
    return [float(each) for each in np.percentile(values, INTERVAL_PERCENT)] if len(values) else None


def _deciles(rows: pd.DataFrame) -> pd.DataFrame:
    """Means by decile of the found probability; equal probabilities are never divided."""
    decile = pd.qcut(rows["churn_probability"], DECILES, labels=False, duplicates="drop")
    grouped = rows.groupby(decile.fillna(0))
    deciles = pd.DataFrame(
        {
            "planted": grouped["true_probability"].mean(),
            "found": grouped["churn_probability"].mean(),
            "ended": grouped["has_ended"].agg(_share),
            "customer_weeks": grouped.size(),
        }
    )
    return deciles.reset_index(drop=True)


def _share(values: pd.Series) -> float | None:
    return float(values.dropna().astype(float).mean()) if values.notna().any() else None


def _rank_correlation(left: pd.Series, right: pd.Series) -> float | None:
    known = left.notna() & right.notna()
    left, right = left[known].astype(float), right[known].astype(float)
    if left.nunique() < 2 or right.nunique() < 2:
        return None
    return float(spearmanr(left, right).statistic)


def _negative(value: float | None) -> Any:
    return None if value is None else -value
