"""The command `vitals`. It parses, calls one function, and turns errors into a line and an exit code."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pipeline.display import JsonLines, Screen, print_line, say
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


class LogFormat(StrEnum):
    """How a command says what it does."""

    text = "text"
    json = "json"


LogFormatOption = Annotated[
    LogFormat,
    typer.Option(
        "--log-format",
        envvar="VITALS_LOG_FORMAT",
        help="text for people; json: a line of JSON per event, with run, week and step.",
    ),
]


# What a command said its lines with: where it ends with an error, that line speaks of the same run and step.
_lines_of_command: ContextVar[JsonLines | None] = ContextVar("lines_of_command", default=None)


def _console() -> Console:
    return Console(highlight=False)


def _screen(form: LogFormat, workspace: Workspace) -> Screen:
    if form is LogFormat.text:
        return _console()
    screen = JsonLines(sys.stdout, workspace.name)
    _lines_of_command.set(screen)
    return screen


def _error_lines(workspace: str) -> JsonLines:
    if said := _lines_of_command.get():
        return replace(said, stream=sys.stderr)
    return JsonLines(sys.stderr, Path(workspace).expanduser().resolve().name)


def _in_words(command: Callable[..., None]) -> Callable[..., None]:
    """Errors as one sentence on standard error, with the exit code of the contract."""

    @wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        _lines_of_command.set(None)
        try:
            command(*arguments, **options)
        except VitalsError as error:
            if options.get("log_format") is LogFormat.json:
                _error_lines(options["workspace"]).say(
                    "command_failed", level="error", message=str(error), exit_code=error.exit_code
                )
                raise typer.Exit(error.exit_code) from None
            print_line(Console(stderr=True), f"vitals: {error}")
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            Console(stderr=True).print("vitals: stopped.")
            raise typer.Exit(1) from None
        except BrokenPipeError:
            # The reader of a pipe went away, as `head` does.
            sys.stderr.close()
            raise typer.Exit(0) from None

    return wrapped


def _run(workspace: str, week: str | None, steps: tuple[str, ...], form: LogFormat) -> Workspace:
    from pipeline.review import run_review
    from pipeline.weeks import parse_week

    found = find_workspace(workspace)
    run_review(found, steps, parse_week(week) if week else None, _screen(form, found))
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
    log_format: LogFormatOption = LogFormat.text,
) -> None:
    """Run the whole review, or some steps of it: load to publish, in one process."""
    steps = [step.value for step in StepName]
    chosen = tuple(steps[steps.index(first.value) : steps.index(last.value) + 1])
    if not chosen:
        raise UsageError(f"--from {first.value} comes after --to {last.value}; give them in order.")
    found = _run(workspace, week, chosen, log_format)
    if last is StepName.publish:
        _say_where(found, log_format)


@app.command()
@_in_words
def backfill(
    first: Annotated[str, typer.Option("--from", help="Any day of the first week (YYYY-MM-DD).")],
    last: Annotated[str, typer.Option("--to", help="Any day of the last week (YYYY-MM-DD).")],
    workspace: WorkspaceOption = "demo",
    log_format: LogFormatOption = LogFormat.text,
) -> None:
    """Review week after week, each with its own publication; called again, it goes on where it ended."""
    from pipeline.backfill import run_backfill
    from pipeline.weeks import parse_week

    found = find_workspace(workspace)
    screen = _screen(log_format, found)
    run_backfill(found, parse_week(first, "--from"), parse_week(last, "--to"), screen)
    _say_where(found, log_format)


def _say_where(workspace: Workspace, form: LogFormat) -> None:
    screen = _screen(form, workspace)
    for title, path in (
        ("page", workspace.current_release / "report" / "index.html"),
        ("lists", workspace.current_release / "lists"),
        ("warehouse", workspace.published_database),
    ):
        shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        say(screen, title, f" {shown}")


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
    log_format: LogFormatOption = LogFormat.text,
) -> None:
    """Load the new files of landing into raw; loading twice changes nothing."""
    if again and not for_review:
        raise UsageError("--again belongs to --for-review; give both or neither.")
    found = find_workspace(workspace)
    screen = _screen(log_format, found)
    if for_review:
        from pipeline.beginning import begin_review
        from pipeline.weeks import parse_week

        begin_review(found, parse_week(week) if week else None, screen, again=again)
        return
    from pipeline.review import run_review

    loaded = run_review(found, ("load",), None, screen).details["load"]
    if if_new and not loaded["files_loaded"]:
        raise NothingToDoError("nothing was loaded: the line before says why.")


@app.command()
@_in_words
def features(
    workspace: WorkspaceOption = "demo",
    week: WeekOption = None,
    log_format: LogFormatOption = LogFormat.text,
) -> None:
    """Build the feature rows of the week, and those of earlier weeks that are missing or changed."""
    _run(workspace, week, ("features",), log_format)


@app.command()
@_in_words
def train(
    workspace: WorkspaceOption = "demo",
    week: WeekOption = None,
    log_format: LogFormatOption = LogFormat.text,
) -> None:
    """Learn from outcomes that were known at the end of the week, and judge how well that works."""
    _run(workspace, week, ("train",), log_format)


@app.command()
@_in_words
def score(
    workspace: WorkspaceOption = "demo",
    week: WeekOption = None,
    log_format: LogFormatOption = LogFormat.text,
) -> None:
    """Score the customers of the week."""
    _run(workspace, week, ("score",), log_format)


@app.command()
@_in_words
def marts(
    workspace: WorkspaceOption = "demo",
    week: WeekOption = None,
    log_format: LogFormatOption = LogFormat.text,
) -> None:
    """Build the tables that people read."""
    _run(workspace, week, ("marts",), log_format)


@app.command()
@_in_words
def report(
    workspace: WorkspaceOption = "demo",
    week: WeekOption = None,
    log_format: LogFormatOption = LogFormat.text,
) -> None:
    """Draw the page and write the lists, not yet published."""
    _run(workspace, week, ("report",), log_format)


@app.command()
@_in_words
def publish(
    workspace: WorkspaceOption = "demo",
    week: WeekOption = None,
    log_format: LogFormatOption = LogFormat.text,
) -> None:
    """Put tables, page and lists before readers, all at once."""
    _say_where(_run(workspace, week, ("publish",), log_format), log_format)


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
    print_line(
        _console(),
        f"made {folder}. Edit its review.toml, events.csv and playbook.csv, put files into "
        f"{folder / 'data' / 'landing'}, then: vitals run --workspace {shlex.quote(new)}",
    )
