from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.metrics import roc_auc_score

from ml.churn import METRIC_COLUMNS, TRUSTED_TYPES, TrainedChurn, judge_churn, score_churn, train_churn
from ml.errors import NotEnoughHistory
from ml.metrics import calibration_slope
from tests.ml.churn_world import arguments, customer_weeks, end_of_week, scoring

WEEKS = 26
NOW = end_of_week(WEEKS - 1)


@cache
def _world() -> pd.DataFrame:
    return customer_weeks(customers=250, weeks=WEEKS)


@cache
def _trained() -> TrainedChurn:
    return train_churn(_world(), **arguments(NOW))


def _probabilities(trained: TrainedChurn, rows: pd.DataFrame) -> np.ndarray:
    return score_churn(trained.estimator, rows, **scoring())["churn_probability"].to_numpy()


def _newest(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["review_week"] == rows["review_week"].max()]


def _poisoned(rows: pd.DataFrame, where: pd.Series) -> pd.DataFrame:
    """The rows with outcomes turned round and features made nonsense where `where` holds."""
    poisoned = rows.copy()
    poisoned.loc[where, "churned_next"] = ~poisoned.loc[where, "churned_next"]
    poisoned.loc[where, "core_events_28d"] = 1e6
    return poisoned


def test_a_label_that_matures_a_day_later_has_no_influence():
    rows = _world()
    as_of = (rows["matures_on"].max() - pd.Timedelta(days=14)).date() - timedelta(days=1)
    late = rows["matures_on"] > pd.Timestamp(as_of)
    assert (rows.loc[late, "matures_on"].min().date() - as_of).days == 1
    trained = train_churn(rows, **arguments(as_of))
    expected = _probabilities(trained, _newest(rows))
    for changed in (_poisoned(rows, late), rows[~late]):
        again = train_churn(changed, **arguments(as_of))
        assert again.log == trained.log
        np.testing.assert_array_equal(_probabilities(again, _newest(rows)), expected)


def test_a_label_that_matures_on_the_day_does_count():
    rows = _world()
    as_of = (rows["matures_on"].max() - pd.Timedelta(days=14)).date()
    punctual = rows["matures_on"] == pd.Timestamp(as_of)
    trained = train_churn(rows, **arguments(as_of))
    poisoned = train_churn(_poisoned(rows, punctual), **arguments(as_of))
    assert poisoned.log["model_version"] != trained.log["model_version"]
    assert not np.array_equal(_probabilities(poisoned, _newest(rows)), _probabilities(trained, _newest(rows)))


def test_rows_that_are_not_scorable_or_have_no_outcome_have_no_influence():
    rows = _world().astype({"churned_next": "boolean", "is_scorable": "boolean"})
    unusable = rows.iloc[::9].assign(customer_id="nobody", core_events_28d=1e6)
    without_outcome = unusable.assign(churned_next=pd.NA)
    not_scorable = unusable.assign(is_scorable=False)
    unknown = unusable.assign(is_scorable=pd.NA)
    changed = pd.concat([rows, without_outcome, not_scorable, unknown], ignore_index=True)
    assert train_churn(changed, **arguments(NOW)).log == _trained().log


def test_rows_that_may_not_teach_have_no_influence():
    rows = _world()
    others = rows.iloc[::9].assign(customer_id="nobody", core_events_28d=1e6, may_teach=False)
    changed = pd.concat([rows.assign(may_teach=True), others], ignore_index=True)
    assert train_churn(changed, **arguments(NOW)).log == _trained().log


def test_calibration_weeks_come_after_every_label_window_of_the_fit():
    calibration = _trained().log["calibration"]
    assert calibration["held_out"] == "later weeks"
    known_on = date.fromisoformat(calibration["fitted_through"]) + timedelta(days=28)
    assert known_on <= date.fromisoformat(calibration["first_review_week"])


def test_weeks_of_the_embargo_do_not_touch_the_calibration():
    rows, calibration = _world(), _trained().log["calibration"]
    in_embargo = (rows["review_week"] >= calibration["fitted_through"]) & (
        rows["review_week"] < calibration["first_review_week"]
    )
    assert rows.loc[in_embargo, "review_week"].nunique() >= 4
    poisoned = train_churn(_poisoned(rows, in_embargo), **arguments(NOW)).log
    assert poisoned["calibration"]["slope"] == calibration["slope"]
    assert poisoned["model_version"] != _trained().log["model_version"]


