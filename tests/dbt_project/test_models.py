"""The models on a small warehouse: they build, keep their promises, and know nothing of the future."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from tests.dbt_project.conftest import WEEKS, SmallWarehouse

# They hold the weeks that are built, and no other.
TABLES_OF_A_RUN = (
    ("intermediate", "int_weeks_looked_back_on"),
    ("intermediate", "int_customers_reviewed"),
    ("intermediate", "int_history_carried_to_weeks"),
    ("intermediate", "int_usage_summed_to_weeks"),
    ("intermediate", "int_firsts_carried_to_weeks"),
    ("intermediate", "int_activity_mix_summed_to_weeks"),
    ("intermediate", "int_tickets_closed_to_weeks"),
    ("intermediate", "int_visits_listed_to_weeks"),
    ("intermediate", "int_transactions_summed_to_weeks"),
    ("intermediate", "int_messages_summed_to_weeks"),
)
WEEKLY_TABLES = (
    ("features", "customer_weeks"),
    ("intermediate", "int_plans_carried_to_weeks"),
    *TABLES_OF_A_RUN,
)
FEATURES_ONLY = ("run", "--select", "+customer_week_labels", "+sessions", "identities")


@pytest.fixture(scope="session")
def manifest(built: Any, warehouse: SmallWarehouse) -> dict[str, Any]:
    return json.loads((warehouse.folder / "target" / "manifest.json").read_text(encoding="utf-8"))


def models(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


def test_everything_builds_and_every_test_of_the_project_passes(built: Any) -> None:
    ran = Counter(str(each.node.resource_type) for each in built.results)
    assert ran["model"] >= 25
    assert ran["test"] >= 40
    assert ran["unit_test"] >= 50


def test_the_small_world_has_something_of_everything(built: Any, warehouse: SmallWarehouse) -> None:
    """Where a column is always the same, the comparisons below would prove nothing about it."""
    columns = warehouse.tables("features")["customer_weeks"]
    counts = ", ".join(f"count(distinct {column})" for column in columns)
    distinct = warehouse.connection.execute(f"select {counts} from features.customer_weeks").fetchone() or ()
    constant = {column for column, count in zip(columns, distinct, strict=True) if count < 2}
    assert not constant
    over_the_weeks_end = """
        select count(*) from intermediate.sessions
        where
            dayofweek(start_date) = 0
            and timezone('Europe/Berlin', ended_at::timestamptz)::date > start_date
    """
    assert warehouse.connection.execute(over_the_weeks_end).fetchone() != (0,)


def test_every_column_is_described(manifest: dict[str, Any], warehouse: SmallWarehouse) -> None:
    built_columns = {
        f"{schema}.{table}": columns
        for schema in ("staging", "intermediate", "features", "marts", "ops")
        for table, columns in warehouse.tables(schema).items()
    }
    missing = []
    for node in models(manifest):
        described = {name for name, column in node["columns"].items() if column["description"].strip()}
        columns = built_columns.get(f"{node['schema']}.{node['alias']}", list(node["columns"]))
        missing += [f"{node['name']}.{column}" for column in columns if column not in described]
        missing += [f"{node['name']}.{column} (no such column)" for column in described - set(columns)]
    assert not missing


def test_every_model_says_its_grain_first(manifest: dict[str, Any]) -> None:
    silent = [
        node["name"]
        for node in [*models(manifest), *manifest["sources"].values()]
        if not node["description"].startswith(("One row per ", "Exactly one row"))
    ]
    assert not silent


def test_what_others_read_is_under_contract(manifest: dict[str, Any]) -> None:
    free = [
        node["name"]
        for node in models(manifest)
        if node["schema"] in ("features", "marts")
        and node["config"]["materialized"] != "ephemeral"
        and not node["config"]["contract"]["enforced"]
    ]
    assert not free


def test_models_are_named_by_their_folder(manifest: dict[str, Any]) -> None:
    for node in models(manifest):
        folder = node["path"].split("/")[0]
        if folder == "staging":
            assert node["name"].startswith("stg_")
        elif node["config"]["materialized"] == "ephemeral":
            assert node["name"].startswith("int_")


def test_a_second_build_changes_nothing(built: Any, warehouse: SmallWarehouse) -> None:
    warehouse.end_events_at(None)
    warehouse.build_weeks(WEEKS, *FEATURES_ONLY)
    differing = [
        difference
        for schema in ("intermediate", "features")
        for table in warehouse.tables(schema)
        # Of whom it holds days, and of which weeks, depends on the weeks that are built.
        if table != "int_days_known_in_parts" and (schema, table) not in TABLES_OF_A_RUN
        for difference in warehouse.differences("at_once", schema, table)
    ]
    assert not differing


def test_week_after_week_equals_all_at_once_and_the_future_changes_nothing(
    built: Any, warehouse: SmallWarehouse
) -> None:
    """Each week is built alone, from a stream that ends with it, in a warehouse without history."""
    for schema, table in WEEKLY_TABLES:
        warehouse.connection.execute(f"drop table {schema}.{table}")
    for week in WEEKS:
        warehouse.end_events_at(week + timedelta(weeks=1))
        warehouse.build_weeks([week], *FEATURES_ONLY)
        of_week = f"review_week = date '{week}'"
        differing = [
            difference
            for schema, table in WEEKLY_TABLES
            for difference in warehouse.differences("at_once", schema, table, of_week)
        ]
        assert not differing, f"the week of {week} saw something else than what lay before its end"

    warehouse.end_events_at(None)
    warehouse.build_weeks(WEEKS[-1:], *FEATURES_ONLY)
    differing = [
        difference
        for schema in ("intermediate", "features")
        for table in warehouse.tables(schema)
        # Of whom it holds days, and of which weeks, depends on the weeks that are built.
        if table != "int_days_known_in_parts" and (schema, table) not in TABLES_OF_A_RUN
        for difference in warehouse.differences("at_once", schema, table)
    ]
    assert not differing
