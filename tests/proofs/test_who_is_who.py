"""Who is whom, by hand: every way in which ids come together, and what each week may know of it.

The reviewed weeks begin on Mondays: 2, 9, 16, 23 and 30 June 2025.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.proofs.compiled_models import CompiledModels
from tests.proofs.histories import History, new_history
from tests.proofs.worlds import Business, in_json

LAST_WEEK = date(2025, 6, 30)


class People:
    """Events that name who they please, then `build`, then questions."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._lines: list[str] = []

    def does(
        self,
        day: int | str,
        name: str = "task_completed",
        *,
        user: str | None = None,
        device: str | None = None,
        account: str | None = None,
        kind: str = "track",
        traits: dict[str, Any] | None = None,
        received: str | None = None,
        session: str | None = None,
        **properties: Any,
    ) -> str:
        """One event of June 2025, at noon UTC of a day or at a time written out; its id."""
        at = datetime(2025, 6, day, 12) if isinstance(day, int) else datetime.fromisoformat(day)
        event_id = f"event-{len(self._lines)}"
        event = {
            "messageId": event_id,
            "type": kind,
            "event": name if kind == "track" else kind,
            "userId": user,
            "anonymousId": device,
            "timestamp": in_json(at.replace(tzinfo=UTC)),
            "receivedAt": received or in_json(at.replace(tzinfo=UTC)),
            "context": {key: value for key, value in (("groupId", account), ("sessionId", session)) if value},
            "properties": properties,
            "traits": traits or {},
        }
        self._lines.append(json.dumps({key: value for key, value in event.items() if value is not None}))
        return event_id

    def becomes(self, day: int | str, previous: str, user: str) -> None:
        """An alias: from that moment on the id before is the user."""
        self.does(day, kind="alias", user=user, previous_id=previous)

    def build(self, *, in_files_of: int | None = None) -> None:
        size = in_files_of or len(self._lines)
        self._history.receive(
            *(self._lines[first : first + size] for first in range(0, len(self._lines), size))
        )
        self._history.models.review(self._history.warehouse, self._history.settings, LAST_WEEK)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._history.warehouse.rows(sql, list(values))

    def owners(self, *events: str) -> list[tuple[str | None, int | None]]:
        """Whom events belong to, and the day of June from which on that is known; none: nobody."""
        return [
            (customer, known.day if customer else None)
            for event in events
            for customer, known in self.rows(
                "select customer_id, known_from_date from intermediate.int_customer_events "
                "where event_id = ? order by known_from_date",
                event,
            )
        ]

    def activities(self) -> dict[str, dict[int, int]]:
        """Per customer and Monday of June: activities of the last 90 days, as that week knows them."""
        found: dict[str, dict[int, int]] = {}
        for customer, week, activities in self.rows(
            "select customer_id, review_week, activities_90d from features.customer_weeks order by all"
        ):
            found.setdefault(customer, {})[week.day] = activities
        return found


@contextmanager
def people(models: CompiledModels, folder: Path, customer: str = "user", **settings: str) -> Iterator[People]:
    business = Business(customer, "UTC", date(2025, 6, 2), 5, "inactivity", 28)
    limits = {"owners_per_id_at_most": "5", "ids_merged_per_customer_at_most": "20"}
    with new_history(models, folder, business, **(limits | settings)) as history:
        yield People(history)


def test_simple(models: CompiledModels, tmp_path: Path) -> None:
    """Visits before the sign-up come to the customer with it; no week before knows of the customer."""
    with people(models, tmp_path) as world:
        before = world.does(3, device="laptop")
        stranger = world.does(3, device="tablet")
        world.does(11, user="ann", device="laptop")
        after = world.does(12, device="laptop")
        world.build()
        assert world.owners(before, stranger, after) == [("ann", 11), (None, None), ("ann", 12)]
        assert world.activities() == {"ann": {9: 3, 16: 3, 23: 3, 30: 3}}
        assert world.rows(
            "select distinct first_seen_date, days_since_last_activity from features.customer_weeks "
            "where review_week = date '2025-06-09'"
        ) == [(date(2025, 6, 3), 4)]
        # All of it is one session a day of one device, whoever it was known to be.
        assert world.rows(
            "select customer_id, count(*) from intermediate.sessions group by all order by all"
        ) == [
            ("ann", 3),
            (None, 1),
        ]


