"""What Airflow costs: from nothing to a first review, and reviews under it beside `vitals run`.

In a clean clone of the project, with the demo as `make review` makes it: `python -m bench.airflow`. Needs
Postgres and what `make setup` downloads. The figures go to bench/results/airflow.json.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from bench.chaos_comparison import difference
from bench.record import (
    PROJECT_FOLDER,
    RESULTS_FOLDER,
    Result,
    Target,
    merge_results,
    number_text,
    table_text,
)
from bench.running_airflow import Running, free_port, started
from bench.workspaces import bring_back, hold_back, weeks_of_landing
from pipeline.workspace import Workspace

# From `make up` with nothing made to a review that is published.
FIRST_REVIEW = Target(highest=360)
TIMES_A_RUN, SECONDS_MORE = 1.5, 60
REVIEW_WITHIN_SECONDS = 1_800
DAG = "weekly_review"
# What would lead the clone to other code, data or services than its own.
OF_THE_MACHINE = ("AIRFLOW", "_AIRFLOW", "VITALS_", "PYTHON", "VIRTUAL_ENV")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; the exit code: 0 all targets hold, 1 one does not or a command failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.airflow", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS_FOLDER / "airflow.json")
    asked = parser.parse_args(arguments)
    # As root, Postgres runs as another user, who has to get to the folder.
    with tempfile.TemporaryDirectory(prefix="vitals-airflow-") as folder:
        Path(folder).chmod(0o755)
        try:
            results = measure(Path(folder))
        except subprocess.CalledProcessError as error:
            said = (error.stderr or error.stdout or "it said nothing").strip().splitlines()[-1]
            print(f"`{' '.join(map(str, error.cmd))}` failed: {said}", file=sys.stderr)
            return 1
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 1
    merge_results(asked.results, results)
    rows = [
        [result.name, number_text(result.value), result.unit, result.target or "–", number_text(result.holds)]
        for result in results
    ]
    print(table_text(["measured", "value", "unit", "target", "holds"], rows))
    print(f"written: {asked.results}")
    return int(any(result.holds is False for result in results))


def measure(folder: Path) -> list[Result]:
    """A first review and one of the week after it, under Airflow and by `vitals run`.

    Raises subprocess.CalledProcessError where a command fails, RuntimeError where a review does.
    """
    clone, aside = folder / "vitals", folder / "aside"
    port = free_port()
    environment = {name: text for name, text in os.environ.items() if not name.startswith(OF_THE_MACHINE)}
    environment |= {"AIRFLOW_PORT": str(port), "AIRFLOW_POSTGRES_PORT": str(free_port())}
    _clone(clone)
    seconds = {"set_up": _call(clone, environment, "make", "setup")}
    vitals = str(clone / ".venv" / "bin" / "vitals")
    seconds["simulate"] = _call(clone, environment, vitals, "simulate")
    demo = clone / "workspaces" / "demo"
    workspace = Workspace(demo, demo / "data")
    twin = Workspace(demo, folder / "twin")
    shutil.copytree(workspace.landing, twin.landing)
    _, last_week = weeks_of_landing(workspace)
    for each, place in ((workspace, aside / "airflow"), (twin, aside / "run")):
        hold_back(each, place, last_week)
    print(f"a clone set up and the demo simulated: {_rounded(seconds)}", flush=True)
    began = time.monotonic()
    try:
        seconds["make_up"] = _call(clone, environment, "make", "up")
        home = clone / ".airflow"
        airflow = started(f"http://127.0.0.1:{port}", home / "home", home / "logs" / "scheduler.log")
        first, tasks_of_first = _review(airflow, unpause=True)
        from_nothing = time.monotonic() - began
        print(f"first review under Airflow: {first:.0f} s, {from_nothing:.0f} s after make up", flush=True)
        bring_back(workspace, aside / "airflow")
        weekly, tasks_of_weekly = _review(airflow)
        print(f"the week after it: {weekly:.0f} s", flush=True)
    finally:
        _call(clone, environment, "make", "down")
    by_hand = environment | {"VITALS_DATA_DIR": str(twin.data)}
    first_by_hand = _call(clone, by_hand, vitals, "run")
    bring_back(twin, aside / "run")
    weekly_by_hand = _call(clone, by_hand, vitals, "run")
    differs = difference(twin.build_database, workspace.build_database)
    parts = {
        **_rounded(seconds),
        "from_make_up_to_the_trigger": round(from_nothing - first, 1),
        "first_review": round(first, 1),
    }
    return [
        Result(
            "airflow_first_review_after_make_up",
            from_nothing,
            "seconds",
            str(FIRST_REVIEW),
            FIRST_REVIEW.holds(from_nothing),
            {"seconds": parts},
        ),
        Result(
            "airflow_first_review_from_a_clean_clone",
            from_nothing + seconds["set_up"] + seconds["simulate"],
            "seconds",
            detail={"with": "make setup, whose downloads may be cached, and vitals simulate"},
        ),
        _beside_a_run("airflow_first_review", first, first_by_hand, tasks_of_first),
        _beside_a_run("airflow_weekly_review", weekly, weekly_by_hand, tasks_of_weekly),
        Result(
            "airflow_tables_that_differ_from_those_of_a_run",
            len(differs.lost.keys() | differs.doubled.keys()),
            "tables",
            "0",
            differs.is_none,
            {"lost": differs.lost, "doubled": differs.doubled},
        ),
    ]


def _clone(folder: Path) -> None:
    """The project as it was last committed; a branch of its own may be checked out beside it."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=PROJECT_FOLDER, capture_output=True, text=True, check=True
    ).stdout.strip()
    for command in (
        ["git", "clone", "--quiet", "--no-checkout", str(PROJECT_FOLDER), str(folder)],
        ["git", "-C", str(folder), "checkout", "--quiet", "--detach", commit],
    ):
        subprocess.run(command, capture_output=True, text=True, check=True)


