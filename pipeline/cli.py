"""The command `vitals`. It parses, calls one function, and turns errors into a line and an exit code."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pipeline.errors import NothingToDoError, UsageError, VitalsError
from pipeline.workspace import Workspace, find_workspace

app = typer.Typer(
    name="vitals",
    help="The weekly customer-behaviour review: raw events in, checked and published tables out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

WorkspaceOption = Annotated[
    str,
    typer.Option("--workspace", envvar="VITALS_WORKSPACE", help="Name below workspaces/, or a path."),
]
WeekOption = Annotated[
    str | None,
    typer.Option(
        "--week",
        envvar="VITALS_WEEK",
        help="Any day of the week to review (YYYY-MM-DD). Default: the last week whose Sunday has an event.",
    ),
]


class StepName(StrEnum):
    """The steps of the review, in order."""

    load = "load"
    features = "features"
    train = "train"
    score = "score"
    marts = "marts"
    report = "report"
    publish = "publish"


class OutputFormat(StrEnum):
    """How rows are written."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def _console() -> Console:
    return Console(highlight=False)


def _in_words(command: Callable[..., None]) -> Callable[..., None]:
    """Errors as one sentence on standard error, with the exit code of the contract."""

    @wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except VitalsError as error:
            Console(stderr=True, highlight=False).print(f"vitals: {error}", markup=False, soft_wrap=True)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            Console(stderr=True).print("vitals: stopped.")
            raise typer.Exit(1) from None
        except BrokenPipeError:
            # The reader of a pipe went away, as `head` does.
            sys.stderr.close()
            raise typer.Exit(0) from None

    return wrapped


def _run(workspace: str, week: str | None, steps: tuple[str, ...]) -> Workspace:
    from pipeline.review import run_review
    from pipeline.weeks import parse_week

    found = find_workspace(workspace)
    run_review(found, steps, parse_week(week) if week else None, _console())
    return found


@app.command()
@_in_words
def simulate(
    customers: Annotated[int, typer.Option(help="Customers of the simulated world.")] = 10_000,
    weeks: Annotated[int, typer.Option(help="Weeks of its history.")] = 78,
    seed: Annotated[int, typer.Option(help="The same seed makes the same world.")] = 7,
    format_: Annotated[
        str, typer.Option("--format", help="Files of landing: jsonl, as a collector drops them, or parquet.")
    ] = "jsonl",
    replace: Annotated[bool, typer.Option("--replace", help="Remove what landing holds first.")] = False,
    workspace: WorkspaceOption = "demo",
) -> None:
    """Write a simulated world into landing, and its truth beside it."""
    from pipeline.simulate import simulate_into_landing

    simulate_into_landing(
        find_workspace(workspace),
        customers,
        weeks,
        seed,
        format_=format_,
        replace=replace,
        console=_console(),
    )


@app.command()
@_in_words
def run(
    workspace: WorkspaceOption = "demo",
    week: WeekOption = None,
    first: Annotated[StepName, typer.Option("--from", help="First step to run.")] = StepName.load,
    last: Annotated[StepName, typer.Option("--to", help="Last step to run.")] = StepName.publish,
) -> None:
    """Run the whole review, or some steps of it: load to publish, in one process."""
    steps = [step.value for step in StepName]
    chosen = tuple(steps[steps.index(first.value) : steps.index(last.value) + 1])
    if not chosen:
        raise UsageError(f"--from {first.value} comes after --to {last.value}; give them in order.")
    found = _run(workspace, week, chosen)
    if last is StepName.publish:
        _say_where(found)


@app.command()
@_in_words
def backfill(
    first: Annotated[str, typer.Option("--from", help="Any day of the first week (YYYY-MM-DD).")],
    last: Annotated[str, typer.Option("--to", help="Any day of the last week (YYYY-MM-DD).")],
    workspace: WorkspaceOption = "demo",
) -> None:
    """Review week after week, each with its own publication; called again, it goes on where it ended."""
    from pipeline.backfill import run_backfill
    from pipeline.weeks import parse_week

    found = find_workspace(workspace)
    run_backfill(found, parse_week(first, "--from"), parse_week(last, "--to"), _console())
    _say_where(found)


