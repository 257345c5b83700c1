"""Events: as compact numbers while the world is made, as a table of canonical columns when it is told."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulation import identifiers
from simulation.catalogue import (
    CAMPAIGNS,
    CHANNELS,
    COMPUTER_PLATFORM_SHARES,
    COMPUTER_PLATFORMS,
    DEVICE_TYPES,
    EVENT_CODES,
    EVENT_TYPES,
    EVENTS,
    NO_DEVICE,
    PAGES,
    PHONE,
    PHONE_PLATFORM_SHARES,
    PLATFORMS,
    REFERRERS,
    RENAMED_EVENTS,
)
from simulation.json_text import hundredths
from simulation.parameters import WorldParameters
from simulation.weeks import DAY

NONE = -1  # of pages, referrers, campaigns and sessions
NOBODY = 0  # the member who did what a server did
OWNER = 1  # the first member of each account
NO_ACCOUNT = -1  # of what visitors do before they say who they are
NO_MACHINE = 0

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
        ("library_version", pa.string()),
    ]
)


JSON_COLUMNS = ("properties", "traits")
# Calls that are no event have no name; an update renames some of the features.
NAMES = tuple(
    None if kind in ("identify", "group", "alias") else name
    for name, kind in zip(EVENTS, EVENT_TYPES, strict=True)
)
NAMES_AFTER_UPDATE = tuple(RENAMED_EVENTS.get(name, name) for name in NAMES)
LIBRARY_AFTER_UPDATE = "2.0.0"
# Ways in which a line is damaged on its way: cut off, no JSON at all, a time that is none.
FAULTS = ("none", "cut", "no_json", "wrong_time")
NO_FAULT, CUT, NO_JSON, WRONG_TIME = range(len(FAULTS))


@dataclass(frozen=True)
class EventBatch:
    """Events as parallel columns; one row per event, or per delivery once it is delivered.

    account, member (1 is the owner, NOBODY a server), device: positions and codes of catalogue.py;
    machine: the number behind the anonymous id; session: position in the sessions of the week, NONE
    outside of them; occurred_at, received_at: UTC milliseconds; delay: milliseconds that the sending device
    waited; message: the number behind the event's id; revenue: cents, where has_revenue; properties and
    traits: JSON or null.
    """

    event: np.ndarray
    account: np.ndarray
    member: np.ndarray
    device: np.ndarray
    machine: np.ndarray
    session: np.ndarray
    occurred_at: np.ndarray
    delay: np.ndarray
    page: np.ndarray
    referrer: np.ndarray
    campaign: np.ndarray
    revenue: np.ndarray
    has_revenue: np.ndarray
    properties: pa.Array
    traits: pa.Array
    message: np.ndarray
    received_at: np.ndarray
    is_renamed: np.ndarray  # whether the person goes by another user id than at first
    is_repeat: np.ndarray  # of a delivery: whether the event came before
    fault: np.ndarray  # of a delivery: how its line is damaged (codes of FAULTS)

    def __len__(self) -> int:
        return len(self.event)


def make_events(
    event: str | np.ndarray,
    account: np.ndarray,
    occurred_at: np.ndarray,
    *,
    member: np.ndarray | int = NOBODY,
    device: np.ndarray | int = NO_DEVICE,
    machine: np.ndarray | int = NO_MACHINE,
    session: np.ndarray | int = NONE,
    delay: np.ndarray | int = 0,
    page: np.ndarray | str | None = None,
    referrer: np.ndarray | int = NONE,
    campaign: np.ndarray | int = NONE,
    revenue: np.ndarray | None = None,
    properties: pa.Array | None = None,
    traits: pa.Array | None = None,
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
        machine=_column(machine, count, np.int64),
        session=_column(session, count, np.int32),
        occurred_at=_column(occurred_at, count, np.int64),
        delay=_column(delay, count, np.int64),
        page=_column(page, count, np.int8),
        referrer=_column(referrer, count, np.int8),
        campaign=_column(campaign, count, np.int8),
        revenue=_column(0 if revenue is None else revenue, count, np.int64),
        has_revenue=_column(revenue is not None, count, np.bool_),
        properties=pa.nulls(count, pa.string()) if properties is None else properties,
        traits=pa.nulls(count, pa.string()) if traits is None else traits,
        message=_column(0, count, np.uint64),
        received_at=_column(0, count, np.int64),
        is_renamed=_column(False, count, np.bool_),
        is_repeat=_column(False, count, np.bool_),
        fault=_column(NO_FAULT, count, np.int8),
    )


def concatenate(batches: list[EventBatch]) -> EventBatch:
    """The events of all batches, in order."""
    return EventBatch(**{column.name: _joined(column.name, batches) for column in fields(EventBatch)})


def take(batch: EventBatch, positions: np.ndarray) -> EventBatch:
    """The events at the given positions."""
    return gather([batch], positions)


def gather(batches: list[EventBatch], positions: np.ndarray) -> EventBatch:
    """The events at the given positions of all batches together, copied column by column."""
    return EventBatch(
        **{
            column.name: _joined(column.name, batches).take(
                pa.array(positions) if column.name in JSON_COLUMNS else positions
            )
            for column in fields(EventBatch)
        }
    )


def _joined(name: str, batches: list[EventBatch]) -> np.ndarray | pa.Array:
    parts = [getattr(batch, name) for batch in batches]
    if len(parts) == 1:
        return parts[0]
    return pa.concat_arrays(parts) if name in JSON_COLUMNS else np.concatenate(parts)


def events_table(batch: EventBatch, parameters: WorldParameters) -> pa.Table:
    """Delivered events in the canonical columns (EVENT_SCHEMA), row by row as in the batch.

    An update of the product in the middle of the history renames some events and adds the version of the
    library; an owner whose user id changes has another one from then on.
    """
    is_updated = batch.occurred_at >= updated_at(parameters)
    user_ids = identifiers.user_ids(batch.account, batch.member, parameters.customers)
    if batch.is_renamed.any():
        others = identifiers.later_user_ids(batch.account[batch.is_renamed], parameters.customers)
        user_ids = pc.replace_with_mask(user_ids, pa.array(batch.is_renamed), others)
    return pa.Table.from_arrays(
        [
            identifiers.thing_ids("", batch.message),
            _texts(EVENT_TYPES, batch.event),
            _texts(NAMES + NAMES_AFTER_UPDATE, batch.event + len(EVENTS) * is_updated),
            user_ids,
            identifiers.machine_ids(batch.machine, parameters.seed),
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
            batch.traits,
            _texts((LIBRARY_AFTER_UPDATE,), np.where(is_updated & (batch.machine != NO_MACHINE), 0, NONE)),
        ],
        schema=EVENT_SCHEMA,
    )


def updated_at(parameters: WorldParameters) -> int:
    """The midnight (UTC milliseconds) at which an update of the product changes what is sent."""
    week = round(parameters.delivery.update_after_share * parameters.weeks)
    return _midnight(parameters.first_week + timedelta(weeks=week))


def _midnight(day: date) -> int:
    return day.toordinal() * DAY - date(1970, 1, 1).toordinal() * DAY


def _column(values: np.ndarray | int | bool, count: int, kind: type) -> np.ndarray:
    return np.broadcast_to(np.asarray(values, dtype=kind), count)


def _texts(names: tuple[str | None, ...], codes: np.ndarray) -> pa.Array:
    return pa.array(names, pa.string()).take(pa.array(codes, mask=codes < 0))


def _platforms(batch: EventBatch, seed: int) -> np.ndarray:
    """Each machine has its system, also after its browser has forgotten its id."""
    place = identifiers.machine_scatter(batch.machine, identifiers.PLATFORM, seed)
    computers = np.searchsorted(np.cumsum(COMPUTER_PLATFORM_SHARES)[:-1], place)
    phones = len(COMPUTER_PLATFORMS) + np.searchsorted(np.cumsum(PHONE_PLATFORM_SHARES)[:-1], place)
    platforms = np.where(batch.device == PHONE, phones, computers)
    return np.where(batch.device == NO_DEVICE, NONE, platforms)
