"""# The weekly review

Every Monday at 05:00 in the time zone of the business: load what has landed, review the week that ended at
midnight, publish its tables, lists and page. The steps are those of `vitals run`, one task each.

- **Which week**: the parameter `week`, any day of it; else the last whole week of the run's data interval;
  else (a run without a logical date) the last week whose Sunday has an event.
- **Waiting**: `load` looks every two minutes whether the data of the week is complete, and goes on when it is
  or when the deadline of `[waiting]` in review.toml has passed. Its last line says which of the two it was.
- **What it reads**: what was loaded when `load` ended. Files that land later wait until it is published.
- **A week that stands published**, with the events, settings and models of now, is not published again:
  `load` says so and all is skipped. The parameter `again` reviews it all the same.
- **One step of one week again**: the parameters `step` and `week`. The other tasks are skipped.
- **Which business**: the workspace in `VITALS_WORKSPACE`, a name below `workspaces/` or an absolute path;
  `demo` where nothing is set.
- **After a failure**: readers still see the last release. The line `vitals: …` in the failed task's log says
  what to mend. Then clear that task and those after it: every step may be repeated.
- **One at a time**: the warehouse has one writer, so each task takes the one slot of the pool
  `vitals_warehouse`. No task starts without that pool; `docs/airflow.md` says how to make it.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import (
    DAG,
    Asset,
    BaseSensorOperator,
    DeadlineAlert,
    DeadlineReference,
    Param,
    PokeReturnValue,
    SyncCallback,
    chain,
)
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.timetables.interval import CronDataIntervalTimetable

STEPS = {
    "load": "New files of landing become events; then the week is waited for. **Broken by** files that "
    "cannot be read or that changed after they were loaded: the message names them.",
    "features": "Feature rows of the week, and of earlier weeks that new events touch. **Broken by** a test "
    "of the models or a promise: the message names table, column and rule.",
    "train": "Models learn from outcomes that were known at the end of the week; they are judged on "
    "past weeks.",
    "score": "Churn, clusters and health of every customer of the week.",
    "marts": "The tables that people read, and the lists that teams work.",
    "report": "The page and the lists, from the candidate: nobody sees them yet.",
    "publish": "All is counted once more, then one link is swapped: tables, page and lists change together.",
}
PROJECT = Path(__file__).resolve().parent.parent
# Joined to an absolute path, the path wins.
WORKSPACE = PROJECT / "workspaces" / (os.environ.get("VITALS_WORKSPACE") or "demo")
TIME_ZONE = tomllib.loads((WORKSPACE / "review.toml").read_text(encoding="utf-8"))["time_zone"]
DATA = Path(os.environ.get("VITALS_DATA_DIR") or WORKSPACE / "data")
# Where people open the page: an address where one is served, else the file.
PAGE = os.environ.get("VITALS_PAGE_URL") or f"file://{DATA}/serving/current/report/index.html"
# The command of the environment that Airflow runs in, also where a service was started with another PATH.
COMMAND = shutil.which("vitals", path=str(Path(sys.executable).parent)) or shutil.which("vitals") or "vitals"
EVENTS = Asset(name="vitals_events", uri=f"x-vitals://{WORKSPACE.name}/events")
RELEASE = Asset(name="vitals_release", uri=f"x-vitals://{WORKSPACE.name}/release")
# After how many hours in which a review is not published the deadline alert is raised.
ALERT_VARIABLE = "VITALS_ALERT_AFTER_HOURS"
ALERT_AFTER_HOURS = os.environ.get(ALERT_VARIABLE) or "24"
# How `vitals load --for-review` says that it waits, and that nothing is to be done.
NOT_YET, NOTHING_TO_DO = 75, 99
# Bad usage, or settings that cannot be used: another try would end as this one did.
NOT_TO_BE_REPEATED = 2


def reviewed_week(asked: str | None, interval_end: datetime | None) -> str:
    """A day of the week to review, as YYYY-MM-DD; empty where the command is to choose."""
    if asked or interval_end is None:
        return asked or ""
    end = interval_end.astimezone(ZoneInfo(TIME_ZONE)).date()
    return str(end - timedelta(days=end.weekday() + 1))


def review_id(run_id: str) -> str:
    """The DAG run's id in the letters that `vitals` takes: one for all its tasks, retries too."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", f"airflow-{run_id}")[:100]


