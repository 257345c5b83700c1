"""The first steps after the sign-up: which of them bring people back, and which only look as if they did."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from simulation import identifiers
from simulation.chance import stream
from simulation.events import EventBatch, concatenate
from simulation.parameters import ActivationNumbers, WorldParameters
from simulation.sessions import Sessions, end_sessions_with, first_sessions
from simulation.weeks import Week

if TYPE_CHECKING:  # accounts.py lets its archetypes follow the activation
    from simulation.accounts import Accounts


@dataclass(frozen=True)
class Activation:
    """What accounts do on the day of their sign-up, and whether they return on the next; by account.

    Drawn for all accounts; it comes true for those that sign up in the world's weeks. The tour and the
    template are decoys. is_activated: created a project, used the core feature and returned the next day
    (inviting makes the return likely, but is no part of it: who works alone can be active).
    return_probability: the chance by which returns_next_day was drawn.
    """

    verifies: np.ndarray
    completes_profile: np.ndarray
    invites: np.ndarray
    creates_project: np.ndarray
    uses_core: np.ndarray
    returns_next_day: np.ndarray
    takes_tour: np.ndarray
    finishes_tour: np.ndarray
    previews_template: np.ndarray
    is_activated: np.ndarray
    return_probability: np.ndarray


@dataclass(frozen=True)
class FirstStep:
    """A step at the end of the first session: its event, the field of Activation that plans it, its page."""

    event: str
    planned: str
    page: str


# In the order in which they happen: the position is the step after the end of the session.
FIRST_STEPS = (
    FirstStep("email_verified", "verifies", "/signup"),
    FirstStep("profile_completed", "completes_profile", "/settings"),
    FirstStep("team_member_invited", "invites", "/settings"),
    FirstStep("tour_started", "takes_tour", "/home"),
    FirstStep("tour_completed", "finishes_tour", "/home"),
    FirstStep("template_previewed", "previews_template", "/projects"),
    FirstStep("project_created", "creates_project", "/projects"),
    FirstStep("task_completed", "uses_core", "/tasks"),
)
INVITATION = 2  # how many people are invited is a matter of the team: its events are made in team.py


def plan_activation(parameters: WorldParameters) -> Activation:
    """The first day of every account of the world; each step waits for those that it needs."""
    numbers = parameters.activation
    random = stream(parameters.seed, "activation")

    def happens(chance: np.ndarray | float) -> np.ndarray:
        return random.random(parameters.customers) < chance

    verifies = happens(numbers.verifies)
    completes_profile = verifies & happens(numbers.completes_profile)
    invites = happens(np.where(completes_profile, numbers.invites, numbers.invites_without_profile))
    creates_project = happens(np.where(verifies, numbers.creates_project, numbers.creates_project_unverified))
    uses_core = creates_project & happens(numbers.uses_core)
    return_probability = _return_probability(invites, uses_core, numbers)
    returns_next_day = happens(return_probability)
    takes_tour = happens(numbers.takes_tour)
    return Activation(
        verifies=verifies,
        completes_profile=completes_profile,
        invites=invites,
        creates_project=creates_project,
        uses_core=uses_core,
        returns_next_day=returns_next_day,
        takes_tour=takes_tour,
        finishes_tour=takes_tour & happens(numbers.finishes_tour),
        previews_template=happens(numbers.previews_template),
        is_activated=creates_project & uses_core & returns_next_day,
        return_probability=return_probability,
    )


def take_first_steps(
    random: np.random.Generator,
    accounts: Accounts,
    activation: Activation,
    week: Week,
    sessions: Sessions,
    parameters: WorldParameters,
) -> EventBatch:
    """The steps of the accounts that sign up in the week, by the owner at the end of the first session.

    All but the invitations, for whose place in the order INVITATION is left free.
    """
    arriving = np.flatnonzero(accounts.signup_week == week.number)
    first = first_sessions(sessions, arriving)
    return concatenate(
        [
            end_sessions_with(
                random,
                step.event,
                sessions,
                first[getattr(activation, step.planned)[arriving]],
                page=step.page,
                step=position,
            )
            for position, step in enumerate(FIRST_STEPS)
            if position != INVITATION
        ]
    )


def activation_table(activation: Activation, parameters: WorldParameters) -> pa.Table:
    """Truth, one row per account: its first day (without meaning for accounts known at the start)."""
    return pa.table(
        {"account_id": identifiers.account_ids(np.arange(parameters.customers), parameters.customers)}
        | {column.name: getattr(activation, column.name) for column in fields(Activation)}
    )


def _return_probability(invites: np.ndarray, uses_core: np.ndarray, numbers: ActivationNumbers) -> np.ndarray:
    """base odds × invite_odds if invited × core_odds if the core feature was used, as a probability.

    So among accounts that are equal in the use of the core feature, the odds ratio of inviting is exactly
    invite_odds. An experiment with a known uplift would multiply these odds for its treated accounts.
    """
    odds = (
        numbers.return_base
        / (1 - numbers.return_base)
        * np.where(invites, numbers.invite_odds, 1.0)
        * np.where(uses_core, numbers.core_odds, 1.0)
    )
    return odds / (1 + odds)
