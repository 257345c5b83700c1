"""The accounts: what they are from the start, and what changes from week to week."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from simulation import identifiers
from simulation.catalogue import FEATURE_EVENTS, PLANS
from simulation.chance import choose, stream
from simulation.parameters import (
    CANCELLED,
    DECLINING,
    DORMANT,
    NEW,
    POWER,
    SubscriptionNumbers,
    WorldParameters,
)
from simulation.seasons import MONTHS_PER_QUARTER
from simulation.weeks import DAY, HOUR, NEVER, Week, weeks_of, working_times, zones_of

if TYPE_CHECKING:
    from simulation.activation import Activation

HISTORY_WEEKS = 12
KNOWN_AT_START = 0  # the sign-up week of accounts that are older than the world
# Core events of a typical week by archetype, for the memory that accounts known at the start begin with;
# those who decline or are dormant were casual before.
TYPICAL_CORE_EVENTS = (4.0, 16.0, 3.0, 3.0, 3.0, 3.0, 0.0)
TYPICAL_LOG_TEAM, SPREAD_LOG_TEAM = 0.77, 0.95  # of team_target, as its distribution gives them


@dataclass
class Accounts:
    """All accounts of a world as parallel columns, by position.

    Fixed: everything above the blank line. The rest is the state at the end of the last simulated week;
    the modules of each subject change it in place. core_history: customers × HISTORY_WEEKS, newest first.
    """

    signup_week: np.ndarray  # number of the week, or KNOWN_AT_START
    signed_up_at: np.ndarray  # UTC milliseconds
    zone: np.ndarray  # position in weeks.zones_of
    is_test: np.ndarray  # our own people
    fit: np.ndarray  # standard normal: how well the product suits the account
    habit: np.ndarray  # factor on the daily chance of activity
    frailty: np.ndarray  # unobserved, on the logit of the decision to cancel
    feature_preference: np.ndarray  # customers × features, positive
    team_target: np.ndarray  # people that it would like to have there
    renamed_at: np.ndarray  # when the owner gets another user id, UTC milliseconds; for most, never
    season_phase: np.ndarray  # 0-2: the busy month of the quarter of a seasonal account

    archetype: np.ndarray
    weeks_in_archetype: np.ndarray
    declined_from_power: np.ndarray
    satisfaction: np.ndarray
    plan: np.ndarray
    seats: np.ndarray
    joined: np.ndarray  # people who ever joined; they are numbered from 1, the owner
    removed: np.ndarray  # people who left: the owner never does, the others in the order they came
    core_history: np.ndarray  # core events of a week over the factor of its season
    weeks_known: np.ndarray
    quiet_weeks: np.ndarray
    bad_tickets: np.ndarray  # fading counts of what weighs on the decision to cancel
    errors: np.ndarray
    pricing_views: np.ndarray
    removals: np.ndarray
    ends_in_week: np.ndarray  # number of the week in which the subscription will end, 0 while undecided
    cancelled_week: np.ndarray  # number of the week, 0 while subscribed
    renews_at: np.ndarray  # when the term of the subscription is over, UTC milliseconds

    def __len__(self) -> int:
        return len(self.signup_week)

    def members(self) -> np.ndarray:
        """People in the team of each account."""
        return self.joined - self.removed


def found_accounts(parameters: WorldParameters) -> Accounts:
    """All accounts of the world, as they are before its first week."""
    arrival = parameters.arrival
    customers = parameters.customers
    random = stream(parameters.seed, "accounts")
    known_at_start = random.random(customers) < arrival.share_known_at_start
    growth = np.exp(arrival.weekly_growth * np.arange(parameters.weeks))
    signup_week = np.where(
        known_at_start, KNOWN_AT_START, 1 + choose(random, tuple(growth), customers)
    ).astype(np.int32)
    team_target = np.minimum(
        np.floor(1 + arrival.team_scale * random.pareto(arrival.team_tail, customers)), arrival.team_largest
    ).astype(np.int32)
    archetype = np.where(known_at_start, choose(random, arrival.archetypes_at_start, customers), NEW).astype(
        np.int8
    )
    size = (np.log(team_target) - TYPICAL_LOG_TEAM) / SPREAD_LOG_TEAM
    fit = arrival.fit_by_team_size * size + np.sqrt(1 - arrival.fit_by_team_size**2) * random.standard_normal(
        customers
    )
    habit = np.exp(arrival.habit_spread * random.standard_normal(customers))
    weeks_in_archetype = np.where(archetype == DECLINING, random.integers(1, 5, customers), 1)
    quiet_weeks = np.where(archetype == DORMANT, random.integers(2, 7, customers), 0).astype(np.int32)
    zone = choose(random, tuple(share for _, share in arrival.zones), customers).astype(np.int8)
    signed_up_at = _signup_times(random, parameters, signup_week, zone)
    team_at_start = np.maximum(1, np.round(arrival.team_share_at_start * team_target))
    shape = arrival.preference_shape
    return Accounts(
        signup_week=signup_week,
        signed_up_at=signed_up_at,
        zone=zone,
        is_test=random.random(customers) < arrival.test_share,
        fit=fit,
        habit=habit,
        frailty=parameters.hazard.frailty_spread * random.standard_normal(customers),
        renamed_at=_renaming_times(random, parameters, signed_up_at),
        feature_preference=random.gamma(shape, 1 / shape, (customers, len(FEATURE_EVENTS))).astype(
            np.float32
        ),
        team_target=team_target,
        season_phase=random.integers(0, MONTHS_PER_QUARTER, customers).astype(np.int8),
        archetype=archetype,
        weeks_in_archetype=weeks_in_archetype,
        declined_from_power=np.zeros(customers, dtype=np.bool_),
        satisfaction=arrival.satisfaction_by_fit * fit
        + arrival.satisfaction_spread * random.standard_normal(customers),
        plan=_first_plan(random, team_target, parameters.subscription),
        seats=np.ceil(
            random.uniform(*parameters.subscription.seats_per_wanted_person, customers) * team_target
        ).astype(np.int32),
        joined=np.where(known_at_start, team_at_start, 0).astype(np.int32),
        removed=np.zeros(customers, dtype=np.int32),
        core_history=_history_at_start(
            parameters, archetype, known_at_start * habit, weeks_in_archetype, quiet_weeks
        ),
        weeks_known=np.where(known_at_start, HISTORY_WEEKS, 0).astype(np.int32),
        quiet_weeks=quiet_weeks,
        bad_tickets=np.zeros(customers, dtype=np.float32),
        errors=np.zeros(customers, dtype=np.float32),
        pricing_views=np.zeros(customers, dtype=np.float32),
        removals=np.zeros(customers, dtype=np.float32),
        ends_in_week=np.zeros(customers, dtype=np.int32),
        cancelled_week=np.zeros(customers, dtype=np.int32),
        renews_at=np.full(customers, NEVER),
    )


def is_signed_up(accounts: Accounts, week: Week) -> np.ndarray:
    """Whether each account exists by the end of the week."""
    return accounts.signup_week <= week.number


def is_subscribed(accounts: Accounts, week: Week) -> np.ndarray:
    """Whether each account exists by the end of the week and has not cancelled so far."""
    return is_signed_up(accounts, week) & (accounts.archetype != CANCELLED)


def is_staying(accounts: Accounts, week: Week) -> np.ndarray:
    """Whether each account is subscribed, and still is when the week is over."""
    return is_subscribed(accounts, week) & (accounts.ends_in_week != week.number)


def move_archetypes(
    random: np.random.Generator,
    accounts: Accounts,
    activation: Activation,
    week: Week,
    parameters: WorldParameters,
) -> None:
    """One step of the Markov process, and of satisfaction, for all subscribed accounts of earlier weeks."""
    numbers = parameters.archetype
    positions = np.flatnonzero(is_subscribed(accounts, week) & (accounts.signup_week < week.number))
    satisfaction = accounts.satisfaction[positions]
    before = accounts.archetype[positions]
    satisfaction = (
        numbers.satisfaction_memory * satisfaction
        + numbers.satisfaction_noise * random.standard_normal(len(positions))
        + numbers.satisfaction_drift_declining * (before == DECLINING)
    )
    accounts.satisfaction[positions] = satisfaction
    chances = np.array(numbers.transitions)[before]
    chances[:, POWER] *= np.exp(numbers.fit_effect * accounts.fit[positions])
    chances[:, DECLINING] *= np.exp(-numbers.satisfaction_effect * satisfaction)
    effect = np.take(numbers.activation_effects, activation.is_activated[positions].astype(np.int8))
    is_new = before == NEW
    chances[np.ix_(is_new, (DECLINING, DORMANT))] *= np.exp(effect[is_new])[:, None]
    # rare extremes of fit and satisfaction must not push the sum of the chances beyond 1
    limits = np.cumsum(np.minimum(chances, 1 / chances.shape[1]), axis=1)
    after = (random.random(len(positions))[:, None] >= limits).sum(axis=1)
    after = np.where(after == chances.shape[1], before, after).astype(np.int8)
    stays = after == before
    accounts.declined_from_power[positions] = np.where(
        stays, accounts.declined_from_power[positions], before == POWER
    )
    accounts.weeks_in_archetype[positions] = np.where(stays, accounts.weeks_in_archetype[positions] + 1, 1)
    accounts.archetype[positions] = after


def remember_week(
    accounts: Accounts,
    week: Week,
    *,
    sessions: np.ndarray,
    core_events: np.ndarray,
    bad_tickets: np.ndarray,
    errors: np.ndarray,
    pricing_views: np.ndarray,
    removals: np.ndarray,
    season: float,
    parameters: WorldParameters,
) -> None:
    """Write what was seen in the week (counts by account) into the memory that decisions look at.

    `season`: mean factor of the calendar on usage; who works less between the years is not in decline.
    """
    signed_up = is_signed_up(accounts, week)
    accounts.core_history[:, 1:] = accounts.core_history[:, :-1].copy()
    accounts.core_history[:, 0] = core_events / season
    accounts.weeks_known[signed_up] += 1
    counts_as_quiet = signed_up & (season >= parameters.season.quiet_below)
    accounts.quiet_weeks[:] = np.where(sessions > 0, 0, accounts.quiet_weeks + counts_as_quiet)
    accounts.bad_tickets[:] = bad_tickets
    memory = parameters.hazard.memory
    for name, counts in (("errors", errors), ("pricing_views", pricing_views), ("removals", removals)):
        fading = getattr(accounts, name)
        fading[:] = memory * fading + counts
    accounts.satisfaction += parameters.archetype.satisfaction_by_errors * np.log1p(errors)


def accounts_table(accounts: Accounts, parameters: WorldParameters) -> pa.Table:
    """Truth, one row per account: what is fixed about it, before its first week."""
    return pa.table(
        {
            "account_id": identifiers.account_ids(np.arange(len(accounts)), parameters.customers),
            "signed_up_at": pa.array(accounts.signed_up_at * 1_000, pa.timestamp("us")),
            "is_known_at_start": accounts.signup_week == KNOWN_AT_START,
            "product_fit": accounts.fit,
            "habit_factor": accounts.habit,
            "hazard_frailty": accounts.frailty,
            "team_target": accounts.team_target,
            "time_zone": pa.array([zone.key for zone in zones_of(parameters)]).take(pa.array(accounts.zone)),
            "is_test": accounts.is_test,
            "season_phase": accounts.season_phase,
            "first_plan": pa.array([plan.name for plan in PLANS]).take(pa.array(accounts.plan)),
        }
    )


def _signup_times(
    random: np.random.Generator, parameters: WorldParameters, signup_week: np.ndarray, zone: np.ndarray
) -> np.ndarray:
    """Working hours of the sign-up week; for older accounts up to three years before the world."""
    weeks = list(weeks_of(parameters))
    times = weeks[0].starts_at - random.integers(HOUR, parameters.arrival.oldest_days * DAY, len(signup_week))
    for week in weeks:
        arriving = np.flatnonzero(signup_week == week.number)
        times[arriving] = working_times(random, week, len(arriving), zone[arriving])
    return times


def _renaming_times(
    random: np.random.Generator, parameters: WorldParameters, signed_up_at: np.ndarray
) -> np.ndarray:
    """When an owner gets another user id: at some time after the sign-up and within the world."""
    weeks = list(weeks_of(parameters))
    earliest = np.maximum(signed_up_at, weeks[0].starts_at) + DAY
    left = np.maximum(weeks[-1].ends_at - earliest, DAY)
    moments = earliest + (random.random(len(earliest)) * left).astype(np.int64)
    return np.where(random.random(len(earliest)) < parameters.usage.id_change_share, moments, NEVER)


def _history_at_start(
    parameters: WorldParameters,
    archetype: np.ndarray,
    habit: np.ndarray,
    weeks_in_archetype: np.ndarray,
    quiet_weeks: np.ndarray,
) -> np.ndarray:
    """Weekly core events before the world, newest first: decline and silence have begun already."""
    weeks_ago = np.arange(HISTORY_WEEKS)
    weeks_declined = np.maximum(weeks_in_archetype[:, None] - weeks_ago, 0)
    level = np.where(archetype[:, None] == DECLINING, parameters.usage.decline_per_week**weeks_declined, 1.0)
    level = np.where(weeks_ago < quiet_weeks[:, None], 0.0, level)
    return np.round((np.take(TYPICAL_CORE_EVENTS, archetype) * habit)[:, None] * level).astype(np.float32)


def _first_plan(
    random: np.random.Generator, team_target: np.ndarray, numbers: SubscriptionNumbers
) -> np.ndarray:
    """Larger teams buy larger plans; some take the next larger one."""
    by_size = np.searchsorted(numbers.team_sizes_of_plans, team_target, side="right") - 1
    larger = by_size + (random.random(len(team_target)) < numbers.larger_plan_share)
    return np.minimum(larger, len(PLANS) - 1).astype(np.int8)
