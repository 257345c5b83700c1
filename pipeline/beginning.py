"""Begin a review that a scheduler runs step by step: load, wait for the week, pin what it reads.

What comes of it is told by the exit code as well: 0, the review has begun; 75, not yet, call again later; 99,
nothing to do, the week stands published with the events, settings and models of now.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime

from pipeline.backfill import weeks_that_stand
from pipeline.completeness import deadline_of, has_begun, judge_completeness
from pipeline.display import Screen, say
from pipeline.errors import NothingToDoError, NotYetError, UsageError
from pipeline.review import (
    RUN_ID_VARIABLE,
    Review,
    check_what_is_given,
    choose_run_id,
    failures_noted,
    run_review,
)
from pipeline.runlog import RunLog
from pipeline.underway import find_review_under_way, note_review_under_way
from pipeline.workspace import Workspace


def begin_review(workspace: Workspace, asked_week: date | None, screen: Screen, *, again: bool) -> date:
    """Load, and note the review of the week as under way; its Monday. `again`: also of one that stands.

    Raises NotYetError while another review is under way or the data of the week is waited for,
    NothingToDoError where the week stands published, UsageError where it has not begun yet.
    """
    if not os.environ.get(RUN_ID_VARIABLE):
        raise UsageError(
            f"--for-review needs {RUN_ID_VARIABLE}, by which the steps of one review are known: "
            f"{RUN_ID_VARIABLE}=monday vitals load --for-review, and the same for the steps after it."
        )
    run_id = choose_run_id()
    check_what_is_given(_review(workspace, asked_week, run_id), ("load",))
    try:
        return _begin(workspace, asked_week, run_id, screen, again=again)
    except NotYetError as error:
        # For `vitals status`; a disk that is full keeps nobody from waiting.
        with suppress(OSError):
            RunLog(workspace.run_log, run_id).write(
                "review_waits", review_week=asked_week, message=str(error)
            )
        raise


def _begin(
    workspace: Workspace, asked_week: date | None, run_id: str, screen: Screen, *, again: bool
) -> date:
    with _opened(workspace, asked_week, run_id) as review:
        other = find_review_under_way(review.warehouse, workspace)
        if other is not None and other.run_id != run_id and not other.has_failed:
            raise NotYetError(f"{other.in_words()}; this one waits until it is published.")
        # Where this one is repeated, or takes the place of one that failed, it reads what has landed since.
        review.warehouse.run("delete from ops.review_under_way")
    run_review(workspace, ("load",), asked_week, screen, run_id=run_id)
    with _opened(workspace, asked_week, run_id) as review:
        try:
            week = review.review_week
        except UsageError as error:
            if asked_week is None or not has_begun(asked_week, review.settings):
                raise
            deadline = deadline_of(asked_week, review.settings)
            if datetime.now(UTC) >= deadline:
                raise
            raise NotYetError(f"{error} It is waited for until {deadline:%Y-%m-%d %H:%M %Z}.") from None
        if not again and weeks_that_stand(review, (week,)):
            raise NothingToDoError(
                f"the week of {week} stands published with the events, settings and models of now "
                f"({workspace.current_release.resolve().name} is the last release); nothing is published "
                "twice. `vitals run` reviews it once more all the same."
            )
        found = judge_completeness(review.warehouse, review.settings, week)
        if not found.is_complete and not found.is_past_deadline:
            if not has_begun(week, review.settings):
                raise UsageError(
                    f"the week of {week} has not begun yet, and its data is not complete: "
                    f"{'; '.join(found.lacking)}. Give --week a day that has been, or leave it out."
                )
            raise NotYetError(found.in_words())
        through = note_review_under_way(review.warehouse, run_id, week)
        review.log.write(
            "review_begun",
            review_week=week,
            through_load_id=through,
            is_complete=found.is_complete,
            message=found.in_words(),
        )
    goes_on = "" if found.is_complete else " The review goes on with what there is."
    say(
        screen,
        "review",
        f"{found.in_words()}{goes_on} It reads the {through:,} files loaded until now; what lands later is "
        "loaded once it is published.",
    )
    return week


@contextmanager
def _opened(workspace: Workspace, asked_week: date | None, run_id: str) -> Iterator[Review]:
    review = _review(workspace, asked_week, run_id)
    with failures_noted(review), review.shortages_in_words("load"):
        yield review


def _review(workspace: Workspace, asked_week: date | None, run_id: str) -> Review:
    return Review(workspace, asked_week, run_id, RunLog(workspace.run_log, run_id))
