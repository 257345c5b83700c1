"""Hand-made portions, reviewed as they come: what is left out of a run must not have changed.

Each is built in portions, with a review after each, and once from all files together; all tables are equal.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.proofs.comparisons import differences, told_briefly
from tests.proofs.compiled_models import CompiledModels
from tests.proofs.histories import new_history
from tests.proofs.worlds import Business, in_json

FIRST_WEEK = date(2025, 6, 2)
WEEKS = tuple(FIRST_WEEK + timedelta(weeks=number) for number in range(4))


def event(
    at: str,
    *,
    user: str | None = None,
    device: str | None = None,
    account: str | None = None,
    kind: str = "track",
    key: str | None = None,
    received: str | None = None,
    **properties: Any,
) -> str:
    """A line of JSON; times in UTC. Its id is `key`, else made of all that it says."""
    occurred = datetime.fromisoformat(at).replace(tzinfo=UTC)
    arrived = datetime.fromisoformat(received).replace(tzinfo=UTC) if received else occurred
    said = {
        "messageId": key or f"{at} {user} {device} {account} {kind}",
        "type": kind,
        "event": "task_completed" if kind == "track" else kind,
        "userId": user,
        "anonymousId": device,
        "timestamp": in_json(occurred),
        "receivedAt": in_json(arrived),
        "context": {"groupId": account} if account else {},
        "properties": properties,
    }
    return json.dumps({name: value for name, value in said.items() if value is not None})


@dataclass(frozen=True)
class Portion:
    """Lines of a file, the week reviewed with them, and the model after which that review is killed."""

    lines: Sequence[str]
    week: date
    killed_after: str | None = None


@dataclass(frozen=True)
class Case:
    """Portions of a small business; `settings` are keys of review.toml."""

    portions: Sequence[Portion]
    customer: str = "account"
    zone: str = "UTC"
    settings: dict[str, str] = field(default_factory=dict)


def _link_that_comes_and_goes(*, first_with_device: bool, killed_after: str) -> Case:
    """An event that names a device, or does not, is replaced twice by one received earlier."""
    device, none = ("d", None) if not first_with_device else (None, "d")
    at, before = (
        "2025-06-17T12:00",
        [
            event("2025-06-03T12:00", device="d"),
            event("2025-06-03T13:00", user="c"),
            event("2025-06-10T12:00", user="c"),
        ],
    )

    def naming(what: str | None, minute: int) -> str:
        return event(at, user="c", device=what, key="x", received=f"2025-06-17T12:{minute:02}")

    return Case(
        (
            Portion([*before, naming(none, 5)], WEEKS[2]),
            Portion([naming(device, 4)], WEEKS[2], killed_after),
            Portion([naming(none, 3)], WEEKS[2]),
        ),
        customer="user",
    )


CASES = {
    "a link that an unfinished build had applied is taken back": _link_that_comes_and_goes(
        first_with_device=False, killed_after="session_days"
    ),
    "a link that an unfinished build had taken back holds again": _link_that_comes_and_goes(
        first_with_device=True, killed_after="customer_days"
    ),
    "a session of a shared device goes on over Monday": Case(
        (
            Portion(
                [
                    event("2025-06-08T23:00", user="u", device="d", account="A"),
                    event("2025-06-08T23:29", user="u", device="d", account="B"),
                    event("2025-06-08T23:58", user="u", device="d", account="B"),
                ],
                WEEKS[0],
            ),
            Portion(
                [
                    event("2025-06-09T00:20", user="u", device="d", account="A"),
                    event("2025-06-09T00:30", user="u", device="d", account="A"),
                ],
                WEEKS[1],
            ),
        )
    ),
    "the Sunday of a session comes to another customer": Case(
        (
            Portion(
                [
                    event("2025-06-15T23:50", user="u"),
                    event("2025-06-16T00:10", user="u", account="A"),
                    event("2025-06-16T00:15", user="u", account="A"),
                    event("2025-06-10T00:15", user="z", account="A"),
                ],
                WEEKS[2],
            ),
            Portion([event("2025-06-03T12:00", user="u", account="B")], WEEKS[2]),
        )
    ),
    "what held a session together over Monday is replaced": Case(
        (
            Portion(
                [
                    event("2025-06-08T23:30", user="u", account="A"),
                    event("2025-06-08T23:55", user="u", account="A", key="x", received="2025-06-08T23:56"),
                    event("2025-06-09T00:10", user="u", account="A"),
                    event("2025-06-16T12:00", user="u", account="A"),
                ],
                WEEKS[2],
            ),
            Portion(
                [event("2025-06-08T10:00", user="u", account="A", key="x", received="2025-06-08T10:00")],
                WEEKS[2],
                "int_activities",
            ),
        )
    ),
    "a pause may be longer than a session": Case(
        (
            Portion(
                [
                    event("2025-06-08T20:00", user="u", account="A"),
                    event("2025-06-08T20:30", user="u", account="A"),
                    event("2025-06-10T20:30", user="u", account="A"),
                ],
                WEEKS[1],
            ),
            Portion(
                [
                    event("2025-06-09T00:10", user="u", account="A"),
                    event("2025-06-09T02:40", user="u", account="A"),
                ],
                WEEKS[1],
            ),
        ),
        settings={"timeout_minutes": "600", "cap_hours": "1"},
    ),
    "an alias speaks of a user who comes later": Case(
        (
            Portion(
                [
                    event("2025-06-03T10:00", kind="alias", user="u", previous_id="p"),
                    event("2025-06-03T11:00", user="q"),
                    event("2025-06-10T11:00", kind="alias", user="u", previous_id="q"),
                    event("2025-06-11T11:00", user="q"),
                    event("2025-06-12T11:00", user="u"),
                ],
                WEEKS[1],
            ),
            Portion([event("2025-06-17T12:00", user="p")], WEEKS[2]),
        ),
        customer="user",
        settings={"ids_merged_per_customer_at_most": "1"},
    ),
    "a customer and a week vanish": Case(
        (
            Portion(
                [
                    event("2025-06-03T10:00", user="a", account="A"),
                    event("2025-06-22T23:00", user="b", account="B", key="x", received="2025-06-22T23:30"),
                ],
                WEEKS[2],
            ),
            Portion(
                [event("2025-06-22T23:00", user="a", account="A", key="x", received="2025-06-22T23:10")],
                WEEKS[2],
            ),
        )
    ),
    # Vancouver stays on summer time from November 2026 on, which older time zone tables do not know.
    "time zones are of one year": Case(
        (
            Portion(
                [
                    event("2026-11-03T12:00", user="u", account="A"),
                    event("2026-11-10T12:00", user="u", account="A"),
                ],
                date(2026, 11, 9),
            ),
            Portion([event("2026-11-09T07:30", user="u", account="A")], date(2026, 11, 9)),
        ),
        zone="America/Vancouver",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_portions_equal_all_at_once(models: CompiledModels, tmp_path: Path, case: Case) -> None:
    business = Business(case.customer, case.zone, FIRST_WEEK, 6, "inactivity", 28)
    settings = {"owners_per_id_at_most": "5"} | case.settings
    last = case.portions[-1].week
    with (
        new_history(models, tmp_path / "portions", business, **settings) as portions,
        new_history(models, tmp_path / "at_once", business, **settings) as at_once,
    ):
        at_once.receive(*(portion.lines for portion in case.portions))
        at_once.models.review(at_once.warehouse, at_once.settings, last)
        for portion in case.portions:
            portions.receive(portion.lines)
            reviewed = portions.warehouse, portions.settings, portion.week
            if portion.killed_after:
                models.review_until(*reviewed, portion.killed_after)
            else:
                models.review(*reviewed)
        models.review(portions.warehouse, portions.settings, last)
        told = differences(portions.warehouse, at_once.built())
        assert not told, told_briefly(told)
