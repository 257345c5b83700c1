"""The demo world, week by week: parameters in, events and truth out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from simulation import identifiers
from simulation.accounts import (
    Accounts,
    accounts_table,
    found_accounts,
    is_signed_up,
    move_archetypes,
    remember_week,
)
from simulation.catalogue import FEATURE_EVENTS
from simulation.chance import stream
from simulation.commerce import sell
from simulation.delivery import deliver, split_received
from simulation.events import EventBatch, concatenate, events_table
from simulation.parameters import ARCHETYPES, CANCELLED, WorldParameters
from simulation.subscriptions import (
    cancellation_hazard,
    change_plans,
    draw_cancellations,
    end_subscriptions,
    import_subscriptions,
    resubscribe,
    sign_up,
)
from simulation.support import answer_survey, open_tickets
from simulation.team import change_teams, import_members, join_owners
from simulation.usage import fill_sessions, hold_sessions
from simulation.weeks import Week, weeks_of


@dataclass(frozen=True)
class WorldSlice:
    """What a week adds.

    `events`: deliveries in the columns of events.EVENT_SCHEMA, sorted by received_at, then event_id; times
    are UTC. They are those *received* in the seven UTC days of the slice (late arrivals wait for theirs), so
    that no day of receipt is in two slices. `truth`: `account_weeks` of every week, and in the first slice
    `accounts`; nothing but benchmarks and tests may read it.
    """

    week_start: date
    events: pa.Table
    truth: dict[str, pa.Table]


def simulate_world(parameters: WorldParameters) -> Iterator[WorldSlice]:
    """The slices of the world, in order; memory is bounded by the accounts and one week of events.

    The same parameters give equal slices. What would be received after the last week is left out, as it
    would be on the day after it.
    """
    accounts = found_accounts(parameters)
    accounts_truth = {"accounts": accounts_table(accounts, parameters)}
    waiting: list[EventBatch] = []
    for week in weeks_of(parameters):
        happened, account_weeks = _live_week(accounts, week, parameters)
        deliveries = concatenate([*waiting, deliver(happened, week, parameters)])
        received, still_waiting = split_received(deliveries, week.complete_until)
        waiting = [still_waiting]
        yield WorldSlice(
            week_start=week.monday,
            events=events_table(received, parameters),
            truth={"account_weeks": account_weeks} | (accounts_truth if week.number == 1 else {}),
        )


def _live_week(accounts: Accounts, week: Week, parameters: WorldParameters) -> tuple[EventBatch, pa.Table]:
    """What happens in a week, and its truth; changes the accounts in place.

    The order matters: the hazard sees only earlier weeks, usage follows the archetype, and everything
    that a person does ends a session.
    """

    def chance(purpose: str) -> np.random.Generator:
        return stream(parameters.seed, purpose, week.number)

    happened = [
        sign_up(chance("sign-up"), accounts, week, parameters),
        join_owners(accounts, week, parameters),
        resubscribe(chance("resubscription"), accounts, week, parameters),
    ]
    if week.number == 1:
        happened += [
            import_subscriptions(accounts, week, parameters),
            import_members(accounts, week, parameters),
        ]
    hazard = cancellation_hazard(chance("hazard"), accounts, week, parameters.hazard)
    cancels_at = draw_cancellations(chance("cancellation"), hazard, week)
    move_archetypes(chance("archetype"), accounts, week, parameters)

    sessions = hold_sessions(chance("sessions"), accounts, week, cancels_at, parameters)
    sessions, usage = fill_sessions(chance("usage"), accounts, sessions, parameters.usage)
    tickets, bad_tickets = open_tickets(chance("tickets"), accounts, week, sessions, parameters)
    happened += [
        usage,
        tickets,
        answer_survey(chance("survey"), accounts, week, sessions, parameters),
        sell(chance("orders"), accounts, week, sessions, parameters),
        change_teams(chance("team"), accounts, week, sessions, parameters),
        change_plans(chance("plans"), accounts, week, cancels_at, parameters),
    ]
    archetype = accounts.archetype.copy()
    happened.append(end_subscriptions(chance("reasons"), accounts, week, cancels_at))
    remember_week(
        accounts,
        week,
        sessions=np.bincount(sessions.account, minlength=len(accounts)),
        core_events=np.bincount(usage.account[usage.event < len(FEATURE_EVENTS)], minlength=len(accounts)),
        bad_tickets=bad_tickets,
    )
    return concatenate(happened), _account_weeks(accounts, week, archetype, hazard, parameters)


def _account_weeks(
    accounts: Accounts,
    week: Week,
    archetype: np.ndarray,
    hazard: np.ndarray,
    parameters: WorldParameters,
) -> pa.Table:
    """Truth, one row per account that has signed up by the end of the week.

    archetype: the one it lived by in the week; cancellation_hazard: its chance, before the week began, to
    cancel in it (NULL where it had cancelled before); is_cancelled: at the end of the week.
    """
    present = np.flatnonzero(is_signed_up(accounts, week))
    return pa.table(
        {
            "account_id": identifiers.account_ids(present, parameters.customers),
            "review_week": pa.array(np.full(len(present), week.monday, dtype="datetime64[D]")),
            "archetype": pa.array(ARCHETYPES).take(pa.array(archetype[present])),
            "cancellation_hazard": pa.array(hazard[present], mask=np.isnan(hazard[present])),
            "is_cancelled": accounts.archetype[present] == CANCELLED,
        }
    )
