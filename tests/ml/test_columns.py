from __future__ import annotations

import re
from pathlib import Path

from ml import columns
from ml.clusters import QUIET_COLUMN, TENURE_COLUMN, TREND_COLUMN, USAGE_COLUMNS, VALUE_COLUMNS

MODEL = Path(__file__).parents[2] / "dbt_project" / "models" / "features" / "customer_weeks.yml"
NUMERIC = set(columns.CHURN_NUMERIC_COLUMNS)


def test_every_column_learned_from_is_a_column_of_the_feature_row():
    described = set(re.findall(r"^\s+- name: (\w+)", MODEL.read_text(encoding="utf-8"), re.MULTILINE))
    assert {"customer_id", "is_scorable", "churned_next"} & described == {"customer_id", "is_scorable"}
    read = NUMERIC | set(columns.CHURN_CATEGORICAL_COLUMNS) | set(columns.CLUSTER_COLUMNS)
    read |= set(columns.CLUSTER_COLUMNS_OF_SHOPS)
    assert read - described == set()
    assert columns.CHURN_BASELINE_COLUMN in described


def test_nothing_that_gives_the_outcome_away_is_learned_from():
    assert NUMERIC.isdisjoint(
        {"is_cancelled", "is_scorable", "churned_next", "orders_next", "active_next_7d"}
    )
    assert not [column for column in NUMERIC if column.endswith("_date")]


def test_profiles_are_read_from_columns_that_are_clustered_on():
    profiled = {*USAGE_COLUMNS, QUIET_COLUMN, TENURE_COLUMN, TREND_COLUMN}
    assert profiled <= set(columns.CLUSTER_COLUMNS)
    assert profiled - {"features_used_28d"} <= set(columns.CLUSTER_COLUMNS_OF_SHOPS)
    assert set(VALUE_COLUMNS) <= set(columns.CLUSTER_COLUMNS_OF_SHOPS)
