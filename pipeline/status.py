"""What was loaded, built and published, and what failed why: read from the run log and the release link.

It opens no database, so it also answers while a run holds the build, or after a crash.
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.runlog import RunSummary, read_runs
from pipeline.workspace import Workspace

RUNS_SHOWN = 8


def show_status(workspace: Workspace, console: Console) -> None:
    """Print the state of a workspace in one screen."""
    runs = read_runs(workspace.run_log)
    console.print(f"[bold]{workspace.name}[/bold]  {workspace.folder}", highlight=False)
    if not runs:
        console.print(
            f"nothing was run yet. Put files into {workspace.landing} (the demo: `vitals simulate`), "
            "then `vitals run`.",
            markup=False,
            soft_wrap=True,
        )
        return
    console.print(_release_line(workspace, runs), markup=False, soft_wrap=True, highlight=False)
    console.print(_load_line(runs), markup=False, soft_wrap=True, highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    # A scheduler's ids are long; the name of the last release stands whole above.
    table.add_column("run", no_wrap=True, max_width=28)
    table.add_column("week", no_wrap=True)
    table.add_column("state", no_wrap=True, min_width=7)
    table.add_column("seconds", no_wrap=True, min_width=7)
    table.add_column("steps", min_width=20)
    for run in reversed(runs[-RUNS_SHOWN:]):
        seconds = sum(value or 0 for value in run.steps.values())
        table.add_row(
            Text(run.run_id), str(run.review_week or ""), _state(run), f"{seconds:.1f}", _steps(run)
        )
    console.print(table)
    failed = next((run for run in reversed(runs) if _state(run) in ("failed", "died")), None)
    if failed is not None and failed is runs[-1]:
        console.print(
            f"why {failed.run_id} failed: {_why(failed)}", markup=False, soft_wrap=True, highlight=False
        )


def _release_line(workspace: Workspace, runs: list[RunSummary]) -> str:
    link = workspace.current_release
    if not link.exists():
        return "published: nothing yet"
    name = link.resolve().name
    run = next((run for run in runs if name in run.releases), None)
    week = ""
    if run and run.shown_week:
        week = f", shows the week of {run.shown_week}"
        if str(run.review_week) != run.shown_week:
            week += f" (restated {run.review_week})"
    return f"published: {name}{week}  {link}"


def _load_line(runs: list[RunSummary]) -> str:
    loads = [run.details["load"] for run in runs if "load" in run.details]
    keys = ("files_loaded", "events_loaded", "rows_duplicate", "rows_rejected", "events_late")
    files, events, duplicates, rejected, late = (sum(int(load.get(key, 0)) for load in loads) for key in keys)
    return (
        f"loaded: {files:,} files, {events:,} events; {duplicates:,} duplicates, "
        f"{rejected:,} rejected, {late:,} late"
    )


def _state(run: RunSummary) -> str:
    if run.status == "running" and not run.is_alive():
        return "died"
    return run.status


def _steps(run: RunSummary) -> str:
    return " ".join(
        f"{step} {seconds:.1f}" if seconds is not None else f"{step} …" for step, seconds in run.steps.items()
    )


def _why(run: RunSummary) -> str:
    if run.message:
        return run.message
    step = next((step for step, seconds in run.steps.items() if seconds is None), "its start")
    return (
        f"the process ended during {step} without a word (killed, out of memory or power). "
        "Nothing of it was published; run it again."
    )
