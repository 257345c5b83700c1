"""People who have not said who they are: future customers, strangers, and programs that scrape the site."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from simulation import identifiers
from simulation.accounts import KNOWN_AT_START, Accounts
from simulation.catalogue import (
    CAMPAIGN_WEIGHTS,
    COMPUTER,
    PAGE_CODES,
    PUBLIC_PAGE_WEIGHTS,
    PUBLIC_PAGES,
    REFERRER_WEIGHTS,
)
from simulation.chance import choose, stream
from simulation.events import NO_ACCOUNT, NOBODY, NONE, EventBatch, make_events
from simulation.parameters import WorldParameters
from simulation.sessions import USUAL, Sessions
from simulation.usage import draw_delays, elapsed_in_sessions
from simulation.weeks import DAY, HOUR, MINUTE, SECOND, Week, week_column

FIRST_PUBLIC_PAGE = PAGE_CODES[PUBLIC_PAGES[0]]


@dataclass(frozen=True)
class Prospects:
    """The visits of future customers before they sign up, sorted by start. UTC milliseconds."""

    account: np.ndarray
    starts_at: np.ndarray


def find_prospects(accounts: Accounts, parameters: WorldParameters) -> Prospects:
    """When the accounts that sign up in the world came before: days earlier, at about the same time."""
    numbers = parameters.visit
    random = stream(parameters.seed, "prospects")
    arriving = np.flatnonzero(accounts.signup_week != KNOWN_AT_START)
    counts = random.poisson(numbers.visits_before_sign_up, len(arriving))
    account = np.repeat(arriving, counts)
    first = np.cumsum(counts) - counts
    # at least a day apart, an hour's play on either side
    days = 1 + random.geometric(1 / numbers.days_between_mean, len(account))
    since_all = np.cumsum(days)
    before_first = np.concatenate([[0], since_all])[np.repeat(first, counts)]
    leads = (since_all - before_first) * DAY + random.integers(-HOUR, HOUR, len(account))
    starts_at = accounts.signed_up_at[account] - leads
    order = np.argsort(starts_at, kind="stable")
    return Prospects(account[order], starts_at[order])


def visit(
    random: np.random.Generator, prospects: Prospects, week: Week, parameters: WorldParameters
) -> tuple[Sessions, EventBatch]:
    """The anonymous sessions of a week and their pages: of future customers, then of strangers."""
    numbers = parameters.visit
    begin, end = np.searchsorted(prospects.starts_at, [week.starts_at, week.ends_at])
    future = prospects.account[begin:end]
    strangers = random.poisson(numbers.strangers_per_account * parameters.customers)
    days = random.integers(0, week.day_starts.shape[1], strangers)
    zones = random.integers(0, week.day_starts.shape[0], strangers)
    hours = (random.triangular(7, 14, 23, strangers) * HOUR).astype(np.int64)
    # a computer of their own each, which is never seen again
    machine = identifiers.STRANGERS + _numbers_of_week(week, strangers)
    account = np.concatenate([future, np.full(strangers, NO_ACCOUNT)])
    starts_at = np.concatenate([prospects.starts_at[begin:end], week.day_starts[zones, days] + hours])
    events = np.minimum(random.geometric(1 / numbers.pages_mean, len(account)), 20)
    device = np.full(len(account), COMPUTER)
    sessions = Sessions(
        account=account,
        member=np.concatenate([np.ones(len(future), dtype=np.int64), np.zeros(strangers, dtype=np.int64)]),
        device=device,
        machine=np.concatenate([identifiers.machines(future, np.ones_like(future), COMPUTER), machine]),
        starts_at=starts_at,
        ends_at=starts_at,
        delay=draw_delays(random, device, parameters.delivery),
        events=events,
        purpose=np.full(len(events), USUAL),
    )
    elapsed = elapsed_in_sessions(random, events, parameters.usage)
    return sessions, _pages(random, sessions, elapsed, parameters)


def look_before_signing_up(
    random: np.random.Generator,
    accounts: Accounts,
    sessions: Sessions,
    arriving_sessions: np.ndarray,
    parameters: WorldParameters,
) -> EventBatch:
    """Public pages at the beginning of first sessions, seen minutes before the sign-up."""
    share = parameters.visit.looks_before_signing_up
    looking = arriving_sessions[random.random(len(arriving_sessions)) < share]
    counts = 1 + random.integers(0, 3, len(looking))
    session = np.repeat(looking, counts)
    running = np.arange(len(session)) - np.repeat(np.cumsum(counts) - counts, counts)
    signed_up_at = accounts.signed_up_at[sessions.account[session]]
    occurred_at = signed_up_at - (running + 1) * MINUTE - random.integers(0, 50 * SECOND, len(session))
    return _anonymous_pages(random, sessions, session, occurred_at, running == counts.repeat(counts) - 1)


def scrape(
    random: np.random.Generator, week: Week, parameters: WorldParameters
) -> tuple[Sessions, EventBatch, pa.Table]:
    """Programs that fetch hundreds of public pages at a constant pace; with their truth.

    Truth, one row per bot: anonymous_id, review_week, kind (scraping_bot).
    """
    numbers = parameters.visit
    bots = random.poisson(numbers.bots_per_account * parameters.customers)
    machine = identifiers.STRANGERS + _numbers_of_week(week, bots) + identifiers.NUMBERS_PER_WEEK // 2
    hours = random.uniform(0, 20, bots)
    starts_at = week.day_starts[0, random.integers(0, 7, bots)] + (hours * HOUR).astype(np.int64)
    events = random.integers(*numbers.bot_pages, bots)
    pause = (random.uniform(*numbers.bot_seconds, bots) * SECOND).astype(np.int64)
    sessions = Sessions(
        account=np.full(bots, NO_ACCOUNT),
        member=np.full(bots, NOBODY),
        device=np.full(bots, COMPUTER),
        machine=machine,
        starts_at=starts_at,
        ends_at=starts_at + (events - 1) * pause,
        delay=np.zeros(bots, dtype=np.int64),
        events=events,
        purpose=np.full(len(events), USUAL),
    )
    session = np.repeat(np.arange(bots), events)
    running = np.arange(len(session)) - np.repeat(np.cumsum(events) - events, events)
    pages = _anonymous_pages(
        random, sessions, session, starts_at[session] + running * pause[session], np.zeros(len(session), bool)
    )
    truth = pa.table(
        {
            "anonymous_id": identifiers.machine_ids(machine, parameters.seed),
            "review_week": week_column(week, bots),
            "kind": pa.array(["scraping_bot"] * bots, pa.string()),
        }
    )
    return sessions, pages, truth


def _pages(
    random: np.random.Generator, sessions: Sessions, elapsed: np.ndarray, parameters: WorldParameters
) -> EventBatch:
    session = np.repeat(np.arange(len(sessions)), sessions.events)
    is_first = np.diff(session, prepend=-1) > 0
    return _anonymous_pages(random, sessions, session, sessions.starts_at[session] + elapsed, is_first)


def _anonymous_pages(
    random: np.random.Generator,
    sessions: Sessions,
    session: np.ndarray,
    occurred_at: np.ndarray,
    is_entry: np.ndarray,
) -> EventBatch:
    """Page views without a user and an account; where they enter, they come from somewhere."""
    count = len(session)
    referrer = choose(random, REFERRER_WEIGHTS, count)
    campaign = choose(random, CAMPAIGN_WEIGHTS, count)
    comes_from = random.random(count)
    return make_events(
        "page_viewed",
        np.full(count, NO_ACCOUNT),
        occurred_at,
        device=sessions.device[session],
        machine=sessions.machine[session],
        session=session,
        delay=sessions.delay[session],
        page=FIRST_PUBLIC_PAGE + choose(random, PUBLIC_PAGE_WEIGHTS, count),
        referrer=np.where(is_entry & (comes_from < 0.6), referrer, NONE),
        campaign=np.where(is_entry & (comes_from < 0.35), campaign, NONE),
    )


def _numbers_of_week(week: Week, count: int) -> np.ndarray:
    return week.number * identifiers.NUMBERS_PER_WEEK + np.arange(count) * identifiers.GENERATIONS
