"""Small worlds for the proofs: a business, and some worlds of customers in it, drawn by hypothesis.

What is drawn is small: seeds, sizes and switches. The events follow from them (lives.py), so that drawing is
quick, a world is repeated by its repr, and one that breaks a proof shrinks to few customers with few habits.
Several worlds share one warehouse, because a build costs nearly the same for one as for eight.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.proofs.lives import HABITS, Calendar, Diary, Person

# A zone, and the Sundays (or other days) in 2025 near which its clocks change, or any where they never do.
ZONES = {
    "Europe/Berlin": (date(2025, 3, 30), date(2025, 10, 26)),
    "America/Los_Angeles": (date(2025, 3, 9), date(2025, 11, 2)),
    "America/Santiago": (date(2025, 4, 6), date(2025, 9, 7)),  # at midnight
    "Australia/Lord_Howe": (date(2025, 4, 6), date(2025, 10, 5)),  # by half an hour
    "Asia/Kathmandu": (date(2025, 5, 4),),  # never, and 5 h 45 min ahead
    "UTC": (date(2025, 6, 1),),
}
# How worlds may be peopled and delivered, beside what their customers do.
TWISTS = (
    "several_devices",
    "shared_devices",
    "late_logins",
    "new_user_ids",
    "moves_between_accounts",
    "loose_ids",
    "meaningless_ids",
    "late_events",
    "repeated_events",
    "wrong_clocks",
)
SWITCHES = len(HABITS) + len(TWISTS)


@dataclass(frozen=True)
class Business:
    """What the worlds of one warehouse share: the settings, and the weeks in which they happen."""

    customer: str
    time_zone: str
    first_week: date
    weeks: int
    churn_definition: str
    churn_horizon_days: int
    has_session_ids: bool = False

    @property
    def calendar(self) -> Calendar:
        return Calendar(self.first_week, self.weeks, self.time_zone)

    @property
    def settings(self) -> dict[str, str]:
        """The keys of review.toml that differ from the demo's."""
        return {
            "customer": f'"{self.customer}"',
            "time_zone": f'"{self.time_zone}"',
            "definition": f'"{self.churn_definition}"',
            "horizon_days": str(self.churn_horizon_days),
            "use_ids_of_sources": "true" if self.has_session_ids else "false",
            # Few, so that small worlds have ids that are shared by too many.
            "owners_per_id_at_most": "3",
            "ids_merged_per_customer_at_most": "2",
            # Worlds reach back further than a year; their weeks before the last 20 say nothing new.
            "history_weeks": "20",
        }


@dataclass(frozen=True)
class World:
    """Some accounts with their people. `kept` sixteenths of the events happen; the others only might have."""

    seed: int
    accounts: int
    habits: frozenset[str]
    twists: frozenset[str]
    kept: int = 16


@dataclass(frozen=True)
class Delivery:
    """One line of a collector's file, and when it was received."""

    received_at: datetime
    line: str


@dataclass(frozen=True)
class Batch:
    """The worlds of one warehouse."""

    business: Business
    worlds: tuple[World, ...]

    @cached_property
    def deliveries(self) -> list[Delivery]:
        """All lines that are ever received, in the order of their receipt."""
        found = [
            delivery
            for number, world in enumerate(self.worlds)
            for delivery in _deliveries_of(self.business, world, f"w{number}")
        ]
        return sorted(found, key=lambda delivery: (delivery.received_at, delivery.line))


def _deliveries_of(business: Business, world: World, name: str) -> Iterable[Delivery]:
    accounts = [f"{name}-a{number}" for number in range(world.accounts)]
    for account in accounts:
        people = _people(business, world, account, accounts)
        for habit in sorted(world.habits):
            random = Random(f"{world.seed}:{account}:{habit}")
            diary = Diary(business.calendar, f"{account}-{habit}", people)
            HABITS[habit](diary, random)
            for event in diary.events:
                if zlib.crc32(event["messageId"].encode()) % 16 < world.kept:
                    yield from _delivered(event, world)


def _people(business: Business, world: World, account: str, accounts: list[str]) -> list[Person]:
    random = Random(f"{world.seed}:{account}:people")
    days, twists = business.calendar.days, world.twists
    people = []
    for number in range(random.randint(1, 3)):
        user = f"{account}-u{number}"
        devices = [f"{user}-d{device}" for device in range(random.randint(1, 3))]
        user_days = sorted(random.sample(range(days), 2))
        moves_on, other = random.randrange(days), random.choice((None, *accounts))
        logs_in_on = random.choice((-500, random.randrange(days), 7 * random.randrange(business.weeks)))
        renamed, is_shared = random.choice((0, 1, 2)), random.random() < 0.3
        joins_later = random.random() < 0.5
        person = Person(
            user_ids=[(-500, user)],
            account_ids=[(-500, account)],
            devices=devices if "several_devices" in twists else devices[:1],
            logs_in_on=logs_in_on if "late_logins" in twists else -500,
            is_loose="loose_ids" in twists,
        )
        if "shared_devices" in twists and is_shared:
            # The computer of the first account's first user stands in the hall.
            person.devices.append(f"{accounts[0]}-u0-d0")
        if "meaningless_ids" in twists and random.random() < 0.2:
            # What trackers send in the place of an id is the same for all.
            person.devices.append(random.choice(("undefined", "00000000-0000-0000-0000-000000000000")))
        if "new_user_ids" in twists:
            person.user_ids += [(user_days[place], f"{user}-new{place}") for place in range(renamed)]
        if "moves_between_accounts" in twists and random.random() < 0.4:
            person.account_ids = (
                [(-500, None), (moves_on, account)] if joins_later else [(-500, account), (moves_on, other)]
            )
        people.append(person)
    return people


