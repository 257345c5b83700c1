"""Plans: sign-up, upgrades and downgrades, and the hazard by which accounts cancel."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from simulation.accounts import KNOWN_AT_START, Accounts, is_subscribed
from simulation.catalogue import (
    CAMPAIGN_WEIGHTS,
    CANCELLATION_REASON_WEIGHTS,
    CANCELLATION_REASONS,
    COMPUTER,
    PLANS,
    REFERRER_WEIGHTS,
    STARTER,
)
from simulation.chance import choose
from simulation.events import EventBatch, concatenate, make_events
from simulation.json_text import hundredths, json_objects
from simulation.parameters import CANCELLED, CASUAL, DECLINING, HazardNumbers, WorldParameters
from simulation.weeks import HOUR, MINUTE, Week, working_times

NEVER = np.iinfo(np.int64).max
RECENT_WEEKS = 4
SIGNUP_TO_SUBSCRIPTION = 9 * MINUTE


def cancellation_hazard(
    random: np.random.Generator, accounts: Accounts, week: Week, numbers: HazardNumbers
) -> np.ndarray:
    """The chance of each account to cancel in the week, given all that happened before it.

    0 in the week of sign-up; NaN for accounts that are not there yet or have cancelled before.
    """
    logit = (
        numbers.intercept
        + numbers.usage_fall * _usage_fall(accounts, numbers)
        + numbers.quiet_week * np.minimum(accounts.quiet_weeks, numbers.most_quiet_weeks)
        + numbers.bad_ticket * np.minimum(accounts.bad_tickets, numbers.most_bad_tickets)
        + numbers.starter_plan * (accounts.plan == STARTER)
        + numbers.young_account
        * (week.number - accounts.signup_week < numbers.young_weeks)
        * (accounts.signup_week != KNOWN_AT_START)
        + accounts.frailty
        + numbers.noise_spread * random.standard_normal(len(accounts))
    )
    hazard = np.where(accounts.signup_week == week.number, 0.0, 1 / (1 + np.exp(-logit)))
    return np.where(is_subscribed(accounts, week), hazard, np.nan)


def draw_cancellations(random: np.random.Generator, hazard: np.ndarray, week: Week) -> np.ndarray:
    """The moment of cancellation by account, in UTC milliseconds; NEVER for those who stay."""
    cancels = random.random(len(hazard)) < np.nan_to_num(hazard)
    return np.where(cancels, working_times(random, week, len(hazard)), NEVER)


def end_subscriptions(
    random: np.random.Generator, accounts: Accounts, week: Week, cancels_at: np.ndarray
) -> EventBatch:
    """Cancel at the given moments; from the next week on the accounts are silent."""
    leaving = np.flatnonzero(cancels_at < NEVER)
    accounts.archetype[leaving] = CANCELLED
    accounts.cancelled_week[leaving] = week.number
    reason = choose(random, CANCELLATION_REASON_WEIGHTS, len(leaving))
    return make_events(
        "subscription_cancelled",
        leaving,
        cancels_at[leaving],
        properties=json_objects(
            {
                "plan": _plan_names(accounts.plan[leaving]),
                "reason": pa.array(CANCELLATION_REASONS).take(pa.array(reason)),
            }
        ),
    )


def sign_up(
    random: np.random.Generator, accounts: Accounts, week: Week, parameters: WorldParameters
) -> EventBatch:
    """The accounts that sign up in the week, and the subscription that they start minutes later."""
    arriving = np.flatnonzero(accounts.signup_week == week.number)
    signed_up = make_events(
        "signed_up",
        arriving,
        accounts.signed_up_at[arriving],
        member=1,
        device=COMPUTER,
        page="/signup",
        referrer=choose(random, REFERRER_WEIGHTS, len(arriving)),
        campaign=choose(random, CAMPAIGN_WEIGHTS, len(arriving)),
        properties=json_objects({"plan": _plan_names(accounts.plan[arriving])}),
    )
    starts_at = accounts.signed_up_at[arriving] + SIGNUP_TO_SUBSCRIPTION
    return concatenate(
        [signed_up, _plan_events("subscription_started", arriving, starts_at, accounts, parameters)]
    )


def import_subscriptions(accounts: Accounts, week: Week, parameters: WorldParameters) -> EventBatch:
    """The plans of the accounts known at the start, as the first export of the business gives them."""
    known = np.flatnonzero(accounts.signup_week == KNOWN_AT_START)
    imported_at = np.full(len(known), week.day_starts[0] + 6 * HOUR)
    return _plan_events("subscription_started", known, imported_at, accounts, parameters)


def resubscribe(
    random: np.random.Generator, accounts: Accounts, week: Week, parameters: WorldParameters
) -> EventBatch:
    """A few of those who left come back, as casual accounts without a past."""
    numbers = parameters.hazard
    weeks_away = week.number - accounts.cancelled_week
    away = (accounts.archetype == CANCELLED) & (weeks_away > 1) & (weeks_away <= numbers.return_within_weeks)
    returning = np.flatnonzero(away & (random.random(len(accounts)) < numbers.resubscribe_rate))
    accounts.archetype[returning] = CASUAL
    accounts.weeks_in_archetype[returning] = 1
    accounts.cancelled_week[returning] = 0
    accounts.core_history[returning] = 0
    accounts.weeks_known[returning] = 0
    accounts.quiet_weeks[returning] = 0
    accounts.bad_tickets[returning] = 0
    starts_at = week.day_starts[0] + random.integers(7 * HOUR, 8 * HOUR, len(returning))
    return _plan_events("subscription_started", returning, starts_at, accounts, parameters)


def change_plans(
    random: np.random.Generator,
    accounts: Accounts,
    week: Week,
    cancels_at: np.ndarray,
    parameters: WorldParameters,
) -> EventBatch:
    """Upgrades of those close to a limit (a larger plan, or more seats), downgrades of those who decline."""
    numbers = parameters.subscription
    staying = is_subscribed(accounts, week) & (accounts.signup_week < week.number) & (cancels_at == NEVER)
    used = _limit_used(accounts, parameters)
    pressure = np.clip((used - numbers.upgrade_pressure_from) / (1 - numbers.upgrade_pressure_from), 0, 1)
    upgrade_rate = numbers.upgrade_rate + (numbers.upgrade_rate_at_limit - numbers.upgrade_rate) * pressure
    upgrades = staying & (random.random(len(accounts)) < upgrade_rate)
    declining = accounts.archetype == DECLINING
    downgrade_rate = np.where(declining, numbers.downgrade_rate_declining, numbers.downgrade_rate)
    downgrades = random.random(len(accounts)) < downgrade_rate
    downgrades &= staying & ~upgrades & (accounts.plan > STARTER)

    on_largest = accounts.plan == len(PLANS) - 1
    more_seats = np.maximum(accounts.seats + 1, np.ceil(accounts.seats * numbers.seats_margin))
    accounts.seats[:] = np.where(upgrades & on_largest, more_seats, accounts.seats)
    accounts.plan[:] = accounts.plan + (upgrades & ~on_largest) - downgrades
    return concatenate(
        [
            _plan_events(
                event,
                np.flatnonzero(changes),
                working_times(random, week, int(changes.sum())),
                accounts,
                parameters,
            )
            for event, changes in (
                ("subscription_upgraded", upgrades),
                ("subscription_downgraded", downgrades),
            )
        ]
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


def _limit_used(accounts: Accounts, parameters: WorldParameters) -> np.ndarray:
    """How much of the plan is used, 0-1: its seats, or its actions in 28 days, whichever is closer."""
    included = np.take([plan.included_actions for plan in PLANS], accounts.plan)
    actions = accounts.core_history[:, :RECENT_WEEKS].sum(axis=1)
    actions_limit = parameters.subscription.actions_per_seat_28d * included * accounts.seats
    return np.clip(np.maximum(accounts.members() / accounts.seats, actions / actions_limit), 0, 1)


def _plan_events(
    event: str, account: np.ndarray, occurred_at: np.ndarray, accounts: Accounts, parameters: WorldParameters
) -> EventBatch:
    seat_cents = np.take([plan.seat_cents for plan in PLANS], accounts.plan[account])
    used = np.round(100 * _limit_used(accounts, parameters)[account]).astype(np.int64)
    return make_events(
        event,
        account,
        occurred_at,
        properties=json_objects(
            {
                "plan": _plan_names(accounts.plan[account]),
                "mrr": hundredths(seat_cents * accounts.seats[account]),
                "seats": pa.array(accounts.seats[account]),
                "limit_used_share": hundredths(used),
            }
        ),
    )


def _plan_names(plan: np.ndarray) -> pa.Array:
    return pa.array([plan.name for plan in PLANS]).take(pa.array(plan))