def _say_where(workspace: Workspace) -> None:
    console = _console()
    for title, path in (
        ("page", workspace.current_release / "report" / "index.html"),
        ("lists", workspace.current_release / "lists"),
        ("warehouse", workspace.published_database),
    ):
        shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        console.print(f"{title:<10}{shown}", markup=False, soft_wrap=True)


@app.command()
@_in_words
def load(
    workspace: WorkspaceOption = "demo",
    week: WeekOption = None,
    for_review: Annotated[
        bool,
        typer.Option(
            "--for-review",
            help="Begin a scheduled review of the week: later files wait until it is published. "
            "Exit code 75: the data of the week is waited for; 99: it stands published.",
        ),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="With --for-review: also of a week that stands published.")
    ] = False,
    if_new: Annotated[
        bool, typer.Option("--if-new", help="Exit code 99 where nothing was loaded, instead of 0.")
    ] = False,
) -> None:
    """Load the new files of landing into raw; loading twice changes nothing."""
    if again and not for_review:
        raise UsageError("--again belongs to --for-review; give both or neither.")
    if for_review:
        from pipeline.beginning import begin_review
        from pipeline.weeks import parse_week

        begin_review(find_workspace(workspace), parse_week(week) if week else None, _console(), again=again)
        return
    from pipeline.review import run_review

    loaded = run_review(find_workspace(workspace), ("load",), None, _console()).details["load"]
    if if_new and not loaded["files_loaded"]:
        raise NothingToDoError("nothing was loaded: the line before says why.")


@app.command()
@_in_words
def features(workspace: WorkspaceOption = "demo", week: WeekOption = None) -> None:
    """Build the feature rows of the week, and those of earlier weeks that are missing or changed."""
    _run(workspace, week, ("features",))


@app.command()
@_in_words
def train(workspace: WorkspaceOption = "demo", week: WeekOption = None) -> None:
    """Learn from outcomes that were known at the end of the week, and judge how well that works."""
    _run(workspace, week, ("train",))


@app.command()
@_in_words
def score(workspace: WorkspaceOption = "demo", week: WeekOption = None) -> None:
    """Score the customers of the week."""
    _run(workspace, week, ("score",))


@app.command()
@_in_words
def marts(workspace: WorkspaceOption = "demo", week: WeekOption = None) -> None:
    """Build the tables that people read."""
    _run(workspace, week, ("marts",))


@app.command()
@_in_words
def report(workspace: WorkspaceOption = "demo", week: WeekOption = None) -> None:
    """Draw the page and write the lists, not yet published."""
    _run(workspace, week, ("report",))


@app.command()
@_in_words
def publish(workspace: WorkspaceOption = "demo", week: WeekOption = None) -> None:
    """Put tables, page and lists before readers, all at once."""
    _say_where(_run(workspace, week, ("publish",)))


@app.command()
@_in_words
def status(workspace: WorkspaceOption = "demo") -> None:
    """Say what was loaded, built and published, and what failed why."""
    from pipeline.status import show_status

    show_status(find_workspace(workspace), _console())


@app.command()
@_in_words
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT on the published schemas marts and ops.")],
    form: Annotated[
        OutputFormat, typer.Option("--format", help="How rows are written.")
    ] = OutputFormat.table,
    workspace: WorkspaceOption = "demo",
) -> None:
    """Ask the published warehouse, read-only."""
    from pipeline.query import answer_query

    answer_query(find_workspace(workspace), sql, form.value, sys.stdout.buffer)


@app.command()
@_in_words
def init(
    new: Annotated[str, typer.Argument(metavar="NAME|PATH", help="Name below workspaces/, or a path.")],
    source: Annotated[str, typer.Option("--from", help="The workspace to start from.")] = "demo",
) -> None:
    """Make a new workspace: a copy of another's review.toml, events.csv, playbook.csv and own features."""
    from pipeline.newworkspace import make_workspace

    folder = make_workspace(new, find_workspace(source))
    _console().print(
        f"made {folder}. Edit its review.toml, events.csv and playbook.csv, put files into "
        f"{folder / 'data' / 'landing'}, then: vitals run --workspace {shlex.quote(new)}",
        markup=False,
        soft_wrap=True,
    )
