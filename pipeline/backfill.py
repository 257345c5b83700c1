"""Week after week: what `vitals run --week` does for each, resumable after whatever ended it.

A week that stands published, with the events, settings and models of now, is passed over; so a backfill that
was stopped or killed goes on where it ended when it is called again.
"""

from __future__ import annotations

import time
from datetime import date

from pipeline.builtwith import published_with
from pipeline.display import Screen, say
from pipeline.errors import UsageError, VitalsError
from pipeline.review import STEPS, Review, choose_run_id, run_review
from pipeline.runlog import RunLog
from pipeline.weeks import weeks_between
from pipeline.workspace import Workspace


def run_backfill(workspace: Workspace, first: date, last: date, screen: Screen) -> tuple[date, ...]:
    """Load once, then review the weeks from one Monday to another; the Mondays that were reviewed now.

    Raises UsageError, before any week is touched, where the weeks are no span of the data; VitalsError where
    a week fails: those before it stay published, those after it are left as they were.
    """
    if first > last:
        raise UsageError(
            f"--from is in the week of {first}, which comes after that of --to, {last}; give them in order."
        )
    run_id = choose_run_id()
    run_review(workspace, ("load",), None, screen, run_id=run_id)
    weeks, standing = _weeks_and_those_that_stand(workspace, first, last, run_id)
    if standing:
        text = f"{_counted(len(standing))} already published and still valid: {_listed(standing)}"
        say(screen, "backfill", text)
    reviewed: list[date] = []
    for number, week in enumerate(weeks, start=1):
        if week in standing:
            continue
        started = time.monotonic()
        try:
            review = run_review(
                workspace, STEPS[1:], week, screen, run_id=f"{run_id}-{week}", steps_in_lines=False
            )
        except VitalsError as error:
            error.args = (
                f"week {number} of {len(weeks)}, {week}: {error} What was published before it stands; "
                "the same `vitals backfill` goes on with this week.",
            )
            raise
        reviewed.append(week)
        done = review.details
        say(
            screen,
            "backfill",
            f"{time.monotonic() - started:6.1f} s  week of {week} ({number} of {len(weeks)}): "
            f"{done['features']['customers']:,} customers, {done['marts']['interventions']:,} on lists, "
            f"release {done['publish']['release']}",
        )
    return tuple(reviewed)


def _weeks_and_those_that_stand(
    workspace: Workspace, first: date, last: date, run_id: str
) -> tuple[tuple[date, ...], tuple[date, ...]]:
    """All weeks of the span, and those of them whose publication the present state would only repeat."""
    review = Review(workspace, None, run_id, RunLog(workspace.run_log, run_id))
    try:
        weeks = weeks_between(review.warehouse, review.settings, first, last)
        return weeks, weeks_that_stand(review, weeks)
    finally:
        review.warehouse.close()


def weeks_that_stand(review: Review, weeks: tuple[date, ...]) -> tuple[date, ...]:
    """Those of some weeks that are published with the events, settings and models of now."""
    if not review.workspace.published_database.is_file():
        return ()
    # New events empty ops.finished_steps; other settings make another hash.
    standing = review.warehouse.rows(
        """
        select review_week
        from ops.finished_steps
        inner join ops.published_with using (review_week)
        where step = 'publish' and settings_hash = ? and list_contains(?, review_week)
        order by review_week
        """,
        [published_with(review), list(weeks)],
    )
    return tuple(week for (week,) in standing)


def _counted(weeks: int) -> str:
    return "1 week is" if weeks == 1 else f"{weeks} weeks are"


def _listed(weeks: tuple[date, ...]) -> str:
    if len(weeks) <= 3:
        return ", ".join(map(str, weeks))
    return f"{weeks[0]} … {weeks[-1]}"
