from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from datetime import UTC
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from simulation.catalogue import EVENTS, IS_ACTIVITY, RENAMED_EVENTS
from simulation.events import EVENT_SCHEMA, updated_at

DEMO_EVENTS = Path(__file__).parents[2] / "workspaces" / "demo" / "events.csv"

PLAN_PROPERTIES = {"plan", "mrr", "seats", "limit_used_share", "renewal_date"}
MESSAGE_PROPERTIES = {"message_id", "message_channel", "campaign_id", "topic"}
PROPERTIES = {
    "signed_up": {"plan"},
    "content_viewed": {"topic"},
    "error_shown": {"code"},
    "product_viewed": {"product_id", "name", "category", "price"},
    "product_added": {"cart_id", "products"},
    "checkout_started": {"cart_id", "value", "shipping"},
    "payment_failed": {"cart_id", "payment_method"},
    "order_completed": {
        "order_id",
        "cart_id",
        "revenue",
        "currency",
        "discount",
        "payment_method",
        "products",
    },
    "order_refunded": {"order_id", "revenue", "currency"},
    "ticket_opened": {"ticket_id", "sentiment", "topic"},
    "ticket_closed": {"ticket_id"},
    "csat_answered": {"ticket_id", "score"},
    "nps_answered": {"score"},
    "subscription_started": PLAN_PROPERTIES,
    "subscription_upgraded": PLAN_PROPERTIES,
    "subscription_downgraded": PLAN_PROPERTIES,
    "subscription_renewed": PLAN_PROPERTIES,
    "subscription_cancelled": {"plan", "reason"},
    "trial_started": {"plan", "trial_days"},
    "trial_ended": {"plan", "trial_days"},
    "team_member_joined": {"member_id"},
    "team_member_removed": {"member_id"},
    "message_sent": MESSAGE_PROPERTIES,
    "message_opened": MESSAGE_PROPERTIES,
    "message_clicked": MESSAGE_PROPERTIES,
    "channel_subscribed": {"message_channel"},
    "channel_unsubscribed": {"message_channel", "reason"},
    "alias": {"previous_id"},
}
OPTIONAL_PROPERTIES = {
    "order_completed": {"coupon"},
    "message_sent": {"coupon", "offer_id"},
    "message_opened": {"coupon", "offer_id"},
    "message_clicked": {"coupon", "offer_id"},
}
PRODUCT_PROPERTIES = {"product_id", "name", "category", "price", "quantity"}
# Sent by our servers and by providers; those of PERSONAL name the person nevertheless.
PERSONAL = {
    "payment_failed",
    "message_sent",
    "message_opened",
    "message_clicked",
    "channel_subscribed",
    "channel_unsubscribed",
    "alias",
}
SERVER_EVENTS = PERSONAL | {
    "group",
    "order_refunded",
    "ticket_closed",
    "subscription_started",
    "subscription_upgraded",
    "subscription_downgraded",
    "subscription_renewed",
    "subscription_cancelled",
    "trial_started",
    "trial_ended",
    "team_member_joined",
    "team_member_removed",
}
UNLISTED = {"debug_ping", "beta_widget_opened"}


def _named(table: pa.Table) -> pa.Table:
    """The events with the name that a loader gives to calls without one."""
    names = pc.coalesce(table["event_name"], table["event_type"])
    return table.set_column(table.column_names.index("event_name"), "event_name", names)


@pytest.fixture(scope="module")
def told(world) -> dict[str, list[dict]]:
    """The events that carry properties, by name, without repeated deliveries, in the order of occurrence."""
    columns = ["event_id", "event_name", "account_id", "occurred_at", "revenue", "currency", "properties"]
    events = _named(world.events.filter(pc.is_valid(world.events["properties"]))).select(columns)
    rows = {}
    for row in events.to_pylist():
        given = json.loads(row.pop("properties"), parse_float=Decimal)
        rows[row["event_id"]] = row | {"properties": given}
    by_name: dict[str, list[dict]] = {}
    for row in sorted(rows.values(), key=lambda row: (row["occurred_at"], row["event_id"])):
        by_name.setdefault(row["event_name"], []).append(row)
    return by_name


