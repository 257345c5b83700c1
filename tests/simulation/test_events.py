from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from simulation.events import EVENT_SCHEMA

DEMO_EVENTS = Path(__file__).parents[2] / "workspaces" / "demo" / "events.csv"

PLAN_PROPERTIES = {"plan", "mrr", "seats", "limit_used_share"}
PROPERTIES = {
    "signed_up": {"plan"},
    "order_completed": {"order_id", "revenue", "currency", "discount", "payment_method", "products"},
    "order_refunded": {"order_id", "revenue", "currency"},
    "ticket_opened": {"ticket_id", "sentiment"},
    "ticket_closed": {"ticket_id"},
    "nps_answered": {"score"},
    "subscription_started": PLAN_PROPERTIES,
    "subscription_upgraded": PLAN_PROPERTIES,
    "subscription_downgraded": PLAN_PROPERTIES,
    "subscription_cancelled": {"plan", "reason"},
    "team_member_joined": {"member_id"},
    "team_member_removed": {"member_id"},
}
OPTIONAL_PROPERTIES = {"order_completed": {"coupon"}}
PRODUCT_PROPERTIES = {"product_id", "name", "category", "price", "quantity"}
SERVER_EVENTS = {
    "order_refunded",
    "ticket_closed",
    "subscription_started",
    "subscription_upgraded",
    "subscription_downgraded",
    "subscription_cancelled",
    "team_member_joined",
    "team_member_removed",
}


@pytest.fixture(scope="module")
def told(world) -> dict[str, list[dict]]:
    """The events that carry properties, by name, without repeated deliveries, in the order of occurrence."""
    columns = ["event_id", "event_name", "account_id", "occurred_at", "revenue", "currency", "properties"]
    events = world.events.filter(pc.is_valid(world.events["properties"])).select(columns)
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
    assert set(world.events["event_name"].unique().to_pylist()) == listed


def test_events_have_the_canonical_columns_and_ids(world) -> None:
    assert world.events.schema.equals(EVENT_SCHEMA)
    patterns = {
        "event_id": r"[0-9a-f]{16}",
        "account_id": r"a_\d{6}",
        "user_id": r"u_\d{6}_\d+",
        "anonymous_id": r"d_[0-9a-f]{16}",
    }
    for column, pattern in patterns.items():
        texts = world.events[column].unique().drop_null().to_pylist()
        assert texts
        assert all(re.fullmatch(pattern, text) for text in texts)


def test_people_act_with_a_device_and_servers_act_without(world) -> None:
    for row in world.events.select(
        ["event_name", "event_type", "account_id", "user_id", "anonymous_id", "channel", "device"]
    ).to_pylist():
        assert row["account_id"]
        is_server = row["event_name"] in SERVER_EVENTS
        assert (row["user_id"] is None) == (row["anonymous_id"] is None) == is_server
        assert (row["channel"] == "server") == (row["device"] is None) == is_server
        assert (row["event_type"] == "page") == (row["event_name"] == "page_viewed")
        assert is_server or row["user_id"].startswith("u_" + row["account_id"][2:])


def test_a_device_belongs_to_one_person(world) -> None:
    people = defaultdict(set)
    for row in world.events.select(["anonymous_id", "user_id"]).to_pylist():
        people[row["anonymous_id"]].add(row["user_id"])
    assert all(len(users) == 1 for users in people.values())


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
    for event in ("subscription_started", "subscription_upgraded", "subscription_downgraded"):
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
    for refund in matched:
        order = orders[refund["properties"]["order_id"]]
        assert refund["account_id"] == order["account_id"]
        assert refund["occurred_at"] > order["occurred_at"]
        assert 0 < -refund["revenue"] <= order["revenue"]


def test_tickets_are_closed_after_they_were_opened(told) -> None:
    opened = {row["properties"]["ticket_id"]: row["occurred_at"] for row in told["ticket_opened"]}
    closed = {row["properties"]["ticket_id"]: row["occurred_at"] for row in told["ticket_closed"]}
    assert 0.8 * len(opened) < len(opened.keys() & closed.keys()) < len(opened)
    assert all(closed[ticket] > opened[ticket] for ticket in opened.keys() & closed.keys())


def test_a_team_keeps_its_owner_and_loses_only_who_joined(told) -> None:
    joined = {row["properties"]["member_id"]: row["occurred_at"] for row in told["team_member_joined"]}
    removed = {row["properties"]["member_id"]: row["occurred_at"] for row in told["team_member_removed"]}
    assert len(joined) == len(told["team_member_joined"])
    assert len(removed) == len(told["team_member_removed"]) > 0
    assert all(removed[member] > joined[member] for member in removed)
    assert not any(member.endswith("_1") for member in removed)


def test_activity_peaks_in_the_working_week_and_some_of_it_passes_midnight(world) -> None:
    core = world.events.filter(pc.is_valid(world.events["page_path"]))
    berlin = pa.timestamp("us", "Europe/Berlin")
    local = pc.local_timestamp(pc.assume_timezone(core["occurred_at"], "UTC").cast(berlin))
    weekdays = {row["values"]: row["counts"] for row in pc.value_counts(pc.day_of_week(local)).to_pylist()}
    assert sum(weekdays[day] for day in (1, 2, 3)) / 3 > max(weekdays[day] for day in (0, 4))
    assert max(weekdays[5], weekdays[6]) < weekdays[4] / 2
    assert weekdays[6] > 0
    hours = {row["values"]: row["counts"] for row in pc.value_counts(pc.hour(local)).to_pylist()}
    assert hours[10] > 4 * hours[7]
    assert 0 < hours[0] < hours[22]
