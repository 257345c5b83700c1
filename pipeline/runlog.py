"""The run log: append-only JSON lines beside the build database.

It can be read while the database is locked and after a crash; `vitals status` and ops.runs come from it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UnreadableError
from pipeline.processes import birth_of, is_alive

if TYPE_CHECKING:
    import pandas

# Beside the build database.
RUN_LOG_NAME = "runs.jsonl"

# What a run can bring to an end, as people are told of it.
KINDS = ("review", "load")

# ops.runs, column by column; docs/operations.md says what each means.
RUNS_COLUMNS = {
    "run_id": "varchar",
    "step": "varchar",
    "step_number": "integer",
    "review_week": "date",
    "status": "varchar",
    "started_at": "timestamp",
    "finished_at": "timestamp",
    "seconds": "double",
    "rows": "bigint",
    "bytes_read": "bigint",
    "bytes_written": "bigint",
    "peak_memory_bytes": "bigint",
    "tries": "integer",
    "message": "varchar",
    "is_published": "boolean",
    "versions": "varchar",
    "git_commit": "varchar",
}


@dataclass(frozen=True)
class RunLog:
    """Writes what one run does, a line at a time; whoever listens hears every line that was written."""

    path: Path
    run_id: str
    listeners: tuple[Callable[[dict[str, Any]], None], ...] = ()

    def write(self, event: str, **details: Any) -> None:
        """Add a line. Raises OSError where it cannot be written."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "run_id": self.run_id,
            "event": event,
            "process": os.getpid(),
            "process_birth": birth_of(os.getpid()),
            **details,
        }
        text = json.dumps(line, default=_plain) + "\n"
        # One write of one line: lines of two processes do not mix.
        with self.path.open("ab") as file:
            file.write((b"\n" if _ends_in_a_part(self.path) else b"") + text.encode())
        for listener in self.listeners:
            listener(json.loads(text))

    def write_failure(self, message: str, step: str | None = None, **details: Any) -> None:
        """Note why the run failed, where there is still room to: the reason itself is said in any case."""
        with suppress(OSError):
            self.write("run_failed", message=message, step=step, **details)


@dataclass
class StepSummary:
    """What the log says of one step of a run: its last try."""

    step: str
    started_at: datetime
    process: int
    # By which it is told from a later process of its number; empty in logs of older versions.
    process_birth: str = ""
    tries: int = 1
    finished_at: datetime | None = None
    # running, done, failed; whether a running one is still alive is for the reader to see.
    status: str = "running"
    message: str = ""
    seconds: float | None = None
    rows: int | None = None
    bytes_read: int | None = None
    bytes_written: int | None = None
    peak_memory_bytes: int | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def end(self, status: str, at: datetime, entry: dict[str, Any]) -> None:
        """Note how it ended, with what the line of the log measured."""
        self.status, self.finished_at = status, at
        # A step that was done sums itself up in its line; that is no reason of a failure.
        self.message = entry.get("message", "") if status == "failed" else ""
        for name in ("seconds", "bytes_read", "bytes_written", "peak_memory_bytes"):
            setattr(self, name, entry.get(name))
        self.details = entry.get("details", {})
        self.rows = self.details.get("rows")


@dataclass(frozen=True)
class Outcome:
    """How a run ended a review, or its loading. A review is done when it is published."""

    run: RunSummary
    at: datetime
    is_done: bool


