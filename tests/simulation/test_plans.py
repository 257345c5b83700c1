from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from simulation.accounts import KNOWN_AT_START, Accounts, found_accounts
from simulation.catalogue import EVENT_CODES, EVENTS, PLANS, STARTER
from simulation.chance import stream
from simulation.events import concatenate
from simulation.parameters import CANCELLED, CASUAL, WorldParameters
from simulation.subscriptions import (
    NEVER,
    NO_TRIAL,
    RECENT_WEEKS,
    PlanState,
    change_plans,
    end_subscriptions,
    found_plans,
    resubscribe,
)
from simulation.weeks import DAY, Week, weeks_of

PARAMETERS = WorldParameters(customers=40_000, weeks=8, seed=31)
NUMBERS = PARAMETERS.subscription
LARGEST = len(PLANS) - 1
# What each quarter of the accounts is given, in the order of UPGRADE_CAUSES.
LIMIT, TRIAL, GROWTH, NOTHING = range(4)
DEVIATIONS = 4.0


def _calm_accounts(parameters: WorldParameters) -> Accounts:
    """Known, casual, on the smallest plan, one person with two seats, without any usage."""
    accounts = found_accounts(parameters)
    accounts.signup_week[:] = KNOWN_AT_START
    for name, value in {
        "archetype": CASUAL,
        "plan": STARTER,
        "seats": 2,
        "joined": 1,
        "removed": 0,
        "core_history": 0,
    }.items():
        getattr(accounts, name)[:] = value
    return accounts


def _fifth_week(parameters: WorldParameters) -> Week:
    return list(weeks_of(parameters))[4]


def _nobody_cancels(accounts: Accounts) -> np.ndarray:
    return np.full(len(accounts), NEVER)


@pytest.fixture(scope="module")
def quarters() -> tuple[np.ndarray, np.ndarray, pa.Table, Accounts]:
    """A week in which each quarter of the accounts has another reason: quarter, hazard, truth, accounts."""
    accounts, plans, week = _calm_accounts(PARAMETERS), found_plans(PARAMETERS), _fifth_week(PARAMETERS)
    quarter = np.arange(len(accounts)) % 4
    plans.joined_before[:] = accounts.joined
    accounts.core_history[quarter == LIMIT, :RECENT_WEEKS] = 2 * NUMBERS.actions_per_seat_28d
    plans.trial_week[quarter == TRIAL] = week.number - 1
    accounts.joined[quarter == GROWTH] = 4
    accounts.seats[quarter == GROWTH] = 8
    _, hazard, truth = change_plans(
        stream(1, "plans"), accounts, plans, week, _nobody_cancels(accounts), PARAMETERS
    )
    return quarter, hazard, truth, accounts


def test_each_reason_multiplies_the_odds_as_planted(quarters) -> None:
    quarter, hazard, _, _ = quarters
    base = NUMBERS.upgrade_rate / (1 - NUMBERS.upgrade_rate)
    for reason, factor in (
        (NOTHING, 1.0),
        (LIMIT, NUMBERS.upgrade_odds_at_limit),
        (TRIAL, NUMBERS.upgrade_odds_in_trial),
        (GROWTH, NUMBERS.upgrade_odds_of_growth**0.75),
    ):
        odds = hazard[quarter == reason] / (1 - hazard[quarter == reason])
        assert odds == pytest.approx(base * factor)


def test_upgrades_are_drawn_by_the_hazard_and_named_by_their_cause(quarters) -> None:
    quarter, hazard, truth, _ = quarters
    account = np.array([int(text[2:]) for text in truth["account_id"].to_pylist()])
    causes = np.array(truth["cause"].to_pylist())
    for reason, cause in ((LIMIT, "limit"), (TRIAL, "trial"), (GROWTH, "team_growth"), (NOTHING, "none")):
        expected = hazard[quarter == reason]
        found = (quarter[account] == reason).sum()
        assert abs(found - expected.sum()) < DEVIATIONS * np.sqrt((expected * (1 - expected)).sum())
        assert (causes[quarter[account] == reason] == cause).all()
    upgraded = np.bincount(quarter[account], minlength=4)
    assert min(upgraded[LIMIT], upgraded[TRIAL]) > 8 * upgraded[NOTHING]
    assert upgraded[GROWTH] > upgraded[NOTHING]


def test_the_truth_tells_each_upgrade_once(quarters) -> None:
    _, hazard, truth, accounts = quarters
    assert truth.schema.names == ["account_id", "review_week", "kind", "cause", "hazard"]
    assert len(truth["account_id"].unique()) == len(truth) == accounts.plan.sum()
    account = [int(text[2:]) for text in truth["account_id"].to_pylist()]
    assert (truth["hazard"].to_numpy() == hazard[account]).all()
    assert set(truth["review_week"].to_pylist()) == {_fifth_week(PARAMETERS).monday}


