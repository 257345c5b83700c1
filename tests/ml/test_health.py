from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.health import HealthComponent, HealthScores, score_health

IDENTITY = ((0.0, 0.0), (100.0, 100.0))
USAGE = HealthComponent("usage", "active_days_28d", 50.0, ((0.0, 0.0), (10.0, 50.0), (20.0, 100.0)))
TREND = HealthComponent("trend", "usage_change_28d", 30.0, ((-1.0, 0.0), (1.0, 100.0)))
SUPPORT = HealthComponent("support", "support_sentiment_90d", 20.0, ((-1.0, 0.0), (1.0, 100.0)))
COMPONENTS = (USAGE, TREND, SUPPORT)


def _rows(**columns: list) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    return pd.DataFrame(
        {
            "customer_id": [f"customer_{place}" for place in range(count)],
            "review_week": pd.Timestamp("2024-01-01"),
            **columns,
        }
    )


def _scored(
    rows: pd.DataFrame, components: tuple[HealthComponent, ...] = COMPONENTS, minimum: float = 0.5
) -> HealthScores:
    return score_health(rows, components, minimum, 40.0, 70.0)


def test_a_score_worked_out_by_hand():
    # 10 active days: 50 points x 50 % = 25; +20 %: 60 x 30 % = 18; sentiment -0.5: 25 x 20 % = 5.
    found = _scored(_rows(active_days_28d=[10], usage_change_28d=[0.2], support_sentiment_90d=[-0.5]))
    assert found.scores.loc[0, "health_score"] == 48.0
    assert found.scores.loc[0, "health_band"] == "automated"
    assert found.scores.loc[0, "weight_observed_share"] == 1.0
    expected = pd.DataFrame(
        {
            "component": ["usage", "trend", "support"],
            "column_name": ["active_days_28d", "usage_change_28d", "support_sentiment_90d"],
            "value": [10.0, 0.2, -0.5],
            "component_score": [50.0, 60.0, 25.0],
            "weight": [50.0, 30.0, 20.0],
            "contribution": [25.0, 18.0, 5.0],
        }
    )
    pd.testing.assert_frame_equal(found.contributions[list(expected.columns)], expected)
    assert list(found.scores.columns) == [
        "customer_id",
        "review_week",
        "health_score",
        "health_band",
        "weight_observed_share",
        "model_version",
    ]


def test_a_missing_component_gives_its_weight_to_the_others_in_proportion():
    # Without the trend: 50 points x 50/70 = 35.71, 25 x 20/70 = 7.14.
    found = _scored(_rows(active_days_28d=[10], usage_change_28d=[None], support_sentiment_90d=[-0.5]))
    assert found.scores.loc[0, "health_score"] == 42.85
    assert found.scores.loc[0, "weight_observed_share"] == pytest.approx(0.7)
    contributions = found.contributions.set_index("component")
    assert contributions.loc["usage", "contribution"] == 35.71
    assert contributions.loc["support", "contribution"] == 7.14
    assert contributions.loc["trend", ["value", "component_score", "contribution"]].isna().all()
    assert contributions.loc["trend", "weight"] == 30.0


def test_below_the_observed_minimum_nothing_is_said():
    rows = _rows(
        active_days_28d=[None, 20, None],
        usage_change_28d=[None, None, 1.0],
        support_sentiment_90d=[None, None, None],
    )
    found = _scored(rows)
    # Exactly half of the weight is enough; 30 % and nothing are not.
    assert found.scores["health_score"].tolist()[1] == 100.0
    assert found.scores["health_score"].isna().tolist() == [True, False, True]
    assert [band if isinstance(band, str) else None for band in found.scores["health_band"]] == [
        None,
        "advocacy",
        None,
    ]
    assert found.scores["weight_observed_share"].tolist() == [0.0, 0.5, 0.3]
    silent = found.contributions[found.contributions["customer_id"] != "customer_1"]
    assert silent["contribution"].isna().all()
    assert silent["component_score"].notna().sum() == 1


def test_nothing_observed_is_no_score_even_where_no_minimum_is_set():
    rows = _rows(active_days_28d=[None], usage_change_28d=[None], support_sentiment_90d=[None])
    found = _scored(rows, minimum=0.0)
    assert found.scores["health_score"].isna().all()
    assert found.scores["health_band"].isna().all()


@pytest.mark.parametrize(
    ("value", "score", "band"),
    [
        (0.0, 0.0, "high_touch"),
        (39.99, 39.99, "high_touch"),
        (39.996, 40.0, "automated"),
        (40.0, 40.0, "automated"),
        (70.0, 70.0, "automated"),
        (70.004, 70.0, "automated"),
        (70.01, 70.01, "advocacy"),
        (100.0, 100.0, "advocacy"),
    ],
)
def test_bands_hold_their_edges(value: float, score: float, band: str):
    only = (HealthComponent("only", "points", 100.0, IDENTITY),)
    found = _scored(_rows(points=[value]), only).scores
    assert (found.loc[0, "health_score"], found.loc[0, "health_band"]) == (score, band)