class VitalsStep(BaseSensorOperator):
    """One step of the review: `vitals STEP`, which may say that it is called too early."""

    template_fields = ("env",)

    def __init__(self, *, env: dict[str, str], **options: object) -> None:
        super().__init__(mode="reschedule", poke_interval=120, timeout=timedelta(days=7), **options)
        self.env = env
        self.hook = SubprocessHook()

    def poke(self, context: dict) -> bool | PokeReturnValue:
        """Run the command; its last line is what the task answers, or the error that it fails with."""
        params, run = context["params"], context["dag_run"]
        if params["step"] not in (None, self.task_id):
            raise AirflowSkipException(f"only the step {params['step']} was asked for")
        if params["step"] is None and self.task_id != "load" and not context["ti"].xcom_pull(task_ids="load"):
            raise AirflowSkipException("no review was begun: the log of the task load says why")
        if run.run_type == "manual" and run.logical_date and on_the_schedule(run.logical_date):
            raise AirflowFailException(
                f"the logical date {run.logical_date} belongs to the schedule, which leaves its week out "
                "while this run exists. Delete this run and trigger one without a logical date, with the "
                "parameter week."
            )
        options = ["--for-review"] if self.task_id == "load" and params["step"] is None else []
        options += ["--again"] if options and params["again"] else []
        done = self.hook.run_command([COMMAND, self.task_id, *options], env={**os.environ, **self.env})
        if done.exit_code == NOT_YET:
            return False
        if done.exit_code == NOTHING_TO_DO:
            raise AirflowSkipException(done.output)
        if done.exit_code:
            error = AirflowFailException if done.exit_code == NOT_TO_BE_REPEATED else AirflowException
            raise error(done.output or f"vitals {self.task_id} ended with {done.exit_code}")
        return PokeReturnValue(is_done=True, xcom_value=done.output or self.task_id)

    def on_kill(self) -> None:
        """Also the command ends when the task is stopped."""
        self.hook.send_sigterm()


def on_the_schedule(moment: datetime) -> bool:
    """Whether a scheduled run has, or will have, this logical date."""
    local = moment.astimezone(ZoneInfo(TIME_ZONE))
    return (local.isoweekday(), local.hour, local.minute, local.second) == (1, 5, 0, 0)


def say_what_failed(context: dict) -> None:
    """The sentence that explains, once more at the end of the task's log, and what readers see now."""
    logging.getLogger("airflow.task").error(
        "The review failed at %s: %s Readers still see the last release: %s",
        *(context["ti"].task_id, context.get("exception"), PAGE),
    )


def say_deadline_missed(context: dict) -> None:
    """The review is not published so many hours after it was queued."""
    logging.getLogger("airflow.task").error(
        "The weekly review %s is not published yet, %s hours after it was due. `vitals status` says what it "
        "waits for or what failed; readers still see the last release: %s",
        *(context["dag_run"]["dag_run_id"], ALERT_AFTER_HOURS, PAGE),
    )


def alert_after(hours: str) -> timedelta:
    """Raises ValueError, which Airflow shows as the DAG's import error, where it is no number of hours."""
    try:
        return timedelta(hours=float(hours))
    except (ValueError, OverflowError):
        raise ValueError(f"{ALERT_VARIABLE} is {hours!r}, which is no number of hours such as 24") from None


DEADLINE = DeadlineAlert(
    reference=DeadlineReference.DAGRUN_QUEUED_AT,
    interval=alert_after(ALERT_AFTER_HOURS),
    callback=SyncCallback(say_deadline_missed),
)
# `airflow dags test` of 3.3 fails at the end of a run that has an alert: it looks for it in the metadata,
# into which it never wrote it.
IS_DAGS_TEST = sys.argv[1:3] == ["dags", "test"]

with DAG(
    "weekly_review",
    schedule=CronDataIntervalTimetable("0 5 * * MON", timezone=TIME_ZONE),
    # Before any data. Nothing is caught up by itself; a backfill may go back this far.
    start_date=datetime(2000, 1, 3, tzinfo=ZoneInfo(TIME_ZONE)),
    catchup=False,
    # More than one, so that a review that waits for its week does not keep others from theirs. Two at once
    # are none: `vitals load --for-review` lets one begin, and the next when that is published.
    max_active_runs=3,
    dagrun_timeout=timedelta(days=6),
    deadline=None if IS_DAGS_TEST else DEADLINE,
    # The delay between them is core.default_task_retry_delay of Airflow: five minutes where it is not set.
    default_args={
        "retries": 2,
        "execution_timeout": timedelta(hours=6),
        "on_failure_callback": say_what_failed,
    },
    params={
        "week": Param(None, type=["null", "string"], format="date", description="Any day of the week."),
        "step": Param(None, enum=[None, *STEPS], description="Only this step of the week; empty: all."),
        "again": Param(False, type="boolean", description="Also a week that stands published as it is."),
    },
    user_defined_macros={"reviewed_week": reviewed_week, "review_id": review_id},
    tags=["vitals", "weekly"],
    doc_md=f"{__doc__}\n[The page of the last release]({PAGE})\n",
):
    tasks = [
        VitalsStep(
            task_id=step,
            env={
                "VITALS_WORKSPACE": str(WORKSPACE),
                "VITALS_WEEK": "{{ reviewed_week(params.week, dag_run.data_interval_end) }}",
                "VITALS_RUN_ID": "{{ review_id(run_id) }}",
            },
            pool="vitals_warehouse",
            # A step that is skipped, because another was asked for, does not skip those after it.
            trigger_rule="none_failed",
            inlets=[EVENTS] if step == "load" else [],
            outlets=[RELEASE] if step == "publish" else [],
            doc_md=f"`vitals {step}`: {explanation}",
        )
        for step, explanation in STEPS.items()
    ]
    chain(*tasks)