def test_a_second_device_brings_its_past_with_its_login(models: CompiledModels, tmp_path: Path) -> None:
    """Late link: the weeks before the login stay as they were, the weeks from it on know more."""
    with people(models, tmp_path) as world:
        world.does(2, user="ann", device="laptop")
        early = world.does(4, device="phone")
        world.does(19, user="ann", device="phone")
        world.build()
        assert world.owners(early) == [("ann", 19)]
        assert world.activities() == {"ann": {2: 1, 9: 1, 16: 3, 23: 3, 30: 3}}


def test_chain(models: CompiledModels, tmp_path: Path) -> None:
    """a becomes b, b becomes c: each week counts to whoever they were by then."""
    with people(models, tmp_path) as world:
        first = world.does(3, user="a")
        world.does(5, user="b")
        world.becomes(10, "a", "b")
        world.becomes(18, "b", "c")
        world.does(19, user="c")
        world.build()
        assert world.owners(first) == [("a", 3), ("b", 10), ("c", 18)]
        assert world.activities() == {
            "a": {2: 1},
            "b": {2: 1, 9: 2},
            "c": {16: 3, 23: 3, 30: 3},
        }


def test_a_chain_that_is_told_backwards(models: CompiledModels, tmp_path: Path) -> None:
    """b became c before a became b: a is c at once."""
    with people(models, tmp_path) as world:
        first = world.does(3, user="a")
        world.becomes(10, "b", "c")
        world.becomes(18, "a", "b")
        world.build()
        assert world.owners(first) == [("a", 3), ("c", 18)]


def test_a_long_chain(models: CompiledModels, tmp_path: Path) -> None:
    with people(models, tmp_path) as world:
        first = world.does(2, user="id-0")
        for number in range(60):
            world.becomes(f"2025-06-10T10:{number:02}", f"id-{number}", f"id-{number + 1}")
        world.does(11, user="id-60")
        world.build()
        assert ("id-60", 10) in world.owners(first)
        # Nobody was anybody in between when a week ended.
        assert world.activities() == {"id-0": {2: 1}, "id-60": {9: 2, 16: 2, 23: 2, 30: 2}}


def test_fan_in(models: CompiledModels, tmp_path: Path) -> None:
    """Two ids become one customer, each from its own link on."""
    with people(models, tmp_path) as world:
        for user in ("a", "b", "c"):
            world.does(3, user=user)
        world.becomes(10, "a", "c")
        world.becomes(18, "b", "c")
        world.build()
        assert world.activities() == {
            "a": {2: 1},
            "b": {2: 1, 9: 1},
            "c": {2: 1, 9: 2, 16: 3, 23: 3, 30: 3},
        }


def test_diamond(models: CompiledModels, tmp_path: Path) -> None:
    """a is claimed by b and by c, and both become d: it counts once."""
    with people(models, tmp_path) as world:
        for user in ("a", "b", "c", "d"):
            world.does(3, user=user)
        world.becomes(9, "a", "b")
        world.becomes(10, "a", "c")
        world.becomes(17, "b", "d")
        world.becomes(18, "c", "d")
        world.build()
        assert world.activities()["d"] == {2: 1, 9: 1, 16: 4, 23: 4, 30: 4}
        assert world.activities()["b"] == {2: 1, 9: 2}


def test_conflict(models: CompiledModels, tmp_path: Path) -> None:
    """An id that two customers claim is the first one's; the two stay apart, and the claim is told."""
    with people(models, tmp_path) as world:
        for user in ("a", "b", "c"):
            world.does(3, user=user)
        world.becomes(10, "a", "b")
        world.becomes(11, "a", "c")
        world.build()
        assert world.activities() == {
            "a": {2: 1},
            "b": {2: 1, 9: 2, 16: 2, 23: 2, 30: 2},
            "c": {2: 1, 9: 1, 16: 1, 23: 1, 30: 1},
        }
        assert world.rows("select merged_into, outcome from intermediate.user_merge_claims order by all") == [
            ("b", "merged"),
            ("c", "claimed_before"),
        ]


