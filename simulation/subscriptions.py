"""Plans: sign-up, trials, upgrades and downgrades, and the end of a subscription."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from simulation import identifiers
from simulation.accounts import KNOWN_AT_START, Accounts, is_subscribed
from simulation.catalogue import (
    CANCELLATION_REASON_WEIGHTS,
    CANCELLATION_REASONS,
    PLANS,
    STARTER,
)
from simulation.chance import choose
from simulation.events import EventBatch, concatenate, make_events
from simulation.json_text import hundredths, json_objects
from simulation.parameters import CANCELLED, CASUAL, DECLINING, SubscriptionNumbers, WorldParameters
from simulation.weeks import DAY, HOUR, MINUTE, NEVER, Week, week_column, working_times

RECENT_WEEKS = 4
SIGNUP_TO_SUBSCRIPTION = 9 * MINUTE
STEP_THROUGH_THE_TERM = 61  # prime to the days of a term, so that neighbours renew months apart
NO_TRIAL = 0  # the week of a trial that never was

# Why a plan grows, in the order of the rows of _upgrade_effects; the last is for those without a reason.
UPGRADE_CAUSES = ("limit", "trial", "team_growth", "none")
UPGRADE_KINDS = ("plan", "seats")


@dataclass
class PlanState:
    """What upgrades depend on beyond the accounts; by account, changed in place by change_plans.

    trial_week: number of the week in which the last trial began, NO_TRIAL where there was none since the
    last upgrade; trial_plan: what was tried; trial_ends_at: UTC milliseconds, NEVER while none is running;
    joined_before: RECENT_WEEKS × customers, the people who had ever joined by each of the last weeks, in row
    week.number % RECENT_WEEKS.
    """

    trial_week: np.ndarray
    trial_plan: np.ndarray
    trial_ends_at: np.ndarray
    joined_before: np.ndarray


def found_plans(parameters: WorldParameters) -> PlanState:
    """Before the first week nobody tries anything, and no team has grown."""
    customers = parameters.customers
    return PlanState(
        trial_week=np.full(customers, NO_TRIAL, dtype=np.int32),
        trial_plan=np.zeros(customers, dtype=np.int8),
        trial_ends_at=np.full(customers, NEVER),
        joined_before=np.zeros((RECENT_WEEKS, customers), dtype=np.int32),
    )


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
                "plan": plan_names(accounts.plan[leaving]),
                "reason": pa.array(CANCELLATION_REASONS).take(pa.array(reason)),
            }
        ),
    )


def start_subscriptions(accounts: Accounts, week: Week, parameters: WorldParameters) -> EventBatch:
    """The subscriptions of the accounts that sign up in the week, minutes later."""
    arriving = np.flatnonzero(accounts.signup_week == week.number)
    starts_at = accounts.signed_up_at[arriving] + SIGNUP_TO_SUBSCRIPTION
    accounts.renews_at[arriving] = starts_at + parameters.subscription.term_days * DAY
    return _plan_events("subscription_started", arriving, starts_at, accounts, parameters)


def import_subscriptions(accounts: Accounts, week: Week, parameters: WorldParameters) -> EventBatch:
    """The plans of the accounts known at the start, as the first export of the business gives them.

    Their terms, begun on any day of the year before, end on any day of the year to come.
    """
    known = np.flatnonzero(accounts.signup_week == KNOWN_AT_START)
    imported_at = np.full(len(known), week.starts_at + 6 * HOUR)
    term_days = parameters.subscription.term_days
    accounts.renews_at[known] = imported_at + (8 + known * STEP_THROUGH_THE_TERM % (term_days - 7)) * DAY
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
    accounts.ends_in_week[returning] = 0
    accounts.core_history[returning] = 0
    accounts.weeks_known[returning] = 0
    accounts.quiet_weeks[returning] = 0
    for fading in (accounts.bad_tickets, accounts.errors, accounts.pricing_views, accounts.removals):
        fading[returning] = 0
    starts_at = week.starts_at + random.integers(7 * HOUR, 8 * HOUR, len(returning))
    accounts.renews_at[returning] = starts_at + parameters.subscription.term_days * DAY
    return _plan_events("subscription_started", returning, starts_at, accounts, parameters)


def renew_subscriptions(
    accounts: Accounts, week: Week, cancels_at: np.ndarray, parameters: WorldParameters
) -> EventBatch:
    """The subscriptions whose term is over and that go on for another."""
    due = accounts.renews_at < np.minimum(week.ends_at, cancels_at)
    renewed = np.flatnonzero(due & is_subscribed(accounts, week))
    renewed_at = accounts.renews_at[renewed].copy()
    accounts.renews_at[renewed] += parameters.subscription.term_days * DAY
    return _plan_events("subscription_renewed", renewed, renewed_at, accounts, parameters)


def change_plans(
    random: np.random.Generator,
    accounts: Accounts,
    plans: PlanState,
    week: Week,
    cancels_at: np.ndarray,
    parameters: WorldParameters,
) -> tuple[EventBatch, np.ndarray, pa.Table]:
    """Upgrades (a larger plan or, on the largest, more seats), downgrades and trials of a week.

    Returns also the chance of each account to upgrade in the week (NaN where not subscribed, 0 in the weeks
    of the sign-up and of the end), and the truth, one row per upgrade: account_id, review_week, kind
    (UPGRADE_KINDS), cause (UPGRADE_CAUSES) and hazard. To be called before the team of the week changes, so
    that the chance follows from what could be seen before the week began. Whether an account has decided to
    leave changes nothing here: what it does until then must not give its decision away.
    """
    numbers = parameters.subscription
    subscribed = is_subscribed(accounts, week)
    staying = subscribed & (accounts.signup_week < week.number) & (cancels_at == NEVER)
    if week.number == 1:  # the teams known at the start have grown long ago
        plans.joined_before[:] = accounts.joined
    effects = _upgrade_effects(accounts, plans, week, parameters)
    plans.joined_before[week.number % RECENT_WEEKS] = accounts.joined
    chance = np.where(staying, _upgrade_chance(effects, numbers), 0.0)
    hazard = np.where(subscribed, chance, np.nan)

    upgrades = random.random(len(accounts)) < chance
    downgrade_rate = np.where(
        accounts.archetype == DECLINING, numbers.downgrade_rate_declining, numbers.downgrade_rate
    )
    downgrades = random.random(len(accounts)) < downgrade_rate
    downgrades &= staying & ~upgrades & (accounts.plan > STARTER)
    upgraded, downgraded = np.flatnonzero(upgrades), np.flatnonzero(downgrades)
    upgraded_at = working_times(random, week, len(upgraded))
    truth = _upgrades_table(upgraded, accounts, week, effects, hazard, parameters)

    over_at = cancels_at.copy()
    over_at[upgraded] = upgraded_at
    trials_ended = _end_trials(plans, week, over_at, numbers)
    plans.trial_week[upgraded] = NO_TRIAL
    on_largest = accounts.plan[upgraded] == len(PLANS) - 1
    seats = accounts.seats[upgraded]
    more_seats = np.maximum(seats + 1, np.ceil(seats * numbers.seats_margin).astype(seats.dtype))
    # a larger plan comes with seats for everybody who is there
    enough_seats = np.maximum(seats, np.ceil(accounts.members()[upgraded] * numbers.seats_margin))
    accounts.seats[upgraded] = np.where(on_largest, more_seats, enough_seats)
    accounts.plan[upgraded] += ~on_largest
    accounts.plan[downgraded] -= 1
    trials_started = _start_trials(random, accounts, plans, week, staying & ~upgrades & ~downgrades, numbers)
    downgraded_at = working_times(random, week, len(downgraded))
    events = [
        _plan_events("subscription_upgraded", upgraded, upgraded_at, accounts, parameters),
        _plan_events("subscription_downgraded", downgraded, downgraded_at, accounts, parameters),
        trials_ended,
        trials_started,
    ]
    return concatenate(events), hazard, truth


def _upgrade_chance(effects: np.ndarray, numbers: SubscriptionNumbers) -> np.ndarray:
    """logistic(logit(upgrade_rate) + the sum of the effects), by account.

    An experiment or an intervention with a known uplift would be one more row of effects.
    """
    logit = np.log(numbers.upgrade_rate / (1 - numbers.upgrade_rate)) + effects.sum(axis=0)
    return 1 / (1 + np.exp(-logit))


def _upgrade_effects(
    accounts: Accounts, plans: PlanState, week: Week, parameters: WorldParameters
) -> np.ndarray:
    """On the logit of an upgrade: causes × accounts, in the order of UPGRADE_CAUSES, all 0 or more.

    Closeness to the limit of the plan; a trial that is running or has just ended; the share of the team that
    joined in the last RECENT_WEEKS (the owner is no growth).
    """
    numbers = parameters.subscription
    used = _limit_used(accounts, slice(None), parameters)
    pressure = (used - numbers.upgrade_pressure_from) / (1 - numbers.upgrade_pressure_from)
    weeks_since = week.number - plans.trial_week
    feels_trial = (plans.trial_week != NO_TRIAL) & (weeks_since <= numbers.trial_felt_weeks)
    return np.stack(
        [
            np.log(numbers.upgrade_odds_at_limit) * np.maximum(pressure, 0),
            np.log(numbers.upgrade_odds_in_trial) * feels_trial,
            np.log(numbers.upgrade_odds_of_growth) * _team_growth(accounts, plans, week),
        ]
    )


def _team_growth(accounts: Accounts, plans: PlanState, week: Week) -> np.ndarray:
    """People who joined in the last RECENT_WEEKS over people in the team, 0-1."""
    before = np.maximum(plans.joined_before[week.number % RECENT_WEEKS], 1)
    return np.clip((accounts.joined - before) / np.maximum(accounts.members(), 1), 0, 1)


def _end_trials(
    plans: PlanState, week: Week, over_at: np.ndarray, numbers: SubscriptionNumbers
) -> EventBatch:
    """A trial ends after its days, or earlier (`over_at`) with an upgrade or with the subscription."""
    ends_at = np.minimum(plans.trial_ends_at, over_at)
    ending = np.flatnonzero((plans.trial_ends_at < NEVER) & (ends_at < week.ends_at))
    plans.trial_ends_at[ending] = NEVER
    return _trial_events("trial_ended", ending, ends_at[ending], plans, numbers)


def _start_trials(
    random: np.random.Generator,
    accounts: Accounts,
    plans: PlanState,
    week: Week,
    may: np.ndarray,
    numbers: SubscriptionNumbers,
) -> EventBatch:
    """Trials of the next larger plan, by those who work much with the one that they have."""
    core_events = accounts.core_history[:, 0]
    rate = numbers.trial_rate * core_events / (core_events + numbers.trial_half_core_events)
    may = may & (accounts.plan < len(PLANS) - 1)
    may &= (plans.trial_week == NO_TRIAL) | (week.number - plans.trial_week > numbers.trial_pause_weeks)
    starting = np.flatnonzero(may & (random.random(len(accounts)) < rate))
    starts_at = working_times(random, week, len(starting))
    plans.trial_week[starting] = week.number
    plans.trial_plan[starting] = accounts.plan[starting] + 1
    plans.trial_ends_at[starting] = starts_at + numbers.trial_days * DAY
    return _trial_events("trial_started", starting, starts_at, plans, numbers)


def _trial_events(
    event: str, account: np.ndarray, occurred_at: np.ndarray, plans: PlanState, numbers: SubscriptionNumbers
) -> EventBatch:
    properties = {
        "plan": plan_names(plans.trial_plan[account]),
        "trial_days": pa.array(np.full(len(account), numbers.trial_days)),
    }
    return make_events(event, account, occurred_at, properties=json_objects(properties))


def _upgrades_table(
    upgraded: np.ndarray,
    accounts: Accounts,
    week: Week,
    effects: np.ndarray,
    hazard: np.ndarray,
    parameters: WorldParameters,
) -> pa.Table:
    """Before the plans change: the cause is the effect that raised the odds most, if it raised them much."""
    largest = effects[:, upgraded].max(axis=0)
    is_caused = largest >= np.log(parameters.subscription.smallest_cause)
    cause = np.where(is_caused, effects[:, upgraded].argmax(axis=0), len(UPGRADE_CAUSES) - 1)
    on_largest = accounts.plan[upgraded] == len(PLANS) - 1
    return pa.table(
        {
            "account_id": identifiers.account_ids(upgraded, parameters.customers),
            "review_week": week_column(week, len(upgraded)),
            "kind": pa.array(UPGRADE_KINDS).take(pa.array(on_largest.astype(np.int8))),
            "cause": pa.array(UPGRADE_CAUSES).take(pa.array(cause)),
            "hazard": hazard[upgraded],
        }
    )


def _limit_used(accounts: Accounts, account: np.ndarray | slice, parameters: WorldParameters) -> np.ndarray:
    """How much of the plan is used, 0-1: its seats, or its actions in 28 days, whichever is closer."""
    included = np.take([plan.included_actions for plan in PLANS], accounts.plan[account])
    seats = accounts.seats[account]
    actions = accounts.core_history[account, :RECENT_WEEKS].sum(axis=1)
    actions_limit = parameters.subscription.actions_per_seat_28d * included * seats
    members = accounts.joined[account] - accounts.removed[account]
    return np.clip(np.maximum(members / seats, actions / actions_limit), 0, 1)


def _plan_events(
    event: str, account: np.ndarray, occurred_at: np.ndarray, accounts: Accounts, parameters: WorldParameters
) -> EventBatch:
    seat_cents = np.take([plan.seat_cents for plan in PLANS], accounts.plan[account])
    used = np.round(100 * _limit_used(accounts, account, parameters)).astype(np.int64)
    return make_events(
        event,
        account,
        occurred_at,
        properties=json_objects(
            {
                "plan": plan_names(accounts.plan[account]),
                "mrr": hundredths(seat_cents * accounts.seats[account]),
                "seats": pa.array(accounts.seats[account]),
                "limit_used_share": hundredths(used),
                "renewal_date": pa.array(
                    np.datetime_as_string(accounts.renews_at[account].astype("datetime64[ms]"), unit="D")
                ),
            }
        ),
    )


def plan_names(plan: np.ndarray) -> pa.Array:
    """The names of plans, by their codes."""
    return pa.array([plan.name for plan in PLANS]).take(pa.array(plan))
