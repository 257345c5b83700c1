"""# The weekly review

Every Monday at 05:00 in the time zone of the business: load what has landed, review the week that ended at
midnight, publish its tables, lists and page. The steps are those of `vitals run`, one task each.

- **Which week**: the parameter `week`, any day of it; else the last whole week of the run's data interval;
  else (a run without a logical date) the last week whose Sunday has an event.
- **Which business**: the workspace in `VITALS_WORKSPACE`, a name below `workspaces/` or an absolute path;
  `demo` where nothing is set.
- **After a failure**: readers still see the last release. The line `vitals: …` in the failed task's log says
  what to mend. Then clear that task and those after it: every step may be repeated.
- **One at a time**: the warehouse has one writer, so each task takes the one slot of the pool
  `vitals_warehouse`. No task starts without that pool; `docs/airflow.md` says how to make it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Asset, Param, chain
from airflow.timetables.interval import CronDataIntervalTimetable

STEPS = ("load", "features", "train", "score", "marts", "report", "publish")
PROJECT = Path(__file__).resolve().parent.parent
# Joined to an absolute path, the path wins.
WORKSPACE = PROJECT / "workspaces" / (os.environ.get("VITALS_WORKSPACE") or "demo")
TIME_ZONE = tomllib.loads((WORKSPACE / "review.toml").read_text(encoding="utf-8"))["time_zone"]
# The command of the environment that Airflow runs in, also where a service was started with another PATH.
COMMAND = shutil.which("vitals", path=str(Path(sys.executable).parent)) or shutil.which("vitals") or "vitals"
OUTLETS = {"publish": [Asset(name="vitals_release", uri=f"x-vitals://{WORKSPACE.name}/release")]}


def reviewed_week(asked: str | None, interval_end: datetime | None) -> str:
    """A day of the week to review, as YYYY-MM-DD; empty where the command is to choose."""
    if asked or interval_end is None:
        return asked or ""
    end = interval_end.astimezone(ZoneInfo(TIME_ZONE)).date()
    return str(end - timedelta(days=end.weekday() + 1))


def review_id(run_id: str) -> str:
    """The DAG run's id in the letters that `vitals` takes: one for all its tasks, retries too."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", f"airflow-{run_id}")[:100]


with DAG(
    "weekly_review",
    schedule=CronDataIntervalTimetable("0 5 * * MON", timezone=TIME_ZONE),
    # Before any data. Nothing is caught up by itself; a backfill may go back this far.
    start_date=datetime(2000, 1, 3, tzinfo=ZoneInfo(TIME_ZONE)),
    catchup=False,
    max_active_runs=1,
    # The delay between them is core.default_task_retry_delay of Airflow: five minutes where it is not set.
    default_args={"retries": 2},
    params={"week": Param(None, type=["null", "string"], format="date", description="Any day of the week.")},
    user_defined_macros={"reviewed_week": reviewed_week, "review_id": review_id},
    tags=["vitals", "weekly"],
    doc_md=__doc__,
):
    tasks = [
        BashOperator(
            task_id=step,
            bash_command=f"{shlex.quote(COMMAND)} {step}",
            env={
                "VITALS_WORKSPACE": str(WORKSPACE),
                "VITALS_WEEK": "{{ reviewed_week(params.week, dag_run.data_interval_end) }}",
                "VITALS_RUN_ID": "{{ review_id(run_id) }}",
            },
            append_env=True,
            pool="vitals_warehouse",
            outlets=OUTLETS.get(step, []),
        )
        for step in STEPS
    ]
    chain(*tasks)