@dataclass
class RunSummary:
    """What the log says of one run."""

    run_id: str
    started_at: datetime
    process: int
    process_birth: str = ""
    command: str = ""
    # The steps that its last process was to do.
    asked_steps: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    git_commit: str | None = None
    review_week: date | None = None
    finished_at: datetime | None = None
    # running, done, failed; whether a running one is still alive is for the reader to see.
    status: str = "running"
    message: str = ""
    # In the order in which they were begun.
    done_by_step: dict[str, StepSummary] = field(default_factory=dict)
    # Every try of the step load that was done: each may have loaded something.
    loads: list[StepSummary] = field(default_factory=list)
    published: bool = False
    # The newest reviewed week, which is what the published marts show.
    shown_week: str = ""
    # Names of what it published: more than one where the step was repeated.
    releases: list[str] = field(default_factory=list)
    # When it last wrote a line.
    seen_at: datetime | None = None
    # Of a scheduled review: what it waits for, where it does; when it began to hold later files out, and
    # the last load that it reads.
    waits_for: str = ""
    begun_at: datetime | None = None
    through_load_id: int = 0

    @property
    def steps(self) -> dict[str, float | None]:
        """Seconds of the steps that were begun; None for one that did not come to its end."""
        return {
            name: step.seconds if step.status == "done" else None for name, step in self.done_by_step.items()
        }

    @property
    def details(self) -> dict[str, dict[str, Any]]:
        """What the steps that are finished said of themselves."""
        return {name: step.details for name, step in self.done_by_step.items() if step.status == "done"}

    @property
    def state(self) -> str:
        """done, failed, running, waiting; or died, where the process that was at it exists no more."""
        if self.waits_for:
            return "waiting"
        if self.status == "running" and not is_alive(self.process, self.process_birth):
            return "died"
        return self.status

    @property
    def has_failed(self) -> bool:
        """Whether its last process failed, or ended without a word."""
        return self.state in ("failed", "died")

    @property
    def is_review(self) -> bool:
        """Whether it is to do more than load, at once or as a scheduler's later tasks."""
        return "--for-review" in self.command.split() or any(
            step != "load" for step in (*self.asked_steps, *self.done_by_step)
        )

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """What it has brought to an end, of KINDS. A load is part of most reviews."""
        found = {}
        load = self.done_by_step.get("load")
        if load is not None and (state := self.state_of(load)) != "running":
            found["load"] = Outcome(self, load.finished_at or load.started_at, state == "done")
        ended_at = self.finished_at or self.seen_at
        if self.has_failed:
            found["review" if self.is_review else "load"] = Outcome(self, ended_at, False)
        elif self.state == "done" and "publish" in self.details:
            found["review"] = Outcome(self, ended_at, True)
        return found

    @property
    def step_under_way(self) -> StepSummary | None:
        """The step that was begun last and has no end; None between steps."""
        newest = next(reversed(self.done_by_step.values()), None)
        return newest if newest is not None and newest.status == "running" else None

    def rows_of(self, step: StepSummary) -> int | None:
        """Rows that its last try wrote; of load, those of every try: none loads what is loaded already."""
        if step.step != "load" or not self.loads:
            return step.rows
        return sum(load.rows or 0 for load in self.loads)

    def state_of(self, step: StepSummary) -> str:
        """As `state`, of one of its steps."""
        ended_without_a_word = self.status != "running" or not is_alive(step.process, step.process_birth)
        return "died" if step.status == "running" and ended_without_a_word else step.status


def read_runs(path: Path) -> list[RunSummary]:
    """All runs, oldest first. A line that a crash cut off, or that is none of this log, is passed over.

    Raises UnreadableError where whoever asks may not read it.
    """
    runs: dict[str, RunSummary] = {}
    for line in _lines_of(path):
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            _note_line(runs, json.loads(line))
    return list(runs.values())


def _note_line(runs: dict[str, RunSummary], entry: dict[str, Any]) -> None:
    run_id, event, at = entry["run_id"], entry["event"], datetime.fromisoformat(entry["at"])
    if at.tzinfo is None:
        raise ValueError("a time without its zone")
    run = runs.setdefault(run_id, RunSummary(run_id, at, *_process_of(entry)))
    run.seen_at = at
    if entry.get("review_week"):
        run.review_week = date.fromisoformat(entry["review_week"])
    if event == "run_started":
        _start_again(run, entry)
    elif event.startswith("step_"):
        _note_step(run, event, at, entry)
    elif event.startswith("review_"):
        _note_review(run, event, at, entry)
    elif event == "run_finished":
        run.status, run.finished_at = "done", at
    elif event == "run_failed":
        run.status, run.finished_at, run.message = "failed", at, entry["message"]
        run.waits_for = ""
        # One whose settings could not be read has a failure and no start.
        if "steps" in entry:
            _note_what_was_asked(run, entry)
        if entry.get("step"):
            _note_step(run, event, at, entry)
    elif event == "published":
        run.published = True
        run.shown_week = entry.get("shown_week", "")
        run.releases.append(entry["release"])