def test_roundings_never_lift_a_score_past_100():
    """Six equal components at 100 would give 6 x 16.67 = 100.02: the first gives way."""
    names = [f"part_{place}" for place in range(6)]
    components = tuple(HealthComponent(name, name, 100 / 6, IDENTITY) for name in names)
    found = _scored(_rows(**{name: [100.0] for name in names}), components)
    assert found.scores.loc[0, "health_score"] == 100.0
    assert found.contributions["contribution"].tolist() == [16.65, *[16.67] * 5]


@settings(max_examples=150, deadline=None)
@given(
    weights=st.lists(st.floats(0.5, 60), min_size=1, max_size=8),
    points=st.data(),
    minimum=st.floats(0, 1),
)
def test_the_score_is_the_sum_of_its_contributions(
    weights: list[float], points: st.DataObject, minimum: float
):
    names = [f"part_{place}" for place in range(len(weights))]
    value = st.one_of(st.none(), st.just(100.0), st.floats(-10, 110))
    rows = _rows(**{name: points.draw(st.lists(value, min_size=5, max_size=5)) for name in names})
    components = tuple(
        HealthComponent(name, name, weight, IDENTITY) for name, weight in zip(names, weights, strict=True)
    )
    found = _scored(rows, components, minimum)
    sums = found.contributions.groupby("customer_id")["contribution"].sum(min_count=1).round(2)
    scores = found.scores.set_index("customer_id")["health_score"]
    pd.testing.assert_series_equal(scores, sums, check_names=False, check_exact=True)
    assert scores.dropna().between(0, 100).all()
    contributions = found.contributions["contribution"].dropna()
    assert (contributions >= 0).all()
    assert (contributions == contributions.round(2)).all()
    # Rounding moves a score by at most half a hundredth per component from the weighted mean.
    observed = found.contributions.dropna(subset="contribution")
    exact = observed.assign(weighted=observed["component_score"] * observed["weight"])
    exact = exact.groupby("customer_id")[["weighted", "weight"]].sum()
    mean = exact["weighted"] / exact["weight"]
    assert ((scores.loc[mean.index] - mean).abs() <= 0.005 * len(names) + 1e-9).all()


def test_the_order_of_rows_changes_nothing_and_the_rows_given_are_left_alone():
    rows = _rows(
        active_days_28d=[3, 8, 15], usage_change_28d=[0.1, None, -0.4], support_sentiment_90d=[0, 0, 1]
    )
    before = rows.copy()
    turned = _scored(rows.iloc[::-1])
    found = _scored(rows)
    pd.testing.assert_frame_equal(found.scores, turned.scores)
    pd.testing.assert_frame_equal(found.contributions, turned.contributions)
    pd.testing.assert_frame_equal(rows, before)


def test_the_version_changes_with_the_rules_and_only_with_them():
    rows = _rows(active_days_28d=[3], usage_change_28d=[0.1], support_sentiment_90d=[0])

    def version(components: tuple[HealthComponent, ...], rows: pd.DataFrame = rows) -> str:
        return _scored(rows, components).scores.loc[0, "model_version"]

    assert version(COMPONENTS) == version(COMPONENTS, rows.assign(active_days_28d=9))
    moved = replace(USAGE, anchors=((0.0, 0.0), (20.0, 100.0)))
    assert version((moved, TREND, SUPPORT)) != version(COMPONENTS)
    assert version((replace(USAGE, weight=49.0), TREND, SUPPORT)) != version(COMPONENTS)


def test_a_column_that_is_not_there_is_said_in_words():
    rows = _rows(active_days_28d=[1], usage_change_28d=[0.0])
    words = "the health component support needs the column support_sentiment_90d"
    with pytest.raises(ValueError, match=words):
        _scored(rows)


def test_a_value_that_is_infinite_is_said_in_words():
    rows = _rows(active_days_28d=[1, 2], usage_change_28d=[np.inf, 0], support_sentiment_90d=[0, 0])
    with pytest.raises(ValueError, match="column usage_change_28d holds an infinite value in 1 rows"):
        _scored(rows)


def test_nobody_to_score_is_an_empty_table():
    rows = _rows(active_days_28d=[1.0], usage_change_28d=[0.0], support_sentiment_90d=[0.0]).iloc[:0]
    found = _scored(rows)
    assert found.scores.empty
    assert found.contributions.empty