def test_all_event_names_of_the_demo_occur_and_no_others(world) -> None:
    with DEMO_EVENTS.open(newline="") as file:
        listed = {row["event_name"] for row in csv.DictReader(file)}
    names = set(_named(world.events)["event_name"].unique().to_pylist())
    assert names - UNLISTED == listed
    assert names > UNLISTED


def test_the_world_and_the_demo_agree_on_what_is_activity() -> None:
    """Sessions of the truth are made of activity, which the demo's events.csv decides for the product."""
    with DEMO_EVENTS.open(newline="") as file:
        told = {row["event_name"]: row["is_activity"] == "true" for row in csv.DictReader(file)}
    made = dict(zip(EVENTS, IS_ACTIVITY, strict=True))
    assert {name: told[name] for name in made if name not in UNLISTED} == {
        name: is_activity for name, is_activity in made.items() if name not in UNLISTED
    }
    assert not any(made[name] for name in UNLISTED)
    assert all(told[new] == told[old] for old, new in RENAMED_EVENTS.items())


def test_events_have_the_canonical_columns_and_ids(world) -> None:
    assert world.events.schema.equals(EVENT_SCHEMA)
    patterns = {
        "event_id": r"[0-9a-f]{16}",
        "account_id": r"a_\d{6}",
        "user_id": r"u_\d{6}_\d+(_b)?",
        "anonymous_id": r"d_[0-9a-f]{16}",
    }
    for column, pattern in patterns.items():
        texts = world.events[column].unique().drop_null().to_pylist()
        assert texts
        assert all(re.fullmatch(pattern, text) for text in texts)


def test_people_act_with_a_device_and_servers_act_without(world) -> None:
    columns = ["event_name", "event_type", "account_id", "user_id", "anonymous_id", "channel", "device"]
    for row in _named(world.events).select(columns).to_pylist():
        name = row["event_name"]
        has_device = row["anonymous_id"] is not None
        assert (row["channel"] == "server") == (row["device"] is None) == (not has_device)
        if name != "identify":  # which browsers and our servers send
            assert has_device == (name not in SERVER_EVENTS)
        if name in PERSONAL or (has_device and row["account_id"]):
            assert row["user_id"].startswith("u_" + row["account_id"][2:])
        if row["account_id"] is None:
            assert (row["user_id"], row["event_type"]) == (None, "page")
        calls = {"page_viewed": "page", "identify": "identify", "group": "group", "alias": "alias"}
        assert row["event_type"] == calls.get(name, "track")


def test_a_device_belongs_to_one_person_but_for_shared_computers_and_changed_ids(world) -> None:
    people = defaultdict(set)
    for row in world.events.select(["anonymous_id", "user_id"]).to_pylist():
        if row["anonymous_id"] and row["user_id"]:
            people[row["anonymous_id"]].add(row["user_id"].removesuffix("_b"))
    shared = [users for users in people.values() if len(users) > 1]
    assert 0 < len(shared) < 0.05 * len(people)
    assert all(len({user.rsplit("_", 1)[0] for user in users}) == 1 for users in shared)
    # it is the owner's, who is nearly always seen there too
    assert sum(any(user.endswith("_1") for user in users) for users in shared) > 0.8 * len(shared)


def test_people_have_several_devices_and_browsers_forget(world) -> None:
    devices = defaultdict(set)
    for row in world.events.select(["anonymous_id", "user_id"]).to_pylist():
        if row["anonymous_id"] and row["user_id"]:
            devices[row["user_id"]].add(row["anonymous_id"])
    counts = Counter(min(len(ids), 5) for ids in devices.values())
    assert counts[1] > 0 < counts[2] and counts[4] + counts[5] > 0


