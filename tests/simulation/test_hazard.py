from __future__ import annotations

import numpy as np
import pytest

from simulation.accounts import found_accounts
from simulation.hazard import begin_foresight, decide_in_week, learn_of_endings
from simulation.parameters import CASUAL, HazardNumbers, WorldParameters
from simulation.subscriptions import end_subscriptions
from simulation.weeks import NEVER, weeks_of

ACCOUNTS, WEEKS = 60_000, 16
# Large unobserved parts and a high rate, so that an error in their integral shows.
NUMBERS = HazardNumbers(intercept=-3.2, frailty_spread=1.3, noise_spread=0.9)


@pytest.fixture(scope="module")
def decisions() -> dict[str, np.ndarray]:
    """Accounts that nothing ever happens to: weeks × accounts, what is said and what happens."""
    parameters = WorldParameters(ACCOUNTS, WEEKS, seed=3, hazard=NUMBERS)
    accounts = found_accounts(parameters)
    accounts.signup_week[:] = 0
    accounts.is_test[:] = False
    accounts.archetype[:] = CASUAL
    accounts.core_history[:] = 1.0
    accounts.quiet_weeks[:] = 0
    accounts.plan[:] = 1
    foresight = begin_foresight(accounts, parameters)
    random = np.random.default_rng(1)
    told = {"hazard": [], "probability": [], "ends": [], "ends_in_week": []}
    for week in weeks_of(parameters):
        cancels_at = np.where(accounts.ends_in_week == week.number, week.starts_at, NEVER)
        cancels_at[accounts.cancelled_week > 0] = NEVER
        end_subscriptions(random, accounts, week, cancels_at)
        learn_of_endings(accounts, foresight, cancels_at)
        hazard, probability = decide_in_week(random, accounts, foresight, week, NUMBERS)
        told["hazard"].append(hazard)
        told["probability"].append(probability)
        told["ends"].append(cancels_at < NEVER)
        told["ends_in_week"].append(accounts.ends_in_week.copy())
    return {name: np.array(values) for name, values in told.items()}


def test_the_chance_to_leave_is_exact_while_the_frail_ones_leave(decisions) -> None:
    """All accounts look alike, so one number is said of all who are left, and it has to fall week by week."""
    ends, probability = decisions["ends"], decisions["probability"]
    said = []
    for week in range(4, WEEKS - 4):
        left = ~np.isnan(probability[week])
        leaves = ends[week + 1 : week + 5].any(axis=0)[left]
        chance = probability[week][left]
        assert np.ptp(chance) < 1e-6
        deviation = np.sqrt(chance.mean() * (1 - chance.mean()) / left.sum())
        assert abs(leaves.mean() - chance.mean()) < 4 * deviation, week
        said.append(chance.mean())
    assert said[0] > 1.25 * said[-1]


def test_the_hazard_is_the_chance_that_it_was_this_week(decisions) -> None:
    for week in range(4, WEEKS):
        left = ~np.isnan(decisions["hazard"][week])
        decides = decisions["ends_in_week"][week][left] == week + 1 + NUMBERS.notice_weeks
        chance = decisions["hazard"][week][left]
        deviation = np.sqrt(chance.mean() * (1 - chance.mean()) / left.sum())
        assert abs(decides.mean() - chance.mean()) < 4 * deviation, week


def test_an_end_tells_of_the_frailty_of_who_left() -> None:
    parameters = WorldParameters(1, 8, seed=3, hazard=NUMBERS)
    accounts = found_accounts(parameters)
    accounts.signup_week[:] = 0
    accounts.is_test[:] = False
    accounts.archetype[:] = CASUAL
    foresight = begin_foresight(accounts, parameters)
    random = np.random.default_rng(1)
    for week in list(weeks_of(parameters))[:4]:
        decide_in_week(random, accounts, foresight, week, NUMBERS)
    before = foresight.known.copy()
    learn_of_endings(accounts, foresight, np.array([0]))
    # the frailer, the likelier has it been to leave
    assert (np.diff(foresight.known[0] - before[0]) > 0).all()
    assert not foresight.recent.any()
