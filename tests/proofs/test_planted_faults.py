"""A check that cannot fail proves nothing: faults are planted, and the proofs have to find them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.weeks import plan_weeks
from tests.proofs import compiled_models
from tests.proofs.comparisons import Coverage
from tests.proofs.compiled_models import CompiledModels
from tests.proofs.histories import FEATURES, new_history
from tests.proofs.test_cutting_the_future import what_the_future_changes
from tests.proofs.test_files_in_any_order import what_the_way_changes
from tests.proofs.worlds import full_batch

# What no future can change for a customer, so a look into it shows nothing.
FIXED_FOR_A_CUSTOMER = {"first_seen_date"}


@pytest.mark.slow
def test_a_leak_in_any_column_is_found(models: CompiledModels, tmp_path: Path) -> None:
    """Every column of the feature row shows the value of the week after, where there is one."""
    columns = _columns_of_features(models, tmp_path)
    leaks = ", ".join(
        f"case when week_after then lead({column}) over in_order else {column} end as {column}"
        for column in columns
    )
    leaking = models.with_sql(
        "customer_weeks",
        lambda sql: (
            f"""
        select customer_id, review_week, {leaks}
        from (
            select *, lead(review_week) over (partition by customer_id order by review_week) is not null
                as week_after
            from ({sql})
        )
        window in_order as (partition by customer_id order by review_week)
        """
        ),
    )
    found = set()
    for customer, seed in (("account", 7), ("user", 7), ("account", 70)):
        told = what_the_future_changes(leaking, tmp_path, full_batch(customer, seed), range(9), Coverage())
        found |= {match[1] for each in told if (match := re.match(rf"{FEATURES} of [^:]*: (\w+) is ", each))}
    assert set(columns) - found <= FIXED_FOR_A_CUSTOMER


def test_a_window_one_week_too_long_is_found(models: CompiledModels, tmp_path: Path) -> None:
    """The windows over the weeks of a table take in the week after, in one table at a time."""
    window = r"(?<=\d )preceding and current row"
    with_windows = [model.name for model in models.models if re.search(window, model.sql)]
    assert with_windows
    for name in with_windows:
        leaking = models.with_sql(name, lambda sql: re.sub(window, "preceding and 1 following", sql))
        told = what_the_future_changes(leaking, tmp_path, full_batch("account"), (4, 6), Coverage())
        assert any(FEATURES in each for each in told), name


@pytest.mark.slow
def test_counting_an_event_as_often_as_it_came_is_found(models: CompiledModels, tmp_path: Path) -> None:
    """Events that an earlier receipt replaced count again: how many there are depends on the files."""
    counting = models.with_edit(
        "int_events",
        '"raw"."events"',
        "(from raw.events union all by name select * exclude (replaced_by_load_id) from raw.replaced_events)",
    )
    # Two ways in five deliver an earlier receipt later: the first that does shows it.
    assert any(what_the_way_changes(counting, tmp_path, full_batch("account"), way) for way in range(4, 16))


def test_late_events_that_restate_nothing_are_found(
    models: CompiledModels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(*arguments):
        plan = plan_weeks(*arguments)
        kept = tuple(week for week in plan.build if week not in plan.restated)
        return replace(plan, build=kept, restated=())

    monkeypatch.setattr(compiled_models, "plan_weeks", forgetful)
    assert any(what_the_way_changes(models, tmp_path, full_batch("account"), way) for way in range(4))


def test_what_is_always_null_is_found(models: CompiledModels, tmp_path: Path) -> None:
    columns = _columns_of_features(models, tmp_path)
    empty = models.with_sql(
        "customer_weeks",
        lambda sql: f"select * replace (null as {columns[-1]}, 1 as tenure_days) from ({sql})",
    )
    coverage = Coverage()
    what_the_future_changes(empty, tmp_path, full_batch("account"), (), coverage)
    assert coverage.unproven()[f"{FEATURES}.{columns[-1]}"] == "always NULL"
    assert coverage.unproven()[f"{FEATURES}.tenure_days"] == "always 1"


def _columns_of_features(models: CompiledModels, folder: Path) -> list[str]:
    """All but the keys."""
    batch = full_batch("account", worlds=1)
    with new_history(models, folder, batch.business) as history:
        history.receive([delivery.line for delivery in batch.deliveries])
        history.review(history.weeks()[-1])
        return history.built()[FEATURES].column_names[2:]
