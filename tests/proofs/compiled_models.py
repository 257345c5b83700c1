"""The models as dbt compiles them, run without dbt: a small world is built in a fraction of a second.

dbt takes seconds to start and tenths of a second for every model; a proof over hundreds of worlds cannot pay
that. So dbt compiles the project once, and what it would run is run here, statement by statement, on an
in-memory warehouse: the compiled text of each model, in the order of the references, materialised as its
configuration says. test_compiled_models.py holds this against a real `dbt build`.

What decides the weeks, the parameters, the raw tables and the bookkeeping is the pipeline's own code.
"""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pyarrow

import pipeline.load.storing
import pipeline.tables
from pipeline.catalogue import EVENT_FIELDS, write_seeds
from pipeline.dbt import DbtProject
from pipeline.features import forget_weeks_to_build, record_built_weeks, write_run_parameters
from pipeline.settings import Settings
from pipeline.touched import write_weeks_touched
from pipeline.warehouse import Warehouse
from pipeline.weeks import WeekPlan, plan_weeks
from pipeline.workspace import WORKSPACES_FOLDER, Workspace

DEMO = WORKSPACES_FOLDER / "demo"
# What the step `features` builds.
FOLDERS = ("staging", "intermediate", "features")
# Models may read events that the demo does not send; a workspace that sends them lists them so.
MORE_EVENTS = (("coupon_redeemed", "commerce", "", "false", "false", ""),)


@dataclass(frozen=True)
class Model:
    """One model as dbt compiled it. `columns` are names and types under contract, empty without one."""

    name: str
    relation: str
    materialized: str
    unique_key: str | None
    replaced_rows: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    sql: str

    @property
    def is_incremental(self) -> bool:
        return self.materialized == "incremental"


class CompiledModels:
    """All models of the project, ready to be built in any number of warehouses of one process."""

    def __init__(self, models: tuple[Model, ...], seeds: dict[str, pyarrow.Table]) -> None:
        self.models = models
        self._seeds = seeds

    @contextmanager
    def new_warehouse(self, settings: Settings, path: Path | None = None) -> Iterator[Warehouse]:
        """An empty warehouse with the seeds and the tables that the pipeline itself creates.

        In memory, unless there is a path: then with the threads of the settings, for larger worlds.
        """
        with Warehouse(path or Path(":memory:"), settings.warehouse) as warehouse:
            if path is None:
                # The worlds are so small that a second thread only waits.
                warehouse.run("set global threads = 1")
            pipeline.load.storing.create_tables(warehouse)
            pipeline.tables.create_tables(warehouse)
            for name, rows in self._seeds.items():
                with warehouse.registered("seed_rows", rows):
                    warehouse.run(f"create table {name} as select * from seed_rows")
            yield warehouse

    def review(self, warehouse: Warehouse, settings: Settings, week: date) -> WeekPlan:
        """Build what the step `features` builds when it reviews a week, and book it as the step does."""
        plan = plan_weeks(warehouse, settings, week)
        through = warehouse.value("select coalesce(max(load_id), 0) from raw.loads")
        forget_weeks_to_build(warehouse, plan)
        self.build(warehouse, settings, plan)
        record_built_weeks(warehouse, plan, through)
        warehouse.run("delete from ops.reviewed_weeks where review_week = ?", [week])
        warehouse.run("insert into ops.reviewed_weeks values (?)", [week])
        return plan

    def build(self, warehouse: Warehouse, settings: Settings, plan: WeekPlan) -> None:
        """Run every model once, as `dbt build` does."""
        write_weeks_touched(warehouse, settings)
        write_run_parameters(warehouse, settings, plan)
        for model in self.models:
            _build_model(warehouse, model)

    def review_until(self, warehouse: Warehouse, settings: Settings, week: date, last: str) -> None:
        """A review that is killed after one of the models: nothing is booked."""
        plan = plan_weeks(warehouse, settings, week)
        forget_weeks_to_build(warehouse, plan)
        names = [model.name for model in self.models]
        CompiledModels(self.models[: names.index(last) + 1], self._seeds).build(warehouse, settings, plan)

    def with_edit(self, name: str, old: str, new: str) -> CompiledModels:
        """The same models, in one of them a text replaced: a planted fault, for the control of the proofs."""
        return self.with_sql(name, lambda sql: sql.replace(old, new))

    def with_sql(self, name: str, edit: Callable[[str], str]) -> CompiledModels:
        """The same models, the text of one of them edited."""
        (model,) = (model for model in self.models if model.name == name)
        edited = replace(model, sql=edit(model.sql))
        assert edited.sql != model.sql, f"the edit of {name} changes nothing"
        return CompiledModels(tuple(edited if each is model else each for each in self.models), self._seeds)

    def seed(self, name: str) -> pyarrow.Table:
        """The rows of a seed, by schema and name."""
        return self._seeds[name]


