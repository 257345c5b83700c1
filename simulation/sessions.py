"""Sessions: who was there, on which machine, from when to when; and what people end them with."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from simulation.events import EventBatch, make_events
from simulation.weeks import MINUTE, SECOND

# Steps after the end of a session are this far apart, so that even the last possible one belongs to it.
STEP = 2 * MINUTE
MOST_STEPS = 8
# What a session is for: anything, looking around before anything is known, or nothing but exports.
USUAL, FIRST_LOOK, EXPORTING = range(3)


@dataclass(frozen=True)
class Sessions:
    """Sessions of a week as parallel columns, sorted by account, then start. Times in UTC milliseconds.

    account: position, NO_ACCOUNT for visitors who never sign up; member: 1 is the owner; device: kind, of
    catalogue.py; machine: the number behind the anonymous id; ends_at: the last event of usage;
    delay: milliseconds that the device kept what it had to send; events: events of usage; purpose: USUAL,
    FIRST_LOOK or EXPORTING.
    """

    account: np.ndarray
    member: np.ndarray
    device: np.ndarray
    machine: np.ndarray
    starts_at: np.ndarray
    ends_at: np.ndarray
    delay: np.ndarray
    events: np.ndarray
    purpose: np.ndarray

    def __len__(self) -> int:
        return len(self.account)


def take_sessions(sessions: Sessions, positions: np.ndarray) -> Sessions:
    """The sessions at the given positions."""
    return Sessions(**{column.name: getattr(sessions, column.name)[positions] for column in fields(Sessions)})


def join_sessions(parts: list[Sessions]) -> Sessions:
    """The sessions of all parts, in order."""
    return Sessions(
        **{
            column.name: np.concatenate([getattr(part, column.name) for part in parts])
            for column in fields(Sessions)
        }
    )


def pick_sessions(random: np.random.Generator, sessions: Sessions, account: np.ndarray) -> np.ndarray:
    """For each of the given accounts the position of one of its sessions; every one has to have some."""
    first = np.searchsorted(sessions.account, account, side="left")
    after = np.searchsorted(sessions.account, account, side="right")
    return first + (random.random(len(account)) * (after - first)).astype(np.int64)


def first_sessions(sessions: Sessions, account: np.ndarray) -> np.ndarray:
    """For each of the given accounts the position of its first session; every one has to have some."""
    return np.searchsorted(sessions.account, account, side="left")


def end_sessions_with(
    random: np.random.Generator,
    event: str,
    sessions: Sessions,
    picked: np.ndarray,
    *,
    page: str,
    step: int | np.ndarray = 0,
    revenue: np.ndarray | None = None,
    properties: pa.Array | None = None,
) -> EventBatch:
    """An event by the person of each picked session, within two minutes after its last event of usage.

    Things that follow each other take steps (0 to MOST_STEPS - 1): each within the next two minutes.
    """
    pause = random.integers(10 * SECOND, 110 * SECOND, len(picked))
    return make_events(
        event,
        sessions.account[picked],
        sessions.ends_at[picked] + step * STEP + pause,
        member=sessions.member[picked],
        device=sessions.device[picked],
        machine=sessions.machine[picked],
        session=picked,
        delay=sessions.delay[picked],
        page=page,
        revenue=revenue,
        properties=properties,
    )