def test_shared_device(models: CompiledModels, tmp_path: Path) -> None:
    """Who logged in last owns what follows; before the first login it is the first one's. Nobody merges."""
    with people(models, tmp_path) as world:
        events = [world.does(3, device="family")]
        world.does(4, user="ann", device="family")
        events.append(world.does(5, device="family"))
        world.does(10, user="bob", device="family")
        events.append(world.does(11, device="family"))
        world.does(12, user="ann", device="family")
        events.append(world.does(13, device="family"))
        world.build()
        assert world.owners(*events) == [("ann", 4), ("ann", 5), ("bob", 11), ("ann", 13)]
        assert world.activities() == {
            "ann": {2: 3, 9: 5, 16: 5, 23: 5, 30: 5},
            "bob": {9: 2, 16: 2, 23: 2, 30: 2},
        }


def test_a_device_that_too_many_share_speaks_for_none(models: CompiledModels, tmp_path: Path) -> None:
    """The sixth person makes a kiosk of it: what was counted stays counted, what follows is nobody's."""
    with people(models, tmp_path) as world:
        for number in range(5):
            world.does(3 + number, user=f"user-{number}", device="kiosk")
        counted = world.does(9, device="kiosk")
        world.does(16, user="user-5", device="kiosk")
        not_counted = world.does(17, device="kiosk")
        world.does(18, user="user-4", device="kiosk")
        not_again = world.does(19, device="kiosk")
        world.build()
        assert world.owners(counted, not_counted, not_again) == [("user-4", 9), (None, None), (None, None)]
        assert world.rows("select kind, id, ids, events_left_out from intermediate.identity_exceptions") == [
            ("shared_id", "kiosk", 6, 2)
        ]


def test_a_customer_that_claims_everybody(models: CompiledModels, tmp_path: Path) -> None:
    """The twenty-first id that one customer claims is not believed, and told."""
    with people(models, tmp_path) as world:
        for number in range(22):
            world.does(3, user=f"user-{number:02}")
            world.becomes(f"2025-06-10T10:{number:02}", f"user-{number:02}", "everybody")
        world.does(11, user="everybody")
        world.build()
        assert world.activities()["everybody"][9] == 21
        assert world.activities()["user-21"] == {2: 1, 9: 1, 16: 1, 23: 1, 30: 1}
        assert world.rows("select kind, id, ids from intermediate.identity_exceptions") == [
            ("too_many_merges", "everybody", 22)
        ]


def test_late_merge(models: CompiledModels, tmp_path: Path) -> None:
    """Years may lie before a merge: the weeks before it keep two customers, each with its own past."""
    with people(models, tmp_path) as world:
        world.does("2025-03-03", user="old")
        world.does(3, user="new")
        world.becomes(25, "old", "new")
        world.build()
        assert world.rows(
            "select max(review_week) from features.customer_weeks where customer_id = 'old'"
        ) == [(date(2025, 6, 16),)]
        assert world.rows(
            "select review_week, first_seen_date from features.customer_weeks "
            "where customer_id = 'new' and review_week >= date '2025-06-16' order by all"
        ) == [
            (date(2025, 6, 16), date(2025, 6, 3)),
            (date(2025, 6, 23), date(2025, 3, 3)),
            (date(2025, 6, 30), date(2025, 3, 3)),
        ]


def test_self_link_and_circle(models: CompiledModels, tmp_path: Path) -> None:
    """An id that becomes itself stays; of a circle the link that closes it is not believed."""
    with people(models, tmp_path) as world:
        for user in ("self", "a", "b", "c"):
            world.does(3, user=user)
        world.becomes(4, "self", "self")
        world.becomes(9, "a", "b")
        world.becomes(10, "b", "c")
        world.becomes(11, "c", "a")
        world.build()
        assert world.activities() == {
            "self": {2: 1, 9: 1, 16: 1, 23: 1, 30: 1},
            "a": {2: 1},
            "b": {2: 1},
            "c": {2: 1, 9: 3, 16: 3, 23: 3, 30: 3},
        }
        assert world.rows("select kind, id, ids from intermediate.identity_exceptions order by all") == [
            ("merge_in_a_circle", "c", 1)
        ]