def test_visitors_come_back_as_customers(world) -> None:
    """Anonymous visits on a machine on which somebody signs up later, and visits of people who never do."""
    anonymous, identified = defaultdict(list), defaultdict(list)
    for row in world.events.select(["anonymous_id", "account_id", "occurred_at"]).to_pylist():
        if row["anonymous_id"]:
            (identified if row["account_id"] else anonymous)[row["anonymous_id"]].append(row["occurred_at"])
    both = anonymous.keys() & identified.keys()
    assert len(both) > 100
    assert len(anonymous.keys() - both) > len(both)
    # all of it before the first event that says who it is
    assert all(max(anonymous[machine]) < min(identified[machine]) for machine in both)


def test_a_changed_id_is_announced_and_used_from_then_on(world) -> None:
    events = world.events
    aliases = events.filter(pc.equal(events["event_type"], "alias")).to_pylist()
    assert aliases
    for alias in aliases:
        before = json.loads(alias["properties"])["previous_id"]
        assert alias["user_id"] == before + "_b"
        of_person = events.filter(pc.is_in(events["user_id"], pa.array([before, alias["user_id"]])))
        for row in of_person.select(["user_id", "occurred_at"]).to_pylist():
            assert (row["user_id"] == before) == (row["occurred_at"] < alias["occurred_at"])


def test_an_update_renames_events_and_says_its_version(world) -> None:
    moment = updated_at(world.parameters)
    for row in world.events.select(["event_name", "occurred_at", "library_version", "channel"]).to_pylist():
        is_new = row["occurred_at"].replace(tzinfo=UTC).timestamp() * 1_000 >= moment
        assert (row["library_version"] == "2.0.0") == (is_new and row["channel"] != "server")
        assert row["event_name"] not in (RENAMED_EVENTS if is_new else RENAMED_EVENTS.values())


def test_bad_weeks_have_errors_and_errors_follow_what_people_did(world) -> None:
    events = world.events
    errors = events.filter(pc.equal(events["event_name"], "error_shown"))
    per_account = Counter(errors["account_id"].to_pylist())
    assert len(errors) > 500
    assert max(per_account.values()) > 20 * len(errors) / len(per_account) / 5


def test_test_accounts_say_so(world) -> None:
    groups = world.events.filter(pc.equal(world.events["event_type"], "group")).to_pylist()
    told = {row["account_id"] for row in groups if json.loads(row["traits"]).get("is_test")}
    accounts = world.truth["accounts"].to_pylist()
    arrived = {row["account_id"] for row in groups}
    planted = {row["account_id"] for row in accounts if row["is_test"]} & arrived
    assert told == planted


def test_properties_have_the_names_of_the_catalogue(told) -> None:
    assert told.keys() == PROPERTIES.keys()
    for event, rows in told.items():
        for row in rows:
            assert set(row["properties"]) - OPTIONAL_PROPERTIES.get(event, set()) == PROPERTIES[event]


def test_events_with_properties_never_come_without(world) -> None:
    without = world.events.filter(pc.is_null(world.events["properties"]))["event_name"].unique()
    assert not set(without.to_pylist()) & PROPERTIES.keys()


def test_values_stay_in_their_ranges(told) -> None:
    assert all(-1 <= row["properties"]["sentiment"] <= 1 for row in told["ticket_opened"])
    assert all(row["properties"]["score"] in range(11) for row in told["nps_answered"])
    for event in (
        "subscription_started",
        "subscription_upgraded",
        "subscription_downgraded",
        "subscription_renewed",
    ):
        for row in told[event]:
            assert 0 <= row["properties"]["limit_used_share"] <= 1
            assert row["properties"]["mrr"] > 0
            assert row["properties"]["seats"] >= 1


def test_orders_add_up_to_the_cent(told) -> None:
    assert len(told["order_completed"]) > 100
    for row in told["order_completed"]:
        properties = row["properties"]
        lines = properties["products"]
        assert all(set(line) == PRODUCT_PROPERTIES for line in lines)
        assert len({line["product_id"] for line in lines}) == len(lines)
        gross = sum(line["price"] * line["quantity"] for line in lines)
        assert properties["revenue"] == row["revenue"] == gross - properties["discount"]
        assert ("coupon" in properties) == (properties["discount"] > 0)
        assert row["currency"] == properties["currency"] == "EUR"


