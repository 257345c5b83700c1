from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from ml.metrics import Measured, calibration_slope, measure


def _measured(
    happened: np.ndarray, probability: np.ndarray, naive: np.ndarray | None = None
) -> dict[str, Measured]:
    naive = np.full(len(happened), np.nan) if naive is None else naive
    return {each.metric: each for each in measure(happened, probability, naive, 0.3, seed=1)}


def _world(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    probability = 1 / (1 + np.exp(-generator.normal(-1, 1.5, rows)))
    return generator.random(rows) < probability, probability


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.booleans(), st.integers(1, 9)), min_size=8, max_size=60).filter(
        lambda pairs: 0 < sum(happened for happened, _ in pairs) < len(pairs)
    )
)
def test_metrics_are_those_of_scikit_learn_also_with_ties(pairs: list[tuple[bool, int]]):
    happened = np.array([each for each, _ in pairs])
    probability = np.array([tenths / 10 for _, tenths in pairs])
    found = _measured(happened, probability, naive=-probability)
    assert found["auroc"].value == pytest.approx(roc_auc_score(happened, probability))
    assert found["auroc"].baseline == pytest.approx(1 - found["auroc"].value)
    assert found["average_precision"].value == pytest.approx(average_precision_score(happened, probability))
    assert found["brier"].value == pytest.approx(brier_score_loss(happened, probability))
    assert found["brier"].baseline == pytest.approx(np.mean((0.3 - happened) ** 2))
    assert found["log_loss"].value == pytest.approx(log_loss(happened, probability))
    assert found["calibration_bias"].value == pytest.approx(probability.mean() - happened.mean())


def test_lift_worked_out_by_hand():
    # 20 customers, 5 of them left; of the top tenth (2 customers) both did: 1 / 0.25.
    happened = np.array([True] * 5 + [False] * 15)
    assert _measured(happened, np.linspace(0.9, 0.1, 20))["lift_top_decile"].value == pytest.approx(4.0)
    # Nothing tells the customers apart: the top tenth is as good as all.
    assert _measured(happened, np.full(20, 0.25))["lift_top_decile"].value == pytest.approx(1.0)


def test_missing_recency_is_the_riskiest():
    happened = np.array([True, False, False, True])
    naive = np.array([np.nan, 1.0, 2.0, 3.0])
    assert _measured(happened, np.array([0.4, 0.3, 0.2, 0.1]), naive)["auroc"].baseline == 1.0


def test_without_a_naive_rule_there_is_no_baseline_of_the_ranking():
    found = _measured(*_world(500))
    assert np.isnan(found["auroc"].baseline)
    assert found["brier"].baseline > 0


def test_the_slope_is_one_for_true_probabilities_and_tells_too_sure_from_too_timid():
    happened, probability = _world(20_000)
    outcome = happened.astype(float)
    log_odds = np.log(probability / (1 - probability))
    slope, error = calibration_slope(probability, outcome)
    assert abs(slope - 1) < 3 * error < 0.1
    assert calibration_slope(1 / (1 + np.exp(-2 * log_odds)), outcome)[0] == pytest.approx(slope / 2)
    assert calibration_slope(1 / (1 + np.exp(-log_odds / 2)), outcome)[0] == pytest.approx(slope * 2)


def test_where_there_is_no_slope_none_is_reported():
    happened, _ = _world(300)
    assert "calibration_slope" not in _measured(happened, np.full(300, 0.3))
    assert np.isnan(calibration_slope(np.where(happened, 0.9, 0.1), happened.astype(float))[0])


@pytest.mark.parametrize("metric", ["auroc", "brier", "calibration_bias", "calibration_slope"])
def test_intervals_hold_the_truth_about_nineteen_times_in_twenty(metric: str):
    happened, probability = _world(200_000, seed=1)
    truth = {
        "auroc": roc_auc_score(happened, probability),
        "brier": float((probability * (1 - probability)).mean()),
        "calibration_bias": 0.0,
        "calibration_slope": 1.0,
    }[metric]
    found = [_measured(*_world(400, seed=seed))[metric] for seed in range(2, 62)]
    held = sum(each.low <= truth <= each.high for each in found)
    # 57 of 60 are expected; fewer than 51 or all of far too wide intervals would be a defect.
    assert held >= 51
    width = np.mean([each.high - each.low for each in found])
    spread = np.std([each.value for each in found])
    assert 3 * spread < width < 5 * spread


def test_intervals_follow_the_seed():
    happened, probability = _world(300)
    first, again, other = (
        [each.low for each in measure(happened, probability, probability, 0.3, seed)] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
