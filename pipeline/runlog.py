"""The run log: append-only JSON lines beside the build database.

It can be read while the database is locked and after a crash; `vitals status` and ops.runs come from it.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.processes import is_alive

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class RunLog:
    """Writes what one run does, a line at a time."""

    path: Path
    run_id: str

    def write(self, event: str, **details: Any) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "run_id": self.run_id,
            "event": event,
            "process": os.getpid(),
            **details,
        }
        # One write of one line: lines of two processes do not mix.
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=_plain) + "\n")

    def write_failure(self, message: str) -> None:
        """Note why the run failed, where there is still room to: the reason itself is said in any case."""
        with suppress(OSError):
            self.write("run_failed", message=message)


@dataclass
class RunSummary:
    """What the log says of one run."""

    run_id: str
    started_at: datetime
    process: int
    review_week: date | None = None
    finished_at: datetime | None = None
    # running, done, failed; whether a running one is still alive is for the reader to see.
    status: str = "running"
    message: str = ""
    steps: dict[str, float | None] = field(default_factory=dict)
    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    published: bool = False
    # The newest reviewed week, which is what the published marts show.
    shown_week: str = ""
    # Names of what it published: more than one where the step was repeated.
    releases: list[str] = field(default_factory=list)

    def is_alive(self) -> bool:
        """Whether the process that wrote the run still exists on this machine."""
        return is_alive(self.process)


def read_runs(path: Path) -> list[RunSummary]:
    """All runs, oldest first. A line that a crash cut off is passed over."""
    runs: dict[str, RunSummary] = {}
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            entry = json.loads(line)
            run_id, event, at = entry["run_id"], entry["event"], datetime.fromisoformat(entry["at"])
        except (ValueError, KeyError, TypeError):
            continue
        run = runs.setdefault(run_id, RunSummary(run_id, at, entry.get("process", 0)))
        # A retried run of the same id starts over.
        if event == "run_started":
            run.status, run.message, run.finished_at = "running", "", None
            run.process = entry.get("process", 0)
        if entry.get("review_week"):
            run.review_week = date.fromisoformat(entry["review_week"])
        if event == "step_started":
            run.steps[entry["step"]] = None
        elif event == "step_finished":
            run.steps[entry["step"]] = entry["seconds"]
            run.details[entry["step"]] = entry.get("details", {})
        elif event == "run_finished":
            run.status, run.finished_at = "done", at
        elif event == "run_failed":
            run.status, run.finished_at, run.message = "failed", at, entry["message"]
        elif event == "published":
            run.published = True
            run.shown_week = entry.get("shown_week", "")
            run.releases.append(entry["release"])
    return list(runs.values())


def runs_table(runs: list[RunSummary]) -> pandas.DataFrame:
    """ops.runs: one row per run."""
    # Imported here: `vitals status` reads the log and needs no DataFrame.
    import pandas

    return pandas.DataFrame(
        {
            "run_id": [run.run_id for run in runs],
            "review_week": pandas.Series([run.review_week for run in runs], dtype="object"),
            "status": [run.status for run in runs],
            "started_at": pandas.to_datetime([run.started_at.replace(tzinfo=None) for run in runs]).astype(
                "datetime64[us]"
            ),
            "finished_at": pandas.to_datetime(
                pandas.Series(
                    [run.finished_at.replace(tzinfo=None) if run.finished_at else None for run in runs],
                    dtype="object",
                )
            ).astype("datetime64[us]"),
            "seconds": [float(sum(seconds or 0 for seconds in run.steps.values())) for run in runs],
            "steps": [",".join(run.steps) for run in runs],
            "message": [run.message for run in runs],
            "is_published": [run.published for run in runs],
        }
    )


def _plain(value: Any) -> Any:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no place in the run log")
