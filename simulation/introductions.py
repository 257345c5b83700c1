"""Who is who: what browsers say at sign-up, and user ids that change."""

from __future__ import annotations

import numpy as np

from simulation import identifiers
from simulation.accounts import Accounts, is_subscribed
from simulation.catalogue import CAMPAIGN_WEIGHTS, REFERRER_WEIGHTS
from simulation.chance import choose
from simulation.events import OWNER, EventBatch, concatenate, make_events
from simulation.json_text import json_objects
from simulation.parameters import WorldParameters
from simulation.sessions import Sessions, first_sessions
from simulation.subscriptions import plan_names
from simulation.weeks import NEVER, SECOND, Week


def sign_up(random: np.random.Generator, accounts: Accounts, sessions: Sessions, week: Week) -> EventBatch:
    """The sign-ups of the week, at the beginning of first sessions; then the browser says whose it is."""
    arriving = np.flatnonzero(accounts.signup_week == week.number)
    session = first_sessions(sessions, arriving)
    shared = {
        "member": OWNER,
        "device": sessions.device[session],
        "machine": sessions.machine[session],
        "session": session,
        "delay": sessions.delay[session],
    }
    signed_up_at = accounts.signed_up_at[arriving]
    return concatenate(
        [
            make_events(
                "signed_up",
                arriving,
                signed_up_at,
                page="/signup",
                referrer=choose(random, REFERRER_WEIGHTS, len(arriving)),
                campaign=choose(random, CAMPAIGN_WEIGHTS, len(arriving)),
                properties=json_objects({"plan": plan_names(accounts.plan[arriving])}),
                **shared,
            ),
            make_events("identify", arriving, signed_up_at + SECOND, page="/signup", **shared),
        ]
    )


def change_ids(accounts: Accounts, week: Week, parameters: WorldParameters) -> EventBatch:
    """Owners who get another user id in the week; an alias says so, with the id before.

    Who has left by then keeps the old one.
    """
    changing = (accounts.renamed_at >= week.starts_at) & (accounts.renamed_at < week.ends_at)
    gone = changing & ~is_subscribed(accounts, week)
    accounts.renamed_at[gone] = NEVER
    account = np.flatnonzero(changing & ~gone)
    before = identifiers.user_ids(account, np.full(len(account), OWNER), parameters.customers)
    return make_events(
        "alias",
        account,
        accounts.renamed_at[account],
        member=OWNER,
        properties=json_objects({"previous_id": before}),
    )
