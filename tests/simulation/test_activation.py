from __future__ import annotations

import json
from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest

from simulation.accounts import Accounts, found_accounts
from simulation.activation import (
    FIRST_STEPS,
    INVITATION,
    Activation,
    activation_table,
    plan_activation,
    take_first_steps,
)
from simulation.catalogue import COMPUTER, EVENT_CODES
from simulation.chance import stream
from simulation.events import OWNER, EventBatch
from simulation.identifiers import machines
from simulation.parameters import WorldParameters
from simulation.sessions import MOST_STEPS, STEP, USUAL, Sessions
from simulation.team import TEST_DOMAIN, change_teams, import_members, join_owners
from simulation.weeks import DAY, MINUTE, Week, weeks_of

MANY = WorldParameters(customers=30_000, weeks=4, seed=23)
FEW = WorldParameters(customers=3_000, weeks=2, seed=23)
DEVIATIONS = 4.0  # standard deviations: a false alarm in 16,000


@pytest.fixture(scope="module")
def planned() -> Activation:
    return plan_activation(MANY)


@pytest.fixture(scope="module")
def first_week() -> tuple[Accounts, Activation, Week, Sessions]:
    accounts, week = found_accounts(FEW), next(weeks_of(FEW))
    join_owners(accounts, week, FEW)
    return accounts, plan_activation(FEW), week, _sessions(accounts, week)


def _sessions(accounts: Accounts, week: Week) -> Sessions:
    """Of every account two sessions on two days; of those that sign up, the first follows at once."""
    present = np.flatnonzero(accounts.signup_week <= week.number)
    arrives = accounts.signup_week[present] == week.number
    starts_at = np.where(
        arrives, accounts.signed_up_at[present] + 2 * MINUTE, week.starts_at + 10 * 60 * MINUTE
    )
    account = np.repeat(present, 2)
    starts_at = np.repeat(starts_at, 2) + np.tile([0, DAY], len(present))
    owner = np.full(len(account), OWNER)
    return Sessions(
        account=account,
        member=owner,
        device=np.full(len(account), COMPUTER),
        machine=machines(account, owner, COMPUTER),
        starts_at=starts_at,
        ends_at=starts_at + 5 * MINUTE,
        delay=np.zeros(len(account), dtype=np.int64),
        events=np.full(len(account), 3),
        purpose=np.full(len(account), USUAL),
    )


def _log_odds_ratio(cause: np.ndarray, effect: np.ndarray, strata: np.ndarray) -> tuple[float, float]:
    """Woolf's estimate over the strata, and its standard deviation."""
    logs, weights = [], []
    for stratum in np.unique(strata):
        counts = [
            ((cause == has) & (effect == does) & (strata == stratum)).sum()
            for has, does in ((1, 1), (1, 0), (0, 1), (0, 0))
        ]
        logs.append(np.log(counts[0] * counts[3] / (counts[1] * counts[2])))
        weights.append(1 / (1 / np.array(counts)).sum())
    return np.average(logs, weights=weights), 1 / np.sqrt(sum(weights))


def test_inviting_raises_the_odds_of_returning_as_planted(planned) -> None:
    found, deviation = _log_odds_ratio(planned.invites, planned.returns_next_day, planned.uses_core)
    assert deviation < 0.04
    assert abs(found - np.log(MANY.activation.invite_odds)) < DEVIATIONS * deviation
    crude, _ = _log_odds_ratio(planned.invites, planned.returns_next_day, np.zeros(MANY.customers))
    assert 5.6 < np.exp(crude) < 7.2


def test_the_core_feature_raises_them_too(planned) -> None:
    found, deviation = _log_odds_ratio(planned.uses_core, planned.returns_next_day, planned.invites)
    assert abs(found - np.log(MANY.activation.core_odds)) < DEVIATIONS * deviation


