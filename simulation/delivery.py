"""The way of events to the collector: latency, late arrivals, duplicates, wrong clocks, damaged lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from simulation import identifiers
from simulation.catalogue import HOME_COMPUTER, PHONE
from simulation.chance import stream
from simulation.events import FAULTS as KINDS_OF_FAULTS
from simulation.events import NO_FAULT, EventBatch, gather, take
from simulation.parameters import DeliveryNumbers, WorldParameters
from simulation.weeks import DAY, HOUR, SECOND, Week

FAULTS_PER_LINE = len(KINDS_OF_FAULTS) - 1
# From here on an event is so far ahead of its receipt that nobody should believe it.
LARGEST_LEAD = DAY


def deliver(events: EventBatch, week: Week, parameters: WorldParameters) -> list[EventBatch]:
    """The deliveries of the events of a week: first every one of them, then the duplicates, then the damaged.

    Every event gets its id, the time of its receipt, and the time that its device believed it was. A
    duplicate has the same id and comes later; a damaged line is a copy with an id of its own.
    """
    numbers = parameters.delivery
    random = stream(parameters.seed, "delivery", week.number)
    count = len(events)
    latency = numbers.latency_median_seconds * np.exp(numbers.latency_spread * random.standard_normal(count))
    is_damaged = np.flatnonzero(random.random(count) < numbers.malformed_share)
    message = identifiers.numbers_in_week(
        identifiers.MESSAGE, week.number, count + len(is_damaged), parameters.seed
    )
    first = replace(
        events,
        message=message[:count],
        occurred_at=events.occurred_at + _clock_errors(events, parameters),
        received_at=events.occurred_at + events.delay + 1 + (latency * SECOND).astype(np.int64),
    )
    again = take(first, np.flatnonzero(random.random(count) < numbers.duplicate_share))
    seconds = random.exponential(numbers.duplicate_seconds_mean, len(again)) * SECOND
    hours = random.exponential(numbers.duplicate_hours_mean, len(again)) * HOUR
    is_soon = random.random(len(again)) < numbers.duplicate_soon_share
    waits = 1 + np.where(is_soon, seconds, hours).astype(np.int64)
    again = replace(
        again, received_at=again.received_at + waits, is_repeat=np.ones(len(again), dtype=np.bool_)
    )
    damaged = replace(
        take(first, is_damaged),
        message=message[count:],
        fault=1 + random.integers(0, FAULTS_PER_LINE, len(is_damaged)).astype(np.int8),
    )
    return [first, again, damaged]


def split_received(deliveries: list[EventBatch], before: int) -> tuple[EventBatch, list[EventBatch]]:
    """What is received before a moment (UTC milliseconds), sorted by receipt and id, and what still waits."""
    received_at = np.concatenate([batch.received_at for batch in deliveries])
    message = np.concatenate([batch.message for batch in deliveries])
    received = np.flatnonzero(received_at < before)
    order = np.lexsort((message[received], received_at[received]))
    waiting = [take(batch, np.flatnonzero(batch.received_at >= before)) for batch in deliveries]
    return gather(deliveries, received[order]), [batch for batch in waiting if len(batch)]


def is_rejected(deliveries: EventBatch) -> np.ndarray:
    """Whether no loader can accept the delivery: its line is damaged, or it comes from the future."""
    return (deliveries.fault != NO_FAULT) | (deliveries.occurred_at - deliveries.received_at > LARGEST_LEAD)


def is_late(deliveries: EventBatch, numbers: DeliveryNumbers) -> np.ndarray:
    """Whether the delivery came after the lateness limit."""
    return deliveries.received_at - deliveries.occurred_at > numbers.lateness_limit_days * DAY


def deliveries_table(received: EventBatch, numbers: DeliveryNumbers) -> pa.Table:
    """Truth, one row per UTC day of receipt: what the file of that day holds.

    lines = events + duplicates + malformed + from_the_future; late_events are those of `events` that came
    after the lateness limit.
    """
    day = received.received_at // DAY
    days, position = np.unique(day, return_inverse=True)
    damaged = received.fault != NO_FAULT
    future = is_rejected(received) & ~damaged
    good = ~damaged & ~future

    def counted(holds: np.ndarray) -> pa.Array:
        return pa.array(np.bincount(position[holds], minlength=len(days)))

    return pa.table(
        {
            "received_date": pa.array(days.astype("datetime64[D]")),
            "lines": counted(np.ones(len(received), dtype=np.bool_)),
            "events": counted(good & ~received.is_repeat),
            "duplicates": counted(good & received.is_repeat),
            "malformed": counted(damaged),
            "from_the_future": counted(future),
            "late_events": counted(good & ~received.is_repeat & is_late(received, numbers)),
        }
    )


def _clock_errors(events: EventBatch, parameters: WorldParameters) -> np.ndarray:
    """By how many milliseconds the clock of each event's machine is ahead; the same for all its events."""
    numbers = parameters.delivery
    place = identifiers.machine_scatter(events.machine, identifiers.CLOCK, parameters.seed)
    size = identifiers.machine_scatter(events.machine, identifiers.CLOCK_ERROR, parameters.seed)
    has_clock = np.isin(events.device, (PHONE, HOME_COMPUTER))
    wrong = has_clock & (place < numbers.wrong_clock_share)
    broken = has_clock & (place > 1 - numbers.broken_clock_share)
    # from -2 to +2 standard deviations, evenly
    hours = (4 * size - 2) * numbers.wrong_clock_hours
    least, most = numbers.broken_clock_days
    days = least + (most - least) * size
    return (np.where(wrong, hours * HOUR, 0.0) + np.where(broken, days * DAY, 0.0)).astype(np.int64)
