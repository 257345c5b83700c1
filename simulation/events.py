"""Events: as compact numbers while the world is made, as a table of canonical columns when it is told."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from simulation import identifiers
from simulation.catalogue import (
    CAMPAIGNS,
    CHANNELS,
    COMPUTER,
    COMPUTER_PLATFORM_SHARES,
    COMPUTER_PLATFORMS,
    DEVICE_TYPES,
    EVENT_CODES,
    EVENT_TYPES,
    EVENTS,
    NO_DEVICE,
    PAGES,
    PHONE_PLATFORM_SHARES,
    PLATFORMS,
    REFERRERS,
)
from simulation.json_text import hundredths
from simulation.parameters import WorldParameters

NONE = -1  # of pages, referrers and campaigns
NOBODY = 0  # the member who did what a server did

EVENT_SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("event_type", pa.string()),
        ("event_name", pa.string()),
        ("user_id", pa.string()),
        ("anonymous_id", pa.string()),
        ("account_id", pa.string()),
        ("occurred_at", pa.timestamp("us")),
        ("received_at", pa.timestamp("us")),
        ("channel", pa.string()),
        ("platform", pa.string()),
        ("device", pa.string()),
        ("page_path", pa.string()),
        ("referrer", pa.string()),
        ("utm_source", pa.string()),
        ("utm_medium", pa.string()),
        ("utm_campaign", pa.string()),
        ("revenue", pa.decimal128(18, 2)),
        ("currency", pa.string()),
        ("properties", pa.string()),
        ("traits", pa.string()),
    ]
)


@dataclass(frozen=True)
class EventBatch:
    """Events as parallel columns; one row per event, or per delivery once it is delivered.

    account, member (1 is the owner, NOBODY a server), device: positions and codes of catalogue.py;
    occurred_at, received_at: UTC milliseconds; delay: milliseconds that the sending device waited;
    message: the number behind the event's id; revenue: cents, where has_revenue; properties: JSON or null.
    """

    event: np.ndarray
    account: np.ndarray
    member: np.ndarray
    device: np.ndarray
    occurred_at: np.ndarray
    delay: np.ndarray
    page: np.ndarray
    referrer: np.ndarray
    campaign: np.ndarray
    revenue: np.ndarray
    has_revenue: np.ndarray
    properties: pa.Array
    message: np.ndarray
    received_at: np.ndarray

    def __len__(self) -> int:
        return len(self.event)


def make_events(
    event: str | np.ndarray,
    account: np.ndarray,
    occurred_at: np.ndarray,
    *,
    member: np.ndarray | int = NOBODY,
    device: np.ndarray | int = NO_DEVICE,
    delay: np.ndarray | int = 0,
    page: np.ndarray | str | None = None,
    referrer: np.ndarray | int = NONE,
    campaign: np.ndarray | int = NONE,
    revenue: np.ndarray | None = None,
    properties: pa.Array | None = None,
) -> EventBatch:
    """Events that have occurred and are not delivered yet; what is not given is absent.

    `event` is a name or codes, `page` a path or codes.
    """
    count = len(account)
    event = EVENT_CODES[event] if isinstance(event, str) else event
    if page is None or isinstance(page, str):
        page = NONE if page is None else PAGES.index(page)
    return EventBatch(
        event=_column(event, count, np.int8),
        account=_column(account, count, np.int32),
        member=_column(member, count, np.int16),
        device=_column(device, count, np.int8),
        occurred_at=_column(occurred_at, count, np.int64),
        delay=_column(delay, count, np.int64),
        page=_column(page, count, np.int8),
        referrer=_column(referrer, count, np.int8),
        campaign=_column(campaign, count, np.int8),
        revenue=_column(0 if revenue is None else revenue, count, np.int64),
        has_revenue=_column(revenue is not None, count, np.bool_),
        properties=pa.nulls(count, pa.string()) if properties is None else properties,
        message=_column(0, count, np.uint64),
        received_at=_column(0, count, np.int64),
    )


def concatenate(batches: list[EventBatch]) -> EventBatch:
    """The events of all batches, in order."""
    columns = {
        column.name: [getattr(batch, column.name) for batch in batches] for column in fields(EventBatch)
    }
    properties = pa.concat_arrays(columns.pop("properties"))
    return EventBatch(
        properties=properties, **{name: np.concatenate(parts) for name, parts in columns.items()}
    )


def take(batch: EventBatch, positions: np.ndarray) -> EventBatch:
    """The events at the given positions."""
    columns = {column.name: getattr(batch, column.name) for column in fields(EventBatch)}
    properties = columns.pop("properties").take(pa.array(positions))
    return EventBatch(properties=properties, **{name: values[positions] for name, values in columns.items()})


def events_table(batch: EventBatch, parameters: WorldParameters) -> pa.Table:
    """Delivered events in the canonical columns (EVENT_SCHEMA), row by row as in the batch."""
    return pa.Table.from_arrays(
        [
            identifiers.thing_ids("", batch.message),
            _texts(EVENT_TYPES, batch.event),
            _texts(EVENTS, batch.event),
            identifiers.user_ids(batch.account, batch.member, parameters.customers),
            identifiers.device_ids(batch.account, batch.member, batch.device, parameters.seed),
            identifiers.account_ids(batch.account, parameters.customers),
            pa.array(batch.occurred_at * 1_000, pa.timestamp("us")),
            pa.array(batch.received_at * 1_000, pa.timestamp("us")),
            _texts(CHANNELS, batch.device),
            _texts(PLATFORMS, _platforms(batch, parameters.seed)),
            _texts(DEVICE_TYPES, batch.device),
            _texts(PAGES, batch.page),
            _texts(REFERRERS, batch.referrer),
            _texts(tuple(campaign.source for campaign in CAMPAIGNS), batch.campaign),
            _texts(tuple(campaign.medium for campaign in CAMPAIGNS), batch.campaign),
            _texts(tuple(campaign.name for campaign in CAMPAIGNS), batch.campaign),
            hundredths(batch.revenue, mask=~batch.has_revenue),
            _texts((parameters.currency,), np.where(batch.has_revenue, 0, NONE)),
            batch.properties,
            pa.nulls(len(batch), pa.string()),
        ],
        schema=EVENT_SCHEMA,
    )


def _column(values: np.ndarray | int | bool, count: int, kind: type) -> np.ndarray:
    return np.broadcast_to(np.asarray(values, dtype=kind), count)


def _texts(names: tuple[str | None, ...], codes: np.ndarray) -> pa.Array:
    return pa.array(names, pa.string()).take(pa.array(codes, mask=codes < 0))


def _platforms(batch: EventBatch, seed: int) -> np.ndarray:
    """Each person has one kind of computer and one kind of phone."""
    place = identifiers.user_scatter(batch.account, batch.member, seed)
    computers = np.searchsorted(np.cumsum(COMPUTER_PLATFORM_SHARES)[:-1], place)
    phones = len(COMPUTER_PLATFORMS) + np.searchsorted(np.cumsum(PHONE_PLATFORM_SHARES)[:-1], place)
    platforms = np.where(batch.device == COMPUTER, computers, phones)
    return np.where(batch.device == NO_DEVICE, NONE, platforms)