def test_a_short_history_is_calibrated_on_held_out_customers_and_says_so():
    rows = customer_weeks(customers=500, weeks=4)
    trained = train_churn(rows, **arguments(end_of_week(9)))
    assert trained.log["calibration"]["held_out"] == "customers"
    probabilities = _probabilities(trained, rows)
    assert np.isclose(probabilities.mean(), rows["churned_next"].mean(), atol=0.01)
    assert np.corrcoef(probabilities, rows["true_probability"])[0, 1] > 0.8


@pytest.mark.parametrize("sample_rows", [100_000, 2_000])
def test_the_order_of_rows_changes_nothing(sample_rows: int):
    rows = _world()
    shuffled = rows.sample(frac=1, random_state=5)
    first = train_churn(rows, **arguments(NOW, sample_rows=sample_rows))
    second = train_churn(shuffled, **arguments(NOW, sample_rows=sample_rows))
    assert first.log == second.log
    assert first.log["rows_train"] == min(sample_rows, first.log["rows_matured"])
    newest = _newest(rows)
    np.testing.assert_array_equal(_probabilities(first, newest), _probabilities(second, newest))


def test_another_seed_is_another_model():
    assert (
        train_churn(_world(), **arguments(NOW, seed=8)).log["model_version"]
        != (_trained().log["model_version"])
    )


def test_probabilities_are_those_of_the_world():
    """On fresh customers the probabilities are neither too sure nor too timid, and near the true ones."""
    trained = train_churn(customer_weeks(customers=500, weeks=WEEKS), **arguments(NOW))
    fresh = customer_weeks(customers=4_000, weeks=2, seed=99)
    probabilities = _probabilities(trained, fresh)
    slope, error = calibration_slope(probabilities, fresh["churned_next"].to_numpy(dtype=float))
    assert abs(slope - 1) < 0.1 + 2 * error
    assert abs(probabilities.mean() - fresh["churned_next"].mean()) < 0.02
    assert np.abs(probabilities - fresh["true_probability"]).mean() < 0.04
    ours = roc_auc_score(fresh["churned_next"], probabilities)
    assert ours > roc_auc_score(fresh["churned_next"], fresh["true_probability"]) - 0.015


def test_columns_that_are_absent_or_never_filled_change_no_probability():
    rows = _world().assign(seats=None, top_category_365d=None)
    wider = {
        "numeric_columns": (*arguments(NOW)["numeric_columns"], "seats", "team_size"),
        "categorical_columns": (*arguments(NOW)["categorical_columns"], "top_category_365d"),
    }
    trained = train_churn(rows, **arguments(NOW, **wider))
    assert trained.log["columns_without_values"] == ["seats", "team_size", "top_category_365d"]
    scores = score_churn(trained.estimator, _newest(rows), **{**scoring(), **wider})
    np.testing.assert_array_equal(
        scores["churn_probability"].to_numpy(), _probabilities(_trained(), _newest(rows))
    )


def test_a_column_that_fills_only_lately_is_learned_from():
    rows = _world().assign(seats=lambda rows: rows["true_probability"])
    rows.loc[rows["review_week"] < rows["review_week"].max() - pd.Timedelta(weeks=7), "seats"] = np.nan
    columns = {"numeric_columns": (*arguments(NOW)["numeric_columns"], "seats")}
    trained = train_churn(rows, **arguments(NOW, **columns))
    scores = score_churn(trained.estimator, _newest(rows), **{**scoring(), **columns})
    assert scores["churn_probability"].between(0, 1).all()


def test_a_plan_never_seen_and_a_missing_plan_are_scored():
    newest = _newest(_world()).head(2).assign(plan=["enterprise", None])
    assert np.isfinite(_probabilities(_trained(), newest)).all()


def test_decimals_and_nullable_columns_are_read_as_numbers():
    rows = _world()
    exact = rows.assign(
        core_events_28d=pd.Series([Decimal(int(value)) for value in rows["core_events_28d"]], dtype=object),
        days_since_last_core_event=rows["days_since_last_core_event"].astype("Int64"),
        has_discount=rows["has_discount"].astype("boolean"),
        review_week=rows["review_week"].dt.date,
        matures_on=rows["matures_on"].dt.date,
    )
    assert train_churn(exact, **arguments(NOW)).log == _trained().log


