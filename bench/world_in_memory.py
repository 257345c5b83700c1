"""A whole world of the demo held in memory, by account and week: what pictures and figures are made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from simulation.parameters import ARCHETYPES, WorldParameters
from simulation.world import simulate_world

WINDOW_WEEKS = 4  # of "active in the last 28 days", and of the chance to leave
TABLES = ("carts", "messages", "tickets", "upgrades", "anomalies", "bots", "deliveries")  # of the truth


@dataclass(frozen=True)
class World:
    """What the pictures are drawn from.

    Arrays of accounts × weeks: archetype (codes of ARCHETYPES, -1 before the sign-up), probability (of an
    end within the next four weeks, NaN where there is no subscription), is_cancelled (at the end of the
    week), is_active (any session). accounts: their truth, with that of their activation; sessions: account
    and started_at; messages: with preferred_hour_local of their reader; others as in the truth, whose
    account_id is a position here (`account`).
    """

    parameters: WorldParameters
    archetype: np.ndarray
    probability: np.ndarray
    is_cancelled: np.ndarray
    is_active: np.ndarray
    accounts: pd.DataFrame
    sessions: pd.DataFrame
    carts: pd.DataFrame
    messages: pd.DataFrame
    tickets: pd.DataFrame
    upgrades: pd.DataFrame
    anomalies: pd.DataFrame
    bots: pd.DataFrame
    deliveries: pd.DataFrame

    @property
    def is_present(self) -> np.ndarray:
        """Accounts × weeks: signed up, and none of our own people."""
        return (self.archetype >= 0) & ~self.accounts["is_test"].to_numpy()[:, None]

    @property
    def first_week(self) -> np.ndarray:
        """Position of the first week of each account; the number of weeks for those that never come."""
        seen = self.archetype >= 0
        return np.where(seen.any(axis=1), seen.argmax(axis=1), seen.shape[1])

    @property
    def is_new(self) -> np.ndarray:
        """Accounts that sign up in the world."""
        is_known = self.accounts["is_known_at_start"] | self.accounts["is_test"]
        return ~is_known.to_numpy() & (self.first_week < self.archetype.shape[1])

    @property
    def is_active_28d(self) -> np.ndarray:
        """Accounts × weeks: any session in the week or the three before."""
        return _any_of_weeks(self.is_active, range(-WINDOW_WEEKS + 1, 1))

    def outcomes(self) -> tuple[np.ndarray, np.ndarray]:
        """Of all weeks of subscriptions whose next four are known: the chance of an end; whether it came."""
        leaves = _any_of_weeks(self.is_cancelled, range(1, WINDOW_WEEKS + 1))
        known = ~np.isnan(self.probability) & self.is_present
        known[:, -WINDOW_WEEKS:] = False
        return self.probability[known], leaves[known]


def live_through(parameters: WorldParameters) -> World:
    """Simulate the world and keep what the pictures need."""
    shape = (parameters.customers, parameters.weeks)
    archetype = np.full(shape, -1, dtype=np.int8)
    probability = np.full(shape, np.nan)
    is_cancelled, is_active = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    fixed: dict[str, pa.Table] = {}
    parts: dict[str, list[pa.Table]] = {name: [] for name in ("sessions", *TABLES)}
    for week, slice_ in enumerate(simulate_world(parameters)):
        truth = slice_.truth
        fixed = fixed or {name: truth[name] for name in ("accounts", "activation", "readers")}
        rows = truth["account_weeks"]
        present = _positions(rows["account_id"])
        archetype[present, week] = pc.index_in(rows["archetype"], pa.array(ARCHETYPES)).to_numpy()
        probability[present, week] = rows["cancellation_probability_28d"].to_numpy()
        is_cancelled[present, week] = rows["is_cancelled"].to_numpy()
        sessions = truth["sessions"].filter(pc.is_valid(truth["sessions"]["account_id"]))
        visitor = _positions(sessions["account_id"])
        is_active[visitor, week] = True
        parts["sessions"].append(pa.table({"account": visitor, "started_at": sessions["started_at"]}))
        for name in TABLES:
            table = truth[name]
            if "account_id" in table.column_names:
                table = table.append_column("account", pa.array(_positions(table["account_id"])))
                table = table.drop_columns(["account_id"])
            parts[name].append(table)
    frames = {name: pa.concat_tables(tables).to_pandas() for name, tables in parts.items()}
    hours = fixed["readers"]["preferred_hour_local"].to_numpy()
    frames["messages"]["preferred_hour_local"] = hours[frames["messages"]["account"]]
    accounts = fixed["accounts"].join(fixed["activation"], "account_id").to_pandas()
    return World(
        parameters=parameters,
        archetype=archetype,
        probability=probability,
        is_cancelled=is_cancelled,
        is_active=is_active,
        accounts=accounts.sort_values("account_id", ignore_index=True),
        **frames,
    )


def order_values(world: World) -> np.ndarray:
    """What was paid for each order, in the currency."""
    ordered = world.carts.loc[world.carts["is_ordered"]]
    return (ordered["gross_value"].astype(float) - ordered["discount"].astype(float)).to_numpy()


def _positions(account_ids: pa.ChunkedArray) -> np.ndarray:
    """The positions of accounts, which their ids such as a_000123 tell."""
    return pc.cast(pc.utf8_slice_codeunits(account_ids, 2), pa.int32()).to_numpy()


def _any_of_weeks(holds: np.ndarray, shifts: range) -> np.ndarray:
    """Accounts × weeks: whether it holds in any of the weeks that lie so far from each."""
    found = np.zeros_like(holds)
    weeks = holds.shape[1]
    for shift in shifts:
        if shift >= 0:
            found[:, : max(weeks - shift, 0)] |= holds[:, shift:]
        else:
            found[:, -shift:] |= holds[:, :shift]
    return found