def _delivered(event: dict[str, Any], world: World) -> Iterable[Delivery]:
    """The receipts of one event: mostly one, soon after; with a twist late, repeated or otherwise."""
    random = Random(f"{world.seed}:{event['messageId']}")
    # All chances are drawn whether their twist is on or not, so that twists change nothing else.
    chances = [random.random() for _ in range(3)]
    late = random.choice((1.5, 6, 13.9, 14, 14, 14.00001, 21, 40))
    soon = timedelta(seconds=random.choice((0, 0.4, 2, 120)))
    repeat = random.choice(("equal", "equal", "renamed", "of_another", "moved", "worth_more", "another_day"))
    repeat_after = timedelta(hours=random.choice((-30, -2, 0, 1, 50, 400)))
    shift = timedelta(seconds=random.choice((-9 * 3600, -1800, 1, 1800, 7 * 3600)))
    received_at = event["timestamp"] + soon
    if "late_events" in world.twists and chances[0] < 0.06:
        received_at = event["timestamp"] + timedelta(days=late)
    if "wrong_clocks" in world.twists and chances[1] < 0.01:
        received_at = event["timestamp"] - timedelta(days=2)
    yield _delivery(event, received_at)
    if "repeated_events" in world.twists and chances[2] < 0.08:
        # An event cannot have been received before it was sent, but for a clock that is wrong.
        yield _delivery(_repeated(event, repeat, shift), max(received_at + repeat_after, event["timestamp"]))


def _repeated(event: dict[str, Any], how: str, shift: timedelta) -> dict[str, Any]:
    """The same message once more, perhaps saying something else."""
    changes: dict[str, dict[str, Any]] = {
        "equal": {},
        "renamed": {"event": "debug_ping", "type": "track"},
        "of_another": {"userId": event.get("userId", "")[:-1] + "0" if event.get("userId") else None},
        "moved": {"timestamp": event["timestamp"] + shift},
        "worth_more": {"properties": event["properties"] | {"revenue": 99, "mrr": 77, "score": 2}},
        "another_day": {"timestamp": event["timestamp"] + timedelta(days=1)},
    }
    changed = event | changes[how]
    return {key: value for key, value in changed.items() if value is not None}


def _delivery(event: dict[str, Any], received_at: datetime) -> Delivery:
    line = event | {"timestamp": in_json(event["timestamp"]), "receivedAt": in_json(received_at)}
    return Delivery(received_at, json.dumps(line))


def in_json(moment: datetime) -> str:
    """A moment as collectors write it: UTC, with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def full_batch(customer: str, seed: int = 7, worlds: int = 2) -> Batch:
    """Worlds with every habit and every twist, over a change of the clocks, without drawing."""
    business = Business(customer, "Europe/Berlin", date(2025, 1, 13), 14, "cancellation", 28)
    return Batch(
        business,
        tuple(World(seed + number, 6, frozenset(HABITS), frozenset(TWISTS)) for number in range(worlds)),
    )


@st.composite
def _businesses(draw: st.DrawFn) -> Business:
    zone = draw(st.sampled_from(list(ZONES)))
    weeks = draw(st.integers(5, 14))
    change = draw(st.sampled_from(ZONES[zone]))
    weeks_before = draw(st.integers(1, weeks - 1))
    return Business(
        customer=draw(st.sampled_from(("account", "user"))),
        time_zone=zone,
        first_week=change - timedelta(days=change.weekday(), weeks=weeks_before),
        weeks=weeks,
        churn_definition=draw(st.sampled_from(("cancellation", "inactivity"))),
        churn_horizon_days=draw(st.sampled_from((7, 28))),
        has_session_ids=draw(st.booleans()),
    )


@st.composite
def _worlds(draw: st.DrawFn) -> World:
    # Each switch is on in three of four worlds, and shrinks to off.
    switches = draw(st.lists(st.integers(0, 3), min_size=SWITCHES, max_size=SWITCHES))
    is_on = [bool(switch) for switch in switches]
    return World(
        seed=draw(st.integers(0, 2**32)),
        accounts=draw(st.integers(1, 8)),
        habits=frozenset(name for name, on in zip(HABITS, is_on, strict=False) if on),
        twists=frozenset(name for name, on in zip(TWISTS, is_on[len(HABITS) :], strict=False) if on),
        kept=draw(st.sampled_from((1, 4, 8, 16, 16, 16, 16, 16))),
    )


def batches() -> st.SearchStrategy[Batch]:
    """Batches of mostly five or six worlds; they shrink to one world of one account with few habits."""
    # Places are filled in five of six cases, and shrink to empty ones.
    places = st.lists(
        st.integers(0, 5).flatmap(lambda filled: _worlds() if filled else st.none()), min_size=6, max_size=6
    )
    worlds = places.map(lambda found: tuple(world for world in found if world is not None))
    return st.builds(Batch, business=_businesses(), worlds=worlds.filter(bool))
