"""The events as a collector would drop them: Segment-style JSON lines, a file per UTC day of receipt."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from datetime import date
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulation.events import CUT, NO_FAULT, NO_JSON, EventBatch, events_table, take
from simulation.parameters import WorldParameters
from simulation.weeks import DAY

ROWS_PER_PIECE = 100_000
_TIMESTAMP = re.compile(r'"timestamp":"[^"]*"')
_TIME_WIDTH = len("2025-03-04 10:11:12.123")


def day_batches(received: EventBatch) -> Iterator[tuple[date, EventBatch]]:
    """The deliveries of each UTC day of receipt; `received` is sorted by receipt.

    Because the slices of a world never share a day of receipt, the days of a slice are complete.
    """
    days = received.received_at // DAY
    starts = np.flatnonzero(np.diff(days, prepend=days[:1] - 1))
    for start, end in pairwise([*starts, len(days)]):
        day = date.fromordinal(date(1970, 1, 1).toordinal() + int(days[start]))
        yield day, take(received, np.arange(start, end))


def day_lines(received: EventBatch, parameters: WorldParameters) -> Iterator[pa.Buffer]:
    """The content of a file of JSON lines (UTF-8), piece by piece; name it events-YYYY-MM-DD.jsonl."""
    for piece in _pieces(received):
        lines = _damage(segment_lines(events_table(piece, parameters)), piece.fault)
        octets = np.frombuffer(lines.buffers()[1], dtype=np.int32)[[0, len(lines)]]
        yield lines.buffers()[2].slice(octets[0], octets[1] - octets[0])


def day_tables(received: EventBatch, parameters: WorldParameters) -> Iterator[pa.Table]:
    """The same as tables for a Parquet file, in the canonical columns; damaged rows have lost their time."""
    for piece in _pieces(received):
        table = events_table(piece, parameters)
        occurred_at = pc.if_else(
            pa.array(piece.fault == NO_FAULT), table["occurred_at"], pa.scalar(None, pa.timestamp("us"))
        )
        yield table.set_column(table.column_names.index("occurred_at"), "occurred_at", occurred_at)


def _pieces(received: EventBatch) -> Iterator[EventBatch]:
    """Parts of a day that fit into the memory as texts; the first day of a world holds a whole import."""
    for start in range(0, len(received), ROWS_PER_PIECE):
        yield take(received, np.arange(start, min(start + ROWS_PER_PIECE, len(received))))


def segment_lines(events: pa.Table) -> pa.StringArray:
    """One line of JSON in the words of the Segment spec, with its line end, per row of `events`.

    Fields without a value are left out. Nothing is escaped: properties are JSON already and all other
    texts are this world's own ids and names, without quotes or backslashes. Joining texts column by column
    is four times as fast as a nested COPY by DuckDB, which also writes every null.
    """
    column = {name: events[name].combine_chunks() for name in events.column_names}
    page = _object(
        "page",
        _quoted("path", column["page_path"], is_first=True),
        _quoted("referrer", column["referrer"]),
        only_where=column["page_path"],
    )
    campaign = _object(
        "campaign",
        _quoted("source", column["utm_source"], is_first=True),
        _quoted("medium", column["utm_medium"]),
        _quoted("name", column["utm_campaign"]),
        only_where=column["utm_source"],
    )
    return pc.binary_join_element_wise(
        "{",
        _quoted("messageId", column["event_id"], is_first=True),
        _quoted("type", column["event_type"]),
        _quoted("event", column["event_name"]),
        _quoted("userId", column["user_id"]),
        _quoted("anonymousId", column["anonymous_id"]),
        _quoted("timestamp", _iso_times(column["occurred_at"])),
        _quoted("receivedAt", _iso_times(column["received_at"])),
        ',"context":{',
        _quoted("channel", column["channel"], is_first=True),
        _quoted("groupId", column["account_id"]),
        _object("os", _quoted("name", column["platform"], is_first=True), only_where=column["platform"]),
        _object("device", _quoted("type", column["device"], is_first=True), only_where=column["device"]),
        page,
        campaign,
        _object(
            "library",
            _quoted("version", column["library_version"], is_first=True),
            only_where=column["library_version"],
        ),
        "}",
        pc.binary_join_element_wise(',"properties":', column["properties"], ""),
        pc.binary_join_element_wise(',"traits":', column["traits"], ""),
        "}\n",
        "",
        null_handling="skip",
    )


def _damage(lines: pa.StringArray, fault: np.ndarray) -> pa.StringArray:
    """The lines, those with a fault damaged by it."""
    damaged = np.flatnonzero(fault != NO_FAULT)
    if not len(damaged):
        return lines
    texts = [
        _damaged(line, kind)
        for line, kind in zip(lines.take(pa.array(damaged)).to_pylist(), fault[damaged], strict=True)
    ]
    return pc.replace_with_mask(lines, pa.array(fault != NO_FAULT), pa.array(texts, pa.string()))


def _damaged(line: str, fault: int) -> str:
    if fault == CUT:
        return line[: len(line) // 2] + "\n"
    if fault == NO_JSON:
        return f"<html><title>502 Bad Gateway</title><p>{zlib.crc32(line.encode()):08x}</p></html>\n"
    return _TIMESTAMP.sub('"timestamp":"31.02.2025 25:61"', line, count=1)


def _quoted(name: str, values: pa.Array, is_first: bool = False) -> pa.Array:
    comma = "" if is_first else ","
    return pc.binary_join_element_wise(f'{comma}"{name}":"', values, '"', "")


def _object(name: str, *fields: pa.Array, only_where: pa.Array) -> pa.Array:
    """A nested object, absent where `only_where` is null."""
    whole = pc.binary_join_element_wise(f',"{name}":{{', *fields, "}", "", null_handling="skip")
    return pc.if_else(pc.is_valid(only_where), whole, pa.scalar(None, pa.string()))


def _iso_times(times: pa.Array) -> pa.Array:
    """UTC times as 2025-03-04T10:11:12.123Z (casting and patching is ten times as fast as strftime)."""
    texts = times.cast(pa.timestamp("ms")).cast(pa.string())
    octets = np.empty((len(times), _TIME_WIDTH + 1), dtype=np.uint8)
    octets[:, :_TIME_WIDTH] = np.frombuffer(texts.buffers()[2], dtype=np.uint8)[
        : len(times) * _TIME_WIDTH
    ].reshape(-1, _TIME_WIDTH)
    octets[:, _TIME_WIDTH - len("10:11:12.123") - 1] = ord("T")
    octets[:, _TIME_WIDTH] = ord("Z")
    offsets = np.arange(len(times) + 1, dtype=np.int32) * np.int32(_TIME_WIDTH + 1)
    return pa.StringArray.from_buffers(len(times), pa.py_buffer(offsets), pa.py_buffer(octets))
