"""What is true of a week, as tables that only benchmarks and tests may read."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from simulation import identifiers
from simulation.accounts import Accounts, is_signed_up
from simulation.catalogue import IS_ACTIVITY
from simulation.delivery import is_late, is_rejected
from simulation.events import NOBODY, EventBatch, take
from simulation.parameters import ARCHETYPES, CANCELLED, WorldParameters
from simulation.sessions import Sessions
from simulation.weeks import Week, week_column

IS_ACTIVITY_BY_CODE = np.array(IS_ACTIVITY)


def account_weeks_table(
    accounts: Accounts,
    week: Week,
    archetype: np.ndarray,
    hazard: np.ndarray,
    cancellation_probability: np.ndarray,
    upgrade_hazard: np.ndarray,
    parameters: WorldParameters,
) -> pa.Table:
    """One row per account that has signed up by the end of the week.

    archetype: the one it lived by in the week. As far as a reader of all events could know at the end of the
    week, NULL for those who have left: cancellation_hazard, the chance that it has decided in this week to
    leave; cancellation_probability_28d, the chance that its subscription ends in the four weeks that
    follow. upgrade_hazard: its chance to upgrade in this week. is_cancelled: at the end of the week.
    """
    present = np.flatnonzero(is_signed_up(accounts, week))

    def known(values: np.ndarray) -> pa.Array:
        return pa.array(values[present], mask=np.isnan(values[present]))

    return pa.table(
        {
            "account_id": identifiers.account_ids(present, parameters.customers),
            "review_week": week_column(week, len(present)),
            "archetype": pa.array(ARCHETYPES).take(pa.array(archetype[present])),
            "cancellation_hazard": known(hazard),
            "cancellation_probability_28d": known(cancellation_probability),
            "upgrade_hazard": known(upgrade_hazard),
            "is_cancelled": accounts.archetype[present] == CANCELLED,
        }
    )


def sessions_table(
    sessions: Sessions, delivered: EventBatch, week: Week, parameters: WorldParameters
) -> pa.Table:
    """One row per session that has activity, those of visitors and programs among them.

    `delivered`: every event of the week once. Columns:
    account_id, user_id: whose it is, NULL for strangers, also while it is not said in any event;
    is_identified: whether an event of it names the account; started_at, ended_at, activities: of its
    activity; first_received_at: when its first activity reached the collector; is_late: all of it came after
    the lateness limit; is_rejected: its machine lives in the future.
    """
    counts = (delivered.session >= 0) & IS_ACTIVITY_BY_CODE[delivered.event]
    activities = take(delivered, np.flatnonzero(counts))
    order = np.argsort(activities.session, kind="stable")
    session = activities.session[order]
    first = np.flatnonzero(np.diff(session, prepend=-1))
    held = session[first]

    def least(values: np.ndarray) -> np.ndarray:
        return np.minimum.reduceat(values[order], first) if len(first) else values[:0]

    def most(values: np.ndarray) -> np.ndarray:
        return np.maximum.reduceat(values[order], first) if len(first) else values[:0]

    account, member = sessions.account[held], sessions.member[held]
    user_ids = identifiers.user_ids(account, np.where(account < 0, NOBODY, member), parameters.customers)
    return pa.table(
        {
            "account_id": identifiers.account_ids(account, parameters.customers),
            "user_id": user_ids,
            "anonymous_id": identifiers.machine_ids(sessions.machine[held], parameters.seed),
            "review_week": week_column(week, len(held)),
            "is_identified": most(activities.account) >= 0,
            "started_at": pa.array(least(activities.occurred_at) * 1_000, pa.timestamp("us")),
            "ended_at": pa.array(most(activities.occurred_at) * 1_000, pa.timestamp("us")),
            "activities": np.diff(np.append(first, len(session))),
            "first_received_at": pa.array(least(activities.received_at) * 1_000, pa.timestamp("us")),
            "is_late": least(is_late(activities, parameters.delivery)),
            "is_rejected": least(is_rejected(activities)),
        }
    )