def test_id_reused(models: CompiledModels, tmp_path: Path) -> None:
    """An id that merged and goes on being used is the customer that it became."""
    with people(models, tmp_path) as world:
        world.does(3, user="old")
        world.becomes(10, "old", "new")
        again = world.does(17, user="old")
        on_a_device = world.does(18, device="phone")
        world.does(18, user="old", device="phone")
        world.build()
        assert world.owners(again, on_a_device) == [("new", 17), ("new", 18)]
        assert world.activities() == {"old": {2: 1}, "new": {9: 1, 16: 4, 23: 4, 30: 4}}


def test_words_that_are_no_id(models: CompiledModels, tmp_path: Path) -> None:
    """What a tracker sends in the place of an id joins nobody."""
    with people(models, tmp_path) as world:
        world.does(3, user="ann", device="NULL")
        world.does(3, user="bob", device="null")
        nobody = world.does(4, user="Undefined", device="null")
        world.build()
        assert world.owners(nobody) == [(None, None)]
        assert world.activities().keys() == {"ann", "bob"}


def test_users_of_accounts(models: CompiledModels, tmp_path: Path) -> None:
    """Where the customer is the account: device, then user, then account, each with its own link."""
    with people(models, tmp_path, customer="account") as world:
        visit = world.does(3, device="laptop")
        login = world.does(9, user="ann", device="laptop")
        world.does(18, user="ann", account="acme")
        later = world.does(19, device="laptop")
        world.does(24, user="ann", account="other")
        moved = world.does(25, user="ann")
        world.build()
        assert world.owners(visit, login, later, moved) == [
            ("acme", 18),
            ("acme", 18),
            ("acme", 19),
            ("other", 25),
        ]
        assert world.activities() == {
            "acme": {16: 4, 23: 4, 30: 4},
            "other": {23: 2, 30: 2},
        }
        assert world.rows(
            "select active_members_28d from features.customer_weeks "
            "where customer_id = 'acme' and review_week = date '2025-06-16'"
        ) == [(1,)]


def test_a_new_user_id_stays_with_its_account(models: CompiledModels, tmp_path: Path) -> None:
    """The account of the id before is that of the id now, once the alias says so."""
    with people(models, tmp_path, customer="account") as world:
        world.does(3, user="ann", account="acme")
        world.does(9, user="ann-2")
        world.becomes(17, "ann", "ann-2")
        world.build()
        assert world.activities() == {"acme": {2: 1, 9: 1, 16: 2, 23: 2, 30: 2}}


def test_the_plan_of_a_user_is_that_of_its_account(models: CompiledModels, tmp_path: Path) -> None:
    """A user holds the plan of its newest account; before it belongs to one, its own."""
    with people(models, tmp_path) as world:
        world.does(2, user="ann")
        world.does(3, "subscription_started", user="ann", plan="solo", mrr=9)
        world.does(9, "subscription_started", account="acme", plan="team", mrr=49)
        world.does(10, user="ann", account="acme")
        world.does(17, "subscription_cancelled", account="acme")
        world.does(24, user="bob", account="acme")
        world.build()
        assert world.rows(
            "select customer_id, review_week, plan, monthly_recurring_revenue, is_cancelled "
            "from features.customer_weeks where review_week < date '2025-06-30' order by all"
        ) == [
            ("ann", date(2025, 6, 2), "solo", 9, False),
            ("ann", date(2025, 6, 9), "team", 49, False),
            ("ann", date(2025, 6, 16), "team", 0, True),
            ("ann", date(2025, 6, 23), "team", 0, True),
            ("bob", date(2025, 6, 23), "team", 0, True),
        ]