def test_pressure_grows_to_the_limit_and_effects_add_up_on_the_logit() -> None:
    accounts, plans, week = _calm_accounts(PARAMETERS), found_plans(PARAMETERS), _fifth_week(PARAMETERS)
    plans.joined_before[:] = accounts.joined
    shares = np.array([0.5, NUMBERS.upgrade_pressure_from, 0.8, 0.9, 1.0, 1.0])
    limit = NUMBERS.actions_per_seat_28d * accounts.seats[0]
    accounts.core_history[:6, 0] = shares * limit
    plans.trial_week[5] = week.number - NUMBERS.trial_felt_weeks
    plans.trial_week[6] = week.number - NUMBERS.trial_felt_weeks - 1
    hazard = change_plans(stream(1, "plans"), accounts, plans, week, _nobody_cancels(accounts), PARAMETERS)[1]
    assert hazard[0] == hazard[1] == hazard[6] == pytest.approx(NUMBERS.upgrade_rate)
    assert (np.diff(hazard[1:6]) > 0).all()
    odds = hazard[5] / (1 - hazard[5]) / (hazard[4] / (1 - hazard[4]))
    assert odds == pytest.approx(NUMBERS.upgrade_odds_in_trial)


def test_new_people_are_felt_for_four_weeks() -> None:
    parameters = WorldParameters(customers=100, weeks=10, seed=31)
    accounts, plans = _calm_accounts(parameters), found_plans(parameters)
    accounts.joined[:] = 3
    accounts.seats[:] = 20
    felt_in = []
    for week in weeks_of(parameters):
        if week.number == 4:
            accounts.joined[:50] += 3
        cancels_at = _nobody_cancels(accounts)
        hazard = change_plans(stream(1, "plans"), accounts, plans, week, cancels_at, parameters)[1]
        assert hazard[50:] == pytest.approx(NUMBERS.upgrade_rate)
        odds = hazard[:50] / (1 - hazard[:50]) * (1 - NUMBERS.upgrade_rate) / NUMBERS.upgrade_rate
        if (odds > 1.01).any():
            assert odds == pytest.approx(NUMBERS.upgrade_odds_of_growth**0.5)
            felt_in.append(week.number)
    assert felt_in == [4, 5, 6, 7]


def test_the_largest_plan_grows_by_seats_and_has_no_trial() -> None:
    parameters = WorldParameters(customers=4_000, weeks=8, seed=31)
    accounts, plans, week = _calm_accounts(parameters), found_plans(parameters), _fifth_week(parameters)
    accounts.plan[:] = LARGEST
    accounts.core_history[:] = 10_000
    truth = change_plans(stream(1, "plans"), accounts, plans, week, _nobody_cancels(accounts), parameters)[2]
    assert set(truth["kind"].to_pylist()) == {"seats"}
    assert (accounts.seats > 2).sum() == len(truth) > 50
    assert (accounts.plan <= LARGEST).all()
    assert (plans.trial_week == NO_TRIAL).all()


@pytest.fixture(scope="module")
def half_a_year() -> tuple[list[dict], Accounts, PlanState, float]:
    """Half a year of plans; half of the accounts work much, some leave. Its events in order."""
    parameters = WorldParameters(customers=8_000, weeks=26, seed=32)
    accounts, plans = _calm_accounts(parameters), found_plans(parameters)
    is_busy = np.arange(len(accounts)) % 2 == 1
    accounts.core_history[is_busy] = 8
    accounts.seats[:] = 4
    batches, hazards = [], []
    for week in weeks_of(parameters):
        random = stream(parameters.seed, "plans", week.number)
        leaves = (accounts.archetype != CANCELLED) & (random.random(len(accounts)) < 0.01)
        cancels_at = np.where(leaves, week.starts_at + 2 * DAY, NEVER)
        events, hazard, _ = change_plans(random, accounts, plans, week, cancels_at, parameters)
        assert (np.isnan(hazard) == (accounts.archetype == CANCELLED)).all()
        assert (hazard[leaves] == 0).all()
        hazards.append(np.nanmean(hazard))
        batches += [events, end_subscriptions(random, accounts, week, cancels_at)]
    told = concatenate(batches)
    properties = told.properties.to_pylist()
    rows = [
        {
            "event": EVENTS[told.event[row]],
            "account": int(told.account[row]),
            "at": int(told.occurred_at[row]),
            **json.loads(properties[row]),
        }
        for row in np.argsort(told.occurred_at, kind="stable")
    ]
    return rows, accounts, plans, float(np.mean(hazards))


