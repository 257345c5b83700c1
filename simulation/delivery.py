"""The way of events to the collector: latency, late arrivals, duplicates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulation import identifiers
from simulation.chance import stream
from simulation.events import EventBatch, concatenate, take
from simulation.parameters import WorldParameters
from simulation.weeks import HOUR, SECOND, Week


def deliver(events: EventBatch, week: Week, parameters: WorldParameters) -> EventBatch:
    """The deliveries of the events that were made in the week: each one, and some of them twice.

    Every event gets its id and the time of its receipt; a duplicate has the same id and comes later.
    """
    numbers = parameters.delivery
    random = stream(parameters.seed, "delivery", week.number)
    latency = numbers.latency_median_seconds * np.exp(
        numbers.latency_spread * random.standard_normal(len(events))
    )
    first = replace(
        events,
        message=identifiers.numbers_in_week(identifiers.MESSAGE, week.number, len(events), parameters.seed),
        received_at=events.occurred_at + events.delay + 1 + (latency * SECOND).astype(np.int64),
    )
    again = take(first, np.flatnonzero(random.random(len(first)) < numbers.duplicate_share))
    seconds = random.exponential(numbers.duplicate_seconds_mean, len(again)) * SECOND
    hours = random.exponential(numbers.duplicate_hours_mean, len(again)) * HOUR
    is_soon = random.random(len(again)) < numbers.duplicate_soon_share
    waits = 1 + np.where(is_soon, seconds, hours).astype(np.int64)
    return concatenate([first, replace(again, received_at=again.received_at + waits)])


def split_received(deliveries: EventBatch, before: int) -> tuple[EventBatch, EventBatch]:
    """The deliveries received before a moment (UTC milliseconds), sorted by receipt and id, and the rest."""
    received = np.flatnonzero(deliveries.received_at < before)
    order = np.lexsort((deliveries.message[received], deliveries.received_at[received]))
    waiting = np.flatnonzero(deliveries.received_at >= before)
    return take(deliveries, received[order]), take(deliveries, waiting)
