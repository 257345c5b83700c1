"""The future cut off from the simulated demo: the size and the habits that small worlds do not have."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pipeline.load import load_landing
from pipeline.weeks import WEEK, choose_week, week_bounds
from pipeline.workspace import Workspace
from tests.business import copy_workspace
from tests.proofs.comparisons import Coverage, differences, told_briefly
from tests.proofs.compiled_models import CompiledModels
from tests.proofs.histories import FEATURES, LABELS, History, label_differences

CUSTOMERS, WEEKS, SEED = 1_000, 40, 7
# How many weeks before the newest the three cut ones lie: near, in the middle, and before a year is full.
WEEKS_BACK = (1, 13, 30)
# Columns that hold nothing, or always the same, with the reason.
UNPROVEN = {
    f"{LABELS}.horizon_days": "one setting, in every row",
    f"{FEATURES}.is_subscribed_sms": "few are written to by SMS, and none of them withdraws the consent",
    # The worlds of the other proofs send redemptions, so events.csv lists them here; the demo sends none.
    f"{FEATURES}.offers_used_90d": "where redemptions are listed they tell it, and the demo has none",
}


@pytest.mark.slow
def test_the_future_changes_nothing_of_the_demo(models: CompiledModels, tmp_path: Path) -> None:
    demo = copy_workspace(tmp_path / "demo")
    size = ("--customers", str(CUSTOMERS), "--weeks", str(WEEKS), "--seed", str(SEED))
    simulated = demo.vitals("simulate", *size)
    assert simulated.code == 0, simulated.said
    workspace = Workspace(folder=demo.folder, data=demo.data)
    kept = tmp_path / "events.parquet"
    with models.new_warehouse(workspace.settings, tmp_path / "whole.duckdb") as warehouse:
        whole = History(models, workspace, warehouse)
        load_landing(warehouse, workspace)
        warehouse.run(f"copy raw.events to '{kept}' (format parquet)")
        newest = choose_week(warehouse, workspace.settings, None)
        models.review(warehouse, workspace.settings, newest)
        coverage = Coverage()
        coverage.note(warehouse, FEATURES, LABELS)
        assert {*coverage.unproven()} <= {*UNPROVEN}, coverage.unproven()
        weekly = whole.weekly()
        for weeks_back in WEEKS_BACK:
            week = newest - weeks_back * WEEK
            told = _told_by_a_stream_that_ends_with(week, whole, weekly, kept, tmp_path / f"{week}.duckdb")
            assert not told, told_briefly(told)


def _told_by_a_stream_that_ends_with(
    week: date, whole: History, weekly: dict, events: Path, path: Path
) -> list[str]:
    models, workspace = whole.models, whole.workspace
    _, ends_at = week_bounds(week, workspace.settings.time_zone)
    with models.new_warehouse(workspace.settings, path) as warehouse:
        warehouse.run(f"insert into raw.events by name from '{events}' where occurred_at < ?", [ends_at])
        warehouse.run("insert into raw.loads by name select max(load_id) as load_id from raw.events")
        models.review(warehouse, workspace.settings, week)
        told = differences(warehouse, weekly, f"review_week <= '{week}'")
        return told + label_differences(whole, History(models, workspace, warehouse), week)