def test_refunds_follow_their_orders_and_give_back_no_more(told) -> None:
    orders = {row["properties"]["order_id"]: row for row in told["order_completed"]}
    assert len(orders) == len(told["order_completed"])
    matched = [row for row in told["order_refunded"] if row["properties"]["order_id"] in orders]
    # an order may still be on its way, from a phone without a network
    assert len(matched) >= 0.9 * len(told["order_refunded"]) > 0
    paid_back = Counter()
    for refund in matched:
        order = orders[refund["properties"]["order_id"]]
        assert refund["account_id"] == order["account_id"]
        assert refund["revenue"] < 0
        paid_back[order["event_id"]] -= refund["revenue"]
        assert paid_back[order["event_id"]] <= order["revenue"]
    # but for clocks that are hours off, a refund comes after its order
    later = [
        refund["occurred_at"] > orders[refund["properties"]["order_id"]]["occurred_at"] for refund in matched
    ]
    assert sum(later) > 0.98 * len(later)


def test_tickets_are_closed_after_they_were_opened(told) -> None:
    opened = {row["properties"]["ticket_id"]: row["occurred_at"] for row in told["ticket_opened"]}
    closed = {row["properties"]["ticket_id"]: row["occurred_at"] for row in told["ticket_closed"]}
    assert 0.8 * len(opened) < len(opened.keys() & closed.keys()) < len(opened)
    later = [closed[ticket] > opened[ticket] for ticket in opened.keys() & closed.keys()]
    assert sum(later) > 0.98 * len(later)  # some clocks are hours off


def test_a_team_keeps_its_owner_and_loses_only_who_joined(told) -> None:
    joined = {row["properties"]["member_id"]: row["occurred_at"] for row in told["team_member_joined"]}
    removed = {row["properties"]["member_id"]: row["occurred_at"] for row in told["team_member_removed"]}
    assert len(joined) == len(told["team_member_joined"])
    assert len(removed) == len(told["team_member_removed"]) > 0
    assert all(removed[member] > joined[member] for member in removed)
    assert not any(member.endswith("_1") for member in removed)


def test_activity_peaks_in_the_working_week_and_some_of_it_passes_midnight(world) -> None:
    truth = world.truth["accounts"]
    at_home = pc.equal(truth["time_zone"], "Europe/Berlin")
    here = world.events.filter(
        pc.and_(
            pc.is_in(world.events["account_id"], truth.filter(at_home)["account_id"].combine_chunks()),
            pc.is_valid(world.events["page_path"]),
        )
    )
    berlin = pa.timestamp("us", "Europe/Berlin")
    local = pc.local_timestamp(pc.assume_timezone(here["occurred_at"], "UTC").cast(berlin))
    weekdays = {row["values"]: row["counts"] for row in pc.value_counts(pc.day_of_week(local)).to_pylist()}
    assert sum(weekdays[day] for day in (1, 2, 3)) / 3 > max(weekdays[day] for day in (0, 4))
    assert max(weekdays[5], weekdays[6]) < weekdays[4] / 2
    assert weekdays[6] > 0
    hours = {row["values"]: row["counts"] for row in pc.value_counts(pc.hour(local)).to_pylist()}
    assert hours[10] > 4 * hours[7]
    assert 0 < hours[0] < hours[22]


def test_accounts_live_by_the_clock_of_their_zone(world) -> None:
    truth = world.truth["accounts"]
    for zone in ("America/New_York", "Asia/Singapore"):
        there = truth.filter(pc.equal(truth["time_zone"], zone))["account_id"].combine_chunks()
        rows = pc.and_(pc.is_in(world.events["account_id"], there), pc.is_valid(world.events["page_path"]))
        utc = pc.assume_timezone(world.events.filter(rows)["occurred_at"], "UTC")
        hours = pc.hour(utc.cast(pa.timestamp("us", zone))).to_numpy()
        assert ((hours >= 8) & (hours < 19)).mean() > 0.8
