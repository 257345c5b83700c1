"""How well probabilities foretold a yes-or-no outcome, with intervals.

Ranking (`auroc`, `average_precision`, `lift_top_decile`), accuracy of the probabilities (`brier`,
`log_loss`) and their calibration (`calibration_bias`: mean probability minus observed share, 0 is right;
`calibration_slope`: of a logistic regression of the outcome on the log-odds, 1 is right, below 1 the
probabilities are too sure, Cox 1958). Equal scores are never put in an order: each metric takes them as one
group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

RESAMPLES = 200
INTERVAL_SHARE = 0.95
TOP_SHARE = 0.1
# Probabilities are kept this far from 0 and 1 where a logarithm is taken.
SMALLEST_PROBABILITY = 1e-9

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """One metric: its value, that of the naive rule (NaN where it has none), and a 95 % interval."""

    metric: str
    value: float
    baseline: float
    low: float
    high: float


def measure(
    happened: npt.NDArray[np.bool_],
    probability: Floats,
    naive_score: Floats,
    base_rate: float,
    seed: int,
) -> list[Measured]:
    """Hold probabilities against what happened; a value per customer in each array.

    Both outcomes have to occur. The naive rule of the ranking metrics is `naive_score` (larger = more
    likely; NaN throughout: no rule), that of the others the constant probability `base_rate`. Intervals:
    percentiles of 200 seeded bootstrap resamples of the customers; for the slope, the Wald interval. The
    slope is left out where the probabilities do not differ.
    """
    outcome = happened.astype(np.float64)
    ranked, ranked_naively = _Ranked.by(probability, outcome), _Ranked.by(naive_score, outcome)
    has_naive_rule = not np.isnan(naive_score).all()
    losses = {"brier": (probability - outcome) ** 2, "log_loss": _log_losses(probability, outcome)}
    constant = np.full_like(outcome, base_rate)
    naive_losses = {"brier": (constant - outcome) ** 2, "log_loss": _log_losses(constant, outcome)}
    bias = probability - outcome

    rankings = {
        "auroc": _Ranked.auroc,
        "average_precision": _Ranked.average_precision,
        "lift_top_decile": _Ranked.lift,
    }
    drawn: dict[str, list[float]] = {name: [] for name in [*rankings, *losses, "calibration_bias"]}
    generator = np.random.default_rng(seed)
    for _ in range(RESAMPLES):
        times = np.bincount(generator.integers(0, len(outcome), len(outcome)), minlength=len(outcome)).astype(
            float
        )
        if not 0 < times @ outcome < times.sum():
            continue
        resampled = ranked.weighted(times)
        for name, ranking in rankings.items():
            drawn[name].append(ranking(resampled))
        for name, loss in losses.items():
            drawn[name].append(float(times @ loss / times.sum()))
        drawn["calibration_bias"].append(float(times @ bias / times.sum()))

    measured = []
    for name, ranking in rankings.items():
        baseline = ranking(ranked_naively) if has_naive_rule else float("nan")
        measured.append(Measured(name, ranking(ranked), baseline, *_interval(drawn[name])))
    for name, loss in losses.items():
        measured.append(
            Measured(name, float(loss.mean()), float(naive_losses[name].mean()), *_interval(drawn[name]))
        )
    constant_bias = base_rate - float(outcome.mean())
    measured.append(
        Measured("calibration_bias", float(bias.mean()), constant_bias, *_interval(drawn["calibration_bias"]))
    )
    slope, error = calibration_slope(probability, outcome)
    if np.isfinite(slope):
        # A constant probability has no slope, so the naive rule has none either.
        measured.append(
            Measured("calibration_slope", slope, float("nan"), slope - 1.96 * error, slope + 1.96 * error)
        )
    return measured


def calibration_slope(probability: Floats, outcome: Floats) -> tuple[float, float]:
    """Slope of outcome on the log-odds of the probability, and its standard error; NaN where there is none.

    Logistic regression of two parameters by Newton's method. There is none where the probabilities are all
    equal, or where they tell the outcomes apart without a fault.
    """
    kept = np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    log_odds = np.log(kept / (1 - kept))
    nothing = (float("nan"), float("nan"))
    if np.ptp(log_odds) < 1e-9:
        return nothing
    design = np.column_stack([np.ones_like(log_odds), log_odds])
    line = np.array([0.0, 1.0])
    for _ in range(50):
        fitted = expit(design @ line)
        information = design.T @ (design * (fitted * (1 - fitted))[:, None])
        if np.linalg.cond(information) > 1e12:
            return nothing
        step = np.linalg.solve(information, design.T @ (outcome - fitted))
        line = line + step
        if np.abs(step).max() < 1e-9:
            return float(line[1]), float(np.sqrt(np.linalg.inv(information)[1, 1]))
    return nothing


@dataclass(frozen=True)
class _Ranked:
    """Rows grouped by equal score, highest score first; weights and weighted outcomes per group."""

    group: npt.NDArray[np.intp]
    outcome: Floats
    weight_of_group: Floats
    happened_in_group: Floats

    @classmethod
    def by(cls, score: Floats, outcome: Floats) -> _Ranked:
        # A missing score (never active) is the end of the scale: quiet for longer than anyone.
        _, group = np.unique(-np.nan_to_num(score, nan=np.inf), return_inverse=True)
        return cls(group, outcome, np.bincount(group).astype(float), np.bincount(group, weights=outcome))

    def weighted(self, times: Floats) -> _Ranked:
        groups = len(self.weight_of_group)
        return _Ranked(
            self.group,
            self.outcome,
            np.bincount(self.group, weights=times, minlength=groups),
            np.bincount(self.group, weights=times * self.outcome, minlength=groups),
        )

    def auroc(self) -> float:
        """Share of pairs (it happened to one, not to the other) that are in order; ties count half."""
        spared = self.weight_of_group - self.happened_in_group
        spared_below = spared.sum() - np.cumsum(spared)
        pairs = self.happened_in_group.sum() * spared.sum()
        return float(self.happened_in_group @ (spared_below + spared / 2) / pairs)

    def average_precision(self) -> float:
        """Precision averaged over the customers it happened to, each group of equal scores taken whole."""
        taken, found = np.cumsum(self.weight_of_group), np.cumsum(self.happened_in_group)
        precision = np.divide(found, taken, out=np.zeros_like(found), where=taken > 0)
        return float(self.happened_in_group @ precision / found[-1])

    def lift(self) -> float:
        """Share it happened to among the tenth with the highest scores, over the share among all.

        Of a group of equal scores at the edge of the tenth, the part that fits is taken, with its mean
        outcome.
        """
        total = self.weight_of_group.sum()
        before = np.cumsum(self.weight_of_group) - self.weight_of_group
        taken = np.clip(TOP_SHARE * total - before, 0, self.weight_of_group)
        share = np.divide(
            self.happened_in_group,
            self.weight_of_group,
            out=np.zeros_like(taken),
            where=self.weight_of_group > 0,
        )
        return float((taken @ share) / (TOP_SHARE * total) / (self.happened_in_group.sum() / total))


def _log_losses(probability: Floats, outcome: Floats) -> Floats:
    kept = np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return -(outcome * np.log(kept) + (1 - outcome) * np.log(1 - kept))


def _interval(drawn: list[float]) -> tuple[float, float]:
    tail = 100 * (1 - INTERVAL_SHARE) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return float(low), float(high)
