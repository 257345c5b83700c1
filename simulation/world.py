"""The demo world, week by week: parameters in, events and truth out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa

from simulation.accounts import Accounts, accounts_table, found_accounts, move_archetypes, remember_week
from simulation.activation import Activation, activation_table, plan_activation, take_first_steps
from simulation.anomalies import anomalies_table, plan_anomalies
from simulation.catalogue import EVENT_CODES, FEATURE_EVENTS, PAGE_CODES
from simulation.chance import stream
from simulation.commerce import Buyers, buyers_table, found_buyers, sell
from simulation.delivery import deliver, deliveries_table, split_received
from simulation.events import NO_FAULT, NONE, OWNER, EventBatch, concatenate, events_table, take
from simulation.hazard import (
    Foresight,
    begin_foresight,
    decide_before_the_world,
    decide_in_week,
    learn_of_endings,
    leave_in_week,
)
from simulation.introductions import change_ids, sign_up
from simulation.messages import Readers, found_readers, readers_table, send_messages
from simulation.parameters import WorldParameters
from simulation.seasons import usage_factors
from simulation.sessions import FIRST_LOOK, Sessions, join_sessions
from simulation.subscriptions import (
    PlanState,
    change_plans,
    end_subscriptions,
    found_plans,
    import_subscriptions,
    renew_subscriptions,
    resubscribe,
    start_subscriptions,
)
from simulation.support import SupportState, answer_survey, found_support, open_tickets
from simulation.team import change_teams, import_members, join_owners
from simulation.truth import account_weeks_table, sessions_table
from simulation.usage import fill_sessions, hold_sessions
from simulation.visits import Prospects, find_prospects, look_before_signing_up, scrape, visit
from simulation.weeks import Week, weeks_of


@dataclass(frozen=True)
class WorldSlice:
    """What a week adds.

    `received`: the deliveries of the seven UTC days of the slice, sorted by receipt (late arrivals wait for
    theirs, so no day of receipt is in two slices); collector.py makes files of them. `truth`: tables by
    name, those of every week, and in the first slice those of the accounts; nothing but benchmarks and
    tests may read them.
    """

    week_start: date
    received: EventBatch
    truth: dict[str, pa.Table]
    parameters: WorldParameters

    def events(self) -> pa.Table:
        """The deliveries that are not damaged, in the columns of events.EVENT_SCHEMA."""
        whole = np.flatnonzero(self.received.fault == NO_FAULT)
        return events_table(take(self.received, whole), self.parameters)


@dataclass(frozen=True)
class Population:
    """All that lives from week to week."""

    accounts: Accounts
    activation: Activation
    foresight: Foresight
    prospects: Prospects
    buyers: Buyers
    readers: Readers
    plans: PlanState
    support: SupportState


def simulate_world(parameters: WorldParameters) -> Iterator[WorldSlice]:
    """The slices of the world, in order; memory is bounded by the accounts and one week of events.

    The same parameters give equal slices. What would be received after the last week is left out, as it
    would be on the day after it.
    """
    population = _populate(parameters)
    truth = {
        "accounts": accounts_table(population.accounts, parameters),
        "activation": activation_table(population.activation, parameters),
        "buyers": buyers_table(population.buyers, parameters),
        "readers": readers_table(population.readers, parameters),
    }
    waiting: list[EventBatch] = []
    for week in weeks_of(parameters):
        # Kept by nobody here: a week of a large world fills the memory.
        yield _tell_week(population, week, waiting, truth, parameters)
        truth = {}


def _tell_week(
    population: Population,
    week: Week,
    waiting: list[EventBatch],
    truth_before: dict[str, pa.Table],
    parameters: WorldParameters,
) -> WorldSlice:
    """Live a week and tell what is received of it and of what was `waiting`, which is changed in place."""
    happened, sessions, truth = _live_week(population, week, parameters)
    deliveries = deliver(happened, week, parameters)
    del happened
    truth["sessions"] = sessions_table(sessions, deliveries[0], week, parameters)
    received, waiting[:] = split_received([*waiting, *deliveries], week.complete_until)
    truth["deliveries"] = deliveries_table(received, parameters.delivery)
    return WorldSlice(week.monday, received, truth_before | truth, parameters)


def _populate(parameters: WorldParameters) -> Population:
    accounts = found_accounts(parameters)
    foresight = begin_foresight(accounts, parameters)
    decide_before_the_world(
        stream(parameters.seed, "decisions before"), accounts, foresight, parameters.hazard
    )
    return Population(
        accounts=accounts,
        activation=plan_activation(parameters),
        foresight=foresight,
        prospects=find_prospects(accounts, parameters),
        buyers=found_buyers(parameters),
        readers=found_readers(parameters),
        plans=found_plans(parameters),
        support=found_support(parameters),
    )


def _live_week(
    population: Population, week: Week, parameters: WorldParameters
) -> tuple[EventBatch, Sessions, dict[str, pa.Table]]:
    """What happens in a week, in which sessions, and its truth; changes the population in place.

    The order matters: usage follows the archetype, everything that a person does ends a session, and
    decisions look at the week that is over.
    """

    def chance(purpose: str) -> np.random.Generator:
        return stream(parameters.seed, purpose, week.number)

    accounts, activation = population.accounts, population.activation
    cancels_at = leave_in_week(chance("cancellation"), accounts, week)
    happened = [
        start_subscriptions(accounts, week, parameters),
        join_owners(accounts, week, parameters),
        resubscribe(chance("resubscription"), accounts, week, parameters),
        renew_subscriptions(accounts, week, cancels_at, parameters),
        change_ids(accounts, week, parameters),
    ]
    if week.number == 1:
        happened += [
            import_subscriptions(accounts, week, parameters),
            import_members(accounts, week, parameters),
        ]
    move_archetypes(chance("archetype"), accounts, activation, week, parameters)
    anomalies = plan_anomalies(chance("anomalies"), accounts, week, cancels_at, parameters)

    sessions, elapsed = hold_sessions(
        chance("sessions"), accounts, activation, anomalies, week, cancels_at, parameters
    )
    usage = fill_sessions(chance("usage"), accounts, sessions, elapsed, parameters)
    arriving_sessions = np.flatnonzero(sessions.purpose == FIRST_LOOK)
    errors = _counts_of("error_shown", usage, len(accounts))
    tickets, bad_tickets, tickets_truth = open_tickets(
        chance("tickets"), accounts, population.support, week, sessions, errors, parameters
    )
    orders, carts_truth = sell(chance("orders"), accounts, population.buyers, week, sessions, parameters)
    plans, upgrade_hazard, upgrades_truth = change_plans(
        chance("plans"), accounts, population.plans, week, cancels_at, parameters
    )
    teams, removals = change_teams(chance("team"), accounts, activation, week, sessions, parameters)
    messages, messages_truth = send_messages(
        chance("messages"), accounts, population.readers, week, parameters
    )
    happened += [
        usage,
        sign_up(chance("sign-up"), accounts, sessions, week),
        look_before_signing_up(chance("first looks"), accounts, sessions, arriving_sessions, parameters),
        take_first_steps(chance("first steps"), accounts, activation, week, sessions, parameters),
        tickets,
        answer_survey(chance("surveys"), accounts, week, sessions, parameters),
        orders,
        teams,
        plans,
        messages,
    ]
    archetype = accounts.archetype.copy()
    happened.append(end_subscriptions(chance("reasons"), accounts, week, cancels_at))
    learn_of_endings(accounts, population.foresight, cancels_at)
    visits, pages = visit(chance("visits"), population.prospects, week, parameters)
    bots, bot_pages, bots_truth = scrape(chance("bots"), week, parameters)
    happened += [_behind(pages, len(sessions)), _behind(bot_pages, len(sessions) + len(visits))]
    events = _by_their_ids(concatenate(happened), accounts)
    happened.clear()
    remember_week(
        accounts,
        week,
        sessions=np.bincount(sessions.account, minlength=len(accounts)),
        core_events=_counts(events, events.event < len(FEATURE_EVENTS), len(accounts)),
        bad_tickets=bad_tickets,
        errors=errors,
        pricing_views=_pricing_views(events, len(accounts)),
        removals=removals,
        season=usage_factors(week, parameters.season).mean(),
        parameters=parameters,
    )
    hazard, probability = decide_in_week(
        chance("decisions"), accounts, population.foresight, week, parameters.hazard
    )
    truth = {
        "account_weeks": account_weeks_table(
            accounts, week, archetype, hazard, probability, upgrade_hazard, parameters
        ),
        "anomalies": anomalies_table(anomalies, sessions, week, parameters),
        "bots": bots_truth,
        "carts": carts_truth,
        "messages": messages_truth,
        "tickets": tickets_truth,
        "upgrades": upgrades_truth,
    }
    return events, join_sessions([sessions, visits, bots]), truth


def _by_their_ids(events: EventBatch, accounts: Accounts) -> EventBatch:
    """The events, those of owners who have another user id by then marked."""
    is_owner = (events.member == OWNER) & (events.account >= 0)
    return replace(events, is_renamed=is_owner & (events.occurred_at >= accounts.renamed_at[events.account]))


def _behind(batch: EventBatch, sessions: int) -> EventBatch:
    """The events of sessions that are counted after so many others."""
    return replace(batch, session=np.where(batch.session == NONE, NONE, batch.session + sessions))


def _counts_of(event: str, batch: EventBatch, accounts: int) -> np.ndarray:
    return _counts(batch, batch.event == EVENT_CODES[event], accounts)


def _counts(batch: EventBatch, holds: np.ndarray, accounts: int) -> np.ndarray:
    return np.bincount(batch.account[holds & (batch.account >= 0)], minlength=accounts)


def _pricing_views(batch: EventBatch, accounts: int) -> np.ndarray:
    """Looks at our prices by people of whom we know who they are."""
    is_pricing = (batch.event == EVENT_CODES["page_viewed"]) & (batch.page == PAGE_CODES["/pricing"])
    return _counts(batch, is_pricing, accounts)
