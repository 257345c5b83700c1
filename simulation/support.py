"""Tickets and the satisfaction surveys: they follow what happened to the customer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from simulation import identifiers
from simulation.accounts import Accounts, is_subscribed
from simulation.events import NO_ACCOUNT, EventBatch, concatenate, make_events
from simulation.json_text import hundredths, json_objects
from simulation.parameters import DECLINING, SupportNumbers, WorldParameters
from simulation.sessions import Sessions, end_sessions_with, pick_sessions
from simulation.weeks import DAY, HOUR, NEVER, Week, week_column

TICKET_CAUSES = ("error", "decline", "question")
ERROR = 0
TOPICS = ("billing", "bug", "how_to", "feature_request")


@dataclass
class SupportState:
    """The answer that each account still owes to the survey about its ticket; by account, changed in place.

    ticket: the number behind the id of its newest ticket that it means to rate; score: 1-5; closed_at: UTC
    milliseconds, NEVER where nothing is owed.
    """

    ticket: np.ndarray
    score: np.ndarray
    closed_at: np.ndarray


def found_support(parameters: WorldParameters) -> SupportState:
    """Before the first week nobody owes an answer."""
    customers = parameters.customers
    return SupportState(
        ticket=np.zeros(customers, dtype=np.uint64),
        score=np.zeros(customers, dtype=np.int8),
        closed_at=np.full(customers, NEVER),
    )


def open_tickets(
    random: np.random.Generator,
    accounts: Accounts,
    support: SupportState,
    week: Week,
    sessions: Sessions,
    errors: np.ndarray,
    parameters: WorldParameters,
) -> tuple[EventBatch, np.ndarray, pa.Table]:
    """Tickets opened in the week with their later ends, and answers about tickets closed before it.

    `errors`: errors shown in the week, by account. Returns also the fading count of bad tickets by account,
    and the truth, one row per ticket: ticket_id, account_id, review_week, cause (TICKET_CAUSES) and
    sentiment (-1 to 1).
    """
    numbers = parameters.support
    visitors = _subscribed_visitors(accounts, week, sessions)
    answered = _rate_tickets(random, support, week, sessions, visitors, numbers)

    rates = _ticket_rates(accounts, errors, visitors, numbers)
    place, limits = random.random(len(visitors)), np.cumsum(rates, axis=0)
    writes = place < limits[-1]
    account = visitors[writes]
    cause = (place[writes] >= limits[:-1, writes]).sum(axis=0)
    sentiment = _sentiment(random, accounts, errors, account, parameters)
    number = identifiers.numbers_in_week(identifiers.TICKET, week.number, len(account), parameters.seed)
    ticket_id = identifiers.thing_ids("t_", number)
    # who complains about an error has seen it: in the last session at the latest
    last = np.searchsorted(sessions.account, account, side="right") - 1
    picked = np.where(cause == ERROR, last, pick_sessions(random, sessions, account))
    topic_limits = np.cumsum(numbers.topic_shares, axis=1)[cause, :-1]
    topic = (random.random(len(account))[:, None] >= topic_limits).sum(axis=1)
    opened = end_sessions_with(
        random,
        "ticket_opened",
        sessions,
        picked,
        page="/support",
        properties=json_objects(
            {
                "ticket_id": ticket_id,
                "sentiment": hundredths(sentiment),
                "topic": pa.array(TOPICS).take(pa.array(topic)),
            }
        ),
    )
    closes = np.flatnonzero(random.random(len(account)) >= numbers.never_closed_share)
    hours = numbers.hours_to_close_median * np.exp(
        numbers.hours_to_close_spread * random.standard_normal(len(closes))
    )
    closed = make_events(
        "ticket_closed",
        account[closes],
        opened.occurred_at[closes] + (hours * HOUR).astype(np.int64),
        properties=json_objects({"ticket_id": ticket_id.take(pa.array(closes))}),
    )
    _expect_ratings(random, support, closed, number[closes], sentiment[closes], hours, numbers)

    is_bad = sentiment < 100 * numbers.bad_sentiment_below
    new_bad_tickets = np.bincount(account[is_bad], minlength=len(accounts))
    bad_tickets = parameters.hazard.memory * accounts.bad_tickets + new_bad_tickets
    truth = pa.table(
        {
            "ticket_id": ticket_id,
            "account_id": identifiers.account_ids(account, parameters.customers),
            "review_week": week_column(week, len(account)),
            "cause": pa.array(TICKET_CAUSES).take(pa.array(cause)),
            "sentiment": sentiment / 100,
        }
    )
    return concatenate([answered, opened, closed]), bad_tickets, truth


def answer_survey(
    random: np.random.Generator,
    accounts: Accounts,
    week: Week,
    sessions: Sessions,
    parameters: WorldParameters,
) -> EventBatch:
    """Answers from 0 to 10 to the question whether one would recommend us."""
    numbers = parameters.support
    visitors = _subscribed_visitors(accounts, week, sessions)
    account = visitors[random.random(len(visitors)) < numbers.answer_rate]
    score = (
        numbers.score_center
        + numbers.score_per_satisfaction * accounts.satisfaction[account]
        + numbers.score_per_bad_ticket * accounts.bad_tickets[account]
        + numbers.score_spread * random.standard_normal(len(account))
    )
    score = np.clip(np.round(score), 0, 10).astype(np.int64)
    return end_sessions_with(
        random,
        "nps_answered",
        sessions,
        pick_sessions(random, sessions, account),
        page="/home",
        properties=json_objects({"score": pa.array(score)}),
    )


def _subscribed_visitors(accounts: Accounts, week: Week, sessions: Sessions) -> np.ndarray:
    visitors = sessions.account[np.diff(sessions.account, prepend=NO_ACCOUNT) > 0]
    return visitors[is_subscribed(accounts, week)[visitors]]


def _ticket_rates(
    accounts: Accounts, errors: np.ndarray, account: np.ndarray, numbers: SupportNumbers
) -> np.ndarray:
    """The chance of a ticket for each of its causes: TICKET_CAUSES × the given accounts.

    An experiment with a known effect, such as a better help page, would multiply the row of its cause.
    """
    is_declining = accounts.archetype[account] == DECLINING
    return np.stack(
        [
            numbers.ticket_rate_per_error * np.minimum(errors[account], numbers.most_errors),
            numbers.ticket_rate_declining * is_declining,
            np.full(len(account), numbers.ticket_rate),
        ]
    )


def _sentiment(
    random: np.random.Generator,
    accounts: Accounts,
    errors: np.ndarray,
    account: np.ndarray,
    parameters: WorldParameters,
) -> np.ndarray:
    """In hundredths, -100 to 100: satisfaction, decline and the errors of the last weeks, and a mood."""
    numbers = parameters.support
    recent_errors = parameters.hazard.memory * accounts.errors[account] + errors[account]
    sentiment = (
        np.where(
            accounts.archetype[account] == DECLINING,
            numbers.sentiment_offset_declining,
            numbers.sentiment_offset,
        )
        + numbers.sentiment_per_satisfaction * accounts.satisfaction[account]
        + numbers.sentiment_per_error * np.minimum(recent_errors, numbers.most_errors)
        + numbers.sentiment_spread * random.standard_normal(len(account))
    )
    return np.round(100 * np.clip(sentiment, -1, 1)).astype(np.int64)


def _expect_ratings(
    random: np.random.Generator,
    support: SupportState,
    closed: EventBatch,
    number: np.ndarray,
    sentiment: np.ndarray,
    hours: np.ndarray,
    numbers: SupportNumbers,
) -> None:
    """A share will rate how the closed tickets were handled; a newer ticket takes the place of an older."""
    score = (
        numbers.csat_center
        + numbers.csat_per_sentiment * sentiment / 100
        + numbers.csat_per_day_waited * np.minimum(hours / 24, numbers.csat_days_felt)
        + numbers.csat_spread * random.standard_normal(len(number))
    )
    will_rate = random.random(len(number)) < numbers.csat_share
    account = closed.account[will_rate]
    support.ticket[account] = number[will_rate]
    support.score[account] = np.clip(np.round(score[will_rate]), 1, 5)
    support.closed_at[account] = closed.occurred_at[will_rate]


def _rate_tickets(
    random: np.random.Generator,
    support: SupportState,
    week: Week,
    sessions: Sessions,
    visitors: np.ndarray,
    numbers: SupportNumbers,
) -> EventBatch:
    """Scores from 1 to 5 by those whose ticket was closed before the week, not too long ago."""
    closed_at = support.closed_at[visitors]
    earliest = week.starts_at - numbers.csat_days_largest * DAY
    account = visitors[(closed_at < week.starts_at) & (closed_at >= earliest)]
    support.closed_at[account] = NEVER
    return end_sessions_with(
        random,
        "csat_answered",
        sessions,
        pick_sessions(random, sessions, account),
        page="/home",
        properties=json_objects(
            {
                "ticket_id": identifiers.thing_ids("t_", support.ticket[account]),
                "score": pa.array(support.score[account]),
            }
        ),
    )
