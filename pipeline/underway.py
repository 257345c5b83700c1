"""The review under way: which events it reads, and who has to wait until it is published.

A scheduler runs the steps of a review as processes of their own, and others can come between them. So a
review that is begun with `vitals load --for-review` is noted in the build database with its watermark, the
last load that it reads. While it is under way, files that land later stay in landing, and no other review
begins: no step finds other events or another candidate than the step before it left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from pipeline.runlog import RunSummary, read_runs
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.warehouse import Warehouse

# A review that gave no sign of life for so long is given up: files are loaded again, others may begin.
GIVEN_UP_AFTER = timedelta(hours=6)


@dataclass(frozen=True)
class ReviewUnderWay:
    """A review that is begun and not yet published."""

    run_id: str
    review_week: date
    through_load_id: int
    begun_at: datetime
    seen_at: datetime
    has_failed: bool

    def in_words(self) -> str:
        state = "failed in a step and may be repeated" if self.has_failed else "is under way"
        return (
            f"the review {self.run_id} of the week of {self.review_week} {state} "
            f"(begun {self.begun_at:%Y-%m-%d %H:%M} UTC, last seen {self.seen_at:%H:%M} UTC)"
        )


def find_review_under_way(warehouse: Warehouse, workspace: Workspace) -> ReviewUnderWay | None:
    """The review that holds later files out; None where there is none, or it was given up."""
    rows = warehouse.rows(
        "select run_id, review_week, through_load_id, begun_at, seen_at from ops.review_under_way"
    )
    if not rows:
        return None
    run_id, review_week, through_load_id, begun_at, seen_at = rows[0]
    # Also a clock that was set back must not hold files out for ever.
    if abs(_now() - seen_at) > GIVEN_UP_AFTER:
        return None
    return ReviewUnderWay(
        run_id, review_week, through_load_id, begun_at, seen_at, _has_failed(workspace, run_id)
    )


def review_under_way_by_log(runs: list[RunSummary]) -> ReviewUnderWay | None:
    """The same as the run log has it, for whoever must not open the build database."""
    begun = [run for run in runs if run.begun_at is not None]
    if not begun:
        return None
    run = max(begun, key=lambda each: each.begun_at)
    publish = run.done_by_step.get("publish")
    is_published = publish is not None and publish.status == "done" and publish.started_at > run.begun_at
    # Another run builds only after this one has failed and given way.
    has_given_way = any(
        step.step != "load" and step.started_at > run.begun_at
        for other in runs
        if other is not run
        for step in other.done_by_step.values()
    )
    is_given_up = abs(datetime.now(UTC) - run.seen_at) > GIVEN_UP_AFTER
    if is_published or has_given_way or is_given_up:
        return None
    return ReviewUnderWay(
        run.run_id, run.review_week, run.through_load_id, run.begun_at, run.seen_at, run.has_failed
    )


def note_review_under_way(warehouse: Warehouse, run_id: str, review_week: date) -> int:
    """Begin a review with what is loaded now; its watermark."""
    through = warehouse.value("select coalesce(max(load_id), 0) from raw.loads")
    with warehouse.transaction():
        warehouse.run("delete from ops.review_under_way")
        warehouse.run(
            "insert into ops.review_under_way values (?, ?, ?, ?, ?)",
            [run_id, review_week, through, _now(), _now()],
        )
    return through


def note_sign_of_life(warehouse: Warehouse, run_id: str) -> None:
    """Say that a review is still at work. No other is touched."""
    warehouse.run("update ops.review_under_way set seen_at = ? where run_id = ?", [_now(), run_id])


def end_review_under_way(warehouse: Warehouse, run_id: str) -> None:
    """A review is published, or another takes its place: later files may be loaded."""
    warehouse.run("delete from ops.review_under_way where run_id = ?", [run_id])


def _has_failed(workspace: Workspace, run_id: str) -> bool:
    """Whether the last process of a run failed, or ended without a word."""
    run = next((run for run in read_runs(workspace.run_log) if run.run_id == run_id), None)
    return run is not None and run.has_failed


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
