"""Whether the data of a week has come: judged by how far each source came in the weeks before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from pipeline.settings import Settings
from pipeline.warehouse import Warehouse
from pipeline.weeks import WEEK, week_bounds

# A source that brought events in each of so many weeks before is waited for.
WEEKS_COMPARED = 4
# Nights differ: so much earlier than in the weeks before the last event of a week may be.
SLACK = timedelta(hours=3)


@dataclass(frozen=True)
class Completeness:
    """What is known of a week; `lacking` says in words what has not come, a source each."""

    review_week: date
    deadline: datetime
    lacking: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        return not self.lacking

    @property
    def is_past_deadline(self) -> bool:
        return datetime.now(UTC) >= self.deadline

    def in_words(self) -> str:
        """One sentence: complete, waiting until when, or gone on without what is lacking."""
        week = f"the data of the week of {self.review_week} is"
        if self.is_complete:
            return f"{week} complete."
        until = f"{self.deadline:%Y-%m-%d %H:%M} ({self.deadline.tzinfo})"
        missing = "; ".join(self.lacking)
        if self.is_past_deadline:
            return f"{week} not complete, and the deadline has passed ({until}): {missing}."
        return f"{week} not complete: {missing}. It is waited for until {until}."


def has_begun(review_week: date, settings: Settings) -> bool:
    """Whether the week has come, in business time. One that has not is an error of whoever asks for it."""
    return datetime.now(ZoneInfo(settings.time_zone)).date() >= review_week


def deadline_of(review_week: date, settings: Settings) -> datetime:
    """Until when the data of a week is waited for, in business time."""
    _, ends_at = week_bounds(review_week, settings.time_zone)
    moment = ends_at.replace(tzinfo=UTC) + timedelta(hours=settings.waiting.hours_after_the_week)
    return moment.astimezone(ZoneInfo(settings.time_zone))


def judge_completeness(warehouse: Warehouse, settings: Settings, review_week: date) -> Completeness:
    """A week is complete when each regular source came as far into it as in the weeks before, or beyond it.

    Regular is a source that brought events in each of the four weeks before. Where none is, a week is
    complete once its Sunday has an event, or something came after it. Late events (beyond the lateness
    limit) say nothing of how far a source came.
    """
    starts_at, ends_at = week_bounds(review_week, settings.time_zone)
    sources = warehouse.rows(
        """
        select source, max(occurred_at) from raw.events
        where not is_late and occurred_at >= ? group by source
        """,
        [week_bounds(review_week - WEEKS_COMPARED * WEEK, settings.time_zone)[0]],
    )
    last_of_weeks = [
        dict(
            warehouse.rows(
                """
                select source, max(occurred_at) from raw.events
                where not is_late and occurred_at >= ? and occurred_at < ? group by source
                """,
                list(week_bounds(review_week - number * WEEK, settings.time_zone)),
            )
        )
        for number in range(WEEKS_COMPARED + 1)
    ]
    zone = ZoneInfo(settings.time_zone)
    lacking = []
    regular = [source for source, _ in sources if all(source in week for week in last_of_weeks[1:])]
    for source in sorted(regular):
        if dict(sources)[source] >= ends_at:
            continue
        usual = starts_at + min(
            week[source] - week_bounds(review_week - number * WEEK, settings.time_zone)[0]
            for number, week in enumerate(last_of_weeks[1:], start=1)
        )
        came_to = last_of_weeks[0].get(source)
        if came_to is None or came_to < usual - SLACK:
            until = _local(came_to, zone) if came_to else "nothing of it"
            lacking.append(
                f"{source} has come to {until}, in the {WEEKS_COMPARED} weeks before it came at least to "
                f"{usual.replace(tzinfo=UTC).astimezone(zone):%A %H:%M}"
            )
    if not regular and not any(last >= ends_at - timedelta(days=1) for _, last in sources):
        lacking.append("its Sunday has no event yet")
    return Completeness(review_week, deadline_of(review_week, settings), tuple(lacking))


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.replace(tzinfo=UTC).astimezone(zone):%Y-%m-%d %H:%M}"
