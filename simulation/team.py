"""The people of an account: who is invited, who joins, who leaves."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from simulation.accounts import KNOWN_AT_START, Accounts, is_subscribed
from simulation.events import EventBatch, concatenate, make_events
from simulation.identifiers import MEMBERS_PER_ACCOUNT, user_ids
from simulation.json_text import json_objects
from simulation.parameters import DECLINING, WorldParameters
from simulation.usage import Sessions, end_sessions_with, pick_sessions
from simulation.weeks import HOUR, MINUTE, Week, working_times

OWNER = 1


def join_owners(accounts: Accounts, week: Week, parameters: WorldParameters) -> EventBatch:
    """The owner of each account that signs up in the week."""
    arriving = np.flatnonzero(accounts.signup_week == week.number)
    accounts.joined[arriving] = OWNER
    joined_at = accounts.signed_up_at[arriving] + MINUTE // 2
    return _joined(arriving, np.full(len(arriving), OWNER), joined_at, parameters)


def import_members(accounts: Accounts, week: Week, parameters: WorldParameters) -> EventBatch:
    """The teams of the accounts known at the start, as the first export of the business gives them."""
    known = np.flatnonzero(accounts.signup_week == KNOWN_AT_START)
    account = np.repeat(known, accounts.joined[known])
    imported_at = np.full(len(account), week.day_starts[0] + 6 * HOUR)
    return _joined(account, _running_numbers(accounts.joined[known]), imported_at, parameters)


def change_teams(
    random: np.random.Generator,
    accounts: Accounts,
    week: Week,
    sessions: Sessions,
    parameters: WorldParameters,
) -> EventBatch:
    """Invitations at the end of sessions, the joins that follow within the week, and removals."""
    return concatenate(
        [
            _remove(random, accounts, week, parameters),
            *_invite(random, accounts, week, sessions, parameters),
        ]
    )


def _invite(
    random: np.random.Generator,
    accounts: Accounts,
    week: Week,
    sessions: Sessions,
    parameters: WorldParameters,
) -> list[EventBatch]:
    numbers = parameters.team
    present = np.unique(sessions.account)
    present = present[is_subscribed(accounts, week)[present]]
    missing = np.clip(accounts.team_target[present] - accounts.members()[present], 0, None)
    missing = np.minimum(missing, MEMBERS_PER_ACCOUNT - 1 - accounts.joined[present])
    account = np.repeat(present, random.binomial(missing, numbers.invite_rate))
    picked = pick_sessions(random, sessions, account)
    invited = end_sessions_with(random, "team_member_invited", sessions, picked, page="/settings")
    accepts = random.random(len(account)) < numbers.accept_share
    joining, waits = account[accepts], random.exponential(numbers.hours_to_join_mean, accepts.sum())
    joined_at = invited.occurred_at[accepts] + MINUTE + (waits * HOUR).astype(np.int64)
    # by the end of the week, so that nobody works next week who joins later (a session may end past it)
    joined_at = np.minimum(joined_at, np.maximum(week.ends_at, invited.occurred_at[accepts] + MINUTE))
    counts = np.bincount(joining, minlength=len(accounts))
    member = accounts.joined[joining] + _running_numbers(counts[counts > 0])
    accounts.joined += counts.astype(accounts.joined.dtype)
    return [invited, _joined(joining, member, joined_at, parameters)]


def _remove(
    random: np.random.Generator, accounts: Accounts, week: Week, parameters: WorldParameters
) -> EventBatch:
    """People who leave: never the owner, the others in the order in which they came."""
    numbers = parameters.team
    present = np.flatnonzero(is_subscribed(accounts, week) & (accounts.signup_week < week.number))
    rate = np.where(
        accounts.archetype[present] == DECLINING, numbers.removal_rate_declining, numbers.removal_rate
    )
    leaving = random.binomial(accounts.members()[present] - 1, rate)
    account = np.repeat(present, leaving)
    member = OWNER + accounts.removed[account] + _running_numbers(leaving[leaving > 0])
    accounts.removed[present] += leaving.astype(accounts.removed.dtype)
    return make_events(
        "team_member_removed",
        account,
        working_times(random, week, len(account)),
        properties=_member_properties(account, member, parameters),
    )


def _joined(
    account: np.ndarray, member: np.ndarray, joined_at: np.ndarray, parameters: WorldParameters
) -> EventBatch:
    properties = _member_properties(account, member, parameters)
    return make_events("team_member_joined", account, joined_at, properties=properties)


def _member_properties(account: np.ndarray, member: np.ndarray, parameters: WorldParameters) -> pa.Array:
    return json_objects({"member_id": user_ids(account, member, parameters.customers)})


def _running_numbers(counts: np.ndarray) -> np.ndarray:
    """1 to count for each of the counts, one after the other."""
    starts = np.cumsum(counts) - counts
    return np.arange(counts.sum()) - np.repeat(starts, counts) + 1