def test_test_customers_and_bots_count_for_nobody(models: CompiledModels, tmp_path: Path) -> None:
    """A test is left out from the day on which it is known to be one; a bot on the days on which it shows."""
    with people(models, tmp_path, test_email_domains='["testers.example"]') as world:
        world.does(3, user="ann")
        world.does(3, user="tester")
        world.does(10, kind="identify", user="tester", traits={"email": "eve@TESTERS.example"})
        world.does(11, user="robot", device="server")
        for number in range(120):
            world.does(
                f"2025-06-12T10:{number // 30:02}:{2 * (number % 30):02}", user="robot", device="server"
            )
        # What is on record counts, whoever clicked.
        world.does("2025-06-12T11:00", "order_completed", user="robot", device="server", revenue=10)
        world.does(13, user="robot", device="server")
        world.build()
        assert world.rows(
            "select orders_28d, revenue_28d, core_events_28d from features.customer_weeks "
            "where customer_id = 'robot' and review_week = date '2025-06-09'"
        ) == [(1, 10, 2)]
        assert world.activities() == {
            "ann": {2: 1, 9: 1, 16: 1, 23: 1, 30: 1},
            "tester": {2: 1},
            "robot": {9: 2, 16: 2, 23: 2, 30: 2},
        }
        assert world.rows(
            "select is_bot, is_test, sum(events) from intermediate.sessions group by all order by all"
        ) == [(False, False, 3), (False, True, 1), (True, False, 121)]


@pytest.mark.parametrize("uses_ids", [False, True])
def test_sessions_in_the_words_of_the_source(models: CompiledModels, tmp_path: Path, uses_ids: bool) -> None:
    """The source's ids divide what a pause does not, and join what a pause divides; the cap holds anyway."""
    switch = {"use_ids_of_sources": "true" if uses_ids else "false"}
    with people(models, tmp_path, **switch) as world:
        for at, session in (
            ("10:00", "s1"),
            ("10:10", "s2"),
            ("11:00", "s2"),
            ("12:00", None),
            ("12:10", None),
        ):
            world.does(f"2025-06-03T{at}", user="ann", device="laptop", session=session)
        world.build()
        sessions = world.rows("select started_at, events from intermediate.sessions order by started_at")
        at = [(started.strftime("%H:%M"), events) for started, events in sessions]
        if uses_ids:
            assert at == [("10:00", 1), ("10:10", 2), ("12:00", 2)]
        else:
            assert at == [("10:00", 2), ("11:00", 1), ("12:00", 2)]
        ids = world.rows("select count(distinct session_id) from intermediate.sessions")
        assert ids == [(3,)]


def test_the_way_in_which_links_arrive_changes_nothing(models: CompiledModels, tmp_path: Path) -> None:
    """The same merges and logins in one file or in many."""
    told = []
    for size in (None, 1, 3):
        with people(models, tmp_path) as world:
            world.does(3, device="phone")
            world.does(3, user="a", device="laptop")
            world.becomes(10, "a", "b")
            world.does(12, user="b", device="phone")
            world.does(13, user="c", device="phone")
            world.build(in_files_of=size)
            told.append(
                (
                    world.activities(),
                    world.rows("select * exclude (linking_key) from intermediate.identities order by all"),
                )
            )
    assert told[0] == told[1] == told[2]


def test_a_plan_that_somebody_had_before_is_no_plan_of_the_account(
    models: CompiledModels, tmp_path: Path
) -> None:
    """A contract is not a visit: what a user signed or ended alone stays that user's."""
    for customer, whom in (("user", "bob"), ("account", "acme")):
        with people(models, tmp_path, customer=customer) as world:
            world.does(2, "subscription_started", account="acme", plan="team", mrr=490)
            world.does(2, user="bob", account="acme")
            world.does(3, "subscription_started", user="ann", plan="solo", mrr=9)
            world.does(4, "subscription_cancelled", user="ann")
            world.does(10, user="ann", account="acme")
            world.build()
            assert world.rows(
                "select distinct plan, monthly_recurring_revenue, is_cancelled from features.customer_weeks "
                "where customer_id = ?",
                whom,
            ) == [("team", 490, False)]


