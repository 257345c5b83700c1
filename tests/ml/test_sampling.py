from __future__ import annotations

import numpy as np
import pandas as pd

from ml.sampling import customer_hashes, sampling_keys, smallest


def _keys(customers: int, weeks: int, seed: int = 7) -> tuple[pd.DataFrame, np.ndarray]:
    rows = pd.DataFrame(
        {
            "customer_id": np.repeat([f"customer_{place}" for place in range(customers)], weeks),
            "review_week": np.tile(np.arange(weeks) * 7, customers),
        }
    )
    weeks_as_days = rows["review_week"].to_numpy().astype("datetime64[D]")
    return rows, sampling_keys(customer_hashes(rows["customer_id"]), weeks_as_days, seed)


def test_a_sample_is_spread_evenly_over_customers_and_weeks():
    rows, keys = _keys(customers=500, weeks=40)
    chosen = rows.iloc[smallest(keys, 5_000)]
    assert len(chosen) == 5_000
    by_week = chosen.groupby("review_week").size()
    # 125 of 500 are expected in each week; the standard deviation is below 10.
    assert by_week.between(85, 165).all()
    assert len(by_week) == 40
    # 10 of 40 weeks are expected of each customer: nobody is left out whole and nobody taken whole.
    assert chosen.groupby("customer_id").size().between(1, 25).all()
    assert chosen["customer_id"].nunique() == 500


def test_the_key_of_a_row_depends_on_customer_week_and_seed_alone():
    rows, keys = _keys(customers=30, weeks=5)
    turned = rows.iloc[::-1]
    again = sampling_keys(
        customer_hashes(turned["customer_id"]), turned["review_week"].to_numpy().astype("datetime64[D]"), 7
    )
    np.testing.assert_array_equal(again[::-1], keys)
    assert len(np.unique(keys)) == len(keys)
    assert not np.array_equal(_keys(customers=30, weeks=5, seed=8)[1], keys)


def test_fewer_rows_than_asked_for_are_all_taken():
    _, keys = _keys(customers=3, weeks=2)
    assert smallest(keys, 100).tolist() == list(range(6))
