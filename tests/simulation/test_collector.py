from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from simulation.collector import day_files, segment_lines
from simulation.events import EVENT_SCHEMA


def _row_of(line: str) -> dict:
    """A line of the collector, read back into the canonical columns."""
    given = json.loads(line)
    context = given["context"]
    page, campaign = context.get("page", {}), context.get("campaign", {})
    properties = given.get("properties", {})
    return {
        "event_id": given["messageId"],
        "event_type": given["type"],
        "event_name": given["event"],
        "user_id": given.get("userId"),
        "anonymous_id": given.get("anonymousId"),
        "account_id": context["groupId"],
        "occurred_at": datetime.strptime(given["timestamp"], "%Y-%m-%dT%H:%M:%S.%fZ"),
        "received_at": datetime.strptime(given["receivedAt"], "%Y-%m-%dT%H:%M:%S.%fZ"),
        "channel": context["channel"],
        "platform": context.get("os", {}).get("name"),
        "device": context.get("device", {}).get("type"),
        "page_path": page.get("path"),
        "referrer": page.get("referrer"),
        "utm_source": campaign.get("source"),
        "utm_medium": campaign.get("medium"),
        "utm_campaign": campaign.get("name"),
        "revenue": properties.get("revenue"),
        "currency": properties.get("currency"),
        "properties": given.get("properties"),
        "traits": given.get("traits"),
    }


@pytest.mark.parametrize("position", [0, 10, 25])
def test_day_files_say_what_the_events_say(world, position: int) -> None:
    events = world.slices[position].events
    lines, days = [], []
    for day, content in day_files(events):
        text = content.to_pybytes().decode()
        assert text.endswith("\n")
        assert all(f'"receivedAt":"{day}T' in line for line in text.splitlines())
        lines += text.splitlines()
        days.append(day)
    assert days == sorted(set(days))
    assert len(lines) == len(events)
    for line, row in zip(lines, events.to_pylist(), strict=True):
        row["properties"] = json.loads(row["properties"]) if row["properties"] else None
        row["revenue"] = None if row["revenue"] is None else float(row["revenue"])
        assert _row_of(line) == row


def test_a_line_holds_only_what_is_known() -> None:
    moment = datetime(2025, 3, 4, 10, 11, 12, 123_000)
    event = dict.fromkeys(EVENT_SCHEMA.names) | {
        "event_id": "00ff",
        "event_type": "track",
        "event_name": "nps_answered",
        "account_id": "a_000123",
        "occurred_at": moment,
        "received_at": moment,
        "channel": "server",
        "properties": '{"score":9}',
    }
    (line,) = segment_lines(pa.Table.from_pylist([event], schema=EVENT_SCHEMA)).to_pylist()
    assert line == (
        '{"messageId":"00ff","type":"track","event":"nps_answered",'
        '"timestamp":"2025-03-04T10:11:12.123Z","receivedAt":"2025-03-04T10:11:12.123Z",'
        '"context":{"groupId":"a_000123","channel":"server"},"properties":{"score":9}}\n'
    )


def test_a_slice_without_events_makes_no_file() -> None:
    assert list(day_files(EVENT_SCHEMA.empty_table())) == []


def test_a_file_carries_the_utc_day_of_receipt(world) -> None:
    day, content = next(day_files(world.slices[3].events))
    first = world.slices[3].events["received_at"][0].as_py().replace(tzinfo=UTC)
    assert day == first.date() == date(2024, 7, 22)
    assert len(content) > 0