def _lines_of(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UnreadableError(path, error) from None


def last_outcomes(runs: list[RunSummary]) -> dict[str, Outcome]:
    """How the newest review and the newest load that have an end ended, in the order of KINDS.

    A review counts apart: the loads of every hour between two reviews say nothing of whether one failed.
    """
    newest: dict[str, Outcome] = {}
    for run in runs:
        for kind, outcome in run.outcomes.items():
            if kind not in newest or newest[kind].at <= outcome.at:
                newest[kind] = outcome
    return {kind: newest[kind] for kind in KINDS if kind in newest}


def _start_again(run: RunSummary, entry: dict[str, Any]) -> None:
    """A retried run, and each task of a scheduler's, comes again under the same id."""
    run.status, run.message, run.finished_at, run.waits_for = "running", "", None, ""
    run.process, run.process_birth = _process_of(entry)
    _note_what_was_asked(run, entry)
    run.versions = entry.get("versions", {})
    run.git_commit = entry.get("git_commit")


def _process_of(entry: dict[str, Any]) -> tuple[int, str]:
    return entry.get("process", 0), entry.get("process_birth", "")


def _note_what_was_asked(run: RunSummary, entry: dict[str, Any]) -> None:
    run.command = entry.get("command", "")
    run.asked_steps = tuple(entry.get("steps", ()))


def _note_review(run: RunSummary, event: str, at: datetime, entry: dict[str, Any]) -> None:
    if event == "review_begun":
        run.begun_at, run.through_load_id = at, entry["through_load_id"]
    elif event == "review_waits":
        # Nothing of it is at work until it looks again.
        run.status, run.waits_for = "done", entry["message"]


def _note_step(run: RunSummary, event: str, at: datetime, entry: dict[str, Any]) -> None:
    name, known = entry["step"], run.done_by_step.get(entry["step"])
    # One that was refused at its door has a failure and no start.
    if event == "step_started" or known is None or known.status != "running":
        tries = 1 if known is None else known.tries + 1
        run.done_by_step.pop(name, None)
        run.done_by_step[name] = StepSummary(name, at, *_process_of(entry), tries)
    if event != "step_started":
        run.done_by_step[name].end("done" if event == "step_finished" else "failed", at, entry)
    if event == "step_finished" and name == "load":
        run.loads.append(run.done_by_step[name])


def runs_table(runs: list[RunSummary]) -> pandas.DataFrame:
    """ops.runs: one row per run and step, of its last try."""
    # Imported here: `vitals status` reads the log and needs no DataFrame.
    import pandas

    rows = [
        {
            "run_id": run.run_id,
            "step": step.step,
            "step_number": number,
            "review_week": run.review_week,
            "status": run.state_of(step),
            "started_at": step.started_at.replace(tzinfo=None),
            "finished_at": step.finished_at.replace(tzinfo=None) if step.finished_at else None,
            "seconds": step.seconds,
            "rows": run.rows_of(step),
            "bytes_read": step.bytes_read,
            "bytes_written": step.bytes_written,
            "peak_memory_bytes": step.peak_memory_bytes,
            "tries": step.tries,
            "message": step.message,
            "is_published": run.published,
            "versions": json.dumps(run.versions, sort_keys=True),
            "git_commit": run.git_commit,
        }
        for run in runs
        for number, step in enumerate(run.done_by_step.values(), start=1)
    ]
    return pandas.DataFrame(rows, columns=list(RUNS_COLUMNS)).astype("object")


def _ends_in_a_part(path: Path) -> bool:
    """Whether a full disk, or a crash, cut the last line off: the next one must not be lost with it."""
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:
        return False


def _plain(value: Any) -> Any:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no place in the run log")