def test_the_estimator_survives_its_file():
    data = skops.io.dumps(_trained().estimator)
    assert set(skops.io.get_untrusted_types(data=data)) == set(TRUSTED_TYPES)
    read = skops.io.loads(data, trusted=list(TRUSTED_TYPES))
    newest = _newest(_world()).assign(plan=lambda rows: rows["plan"].where(rows["plan"] != "team"))
    np.testing.assert_array_equal(
        _probabilities(TrainedChurn(read, {}), newest), _probabilities(_trained(), newest)
    )


def test_the_log_is_json_and_says_what_was_seen_last():
    log = _trained().log
    assert json.loads(json.dumps(log)) == log
    assert log["trained_through"] == (NOW - timedelta(days=28)).isoformat()
    assert log["rows_train"] == 250 * (WEEKS - 4)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (customer_weeks(100, 10).iloc[:0], "no scorable customer has a week whose outcome is known"),
        (
            customer_weeks(100, 10).assign(matures_on=pd.Timestamp("2030-01-07")),
            r"no outcome was known by 2024-07-01; the first is known on 2030-01-07",
        ),
        (
            customer_weeks(30, 6),
            r"180 customer weeks have a known outcome and at least 200 are needed by 2024-07-01",
        ),
        (
            customer_weeks(100, 10).assign(churned_next=False),
            r"of 1,000 customer weeks 0 were followed by leaving and 1,000 by staying, and at least 20",
        ),
        (
            customer_weeks(100, 10).drop(columns=["plan", *arguments(NOW)["numeric_columns"]]),
            "none of the columns to learn from holds a value",
        ),
    ],
    ids=["no rows", "nothing matured", "few rows", "one outcome", "no columns"],
)
def test_too_little_history_is_said_in_words(rows: pd.DataFrame, words: str):
    with pytest.raises(NotEnoughHistory, match=words):
        train_churn(rows, **arguments(end_of_week(25)))


def test_text_where_numbers_are_needed_is_said_in_words():
    with pytest.raises(ValueError, match="column core_events_28d holds 'many' where numbers are needed"):
        train_churn(_world().assign(core_events_28d="many"), **arguments(NOW))


def test_only_scorable_customers_get_a_score_and_batches_agree_with_the_whole():
    newest = _newest(_world()).reset_index(drop=True)
    newest["is_scorable"] = newest.index % 3 != 0
    whole = score_churn(_trained().estimator, newest, **scoring("churn-1"))
    assert list(whole.columns) == [
        "customer_id",
        "review_week",
        "churn_probability",
        "churn_score",
        "churn_band",
        "model_version",
    ]
    assert list(whole["customer_id"]) == list(newest.loc[newest["is_scorable"], "customer_id"])
    batches = [
        score_churn(_trained().estimator, newest.iloc[start : start + 17], **scoring("churn-1"))
        for start in range(0, len(newest), 17)
    ]
    pd.testing.assert_frame_equal(pd.concat(batches, ignore_index=True), whole)
    assert len(score_churn(_trained().estimator, newest.iloc[:0], **scoring())) == 0


