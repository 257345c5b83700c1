"""# Load events

Every hour: load the files that landed since, so that a file which cannot be read is known on the day it comes
and the weekly review finds most of its week loaded. Where nothing is new the task is skipped.

- **While a review is under way** nothing is loaded: a review reads what was there when it began. The
  files are loaded in the hour after it is published.
- **After a failure**: the line `vitals: …` in the log names the file and what is wrong. Nothing of the files
  that came with it was kept. Mend or remove it; the next hour loads again.
- **Which business**: the workspace in `VITALS_WORKSPACE`, as in `weekly_review`.
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
from airflow.sdk import DAG, Asset, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.timetables.trigger import CronTriggerTimetable

PROJECT = Path(__file__).resolve().parent.parent
# Joined to an absolute path, the path wins.
WORKSPACE = PROJECT / "workspaces" / (os.environ.get("VITALS_WORKSPACE") or "demo")
TIME_ZONE = tomllib.loads((WORKSPACE / "review.toml").read_text(encoding="utf-8"))["time_zone"]
# The command of the environment that Airflow runs in, also where a service was started with another PATH.
COMMAND = shutil.which("vitals", path=str(Path(sys.executable).parent)) or shutil.which("vitals") or "vitals"
EVENTS = Asset(name="vitals_events", uri=f"x-vitals://{WORKSPACE.name}/events")
# How `vitals load --if-new` says that there was none.
NOTHING_TO_DO = 99
# Bad usage, or settings that cannot be used: another try would end as this one did.
NOT_TO_BE_REPEATED = 2


def say_what_failed(context: dict) -> None:
    """The sentence that explains, once more at the end of the task's log."""
    logging.getLogger("airflow.task").error("Nothing was loaded: %s", context.get("exception"))


with DAG(
    "load_events",
    # No data interval: an hour's run loads whatever is new, and a missed hour has nothing to catch up.
    schedule=CronTriggerTimetable("0 * * * *", timezone=TIME_ZONE),
    start_date=datetime(2000, 1, 3, tzinfo=ZoneInfo(TIME_ZONE)),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(days=1),
    # The delay between them is core.default_task_retry_delay of Airflow: five minutes where it is not set.
    default_args={
        "retries": 2,
        "execution_timeout": timedelta(hours=6),
        "on_failure_callback": say_what_failed,
    },
    tags=["vitals", "hourly"],
    doc_md=__doc__,
):

    @task(
        pool="vitals_warehouse", outlets=[EVENTS], doc_md="`vitals load --if-new`: new files become events."
    )
    def load(run_id: str | None = None) -> str:
        """Run the command; its last line is what the task answers, or the error that it fails with."""
        environment = {
            "VITALS_WORKSPACE": str(WORKSPACE),
            "VITALS_RUN_ID": re.sub(r"[^A-Za-z0-9_.-]", "-", f"airflow-load-{run_id}")[:100],
        }
        done = SubprocessHook().run_command([COMMAND, "load", "--if-new"], env={**os.environ, **environment})
        if done.exit_code == NOTHING_TO_DO:
            raise AirflowSkipException(done.output)
        if done.exit_code:
            error = AirflowFailException if done.exit_code == NOT_TO_BE_REPEATED else AirflowException
            raise error(done.output or f"vitals load ended with {done.exit_code}")
        return done.output

    load()
