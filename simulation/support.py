"""Tickets and the satisfaction survey: they follow what happened to the customer."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from simulation import identifiers
from simulation.accounts import Accounts, is_subscribed
from simulation.events import EventBatch, concatenate, make_events
from simulation.json_text import hundredths, json_objects
from simulation.parameters import DECLINING, WorldParameters
from simulation.usage import Sessions, end_sessions_with, pick_sessions
from simulation.weeks import HOUR, Week


def open_tickets(
    random: np.random.Generator,
    accounts: Accounts,
    week: Week,
    sessions: Sessions,
    parameters: WorldParameters,
) -> tuple[EventBatch, np.ndarray]:
    """Tickets opened in the week with their later ends, and the fading count of bad ones by account."""
    numbers = parameters.support
    present = _subscribed_visitors(accounts, week, sessions)
    rate = np.where(
        accounts.archetype[present] == DECLINING, numbers.ticket_rate_declining, numbers.ticket_rate
    )
    account = present[random.random(len(present)) < rate]
    sentiment = (
        np.where(
            accounts.archetype[account] == DECLINING,
            numbers.sentiment_offset_declining,
            numbers.sentiment_offset,
        )
        + numbers.sentiment_per_satisfaction * accounts.satisfaction[account]
        + numbers.sentiment_spread * random.standard_normal(len(account))
    )
    sentiment = np.round(100 * np.clip(sentiment, -1, 1)).astype(np.int64)
    ticket_ids = identifiers.thing_ids(
        "t_",
        identifiers.numbers_in_week(identifiers.TICKET, week.number, len(account), parameters.seed),
    )
    opened = end_sessions_with(
        random,
        "ticket_opened",
        sessions,
        pick_sessions(random, sessions, account),
        page="/support",
        properties=json_objects({"ticket_id": ticket_ids, "sentiment": hundredths(sentiment)}),
    )
    closes = np.flatnonzero(random.random(len(account)) >= numbers.never_closed_share)
    hours = numbers.hours_to_close_median * np.exp(
        numbers.hours_to_close_spread * random.standard_normal(len(closes))
    )
    closed = make_events(
        "ticket_closed",
        account[closes],
        opened.occurred_at[closes] + (hours * HOUR).astype(np.int64),
        properties=json_objects({"ticket_id": ticket_ids.take(pa.array(closes))}),
    )
    is_bad = sentiment < 100 * numbers.bad_sentiment_below
    new_bad_tickets = np.bincount(account[is_bad], minlength=len(accounts))
    bad_tickets = parameters.hazard.bad_ticket_memory * accounts.bad_tickets + new_bad_tickets
    return concatenate([opened, closed]), bad_tickets


def answer_survey(
    random: np.random.Generator,
    accounts: Accounts,
    week: Week,
    sessions: Sessions,
    parameters: WorldParameters,
) -> EventBatch:
    """Answers from 0 to 10 to the question whether one would recommend us."""
    numbers = parameters.support
    present = _subscribed_visitors(accounts, week, sessions)
    account = present[random.random(len(present)) < numbers.answer_rate]
    score = (
        numbers.score_center
        + numbers.score_per_satisfaction * accounts.satisfaction[account]
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
    visitors = np.unique(sessions.account)
    return visitors[is_subscribed(accounts, week)[visitors]]
