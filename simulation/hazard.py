"""The decision to cancel: by what it is driven, when it takes effect, and what could be known of it.

Who decides at the end of week t leaves in week t + notice. What a reader of all events can know at the end
of week W about the weeks that follow is therefore a matter of the decisions of the last weeks, whose drivers
have all been seen; the unobserved parts, the noise of each week and the frailty of each account, are
integrated out, the frailty given that the account has not left so far (Bayes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation.accounts import KNOWN_AT_START, Accounts, is_subscribed
from simulation.catalogue import STARTER
from simulation.parameters import CANCELLED, HazardNumbers, WorldParameters
from simulation.subscriptions import RECENT_WEEKS
from simulation.weeks import NEVER, Week, working_times

FRAILTY_NODES = 7
NOISE_NODES = 15
LOGITS = np.linspace(-16.0, 12.0, 1_401)  # where the integral over the noise is tabulated
SMALLEST_CHANCE = 1e-7


@dataclass
class Foresight:
    """What a reader of all events could know of each account, by values of its frailty (quadrature nodes).

    weights: of the nodes before anything was seen; known: customers × nodes, the logarithm of the chance of
    all that is known of earlier decisions; recent: notice weeks × customers × nodes, the logarithm of the
    chance that none of the latest decisions, whose effect is still to come, was to leave, oldest first.
    """

    nodes: np.ndarray
    weights: np.ndarray
    noisy_chances: np.ndarray  # by LOGITS
    known: np.ndarray
    recent: np.ndarray


def begin_foresight(accounts: Accounts, parameters: WorldParameters) -> Foresight:
    """Before the first week: the accounts known at the start have been deciding for some weeks already."""
    numbers = parameters.hazard
    nodes, weights = _normal_nodes(FRAILTY_NODES, numbers.frailty_spread)
    noise, noise_weights = _normal_nodes(NOISE_NODES, numbers.noise_spread)
    foresight = Foresight(
        nodes=nodes,
        weights=weights,
        noisy_chances=_logistic(LOGITS[:, None] + noise) @ noise_weights,
        known=np.zeros((len(accounts), FRAILTY_NODES), dtype=np.float32),
        recent=np.zeros((numbers.notice_weeks, len(accounts), FRAILTY_NODES), dtype=np.float32),
    )
    return foresight


def decide_before_the_world(
    random: np.random.Generator, accounts: Accounts, foresight: Foresight, numbers: HazardNumbers
) -> None:
    """The decisions of the weeks before the first, from what the accounts known at the start look like."""
    present = (accounts.signup_week == KNOWN_AT_START) & ~accounts.is_test
    for week_number in range(1 - numbers.notice_weeks, 1):
        _decide(random, accounts, foresight, week_number, present, numbers)


def decide_in_week(
    random: np.random.Generator, accounts: Accounts, foresight: Foresight, week: Week, numbers: HazardNumbers
) -> tuple[np.ndarray, np.ndarray]:
    """The decisions at the end of a week. Returns, by account, what could be known of them:

    the chance that it was in this week that they decided to leave, and the chance that the subscription
    ends within the next notice weeks; NaN where there is no subscription. Nobody decides in the week of the
    sign-up, and our own people never leave.
    """
    subscribed = is_subscribed(accounts, week)
    present = subscribed & (accounts.signup_week < week.number) & ~accounts.is_test
    chances = _decide(random, accounts, foresight, week.number, present, numbers)
    posterior = foresight.weights * np.exp(foresight.known)
    posterior /= posterior.sum(axis=1, keepdims=True)
    undecided = np.exp(foresight.recent[:-1].sum(axis=0))
    hazard = (posterior * undecided * chances).sum(axis=1)
    stays = (posterior * np.exp(foresight.recent.sum(axis=0))).sum(axis=1)
    return np.where(subscribed, hazard, np.nan), np.where(subscribed, 1 - stays, np.nan)


def leave_in_week(random: np.random.Generator, accounts: Accounts, week: Week) -> np.ndarray:
    """The moment at which each subscription ends, in UTC milliseconds; NEVER for those that do not."""
    leaves = (accounts.ends_in_week == week.number) & (accounts.archetype != CANCELLED)
    return np.where(leaves, working_times(random, week, len(accounts)), NEVER)


def learn_of_endings(accounts: Accounts, foresight: Foresight, cancels_at: np.ndarray) -> None:
    """Who has left in the week tells what the oldest decision was; a later subscription starts afresh."""
    left = np.flatnonzero(cancels_at < NEVER)
    decision = foresight.recent[0, left]
    chance_to_leave = np.maximum(-np.expm1(decision.astype(np.float64)), SMALLEST_CHANCE)
    foresight.known[left] += np.log(chance_to_leave)
    foresight.recent[:, left] = 0.0


def _decide(
    random: np.random.Generator,
    accounts: Accounts,
    foresight: Foresight,
    week_number: int,
    present: np.ndarray,
    numbers: HazardNumbers,
) -> np.ndarray:
    """Draw the decisions; returns their observable chances, customers × nodes of the frailty."""
    seen = _seen_logit(accounts, week_number, numbers)
    noise = numbers.noise_spread * random.standard_normal(len(accounts))
    hazard = np.where(present, _logistic(seen + accounts.frailty + noise), 0.0)
    leaves = (random.random(len(accounts)) < hazard) & (accounts.ends_in_week == 0)
    accounts.ends_in_week[leaves] = week_number + numbers.notice_weeks
    chances = np.interp(seen[:, None] + foresight.nodes, LOGITS, foresight.noisy_chances)
    chances *= present[:, None]
    foresight.known += foresight.recent[0]
    foresight.recent[:-1] = foresight.recent[1:].copy()
    foresight.recent[-1] = np.log1p(-chances)
    return chances


def _seen_logit(accounts: Accounts, week_number: int, numbers: HazardNumbers) -> np.ndarray:
    """The part of the decision's logit that follows from events."""
    is_young = (week_number - accounts.signup_week < numbers.young_weeks) & (
        accounts.signup_week != KNOWN_AT_START
    )
    return (
        numbers.intercept
        + numbers.usage_fall * _usage_fall(accounts, numbers)
        + numbers.quiet_week * np.minimum(accounts.quiet_weeks, numbers.most_quiet_weeks)
        + numbers.bad_ticket * np.minimum(accounts.bad_tickets, numbers.most_bad_tickets)
        + numbers.errors * np.log1p(accounts.errors)
        + numbers.pricing_views * np.minimum(accounts.pricing_views, numbers.most_pricing_views)
        + numbers.removed_member * np.minimum(accounts.removals, numbers.most_removed_members)
        + numbers.starter_plan * (accounts.plan == STARTER)
        + numbers.young_account * is_young
    )


def _usage_fall(accounts: Accounts, numbers: HazardNumbers) -> np.ndarray:
    """The share by which weekly core events fell: the last 4 weeks against the known ones before, 0-1."""
    recent = accounts.core_history[:, :RECENT_WEEKS].mean(axis=1)
    weeks_before = np.clip(
        accounts.weeks_known, numbers.shortest_history_weeks, accounts.core_history.shape[1]
    )
    before = accounts.core_history[:, RECENT_WEEKS:].sum(axis=1) / (weeks_before - RECENT_WEEKS)
    fall = np.clip(1 - (recent + 0.25) / (before + 0.25), 0, 1)  # a quarter event: no fall from nothing
    return np.where(accounts.weeks_known >= numbers.shortest_history_weeks, fall, 0.0)


def _normal_nodes(count: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Hermite quadrature of a normal distribution with mean 0: nodes, and weights that sum to 1."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return spread * nodes, weights / weights.sum()


def _logistic(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))
