from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io

from ml.clusters import TRUSTED_TYPES, TrainedClusters, score_clusters, train_clusters
from ml.columns import CLUSTER_COLUMNS
from ml.errors import NotEnoughHistory

COLUMNS = (
    "tenure_days",
    "days_since_last_activity",
    "active_days_28d",
    "core_events_28d",
    "usage_change_28d",
    "revenue_365d",
    "seats",
)
# Four kinds of customers: tenure, quiet days, active days, core events, change of usage, revenue.
KINDS = {
    "power": (700, 1, 24, 300, 0.1, 9_000),
    "casual": (500, 6, 4, 10, 0.0, 400),
    "new": (20, 2, 10, 60, 0.0, 50),
    "falling": (600, 15, 2, 6, -0.8, 1_500),
}


@cache
def _customers(of_a_kind: int = 60, kinds: tuple[str, ...] = tuple(KINDS), seed: int = 4) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    parts = []
    for kind in kinds:
        spread = generator.lognormal(0, 0.12, (of_a_kind, 6))
        tenure, quiet, active, core, change, revenue = (np.array(KINDS[kind]) * spread).T
        parts.append(
            pd.DataFrame(
                {
                    "customer_id": [f"{kind}_{place:04d}" for place in range(of_a_kind)],
                    "review_week": pd.Timestamp("2024-05-06"),
                    "lifecycle_stage": "established",
                    "tenure_days": np.round(tenure),
                    "days_since_last_activity": np.round(quiet) + 1,
                    "active_days_28d": np.minimum(np.round(active), 28),
                    "core_events_28d": np.round(core),
                    "usage_change_28d": change + generator.normal(0, 0.02, of_a_kind),
                    "revenue_365d": np.round(revenue, 2),
                    "seats": None,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _train(rows: pd.DataFrame, **others: Any) -> TrainedClusters:
    given = {"columns": COLUMNS, "smallest_count": 3, "largest_count": 6, "seed": 7, "sample_rows": 10_000}
    return train_clusters(rows, **{**given, **others})


@cache
def _trained() -> TrainedClusters:
    return _train(_customers())


def test_kinds_of_customers_are_found_and_named_from_the_most_active_on():
    scores = score_clusters(_trained(), _customers())
    assert list(scores.columns) == [
        "customer_id",
        "review_week",
        "cluster_id",
        "cluster_name",
        "centrality_share",
        "model_version",
    ]
    kind = scores["customer_id"].str.split("_").str[0]
    by_kind = scores.groupby(kind)["cluster_name"].agg(["first", "nunique"])
    assert by_kind["nunique"].eq(1).all()
    assert by_kind["first"].to_dict() == {
        "power": "Power users",
        "new": "New users",
        "casual": "Casual users",
        "falling": "At-risk",
    }
    assert _trained().names == ("Power users", "New users", "Casual users", "At-risk")
    assert _trained().log["customers"] == [60, 60, 60, 60]


def test_the_order_of_rows_changes_no_id_and_no_name():
    shuffled = _customers().sample(frac=1, random_state=1)
    for sample_rows in (10_000, 150):
        first = _train(_customers(), sample_rows=sample_rows)
        second = _train(shuffled, sample_rows=sample_rows)
        assert first.log == second.log
        pd.testing.assert_frame_equal(
            score_clusters(first, _customers()), score_clusters(second, _customers())
        )


@pytest.mark.parametrize("count", [2, 5, 8])
def test_names_are_unique_also_where_clusters_are_much_alike(count: int):
    generator = np.random.default_rng(0)
    alike = _customers(40, ("casual",)).copy()
    for column in ("core_events_28d", "revenue_365d", "tenure_days"):
        alike[column] *= generator.uniform(1, 3, len(alike))
    alike = pd.concat([alike, alike.assign(customer_id=alike["customer_id"] + "_b")], ignore_index=True)
    names = _train(alike, smallest_count=count, largest_count=count).names
    assert len(names) == count
    assert len(set(names)) == count


def test_a_summer_in_which_everybody_falls_puts_nobody_at_risk():
    rows = _customers()
    fallen = rows.assign(usage_change_28d=rows["usage_change_28d"].clip(lower=0) - 0.5)
    assert not any(name.startswith("At-risk") for name in _train(fallen).names)


def test_who_has_fallen_silent_beside_the_others_is_at_risk():
    rows = _customers(kinds=("power", "casual", "new"))
    silent = _customers(kinds=("falling",)).assign(usage_change_28d=0.0, days_since_last_activity=30)
    assert "At-risk" in _train(pd.concat([rows, silent], ignore_index=True)).names


def test_dormant_and_new_are_facts_and_not_comparisons():
    """All are dormant, so no cluster is called otherwise, however active beside the rest."""
    quiet = _customers().assign(days_since_last_activity=lambda rows: rows["days_since_last_activity"] + 50)
    assert all(name.startswith("Dormant") for name in _train(quiet).names)


def test_churned_customers_are_neither_learned_from_nor_placed():
    gone = _customers(30, seed=9).assign(
        customer_id=lambda rows: "gone_" + rows["customer_id"], lifecycle_stage="churned", core_events_28d=1e7
    )
    unknown = gone.assign(customer_id="unknown", lifecycle_stage=None)
    everybody = pd.concat([gone, unknown, _customers()], ignore_index=True)
    assert _train(everybody).log == _trained().log
    assert set(score_clusters(_trained(), everybody)["customer_id"]) == set(_customers()["customer_id"])


def test_who_was_never_active_is_as_quiet_as_known():
    """NULL quiet days are not the quiet days of the median customer."""
    never = _customers(60, ("casual",)).assign(days_since_last_activity=None)
    as_known = never.assign(days_since_last_activity=never["tenure_days"])
    as_median = never.assign(days_since_last_activity=_customers()["days_since_last_activity"].median())
    found = score_clusters(_trained(), never)
    pd.testing.assert_frame_equal(found, score_clusters(_trained(), as_known))
    assert not found.equals(score_clusters(_trained(), as_median))


def test_centrality_is_the_share_of_the_cluster_that_lies_at_least_as_far_out():
    rows = _customers()
    scores = score_clusters(_trained(), rows)
    distances = _trained().estimator.transform(rows[_trained().log["columns"]])
    for cluster in range(len(_trained().names)):
        members = (scores["cluster_id"] == cluster).to_numpy()
        own = distances[members, cluster]
        farther = (own[:, None] <= own[None, :] + 1e-12).mean(axis=1)
        # In steps of a hundredth, among 60 members: half a member and a step of leeway.
        np.testing.assert_allclose(scores.loc[members, "centrality_share"], farther, atol=1 / 60 + 0.01)
    assert scores["centrality_share"].max() == 1.0
    outside = rows.head(1).assign(core_events_28d=10_000, revenue_365d=1e8)
    assert score_clusters(_trained(), outside)["centrality_share"].item() == 0.0


def test_batches_agree_with_the_whole():
    rows = _customers()
    batches = [score_clusters(_trained(), rows.iloc[start : start + 37]) for start in range(0, len(rows), 37)]
    whole = score_clusters(_trained(), rows)
    pd.testing.assert_frame_equal(pd.concat(batches, ignore_index=True), whole)
    assert score_clusters(_trained(), rows.iloc[:0]).empty


def test_columns_without_news_are_left_out_and_a_missing_value_is_the_median():
    rows = _customers().assign(constant=5, mostly_missing=None)
    rows.loc[rows.index[:20], "mostly_missing"] = 1.0
    trained = _train(rows, columns=(*COLUMNS, "constant", "mostly_missing", "absent"))
    assert trained.log["columns_left_out"] == ["seats", "constant", "mostly_missing", "absent"]
    assert trained.log["columns"] == [column for column in COLUMNS if column != "seats"]
    gap = _customers().assign(revenue_365d=lambda rows: rows["revenue_365d"].mask(rows.index == 3))
    assert score_clusters(_trained(), gap)["cluster_id"].notna().all()


def test_the_clusters_survive_their_files():
    data = skops.io.dumps(_trained().estimator)
    assert set(skops.io.get_untrusted_types(data=data)) == set(TRUSTED_TYPES)
    log = json.loads(json.dumps(_trained().log))
    read = skops.io.loads(data, trusted=list(TRUSTED_TYPES))
    restored = TrainedClusters(read, tuple(log["names"]), log)
    pd.testing.assert_frame_equal(
        score_clusters(restored, _customers()), score_clusters(_trained(), _customers())
    )


def test_the_proposed_columns_may_be_missing_from_a_workspace():
    assert set(_train(_customers(), columns=CLUSTER_COLUMNS).log["columns"]) < set(CLUSTER_COLUMNS)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (_customers(4), "16 customers are known and not churned, and 3 clusters need at least 30"),
        (_customers().assign(lifecycle_stage="churned"), "0 customers are known and not churned"),
        (
            _customers(50, ("new",)).assign(**dict.fromkeys(COLUMNS, 1.0)),
            "the 50 customers are too much alike for 3 clusters",
        ),
        (_customers().drop(columns=list(COLUMNS)), "the 240 customers are too much alike for 3 clusters"),
    ],
    ids=["few", "all churned", "all alike", "no columns"],
)
def test_too_few_customers_are_said_in_words(rows: pd.DataFrame, words: str):
    with pytest.raises(NotEnoughHistory, match=words):
        _train(rows)