def test_a_trial_ends_after_its_days_or_with_the_upgrade_or_the_subscription(half_a_year) -> None:
    rows, _, plans, _ = half_a_year
    over = ("subscription_upgraded", "subscription_cancelled")
    endings = {(row["account"], row["at"]) for row in rows if row["event"] in over}
    trial_ends = {(row["account"], row["at"]) for row in rows if row["event"] == "trial_ended"}
    running: dict[int, dict] = {}
    early, full = 0, 0
    for row in rows:
        account, started = row["account"], running.get(row["account"])
        if row["event"] == "trial_started":
            assert started is None
            assert row["trial_days"] == NUMBERS.trial_days
            running[account] = row
        elif row["event"] == "trial_ended":
            assert row["plan"] == running.pop(account)["plan"]
            is_full = row["at"] == started["at"] + NUMBERS.trial_days * DAY
            assert is_full or (account, row["at"]) in endings
            early, full = early + (not is_full), full + is_full
        elif row["event"] in over and started:
            assert (account, row["at"]) in trial_ends
    assert full > 5 * early > 0
    assert len(running) == (plans.trial_ends_at < NEVER).sum()


def test_who_works_much_tries_more(half_a_year) -> None:
    rows, _, _, _ = half_a_year
    triers = [row["account"] for row in rows if row["event"] == "trial_started"]
    assert len(triers) > 100
    assert all(account % 2 == 1 for account in triers)


def test_plans_follow_from_the_events(half_a_year) -> None:
    rows, accounts, _, mean_hazard = half_a_year
    plan = np.zeros(len(accounts), dtype=np.int8)
    names = [each.name for each in PLANS]
    for row in rows:
        if row["event"] in ("subscription_upgraded", "subscription_downgraded"):
            step = 1 if row["event"] == "subscription_upgraded" else -1
            assert names.index(row["plan"]) == plan[row["account"]] + step
            plan[row["account"]] += step
        elif row["event"] == "trial_started":
            assert names.index(row["plan"]) == plan[row["account"]] + 1
    assert (plan == accounts.plan).all()
    assert 0.0006 < mean_hazard < 0.003


def test_nobody_upgrades_in_the_week_of_the_sign_up() -> None:
    accounts, plans, week = _calm_accounts(PARAMETERS), found_plans(PARAMETERS), _fifth_week(PARAMETERS)
    accounts.signup_week[:100] = week.number
    accounts.signup_week[100:200] = week.number + 1
    hazard = change_plans(stream(1, "plans"), accounts, plans, week, _nobody_cancels(accounts), PARAMETERS)[1]
    assert (hazard[:100] == 0).all()
    assert np.isnan(hazard[100:200]).all()


def test_the_same_seed_changes_plans_alike() -> None:
    def changed(seed: int) -> tuple[pa.Array, pa.Table]:
        accounts, plans, week = _calm_accounts(PARAMETERS), found_plans(PARAMETERS), _fifth_week(PARAMETERS)
        events, _, truth = change_plans(
            stream(seed, "plans"), accounts, plans, week, _nobody_cancels(accounts), PARAMETERS
        )
        return events.properties, truth

    for once, again, other in zip(changed(1), changed(1), changed(2), strict=True):
        assert once.equals(again)
        assert not once.equals(other)


def test_who_comes_back_has_decided_nothing() -> None:
    accounts, week = _calm_accounts(PARAMETERS), _fifth_week(PARAMETERS)
    accounts.archetype[:] = CANCELLED
    accounts.cancelled_week[:] = 2
    accounts.ends_in_week[:] = 2
    events = resubscribe(stream(1, "resubscription"), accounts, week, PARAMETERS)
    assert (events.event == EVENT_CODES["subscription_started"]).all()
    assert (accounts.ends_in_week[events.account] == 0).all()
    assert (accounts.ends_in_week == 0).sum() == len(events) > 100


def test_subscriptions_renew_every_term_until_they_end(world) -> None:
    events = world.events.select(["event_id", "account_id", "event_name", "occurred_at", "properties"])
    of_plans = pc.starts_with(pc.coalesce(events["event_name"], ""), "subscription_")
    rows = {row["event_id"]: row for row in events.filter(of_plans).to_pylist()}
    renews_on: dict[str, date] = {}
    renewed = 0
    for row in sorted(rows.values(), key=lambda row: row["occurred_at"]):
        account, day = row["account_id"], row["occurred_at"].date()
        if row["event_name"] == "subscription_cancelled":
            renews_on.pop(account)
            continue
        named = date.fromisoformat(json.loads(row["properties"])["renewal_date"])
        if row["event_name"] == "subscription_renewed":
            assert renews_on[account] == day
            assert named == day + timedelta(days=364)
            renewed += 1
        elif row["event_name"] != "subscription_started":
            # A larger or smaller plan leaves the term as it is.
            assert named == renews_on[account]
        assert day < named <= day + timedelta(days=364)
        renews_on[account] = named
    assert renewed > 100
    assert min(renews_on.values()) >= max(row["occurred_at"].date() for row in rows.values()) - timedelta(
        days=7
    )
