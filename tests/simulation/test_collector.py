from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from simulation import collector
from simulation.collector import day_batches, day_lines, day_tables, segment_lines
from simulation.events import CUT, EVENT_SCHEMA, NO_FAULT, NO_JSON, WRONG_TIME, EventBatch, events_table, take
from simulation.world import WorldSlice


def _row_of(line: str) -> dict:
    """A line of the collector, read back into the canonical columns."""
    given = json.loads(line)
    context = given["context"]
    page, campaign = context.get("page", {}), context.get("campaign", {})
    properties = given.get("properties", {})
    return {
        "event_id": given["messageId"],
        "event_type": given["type"],
        "event_name": given.get("event"),
        "user_id": given.get("userId"),
        "anonymous_id": given.get("anonymousId"),
        "account_id": context.get("groupId"),
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
        "library_version": context.get("library", {}).get("version"),
    }


def _text(received: EventBatch, slice_: WorldSlice) -> str:
    return b"".join(day_lines(received, slice_.parameters)).decode()


def _whole(slice_: WorldSlice) -> WorldSlice:
    """The slice without its damaged lines."""
    return replace(slice_, received=take(slice_.received, np.flatnonzero(slice_.received.fault == NO_FAULT)))


@pytest.mark.parametrize("position", [0, 10, 25])
def test_day_files_say_what_the_events_say(world, position: int) -> None:
    slice_ = _whole(world.slices[position])
    events = slice_.events()
    lines, days = [], []
    for day, received in day_batches(slice_.received):
        text = _text(received, slice_)
        assert text.endswith("\n")
        assert all(f'"receivedAt":"{day}T' in line for line in text.splitlines())
        lines += text.splitlines()
        days.append(day)
    assert days == sorted(set(days))
    assert len(lines) == len(events)
    for line, row in zip(lines, events.to_pylist(), strict=True):
        for column in ("properties", "traits"):
            row[column] = json.loads(row[column]) if row[column] else None
        row["revenue"] = None if row["revenue"] is None else float(row["revenue"])
        assert _row_of(line) == row


def test_a_parquet_day_holds_the_same_rows_and_damaged_ones_without_a_time(world) -> None:
    slice_ = world.slices[4]
    ((_, received), *_) = day_batches(slice_.received)
    fault = np.zeros(len(received), dtype=np.int8)
    fault[[1, 5]] = CUT, WRONG_TIME
    received = replace(received, fault=fault)
    table = pa.concat_tables(day_tables(received, slice_.parameters))
    assert np.flatnonzero(table["occurred_at"].is_null().to_numpy()).tolist() == [1, 5]
    others = table.drop_columns("occurred_at")
    assert others.equals(events_table(received, slice_.parameters).drop_columns("occurred_at"))


def test_damaged_lines_cannot_be_read_as_events(world) -> None:
    slice_ = world.slices[2]
    ((_, received), *_) = day_batches(_whole(slice_).received)
    received = take(received, np.arange(4))
    received = replace(received, fault=np.array([NO_FAULT, CUT, NO_JSON, WRONG_TIME], dtype=np.int8))
    lines = _text(received, slice_).splitlines()
    assert len(lines) == 4
    json.loads(lines[0])
    for line in lines[1:3]:
        with pytest.raises(json.JSONDecodeError):
            json.loads(line)
    with pytest.raises(ValueError, match="does not match format"):
        _row_of(lines[3])


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
        '"context":{"channel":"server","groupId":"a_000123"},"properties":{"score":9}}\n'
    )


def test_a_day_in_pieces_is_the_same_day(world, monkeypatch: pytest.MonkeyPatch) -> None:
    slice_ = world.slices[1]
    _, received = next(day_batches(slice_.received))
    whole, table = _text(received, slice_), pa.concat_tables(day_tables(received, slice_.parameters))
    monkeypatch.setattr(collector, "ROWS_PER_PIECE", len(received) // 3 + 1)
    assert len(list(day_tables(received, slice_.parameters))) == 3
    assert _text(received, slice_) == whole
    assert pa.concat_tables(day_tables(received, slice_.parameters)).equals(table)


def test_a_slice_without_events_makes_no_file(world) -> None:
    nothing = take(world.slices[0].received, np.arange(0))
    assert list(day_batches(nothing)) == []


def test_a_file_carries_the_utc_day_of_receipt(world) -> None:
    day, received = next(day_batches(world.slices[3].received))
    first = datetime.fromtimestamp(received.received_at[0] / 1_000, UTC)
    assert day == first.date() == date(2024, 6, 23)