@pytest.mark.parametrize("decoy", ["takes_tour", "finishes_tour", "previews_template"])
def test_decoys_are_frequent_and_without_effect(planned, decoy: str) -> None:
    does = getattr(planned, decoy)
    assert does.mean() > 0.3
    found, deviation = _log_odds_ratio(does, planned.returns_next_day, np.zeros(MANY.customers))
    assert deviation < 0.04
    assert abs(found) < DEVIATIONS * deviation


def test_other_steps_have_no_effect_of_their_own(planned) -> None:
    strata = planned.invites * 2 + planned.uses_core
    for step in ("verifies", "completes_profile"):
        found, deviation = _log_odds_ratio(getattr(planned, step), planned.returns_next_day, strata)
        assert abs(found) < DEVIATIONS * deviation


def test_the_return_is_drawn_by_its_probability(planned) -> None:
    chance = planned.return_probability
    deviation = np.sqrt((chance * (1 - chance)).sum())
    assert abs(planned.returns_next_day.sum() - chance.sum()) < DEVIATIONS * deviation
    odds = np.unique((chance / (1 - chance)).round(9))
    base = MANY.activation.return_base / (1 - MANY.activation.return_base)
    assert odds / base == pytest.approx([1, 1.8, 6.5, 6.5 * 1.8])


def test_steps_wait_for_those_that_they_need(planned) -> None:
    assert not (planned.completes_profile & ~planned.verifies).any()
    assert not (planned.uses_core & ~planned.creates_project).any()
    assert not (planned.finishes_tour & ~planned.takes_tour).any()
    activated = planned.creates_project & planned.uses_core & planned.returns_next_day
    assert (planned.is_activated == activated).all()
    assert 0.1 < activated.mean() < 0.3
    assert (planned.is_activated & ~planned.invites).any()


def test_the_truth_has_a_row_per_account(planned) -> None:
    table = activation_table(planned, MANY)
    assert table.column_names == ["account_id", *(column.name for column in fields(Activation))]
    assert len(table["account_id"].unique()) == len(table) == MANY.customers
    assert table.equals(activation_table(plan_activation(MANY), MANY))
    assert not table.equals(activation_table(plan_activation(WorldParameters(30_000, 4, seed=24)), MANY))


def test_the_first_steps_are_those_planned_in_order_at_the_end_of_the_first_session(first_week) -> None:
    accounts, activation, week, sessions = first_week
    steps = take_first_steps(stream(1, "steps"), accounts, activation, week, sessions, FEW)
    arriving = accounts.signup_week == week.number
    at: dict[str, np.ndarray] = {}
    for position, step in enumerate(FIRST_STEPS):
        rows = steps.event == EVENT_CODES[step.event]
        if position == INVITATION:
            assert not rows.any()
            continue
        assert (steps.account[rows] == np.flatnonzero(arriving & getattr(activation, step.planned))).all()
        at[step.event] = np.full(FEW.customers, np.nan)
        at[step.event][steps.account[rows]] = steps.occurred_at[rows]
    for earlier, later in pairwise(at.values()):
        both = ~np.isnan(earlier) & ~np.isnan(later)
        assert both.sum() > 50
        assert (earlier[both] < later[both]).all()
    assert (steps.member == OWNER).all()
    assert (sessions.starts_at[steps.session] == accounts.signed_up_at[steps.account] + 2 * MINUTE).all()
    since_end = steps.occurred_at - sessions.ends_at[steps.session]
    assert ((since_end > 0) & (since_end < MOST_STEPS * STEP)).all()


def _change(first_week, seed: int = 1) -> tuple[Accounts, EventBatch, np.ndarray, np.ndarray]:
    """The teams of the first week, changed: accounts, events, removed, and the teams before."""
    activation, week, sessions = first_week[1:]
    accounts = found_accounts(FEW)
    join_owners(accounts, week, FEW)
    before = accounts.members()
    events, removed = change_teams(stream(seed, "team"), accounts, activation, week, sessions, FEW)
    return accounts, events, removed, before