def _build_model(warehouse: Warehouse, model: Model) -> None:
    """What dbt-duckdb runs for a model; the names of its helper tables aside."""
    exists = warehouse.has_table(model.relation)
    if model.materialized == "view":
        # The text of a view never changes, and creating one anew plans it once more.
        if not exists:
            warehouse.run(f"create view {model.relation} as ({model.sql})")
        return
    if model.is_incremental and exists:
        warehouse.run(f"create or replace temp table rows_built as ({model.sql})")
        replaced = model.replaced_rows or (
            f"{model.unique_key} in (select {model.unique_key} from rows_built)",
        )
        for rows in replaced:
            warehouse.run(f"delete from {model.relation} where {rows}")
        warehouse.run(f"insert into {model.relation} by name select * from rows_built")
        return
    warehouse.run(f"drop table if exists {model.relation}")
    if model.columns:
        names = ", ".join(name for name, _ in model.columns)
        types = ", ".join(f"{name} {type_}" for name, type_ in model.columns)
        warehouse.run(f"create table {model.relation} ({types})")
        warehouse.run(f"insert into {model.relation} ({names}) select {names} from ({model.sql})")
    else:
        warehouse.run(f"create table {model.relation} as ({model.sql})")


def compile_models(folder: Path) -> CompiledModels:
    """Let dbt compile the project and load its seeds, in a workspace like the demo's in this folder."""
    workspace = new_workspace(folder)
    dbt = _Compiler(workspace)
    write_seeds(workspace, dbt.seeds)
    with Warehouse(workspace.build_database, workspace.settings.warehouse) as warehouse:
        dbt.seed()
        manifest = dbt.compile()
        nodes = manifest["nodes"].values()
        seeds = {
            f"{node['schema']}.{node['alias']}": warehouse.connection.sql(
                f"from {node['schema']}.{node['alias']}"
            ).to_arrow_table()
            for node in nodes
            if node["resource_type"] == "seed"
        }
    return CompiledModels(_models(manifest, workspace.build_database.stem), seeds)


class _Compiler(DbtProject):
    def compile(self) -> dict[str, Any]:
        """The manifest with the compiled text of every model that the step `features` builds."""
        _, manifest = self._run(["compile", "--select", *(f"path:models/{folder}" for folder in FOLDERS)])
        return manifest.writable_manifest().to_dict(omit_none=False)


def _models(manifest: dict[str, Any], database: str) -> tuple[Model, ...]:
    """What is to be run, in an order in which every model comes after those that it reads."""
    nodes = {
        name: node
        for name, node in manifest["nodes"].items()
        if node["resource_type"] == "model" and node["path"].split("/")[0] in FOLDERS
    }
    reads = {name: set(node["depends_on"]["nodes"]) & set(nodes) for name, node in nodes.items()}
    order = TopologicalSorter(reads)
    models = []
    for name in order.static_order():
        node, config = nodes[name], nodes[name]["config"]
        if config["materialized"] == "ephemeral":
            continue  # dbt has put its text into those that read it
        # What this runner does not do must not go by unseen.
        assert config["materialized"] in ("view", "table", "incremental"), name
        assert not config["pre-hook"], name
        assert not config["post-hook"], name
        assert node["language"] == "sql", name
        assert "is_incremental" not in node["raw_code"], name
        if config["materialized"] == "incremental":
            by_key = config["incremental_strategy"] == "delete+insert"
            assert by_key or config["incremental_strategy"] == "replace_touched", name
            assert isinstance(config["unique_key"], str) if by_key else config["incremental_predicates"], name
        has_contract = config["contract"]["enforced"] and config["materialized"] != "view"
        models.append(
            Model(
                name=node["name"],
                relation=f"{node['schema']}.{node['alias']}",
                materialized=config["materialized"],
                unique_key=config["unique_key"],
                replaced_rows=tuple(config.get("incremental_predicates") or ()),
                columns=tuple(
                    (column["name"], column["data_type"])
                    for column in (node["columns"].values() if has_contract else ())
                ),
                # The compiled text names its database; in memory there is only one.
                sql=node["compiled_code"].replace(f'"{database}".', ""),
            )
        )
    return tuple(models)


def new_workspace(folder: Path, **settings: str) -> Workspace:
    """A workspace like the demo's, with a wider events.csv; keys of review.toml given here are replaced."""
    folder.mkdir(parents=True)
    text = (DEMO / "review.toml").read_text(encoding="utf-8")
    for key, value in settings.items():
        # The first of its name: the zone of the business stands before those of its sources.
        text, found = re.subn(rf"(?m)^{key} = \S+", f"{key} = {value}", text, count=1)
        assert found, f"review.toml has no {key}"
    (folder / "review.toml").write_text(text, encoding="utf-8")
    shutil.copy(DEMO / "playbook.csv", folder)
    with (DEMO / "events.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    listed = {row["event_name"] for row in rows}
    rows += [dict(zip(EVENT_FIELDS, row, strict=True)) for row in MORE_EVENTS if row[0] not in listed]
    with (folder / "events.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, EVENT_FIELDS)
        writer.writeheader()
        writer.writerows(rows)
    workspace = Workspace(folder=folder, data=folder / "data")
    workspace.landing.mkdir(parents=True)
    return workspace