def test_scores_follow_the_anchors_and_bands_hold_their_edges():
    probability = score_churn(_trained().estimator, _newest(_world()), **scoring())["churn_probability"]
    exact = probability.sort_values().to_numpy()
    at_low, at_medium = exact[len(exact) // 3], exact[2 * len(exact) // 3]
    scores = score_churn(
        _trained().estimator,
        _newest(_world()),
        **{
            **scoring(),
            "score_anchors": ((0.0, 0.0), (at_low, 30.0), (at_medium, 70.0), (1.0, 100.0)),
        },
    )
    by_band = scores.groupby("churn_band")["churn_probability"].agg(["min", "max"])
    assert by_band.loc["low", "max"] == at_low
    assert at_low < by_band.loc["medium", "min"]
    assert by_band.loc["medium", "max"] == at_medium
    assert at_medium < by_band.loc["high", "min"]
    ranked = scores.sort_values("churn_probability")["churn_score"]
    assert ranked.is_monotonic_increasing
    assert ranked.between(0, 100).all()


@cache
def _judged() -> pd.DataFrame:
    return judge_churn(
        _world(), **arguments(NOW, judged_weeks=3, baseline_column="days_since_last_core_event")
    )


def test_judged_weeks_are_the_newest_that_matured_and_learned_only_from_their_past():
    judged = _judged()
    assert tuple(judged.columns) == METRIC_COLUMNS
    matured = [end_of_week(number) - timedelta(days=7) for number in range(WEEKS - 7, WEEKS - 4)]
    assert sorted(set(judged["review_week"])) == matured
    assert judged.attrs["log"] == {"judged": [week.isoformat() for week in matured], "left_out": []}
    for row in judged.itertuples():
        assert row.trained_through == row.review_week + timedelta(days=7 - 28)
        assert row.rows_test == 250
        assert row.is_backtest
        assert row.low <= row.value <= row.high
    values = judged.pivot(index="review_week", columns="metric", values="value").mean()
    baselines = judged.pivot(index="review_week", columns="metric", values="baseline").mean()
    assert values["auroc"] > baselines["auroc"]
    assert values["brier"] < baselines["brier"]


def test_rows_that_may_not_teach_are_judged():
    rows = _world().assign(may_teach=True)
    week = pd.Timestamp(_judged()["review_week"].max())
    half = rows["customer_id"].isin(rows["customer_id"].unique()[::2])
    # Its own outcomes never teach a judged week: nothing but the mark differs.
    rows.loc[half & (rows["review_week"] == week), "may_teach"] = False
    judged = judge_churn(rows, **arguments(NOW, judged_weeks=1, baseline_column="days_since_last_core_event"))
    of_week = _judged()[_judged()["review_week"] == week.date()].reset_index(drop=True)
    pd.testing.assert_frame_equal(judged, of_week)


def test_the_baseline_is_recency_alone():
    week = _judged()["review_week"].max()
    rows = _world()[_world()["review_week"] == pd.Timestamp(week)]
    expected = roc_auc_score(rows["churned_next"], rows["days_since_last_core_event"])
    is_auroc = (_judged()["metric"] == "auroc") & (_judged()["review_week"] == week)
    assert _judged().loc[is_auroc, "baseline"].item() == pytest.approx(expected)


def test_labels_that_matured_after_a_judged_week_do_not_touch_its_judgement():
    first = _judged()["review_week"].min()
    rows = _world()
    later = rows["matures_on"] > pd.Timestamp(first + timedelta(days=7))
    poisoned = _poisoned(rows, later & (rows["review_week"] != pd.Timestamp(first)))
    judged = judge_churn(
        poisoned, **arguments(NOW, judged_weeks=3, baseline_column="days_since_last_core_event")
    )
    of_first = judged["review_week"] == first
    pd.testing.assert_frame_equal(judged[of_first], _judged()[_judged()["review_week"] == first])
    assert not judged[~of_first].equals(_judged()[_judged()["review_week"] != first])


def test_a_week_that_cannot_be_judged_is_left_out_and_says_why():
    rows = customer_weeks(customers=60, weeks=10)
    rows.loc[rows["review_week"] == pd.Timestamp("2024-02-26"), "churned_next"] = True
    judged = judge_churn(
        rows,
        **arguments(end_of_week(14), judged_weeks=10, baseline_column="days_since_last_core_event"),
    )
    log = judged.attrs["log"]
    reasons = {each["review_week"]: each["reason"] for each in log["left_out"]}
    assert reasons["2024-02-26"] == "all 60 customers of the week had the same outcome"
    assert "no outcome was known by 2024-01-08" in reasons["2024-01-01"]
    assert {week.isoformat() for week in judged["review_week"]} == set(log["judged"])
    assert log["judged"]
    assert len(log["judged"]) + len(log["left_out"]) == 10


def test_nothing_to_judge_is_an_empty_table():
    judged = judge_churn(
        customer_weeks(50, 3),
        **arguments(end_of_week(1), judged_weeks=8, baseline_column="days_since_last_core_event"),
    )
    assert judged.empty
    assert tuple(judged.columns) == METRIC_COLUMNS
