"""The runner does what dbt does, and the worlds hold every event that the models read."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pyarrow

from pipeline.catalogue import write_seeds
from pipeline.dbt import DbtProject
from pipeline.features import forget_weeks_to_build, record_built_weeks, write_run_parameters
from pipeline.load import load_landing
from pipeline.tables import create_tables
from pipeline.touched import write_weeks_touched
from pipeline.warehouse import Warehouse
from pipeline.weeks import plan_weeks
from pipeline.workspace import Workspace
from tests.proofs.comparisons import content, differences, told_briefly
from tests.proofs.compiled_models import CompiledModels, new_workspace
from tests.proofs.histories import BUILT, new_history
from tests.proofs.worlds import Batch, full_batch


def test_what_runs_here_is_what_dbt_runs(models: CompiledModels, tmp_path: Path) -> None:
    """A first build, and an incremental one after more events: every table is equal, to the row."""
    batch = full_batch("account")
    middle = batch.deliveries[len(batch.deliveries) // 2].received_at
    portions = [
        [delivery.line for delivery in batch.deliveries if (delivery.received_at < middle) == is_early]
        for is_early in (True, False)
    ]
    with new_history(models, tmp_path / "here", batch.business) as history:
        real = _RealBuild(new_workspace(tmp_path / "real", **batch.business.settings))
        for number, lines in enumerate(portions):
            history.receive(lines)
            week = history.weeks()[-1]
            history.review(week)
            real.receive(f"{number}.jsonl", lines)
            expected = real.review(history.weeks()[-1])
            told = differences(history.warehouse, expected)
            assert not told, told_briefly(told)
            assert {*expected} == {*content(history.warehouse, *BUILT)}


class _RealBuild:
    """The step `features` with dbt itself, but for the promises, which look and change nothing."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._dbt = DbtProject(workspace)
        write_seeds(workspace, self._dbt.seeds)

    def receive(self, name: str, lines: list[str]) -> None:
        (self._workspace.landing / name).write_text("\n".join(lines), encoding="utf-8")

    def review(self, week: date) -> dict[str, pyarrow.Table]:
        workspace = self._workspace
        with Warehouse(workspace.build_database, workspace.settings.warehouse) as warehouse:
            create_tables(warehouse)
            load_landing(warehouse, workspace)
            plan = plan_weeks(warehouse, workspace.settings, week)
            write_weeks_touched(warehouse, workspace.settings)
            write_run_parameters(warehouse, workspace.settings, plan)
            forget_weeks_to_build(warehouse, plan)
            self._dbt.seed()
            self._dbt.build("staging", "intermediate", "features")
            record_built_weeks(warehouse, plan, warehouse.value("select max(load_id) from raw.loads"))
            return content(warehouse, *BUILT)


def test_the_worlds_hold_every_event_that_models_read(models: CompiledModels) -> None:
    """A name that a model asks for, and that no world sends, would leave its columns unproven."""
    read = {
        name
        for model in models.models
        for compared in re.findall(r"event_name\s*(?:=|<>|not in|in)\s*(\([^)]*\)|'\w+')", model.sql)
        for name in re.findall(r"'(\w+)'", compared)
    }
    assert len(read) > 15
    assert not read - _names_sent(full_batch("account", worlds=4))


def test_the_worlds_hold_every_event_of_the_catalogue(models: CompiledModels) -> None:
    listed = set(models.seed("staging.events")["event_name"].to_pylist())
    assert not listed - _names_sent(full_batch("account", worlds=4))


def _names_sent(batch: Batch) -> set[str]:
    events = [json.loads(delivery.line) for delivery in batch.deliveries]
    names = {event["event"] for event in events if "event" in event}
    return names | {{"page": "page_viewed"}.get(event["type"], event["type"]) for event in events}
