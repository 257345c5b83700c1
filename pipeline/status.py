"""What was loaded, built and published, and what failed why: read from the run log and the release link.

It opens no database, so it also answers while a run holds the build, or after a crash.
"""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.display import print_line, printable
from pipeline.lock import Holder, find_holder, moment
from pipeline.runlog import RunSummary, last_outcomes, read_runs
from pipeline.underway import GIVEN_UP_AFTER, review_under_way_by_log
from pipeline.workspace import Workspace, is_there

# With the lines above and below, one screen of 24 lines.
RUNS_SHOWN = 8
LETTERS_OF_A_RUN = 28
BEGINNING_OF_A_RUN = 4
# As many reviews as the DAG lets be active at once.
WAITING_SHOWN = 3
# Letters from which on every step is shown with its seconds.
WIDE_SCREEN = 140


def show_status(workspace: Workspace, console: Console) -> None:
    """Print the state of a workspace in one screen."""
    runs = read_runs(workspace.run_log)
    holder = find_holder(workspace.build_database, workspace.run_log)
    # A path is no markup, whatever brackets it has.
    name, folder = printable(workspace.name), printable(str(workspace.folder))
    console.print(Text.assemble((name, "bold"), f"  {folder}"), soft_wrap=True)
    if not runs:
        print_line(
            console,
            f"nothing was run yet. Put files into {workspace.landing} (the demo: `vitals simulate`), "
            "then `vitals run`.",
        )
        if holder is not None:
            print_line(console, f"lock: {holder}")
        return
    print_line(console, _release_line(workspace, runs))
    print_line(console, _load_line(runs))
    print_line(console, _under_way_line(runs))
    print_line(console, _lock_line(holder))
    for line in _review_lines(runs):
        print_line(console, line)
    console.print(_table_of(runs[-RUNS_SHOWN:], is_wide=console.width >= WIDE_SCREEN))
    failed = [outcome.run for outcome in last_outcomes(runs).values() if not outcome.is_done]
    for run in {run.run_id: run for run in failed}.values():
        print_line(console, f"why {run.run_id} failed: {_why(run)}")


def _table_of(runs: list[RunSummary], *, is_wide: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("run", no_wrap=True)
    table.add_column("week", no_wrap=True)
    table.add_column("state", no_wrap=True, min_width=7)
    table.add_column("seconds", no_wrap=True, min_width=7)
    table.add_column("memory", no_wrap=True, min_width=6)
    table.add_column("steps", no_wrap=not is_wide)
    for run in reversed(runs):
        seconds = sum(value or 0 for value in run.steps.values())
        table.add_row(
            Text(_shortened(run.run_id)),
            str(run.review_week or ""),
            run.state,
            f"{seconds:.1f}",
            _memory(run),
            _steps(run, each_with_seconds=is_wide),
        )
    return table


def _shortened(run_id: str) -> str:
    """A scheduler's ids are long, begin alike, and end with the moment by which they differ."""
    if len(run_id) <= LETTERS_OF_A_RUN:
        return run_id
    return f"{run_id[:BEGINNING_OF_A_RUN]}…{run_id[BEGINNING_OF_A_RUN + 1 - LETTERS_OF_A_RUN :]}"


def _memory(run: RunSummary) -> str:
    peaks = [step.peak_memory_bytes for step in run.done_by_step.values() if step.peak_memory_bytes]
    return f"{max(peaks) / 1e9:.1f} GB" if peaks else ""


def _under_way_line(runs: list[RunSummary]) -> str:
    """What works at this moment, and since when; the newest, where a second one waits to be refused."""
    working = [run for run in runs if run.state == "running"]
    if not working:
        return "under way: nothing"
    run = working[-1]
    step = run.step_under_way
    doing = f"run {run.run_id}" if step is None else f"step {step.step} of run {run.run_id}"
    since = run.started_at if step is None else step.started_at
    seconds = (datetime.now(UTC) - since).total_seconds()
    return f"under way: {doing} since {moment(since)} ({seconds:,.0f} s), process {run.process}"


def _review_lines(runs: list[RunSummary]) -> list[str]:
    """A scheduler's review between its steps, and those that wait for their turn or their week."""
    begun = review_under_way_by_log(runs)
    waiting = [
        run
        for run in runs
        if run.state == "waiting" and abs(datetime.now(UTC) - run.seen_at) <= GIVEN_UP_AFTER
    ]
    lines = [] if begun is None else [f"review: {begun.in_words()}; files that land now wait"]
    return lines + [
        f"waiting: {run.run_id}, last looked {moment(run.seen_at)}: {run.waits_for}"
        for run in waiting[-WAITING_SHOWN:]
    ]


def _lock_line(holder: Holder | None) -> str:
    return "lock: free" if holder is None else f"lock: {holder}"


def _release_line(workspace: Workspace, runs: list[RunSummary]) -> str:
    if not is_there(workspace.current_release):
        return "published: nothing yet"
    link = workspace.current_release
    name = link.resolve().name
    if not is_there(workspace.published_database):
        return f"published: {name}, without its tables: `vitals publish` makes a whole release  {link}"
    run = next((run for run in runs if name in run.releases), None)
    week = ""
    if run and run.shown_week:
        week = f", shows the week of {run.shown_week}"
        if str(run.review_week) != run.shown_week:
            week += f" (restated {run.review_week})"
    return f"published: {name}{week}  {link}"


def _load_line(runs: list[RunSummary]) -> str:
    """What is in raw, as the newest load says; the sum of all loads where those of older versions do not."""
    loads = sorted((load for run in runs for load in run.loads), key=lambda load: load.finished_at)
    ledgers = [load.details["ledger"] for load in loads if "ledger" in load.details]
    counted = ledgers[-1:] or [load.details for load in loads]
    keys = ("files_loaded", "events_loaded", "rows_duplicate", "rows_rejected", "events_late")
    files, events, duplicates, rejected, late = (
        sum(int(each.get(key, 0)) for each in counted) for key in keys
    )
    return (
        f"loaded: {files:,} files, {events:,} events; {duplicates:,} duplicates, "
        f"{rejected:,} rejected, {late:,} late"
    )


def _steps(run: RunSummary, *, each_with_seconds: bool) -> str:
    """On a narrow screen only from where to where, so that a run takes one line."""
    if each_with_seconds:
        return " ".join(
            f"{step} {seconds:.1f}" if seconds is not None else f"{step} …"
            for step, seconds in run.steps.items()
        )
    done = [step for step, seconds in run.steps.items() if seconds is not None]
    parts = [done[0] if len(done) == 1 else f"{done[0]}–{done[-1]}"] if done else []
    return ", ".join(parts + [f"{step} …" for step, seconds in run.steps.items() if seconds is None])


def _why(run: RunSummary) -> str:
    if run.message:
        return run.message
    step = next((step for step, seconds in run.steps.items() if seconds is None), "its start")
    return (
        f"the process ended during {step} without a word (killed, out of memory or power). "
        "Nothing of it was published; run it again."
    )
