"""Days of 23 and 25 hours, and zones with odd offsets: days and weeks are local, durations are real."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.proofs.by_hand import HandMade, hand_made
from tests.proofs.compiled_models import CompiledModels


def sessions(world: HandMade) -> list[tuple]:
    return world.rows(
        "select start_date, events, session_seconds / 60 from intermediate.sessions order by started_at"
    )


def test_a_visit_over_the_hour_that_is_left_out(models: CompiledModels, tmp_path: Path) -> None:
    """In Berlin 03:00 follows on 01:59:59 on 30 March: 01:50 and 03:10 are 20 minutes apart."""
    with hand_made(models, tmp_path) as world:
        for at in ("30T00:00", "30T01:50", "30T03:10", "30T23:59:59.999", "31T00:00"):
            world.tell(f"2025-03-{at}", "task_completed")
        world.build(date(2025, 3, 31))
        # The last moment of the Sunday and the first of the Monday are one visit.
        assert sessions(world) == [
            (date(2025, 3, 30), 1, 0.0),
            (date(2025, 3, 30), 2, 20.0),
            (date(2025, 3, 30), 2, pytest.approx(0.001 / 60)),
        ]
        columns = "activities_7d, active_days_7d, sessions_7d, days_since_last_activity"
        assert world.week(date(2025, 3, 24), columns) == [(4, 1, 3, 1)]
        assert world.week(date(2025, 3, 31), columns) == [(1, 1, 0, 7)]


def test_a_visit_over_the_hour_that_comes_twice(models: CompiledModels, tmp_path: Path) -> None:
    """On 26 October 02:30 comes twice, an hour apart: equal on the clock, and no longer one visit."""
    with hand_made(models, tmp_path) as world:
        world.tell("2025-10-26T02:30+02:00", "task_completed")
        world.tell("2025-10-26T02:50+02:00", "task_completed")
        world.tell(
            "2025-10-26T02:10+01:00", "task_completed"
        )  # 20 minutes later, though the clock shows less
        world.tell("2025-10-26T02:41+01:00", "task_completed")  # 31 minutes later
        # A day of 25 hours: 24 hours after 00:30 the same day still goes on.
        world.tell("2025-10-26T23:30+01:00", "task_completed")
        world.tell("2025-10-27T00:00+01:00", "task_completed")
        world.build(date(2025, 10, 27))
        assert sessions(world) == [
            (date(2025, 10, 26), 3, 40.0),
            (date(2025, 10, 26), 1, 0.0),
            (date(2025, 10, 26), 2, 30.0),
        ]
        columns = "activities_7d, active_days_7d, sessions_7d, session_minutes_28d, tenure_days"
        assert world.week(date(2025, 10, 20), columns) == [(5, 1, 3, 40.0, 1)]
        assert world.week(date(2025, 10, 27), columns) == [(1, 1, 0, 70.0, 8)]


@pytest.mark.parametrize(("first", "hours_of_sunday"), [("2025-03-29T20:00", 23), ("2025-10-25T20:00", 25)])
def test_a_script_over_a_change_is_divided_after_24_real_hours(
    models: CompiledModels, tmp_path: Path, first: str, hours_of_sunday: int
) -> None:
    """An event every half hour for 30 hours: 48 of them in the first session, whatever the clock shows."""
    start = datetime.fromisoformat(first).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    with hand_made(models, tmp_path) as world:
        for number in range(61):
            moment = (start.astimezone(ZoneInfo("UTC")) + number * timedelta(minutes=30)).isoformat()
            world.tell(moment, "task_completed")
        world.build(start.date())
        assert [events for _, events, _ in sessions(world)] == [48, 13]
        days = dict(world.rows("select local_date, activities from intermediate.customer_days"))
        assert days[start.date()] == 8  # 20:00 to 23:30
        assert days[start.date() + timedelta(days=1)] == 2 * hours_of_sunday
        assert sum(days.values()) == 61


@pytest.mark.parametrize(
    ("zone", "ends_at"),
    [
        ("Europe/Berlin", "2025-03-30T22:00Z"),  # the clocks went forward that morning
        ("Europe/Berlin", "2025-10-26T23:00Z"),
        ("America/Los_Angeles", "2025-03-10T07:00Z"),
        ("America/Los_Angeles", "2025-11-03T08:00Z"),
        ("Australia/Lord_Howe", "2025-04-06T13:30Z"),  # half an hour back
        ("Australia/Lord_Howe", "2025-10-05T13:00Z"),
        ("America/Santiago", "2025-04-07T04:00Z"),
        ("America/Santiago", "2025-09-08T03:00Z"),
        ("Asia/Kathmandu", "2025-05-04T18:15Z"),
        ("UTC", "2025-06-02T00:00Z"),
    ],
)
def test_a_week_ends_at_local_midnight(
    models: CompiledModels, tmp_path: Path, zone: str, ends_at: str
) -> None:
    """The last millisecond of Sunday belongs to the week, the first moment of Monday does not."""
    end = datetime.fromisoformat(ends_at)
    monday = end.astimezone(ZoneInfo(zone)).date()
    week = monday - timedelta(weeks=1)
    with hand_made(models, tmp_path, zone) as world:
        for number, moment in enumerate((end - timedelta(milliseconds=1), end)):
            world.tell(moment.isoformat(), "task_completed", f"customer{number}")
        world.build(monday)
        assert world.week(week, "customer_id, tenure_days") == [("customer0", 1)]
        expected = [("customer0", 8, 0), ("customer1", 7, 1)]
        assert world.week(monday, "customer_id, tenure_days, activities_7d") == expected


def test_a_sunday_without_a_midnight(models: CompiledModels, tmp_path: Path) -> None:
    """In Santiago 7 September 2025 begins at 01:00: a second divides two days, and one visit spans them."""
    with hand_made(models, tmp_path, "America/Santiago") as world:
        world.tell("2025-09-06T23:59:59-04:00", "task_completed")
        world.tell("2025-09-07T01:00:00-03:00", "task_completed")
        world.build(date(2025, 9, 1))
        assert sessions(world) == [(date(2025, 9, 6), 2, pytest.approx(1 / 60))]
        days = world.rows("select local_date from intermediate.customer_days order by all")
        assert days == [(date(2025, 9, 6),), (date(2025, 9, 7),)]
        assert world.week(date(2025, 9, 1), "active_days_7d, sessions_7d") == [(2, 1)]


def test_hours_of_sending_are_those_on_the_wall(models: CompiledModels, tmp_path: Path) -> None:
    """08:30 in winter and in summer are the same hour of the day, though not in UTC."""
    with hand_made(models, tmp_path) as world:
        for number, day in enumerate(("2025-03-28", "2025-03-31", "2025-04-01")):
            world.tell(f"{day}T08:30", "message_sent", message_id=f"m{number}", message_channel="email")
            world.tell(f"{day}T09:30", "message_opened", message_id=f"m{number}", message_channel="email")
        # Sent on the eve of the change: answered six hours later, though the clock shows seven.
        world.tell("2025-03-29T23:00", "message_sent", message_id="m9", message_channel="sms")
        world.tell("2025-03-30T06:00", "message_opened", message_id="m9", message_channel="sms")
        world.build(date(2025, 3, 31))
        assert world.week(date(2025, 3, 31), "preferred_send_hour_local") == [(8,)]
        longest = world.rows("select max(response_microseconds) / 3600000000 from intermediate.messages")
        assert longest == [(6.0,)]