def _call(folder: Path, environment: Mapping[str, str], *command: str) -> float:
    """Seconds of a command that has to end well. Raises subprocess.CalledProcessError."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        # Not a pipe: what `make up` leaves running would keep it open.
        done = subprocess.run(
            command, cwd=folder, env=dict(environment), stdout=said, stderr=said, check=False
        )
        if done.returncode != 0:
            said.seek(0)
            raise subprocess.CalledProcessError(done.returncode, command, said.read())
    return time.monotonic() - began


def _review(airflow: Running, *, unpause: bool = False) -> tuple[float, dict[str, float]]:
    """Seconds from the trigger to the end of a review, and of its tasks. Raises RuntimeError."""
    began = time.monotonic()
    run_id = airflow.trigger(DAG)
    if unpause:
        airflow.unpause(DAG)
    state = airflow.wait_for(DAG, run_id, REVIEW_WITHIN_SECONDS)
    seconds = time.monotonic() - began
    if state != "success":
        raise RuntimeError(f"the review {run_id} ended as {state}: {airflow.tasks(DAG, run_id)}")
    found = airflow.ask("GET", f"/api/v2/dags/{DAG}/dagRuns/{run_id}/taskInstances")["task_instances"]
    ended = sorted(found, key=lambda task: task["end_date"])
    return seconds, {task["task_id"]: _task_seconds(task) for task in ended}


def _task_seconds(task: Mapping[str, str]) -> float:
    start, end = (datetime.fromisoformat(task[name]) for name in ("start_date", "end_date"))
    return round((end - start).total_seconds(), 1)


def _beside_a_run(name: str, seconds: float, by_hand: float, tasks: Mapping[str, float]) -> Result:
    target = Target(highest=round(TIMES_A_RUN * by_hand + SECONDS_MORE, 1))
    detail = {
        "vitals_run_seconds": round(by_hand, 1),
        "seconds_of_tasks": dict(tasks),
        "seconds_between_tasks": round(seconds - sum(tasks.values()), 1),
    }
    return Result(name, seconds, "seconds", str(target), target.holds(seconds), detail)


def _rounded(seconds: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in seconds.items()}


if __name__ == "__main__":
    sys.exit(main())
