from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from simulation.accounts import KNOWN_AT_START, Accounts, found_accounts
from simulation.catalogue import COMPUTER, EVENTS
from simulation.chance import stream
from simulation.events import NO_ACCOUNT, NOBODY, OWNER, EventBatch, concatenate
from simulation.identifiers import machines
from simulation.parameters import CANCELLED, CASUAL, DECLINING, WorldParameters
from simulation.sessions import STEP, USUAL, Sessions
from simulation.support import TICKET_CAUSES, TOPICS, answer_survey, found_support, open_tickets
from simulation.weeks import DAY, HOUR, MINUTE, Week, weeks_of

PARAMETERS = WorldParameters(customers=40_000, weeks=2, seed=41)
NUMBERS = PARAMETERS.support
# What each quarter of the accounts is given; the last quarter declines and is unhappy too.
CALM, ERRORS, UNHAPPY, IN_DECLINE = range(4)
ERRORS_SEEN = 3
DEVIATIONS = 4.0


def _accounts(parameters: WorldParameters) -> Accounts:
    accounts = found_accounts(parameters)
    accounts.signup_week[:] = KNOWN_AT_START
    accounts.archetype[:] = CASUAL
    accounts.satisfaction[:] = 0.0
    return accounts


def _sessions(account: np.ndarray, week: Week) -> Sessions:
    """A session on Monday and one on Thursday of each of the accounts, and two of strangers."""
    account = np.concatenate([[NO_ACCOUNT] * 2, np.repeat(account, 2)])
    starts_at = week.starts_at + 10 * HOUR + np.tile([0, 3 * DAY], len(account) // 2)
    member = np.where(account == NO_ACCOUNT, NOBODY, OWNER)
    return Sessions(
        account=account,
        member=member,
        device=np.full(len(account), COMPUTER),
        machine=machines(np.maximum(account, 0), member, COMPUTER),
        starts_at=starts_at,
        ends_at=starts_at + 10 * MINUTE,
        delay=np.zeros(len(account), dtype=np.int64),
        events=np.full(len(account), 4),
        purpose=np.full(len(account), USUAL),
    )


def _told(events: EventBatch) -> list[dict]:
    properties = events.properties.to_pylist()
    return [
        {
            "event": EVENTS[events.event[row]],
            "account": int(events.account[row]),
            "session": int(events.session[row]),
            "at": int(events.occurred_at[row]),
            **json.loads(properties[row]),
        }
        for row in np.argsort(events.occurred_at, kind="stable")
    ]


def _open(seed: int = 1) -> tuple[np.ndarray, EventBatch, np.ndarray, pa.Table]:
    accounts, week = _accounts(PARAMETERS), next(weeks_of(PARAMETERS))
    quarter = np.arange(len(accounts)) % 4
    accounts.satisfaction[quarter >= UNHAPPY] = -1.0
    accounts.archetype[quarter == IN_DECLINE] = DECLINING
    errors = np.where(quarter == ERRORS, ERRORS_SEEN, 0)
    events, bad_tickets, truth = open_tickets(
        stream(seed, "tickets"),
        accounts,
        found_support(PARAMETERS),
        week,
        _sessions(np.arange(len(accounts)), week),
        errors,
        PARAMETERS,
    )
    return quarter, events, bad_tickets, truth


@pytest.fixture(scope="module")
def tickets() -> tuple[np.ndarray, list[dict], np.ndarray, list[dict]]:
    """Of one week: quarter by account, told events, bad tickets by account, truth."""
    quarter, events, bad_tickets, truth = _open()
    return quarter, _told(events), bad_tickets, truth.to_pylist()


def _account(row: dict) -> int:
    return int(row["account_id"][2:])


def _sentiments(tickets, quarter: int) -> np.ndarray:
    return np.array([row["sentiment"] for row in tickets[3] if tickets[0][_account(row)] == quarter])


def test_errors_and_decline_add_tickets_as_planted(tickets) -> None:
    quarter, _, _, truth = tickets
    found = Counter((quarter[_account(row)], row["cause"]) for row in truth)
    size = PARAMETERS.customers / 4
    per_errors = ERRORS_SEEN * NUMBERS.ticket_rate_per_error
    planted = {(each, "question"): NUMBERS.ticket_rate for each in range(4)}
    planted |= {(ERRORS, "error"): per_errors, (IN_DECLINE, "decline"): NUMBERS.ticket_rate_declining}
    assert found.keys() == planted.keys()
    for key, rate in planted.items():
        assert abs(found[key] - size * rate) < DEVIATIONS * np.sqrt(size * rate)


def test_sentiment_falls_with_errors_dissatisfaction_and_decline(tickets) -> None:
    expected = {
        CALM: NUMBERS.sentiment_offset,
        ERRORS: NUMBERS.sentiment_offset + ERRORS_SEEN * NUMBERS.sentiment_per_error,
        UNHAPPY: NUMBERS.sentiment_offset - NUMBERS.sentiment_per_satisfaction,
        IN_DECLINE: NUMBERS.sentiment_offset_declining - NUMBERS.sentiment_per_satisfaction,
    }
    for quarter, mean in expected.items():
        sentiments = _sentiments(tickets, quarter)
        assert ((sentiments >= -1) & (sentiments <= 1)).all()
        assert abs(sentiments.mean() - mean) < DEVIATIONS * sentiments.std() / np.sqrt(len(sentiments)) + 0.01
    calm = _sentiments(tickets, CALM).mean()
    assert all(_sentiments(tickets, quarter).mean() < calm - 0.1 for quarter in (ERRORS, UNHAPPY, IN_DECLINE))


def test_bugs_are_reported_after_errors(tickets) -> None:
    _, told, _, truth = tickets
    causes = {row["ticket_id"]: row["cause"] for row in truth}
    opened = [row for row in told if row["event"] == "ticket_opened"]
    for position, cause in enumerate(TICKET_CAUSES):
        topics = Counter(row["topic"] for row in opened if causes[row["ticket_id"]] == cause)
        assert topics.keys() == set(TOPICS)
        for topic, share in zip(TOPICS, NUMBERS.topic_shares[position], strict=True):
            deviation = np.sqrt(share * (1 - share) / topics.total())
            assert abs(topics[topic] / topics.total() - share) < DEVIATIONS * deviation
    # in the last session at the latest the error has been seen: on Thursday
    assert all(row["session"] % 2 == 1 for row in opened if causes[row["ticket_id"]] == "error")


def test_the_truth_tells_what_the_events_tell(tickets) -> None:
    _, told, bad_tickets, truth = tickets
    opened = {row["ticket_id"]: row for row in told if row["event"] == "ticket_opened"}
    assert len(opened) == len(truth) > 2_000
    assert truth[0].keys() == {"ticket_id", "account_id", "review_week", "cause", "sentiment"}
    for row in truth:
        assert opened[row["ticket_id"]]["account"] == _account(row)
        assert opened[row["ticket_id"]]["sentiment"] == row["sentiment"]
    bad = [_account(row) for row in truth if row["sentiment"] < NUMBERS.bad_sentiment_below]
    assert (np.bincount(bad, minlength=PARAMETERS.customers) == bad_tickets).all()


def test_bad_tickets_fade() -> None:
    parameters = WorldParameters(customers=100, weeks=2, seed=1)
    accounts, week = _accounts(parameters), next(weeks_of(parameters))
    accounts.bad_tickets[:] = 2.0
    sessions = _sessions(np.arange(0), week)
    _, bad_tickets, truth = open_tickets(
        stream(1, "tickets"), accounts, found_support(parameters), week, sessions, np.zeros(100), parameters
    )
    assert bad_tickets == pytest.approx(np.full(100, 2.0 * parameters.hazard.memory))
    assert len(truth) == 0


@pytest.fixture(scope="module")
def quarter_year() -> list[dict]:
    """Twelve weeks of tickets and answers, of 3,000 accounts that come in two weeks of three."""
    parameters = WorldParameters(customers=3_000, weeks=12, seed=43)
    accounts, support = _accounts(parameters), found_support(parameters)
    everyone = np.arange(len(accounts))
    batches = []
    for week in weeks_of(parameters):
        accounts.archetype[everyone % 50 < week.number - 6] = CANCELLED
        present = everyone[everyone % 3 != week.number % 3]
        errors = np.where(present % 2, 1, 0)
        batches.append(
            open_tickets(
                stream(parameters.seed, "tickets", week.number),
                accounts,
                support,
                week,
                _sessions(present, week),
                np.bincount(present, weights=errors, minlength=len(accounts)),
                parameters,
            )[0]
        )
    return _told(concatenate(batches))


def test_a_rating_follows_a_ticket_closed_before_its_week_once_per_ticket(quarter_year) -> None:
    weeks = list(weeks_of(WorldParameters(customers=1, weeks=12, seed=1)))
    starts = np.array([week.starts_at for week in weeks])
    by_event = {
        event: {row["ticket_id"]: row for row in quarter_year if row["event"] == event}
        for event in ("ticket_opened", "ticket_closed", "csat_answered")
    }
    rated = [row for row in quarter_year if row["event"] == "csat_answered"]
    assert len(by_event["csat_answered"]) == len(rated) > 100
    for row in rated:
        closed = by_event["ticket_closed"][row["ticket_id"]]
        week_starts = starts[np.searchsorted(starts, row["at"], side="right") - 1]
        assert closed["at"] < week_starts
        assert row["at"] - closed["at"] < (NUMBERS.csat_days_largest + 7) * DAY
        assert closed["account"] == by_event["ticket_opened"][row["ticket_id"]]["account"] == row["account"]
        assert row["score"] in range(1, 6)
        assert row["session"] >= 2  # of customers, not of strangers
    share = len(rated) / len(by_event["ticket_closed"])
    assert 0.7 * NUMBERS.csat_share < share < NUMBERS.csat_share


def test_ratings_follow_the_sentiment(quarter_year) -> None:
    sentiments = {
        row["ticket_id"]: row["sentiment"] for row in quarter_year if row["event"] == "ticket_opened"
    }
    rated = [row for row in quarter_year if row["event"] == "csat_answered"]
    pairs = np.array([(sentiments[row["ticket_id"]], row["score"]) for row in rated])
    assert 0.2 < np.corrcoef(pairs.T)[0, 1] < 0.8


def test_tickets_end_sessions_and_are_closed_later_or_never(tickets) -> None:
    told = tickets[1]
    week = next(weeks_of(PARAMETERS))
    opened = {row["ticket_id"]: row for row in told if row["event"] == "ticket_opened"}
    closed = {row["ticket_id"]: row for row in told if row["event"] == "ticket_closed"}
    assert 0.94 < len(closed) / len(opened) < 1
    assert all(row["at"] > opened[ticket]["at"] for ticket, row in closed.items())
    ends = week.starts_at + 10 * HOUR + 10 * MINUTE
    assert all(0 < (row["at"] - ends) % (3 * DAY) < STEP for row in opened.values())


def test_bad_tickets_and_dissatisfaction_lower_the_survey() -> None:
    accounts, week = _accounts(PARAMETERS), next(weeks_of(PARAMETERS))
    group = np.arange(len(accounts)) % 3
    accounts.bad_tickets[group == 1] = 1.5
    accounts.satisfaction[group == 2] = -1.0
    sessions = _sessions(np.arange(len(accounts)), week)
    random = stream(1, "survey")
    rows = [
        row for _ in range(3) for row in _told(answer_survey(random, accounts, week, sessions, PARAMETERS))
    ]
    scores = np.array([row["score"] for row in rows])
    answered_by = group[[row["account"] for row in rows]]
    means = [scores[answered_by == each].mean() for each in range(3)]
    assert means[1] - means[0] == pytest.approx(1.5 * NUMBERS.score_per_bad_ticket, abs=0.35)
    assert means[2] - means[0] == pytest.approx(-NUMBERS.score_per_satisfaction, abs=0.35)
    assert len(rows) == pytest.approx(3 * len(accounts) * NUMBERS.answer_rate, rel=0.1)


def test_the_same_seed_opens_the_same_tickets() -> None:
    (_, once, _, truth), (_, again, _, same), (_, other, _, different) = (_open(seed) for seed in (1, 1, 2))
    assert once.properties.equals(again.properties)
    assert (once.occurred_at == again.occurred_at).all()
    assert truth.equals(same)
    assert not once.properties.equals(other.properties)
    assert not truth.equals(different)
