"""The state of a workspace as a Prometheus text file, for the textfile collector of a node exporter.

It is made from the run log after every run, also one that failed, and replaced in one step: a collector
never reads a part. Each family of metrics is described in METRICS and in docs/operations.md.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pipeline.errors import SettingsError, UnreadableError
from pipeline.processes import is_alive
from pipeline.runlog import RunSummary, StepSummary, last_outcomes, read_runs
from pipeline.workspace import Workspace

METRICS = {
    "vitals_build_info": ("gauge", "Always 1; the labels say with what the newest run was made."),
    "vitals_runs_total": ("counter", "Runs by how they ended: done, failed, died."),
    "vitals_run_started_timestamp_seconds": ("gauge", "When the newest run began."),
    "vitals_run_finished_timestamp_seconds": ("gauge", "When the newest run that has an end ended."),
    "vitals_run_succeeded": (
        "gauge",
        "By kind (review, load): 1 where the newest that has an end was done, 0 where it failed or died.",
    ),
    "vitals_published_timestamp_seconds": ("gauge", "When a release was published last."),
    "vitals_published_week_end_timestamp_seconds": (
        "gauge",
        "End of the week that the published tables show, in the time zone of the business.",
    ),
    "vitals_step_duration_seconds": ("gauge", "Time that the step took when it was done last."),
    "vitals_step_rows": ("gauge", "Rows that the step wrote when it was done last."),
    "vitals_step_read_bytes": ("gauge", "Bytes that the step read when it was done last."),
    "vitals_step_written_bytes": ("gauge", "Bytes that the step wrote when it was done last."),
    "vitals_step_peak_memory_bytes": ("gauge", "The most memory of the process while the step ran."),
    "vitals_events_loaded_total": (
        "counter",
        "Events loaded, also where landing was read anew.",
    ),
    "vitals_rows_duplicate_total": ("counter", "Rows of landing that repeated an event."),
    "vitals_rows_rejected_total": ("counter", "Rows of landing that could not be read."),
    "vitals_events_late_total": ("counter", "Events received after the lateness limit."),
}


@dataclass(frozen=True)
class Sample:
    """One value of a family of METRICS; labels beside that of the workspace."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


def metrics_file(workspace: Workspace) -> Path:
    """A folder of its own: a collector is pointed at folders."""
    return workspace.data / "metrics" / "vitals.prom"


def write_metrics(workspace: Workspace) -> None:
    """Bring the file up to date. A file that cannot be written spoils no run: its age tells."""
    path = metrics_file(workspace)
    # The process in its name: two runs that end at once do not meet in one part.
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with suppress(OSError, UnreadableError):
        text = metrics_text(workspace.name, samples_of(read_runs(workspace.run_log), workspace))
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_parts_of_the_dead(path)
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def samples_of(runs: list[RunSummary], workspace: Workspace) -> list[Sample]:
    """What the run log says, as numbers; what it does not say is left out rather than made 0."""
    if not runs:
        return []
    newest = runs[-1]
    samples = [
        Sample("vitals_build_info", 1, _build_labels(newest)),
        *(
            Sample("vitals_runs_total", count, (("status", state),))
            for state, count in sorted(Counter(run.state for run in runs).items())
            if state not in ("running", "waiting")
        ),
        Sample("vitals_run_started_timestamp_seconds", newest.started_at.timestamp()),
    ]
    # One that waits for its week has loaded and no more.
    ended = [run for run in runs if run.finished_at is not None and run.state != "waiting"]
    if ended:
        last = max(ended, key=lambda run: run.finished_at)
        samples.append(Sample("vitals_run_finished_timestamp_seconds", last.finished_at.timestamp()))
    samples += [
        Sample("vitals_run_succeeded", float(outcome.is_done), (("kind", kind),))
        for kind, outcome in last_outcomes(runs).items()
    ]
    samples += _of_publication(runs, workspace)
    newest_steps = {
        step.step: step for run in runs for step in run.done_by_step.values() if step.status == "done"
    }
    for step in newest_steps.values():
        samples += _of_step(step)
    return samples + _of_loads(runs)


def metrics_text(workspace_name: str, samples: Iterable[Sample]) -> str:
    """The samples in the text format of Prometheus, families in the order of METRICS."""
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample.name, []).append(sample)
    lines = []
    for name, (kind, meaning) in METRICS.items():
        found = by_name.get(name, [])
        if found:
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
        for sample in found:
            labels = (("workspace", workspace_name), *sample.labels)
            pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
            lines.append(f"{name}{{{pairs}}} {sample.value!r}")
    return "".join(f"{line}\n" for line in lines)


def _build_labels(run: RunSummary) -> tuple[tuple[str, str], ...]:
    labels = {name.replace("-", "_"): version for name, version in sorted(run.versions.items())}
    return tuple((labels | {"commit": run.git_commit or ""}).items())


def _of_publication(runs: list[RunSummary], workspace: Workspace) -> list[Sample]:
    published = [run for run in runs if run.published and "publish" in run.done_by_step]
    if not published:
        return []
    newest = max(published, key=lambda run: run.done_by_step["publish"].started_at)
    step = newest.done_by_step["publish"]
    samples = [
        Sample("vitals_published_timestamp_seconds", (step.finished_at or step.started_at).timestamp())
    ]
    if newest.shown_week:
        end = date.fromisoformat(newest.shown_week) + timedelta(days=7)
        # Where review.toml cannot be read, nobody knows the time zone; the run has failed of it.
        with suppress(SettingsError):
            midnight = datetime.combine(end, time(), tzinfo=ZoneInfo(workspace.settings.time_zone))
            samples.append(
                Sample("vitals_published_week_end_timestamp_seconds", midnight.astimezone(UTC).timestamp())
            )
    return samples


def _of_step(step: StepSummary) -> list[Sample]:
    values = {
        "vitals_step_duration_seconds": step.seconds,
        "vitals_step_rows": step.rows,
        "vitals_step_read_bytes": step.bytes_read,
        "vitals_step_written_bytes": step.bytes_written,
        "vitals_step_peak_memory_bytes": step.peak_memory_bytes,
    }
    labels = (("step", step.step),)
    return [Sample(name, value, labels) for name, value in values.items() if value is not None]


def _of_loads(runs: list[RunSummary]) -> list[Sample]:
    loads = [load for run in runs for load in run.loads]
    return [
        Sample(f"vitals_{name}_total", sum(int(load.details.get(name, 0)) for load in loads))
        for name in ("events_loaded", "rows_duplicate", "rows_rejected", "events_late")
    ]


def _remove_parts_of_the_dead(path: Path) -> None:
    """What a killed process had half written; its id is in the name."""
    for part in path.parent.glob(f".{path.name}.*.part"):
        if not is_alive(int(part.name.split(".")[-2])):
            part.unlink(missing_ok=True)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