def _of(events: EventBatch, name: str, accounts: int = FEW.customers) -> np.ndarray:
    return np.bincount(events.account[events.event == EVENT_CODES[name]], minlength=accounts)


def test_who_signs_up_invites_as_planned_in_the_place_between_profile_and_tour(first_week) -> None:
    activation, week, sessions = first_week[1:]
    accounts, events, _, _ = _change(first_week)
    arriving = accounts.signup_week == week.number
    invited = _of(events, "team_member_invited")
    assert ((invited > 0) == activation.invites)[arriving].all()
    alone = arriving & activation.invites & (accounts.team_target == 1)
    assert alone.sum() > 5
    assert (invited[alone] == 1).all()
    assert (accounts.members()[alone] == 1).all()
    assert (invited[arriving] <= np.maximum(accounts.team_target[arriving] - 1, 1)).all()
    assert (accounts.members() <= accounts.team_target)[arriving].all()
    assert (invited[~arriving] > 0).any()
    assert not invited[accounts.signup_week > week.number].any()
    rows = (events.event == EVENT_CODES["team_member_invited"]) & arriving[events.account]
    assert (
        sessions.starts_at[events.session[rows]] == accounts.signed_up_at[events.account[rows]] + 2 * MINUTE
    ).all()
    step = (events.occurred_at[rows] - sessions.ends_at[events.session[rows]]) // STEP
    assert (step == INVITATION).all()


def test_members_are_joined_and_removed_as_counted(first_week) -> None:
    accounts, events, removed, before = _change(first_week)
    assert removed.sum() > 0
    assert (_of(events, "team_member_removed") == removed).all()
    joined = _of(events, "team_member_joined")
    assert (accounts.members() == before + joined - removed).all()
    assert (_of(events, "identify") == joined).all()
    invited = events.event == EVENT_CODES["team_member_invited"]
    first_invitation = np.full(len(accounts), np.iinfo(np.int64).max)
    np.minimum.at(first_invitation, events.account[invited], events.occurred_at[invited])
    is_join = events.event == EVENT_CODES["team_member_joined"]
    assert (events.occurred_at[is_join] > first_invitation[events.account[is_join]]).all()


def test_the_same_seed_changes_teams_alike(first_week) -> None:
    once, again, other = (_change(first_week, seed)[1] for seed in (1, 1, 2))
    assert once.properties.equals(again.properties)
    assert (once.occurred_at == again.occurred_at).all()
    assert not np.array_equal(once.occurred_at, other.occurred_at)


def test_our_servers_say_once_who_people_and_companies_are() -> None:
    accounts, week = found_accounts(FEW), next(weeks_of(FEW))
    accounts.is_test[:20] = True
    for events in (join_owners(accounts, week, FEW), import_members(accounts, week, FEW)):
        is_call = {
            name: events.event == EVENT_CODES[name] for name in ("identify", "group", "team_member_joined")
        }
        joined = is_call["team_member_joined"]
        for column in ("account", "occurred_at"):
            values = getattr(events, column)
            assert (values[is_call["identify"]] == values[joined]).all()
        people = (
            events.account[is_call["identify"]].astype(np.int64) * 1_000 + events.member[is_call["identify"]]
        )
        assert len(np.unique(people)) == len(people) > 0
        assert (np.unique(events.account) == np.sort(events.account[is_call["group"]])).all()
        traits = events.traits.to_pylist()
        for row in np.flatnonzero(~joined):
            told, account = json.loads(traits[row]), events.account[row]
            if is_call["group"][row]:
                assert told.keys() == {"industry", "employees_band", "is_test"}
                assert told["is_test"] is bool(accounts.is_test[account])
            else:
                own = f"customer-{account}.example"
                assert told["email_domain"] == (TEST_DOMAIN if accounts.is_test[account] else own)
                assert (told["role"] == "owner") == (events.member[row] == OWNER)
