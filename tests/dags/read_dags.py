"""Read dags/ as Airflow does and say, in JSON, what is in it and what its tasks would be given.

A process of its own: importing Airflow costs seconds and settles its configuration for good. Standard input
is an object with `workspaces` to read the DAGs for (null: as when nothing is set), `alert_after`, what to set
VITALS_ALERT_AFTER_HOURS to for one more reading, and `runs` to try on them, each with a run_id, a
logical_date (an ISO time, or null) and the parameter week (a text, or null). `exit_codes` of the command are
tried on the first task of each DAG.
"""

from __future__ import annotations

import copy
import importlib
import json
import os
import sys
import time
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, ParamValidationError
from airflow.timetables.base import DataInterval, TimeRestriction


def main() -> None:
    request = json.load(sys.stdin)
    # Before the clock starts, so that only what the DAG files themselves cost is measured.
    for name in (
        "airflow.providers.standard.hooks.subprocess",
        "airflow.timetables.interval",
        "airflow.timetables.trigger",
    ):
        importlib.import_module(name)
    modules_before = set(sys.modules)
    answer: dict[str, Any] = {"workspaces": []}
    for workspace in request["workspaces"]:
        os.environ.pop("VITALS_WORKSPACE", None)
        if workspace is not None:
            os.environ["VITALS_WORKSPACE"] = workspace
        started = time.perf_counter()
        bag = DagBag()
        seconds = time.perf_counter() - started
        answer["workspaces"].append(
            {
                "seconds": seconds,
                "import_errors": bag.import_errors,
                "dags": {name: describe(dag, request) for name, dag in bag.dags.items()},
            }
        )
    os.environ.pop("VITALS_WORKSPACE", None)
    os.environ["VITALS_ALERT_AFTER_HOURS"] = request["alert_after"]
    answer["errors_of_alert_after"] = DagBag().import_errors
    answer["modules"] = sorted({name.split(".")[0] for name in set(sys.modules) - modules_before})
    print(json.dumps(answer))


def describe(dag: DAG, request: dict[str, Any]) -> dict[str, Any]:
    is_weekly = dag.dag_id == "weekly_review"
    return {
        "doc": dag.doc_md,
        "tags": sorted(dag.tags),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "timetable": dag.timetable.serialize(),
        "params": {name: dag.params.get_param(name).schema for name in dag.params},
        "deadline_hours": [alert.interval.total_seconds() / 3600 for alert in alerts_of(dag)],
        "answers": {code: try_exit_code(dag, code) for code in request["exit_codes"]},
        "scheduled": try_scheduled_run(dag) if is_weekly else None,
        "runs": [try_manual_run(dag, run) for run in request["runs"]] if is_weekly else [],
        "tasks": [
            {
                "id": task.task_id,
                "after": sorted(task.upstream_task_ids),
                "pool": task.pool,
                "doc": task.doc_md,
                "environment": getattr(task, "env", None),
                "frees_its_slot": getattr(task, "mode", "") == "reschedule",
                "trigger_rule": task.trigger_rule.value,
                "timeout_hours": task.execution_timeout.total_seconds() / 3600,
                "on_failure": [callback.__name__ for callback in task.on_failure_callback],
                "inlets": [inlet.name for inlet in task.inlets],
                "retries": task.retries,
                "retry_delay_seconds": task.retry_delay.total_seconds(),
                "outlets": [outlet.name for outlet in task.outlets],
            }
            for task in dag.tasks
        ],
    }


def alerts_of(dag: DAG) -> list[Any]:
    """The deadline alerts of a DAG, however many were given."""
    deadline = dag.deadline or []
    return deadline if isinstance(deadline, list) else [deadline]


def try_exit_code(dag: DAG, exit_code: int) -> str:
    """What the first task makes of an exit code of the command: the name of an error, or what it returns."""
    task = dag.tasks[0]
    hook = SimpleNamespace(
        run_command=lambda *_, **__: SimpleNamespace(exit_code=exit_code, output="it said so")
    )
    run = SimpleNamespace(run_type="scheduled", logical_date=None)
    try:
        if dag.dag_id == "weekly_review":
            task.hook = hook
            answer = task.poke({"params": {"step": None, "again": False}, "dag_run": run})
            return str(bool(answer))
        task.python_callable.__globals__["SubprocessHook"] = lambda: hook
        return str(bool(task.python_callable()))
    except AirflowException as error:
        return f"{type(error).__name__}: {error}"


def try_scheduled_run(dag: DAG) -> dict[str, Any]:
    """The run that the schedule makes after that of Monday, 15 December 2025."""
    last = DataInterval(
        datetime.fromisoformat("2025-12-08T04:00Z"), datetime.fromisoformat("2025-12-15T04:00Z")
    )
    following = dag.timetable.next_dagrun_info(
        last_automated_data_interval=last, restriction=TimeRestriction(None, None, catchup=True)
    )
    return try_run(dag, "scheduled", None, following.data_interval) | {"at": str(following.run_after)}


def try_manual_run(dag: DAG, run: dict[str, Any]) -> dict[str, Any]:
    """As `airflow dags trigger` and `airflow dags test` make one."""
    interval = None
    if run["logical_date"] is not None:
        moment = datetime.fromisoformat(run["logical_date"])
        interval = dag.timetable.infer_manual_data_interval(run_after=moment)
    return try_run(dag, run["run_id"], run["week"], interval)


def try_run(dag: DAG, run_id: str, week: str | None, interval: DataInterval | None) -> dict[str, Any]:
    """The environments that the tasks of a run would get, or why the run is refused."""
    params = copy.deepcopy(dag.params)
    try:
        params.update({"week": week})
    except ParamValidationError as error:
        return {"refused": str(error)}
    context = {
        "params": params.validate(),
        "dag_run": SimpleNamespace(data_interval_end=interval and interval.end),
        "run_id": run_id,
    }
    template_environment = dag.get_template_env()
    return {
        "environments": [task.render_template(task.env, context, template_environment) for task in dag.tasks]
    }


if __name__ == "__main__":
    main()