def test_the_account_named_last_counts_also_after_a_merge(models: CompiledModels, tmp_path: Path) -> None:
    """What an id was named with before its relative was named with another account changes nothing."""
    with people(models, tmp_path, customer="account") as world:
        world.does(3, user="ann", account="zeta")
        world.does(9, user="ann-2", account="acme")
        world.becomes(17, "ann", "ann-2")
        after = [world.does(19, user="ann-2"), world.does(20, user="ann")]
        world.build()
        assert world.owners(*after) == [("acme", 19), ("acme", 20)]
    with people(models, tmp_path) as world:
        world.does(2, "subscription_started", account="acme", plan="team")
        world.does(2, "subscription_started", account="other", plan="solo")
        world.does(3, user="old", account="other")
        world.does(9, user="bob", account="acme")
        world.becomes(18, "old", "bob")
        world.build()
        assert world.rows("select distinct plan from features.customer_weeks where customer_id = 'bob'") == [
            ("team",)
        ]


def test_a_session_of_two_people_who_prove_to_be_one(models: CompiledModels, tmp_path: Path) -> None:
    """What came by the merge neither lengthens nor takes away the session that a week knew before."""
    with people(models, tmp_path) as world:
        world.does("2025-06-08T23:50", user="a", device="shared")
        world.does("2025-06-09T00:10", user="b", device="shared")
        world.does("2025-06-10T10:00", user="a", device="desk")
        world.does("2025-06-10T10:10", user="b", device="desk")
        world.becomes(20, "a", "b")
        world.build()
        columns = "sessions_7d, sessions_28d, session_minutes_28d, session_minutes_median_28d"
        assert world.rows(
            f"select review_week, {columns} from features.customer_weeks where customer_id = 'b' order by all"
        )[:2] == [
            (date(2025, 6, 9), 2, 2, 30, 15),
            (date(2025, 6, 16), 0, 2, 30, 15),
        ]


def test_what_was_said_last_counts_not_what_became_known_last(models: CompiledModels, tmp_path: Path) -> None:
    with people(models, tmp_path) as world:
        world.does("2025-06-03T09:00", "channel_unsubscribed", user="a", message_channel="email")
        world.does("2025-06-03T09:00", "nps_answered", user="a", score=2)
        world.does("2025-06-03T09:00", "subscription_started", user="a", plan="solo")
        world.does("2025-06-03T15:00", "channel_subscribed", user="b", message_channel="email")
        world.does("2025-06-03T15:00", "nps_answered", user="b", score=9)
        world.does("2025-06-03T15:00", "subscription_cancelled", user="b", plan="team")
        world.becomes(10, "a", "b")
        world.build()
        assert world.rows(
            "select distinct is_subscribed_email, nps_last, plan, is_cancelled from features.customer_weeks "
            "where customer_id = 'b'"
        ) == [(True, 9, "team", True)]


def test_devices_claim_nobody(models: CompiledModels, tmp_path: Path) -> None:
    """An alias may name a device: it is the user's from then on, and merges with nobody."""
    with people(models, tmp_path) as world:
        for number in range(25):
            world.does(2, device=f"device-{number}")
            world.becomes(3, f"device-{number}", "ann")
        world.becomes(4, "device-0", "bob")
        world.becomes(5, "device-0", "ann")
        again = world.does(6, device="device-0")
        world.does(6, user="old")
        world.becomes(9, "old", "ann")
        world.build()
        assert world.owners(again) == [("ann", 6)]
        assert world.rows("select user_id, outcome from intermediate.user_merge_claims") == [
            ("old", "merged")
        ]
        assert world.rows("select * from intermediate.identity_exceptions") == []


def test_a_renamed_user_is_one_member(models: CompiledModels, tmp_path: Path) -> None:
    with people(models, tmp_path, customer="account") as world:
        world.does(3, user="ann", account="acme")
        world.becomes(9, "ann", "ann-2")
        world.does(10, user="ann-2", account="acme")
        world.build()
        assert world.rows(
            "select review_week, active_members_28d from features.customer_weeks order by all limit 2"
        ) == [(date(2025, 6, 2), 1), (date(2025, 6, 9), 1)]
