"""Weeks in which an account does what it never did: who, when, which kind.

A place for more: experiments and interventions with a known uplift will change factors of the same form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from simulation import identifiers
from simulation.accounts import HISTORY_WEEKS, Accounts, is_subscribed
from simulation.chance import choose
from simulation.parameters import AnomalyNumbers, WorldParameters
from simulation.sessions import Sessions
from simulation.weeks import Week, week_column

KINDS = ("none", "sudden_drop", "spike", "pattern_break", "outlier_actions", "suspicious_activity")
NO_ANOMALY, SUDDEN_DROP, SPIKE, PATTERN_BREAK, OUTLIER_ACTIONS, SUSPICIOUS_ACTIVITY = range(len(KINDS))


@dataclass(frozen=True)
class Anomalies:
    """The kind of anomaly by account, for one week (codes of KINDS; mostly none)."""

    kind: np.ndarray


def plan_anomalies(
    random: np.random.Generator,
    accounts: Accounts,
    week: Week,
    cancels_at: np.ndarray,
    parameters: WorldParameters,
) -> Anomalies:
    """Draw the anomalies of a week among steady accounts that stay."""
    numbers = parameters.anomaly
    steady = (
        is_subscribed(accounts, week)
        & (cancels_at > week.ends_at)
        & (accounts.weeks_known >= HISTORY_WEEKS)
        & (accounts.core_history.mean(axis=1) >= numbers.steady_core_events)
        & (accounts.core_history[:, 0] > 0)
    )
    kind = np.where(steady, choose(random, _shares(numbers), len(accounts)), NO_ANOMALY).astype(np.int8)
    return Anomalies(kind)


def anomalies_table(
    anomalies: Anomalies, sessions: Sessions, week: Week, parameters: WorldParameters
) -> pa.Table:
    """Truth, one row per anomaly that can be seen: account_id, review_week, kind.

    Who was not here in the week has no spike; that nobody came is what can be seen of a sudden drop.
    """
    kind = anomalies.kind
    came = np.bincount(sessions.account, minlength=len(kind)) > 0
    found = np.flatnonzero((kind == SUDDEN_DROP) | (came & (kind != NO_ANOMALY)))
    return pa.table(
        {
            "account_id": identifiers.account_ids(found, parameters.customers),
            "review_week": week_column(week, len(found)),
            "kind": pa.array(KINDS).take(pa.array(kind[found])),
        }
    )


def _shares(numbers: AnomalyNumbers) -> tuple[float, ...]:
    rates = (
        numbers.drop_rate,
        numbers.spike_rate,
        numbers.pattern_break_rate,
        numbers.outlier_rate,
        numbers.script_rate,
    )
    return (1 - sum(rates), *rates)
