from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from simulation.parameters import WorldParameters
from simulation.world import simulate_world

# What is not the customer's doing, or may come after it left.
OURS = ("ticket_closed", "order_refunded", "subscription_started", "subscription_cancelled")
COLUMNS_OF_DELIVERY = ["received_at", "event_id"]


def _count(customers: int, weeks: int) -> int:
    return sum(len(slice_.events) for slice_ in simulate_world(WorldParameters(customers, weeks, seed=3)))


def test_the_same_seed_gives_the_same_world() -> None:
    parameters = WorldParameters(customers=150, weeks=6, seed=11)
    for first, second in zip(simulate_world(parameters), simulate_world(parameters), strict=True):
        assert first.week_start == second.week_start
        assert first.events.equals(second.events)
        assert first.truth.keys() == second.truth.keys()
        assert all(first.truth[name].equals(second.truth[name]) for name in first.truth)


def test_another_seed_gives_another_world() -> None:
    first, second = (
        pa.concat_tables(s.events for s in simulate_world(WorldParameters(150, 6, seed=seed)))
        for seed in (11, 12)
    )
    assert not set(first["event_id"].to_pylist()) & set(second["event_id"].to_pylist())
    moments = set(first["occurred_at"].to_pylist())
    assert len(moments & set(second["occurred_at"].to_pylist())) < 0.001 * len(moments)


def test_slices_are_the_weeks_in_order(world) -> None:
    parameters = world.parameters
    expected = [parameters.first_week + timedelta(weeks=week) for week in range(parameters.weeks)]
    assert [slice_.week_start for slice_ in world.slices] == expected
    assert ["accounts" in slice_.truth for slice_ in world.slices] == [True] + [False] * (
        parameters.weeks - 1
    )
    for slice_ in world.slices:
        assert slice_.truth["account_weeks"]["review_week"].unique().to_pylist() == [slice_.week_start]


@pytest.mark.parametrize("time_zone", ["Europe/Berlin", "America/Los_Angeles", "Pacific/Auckland"])
def test_slices_are_sorted_by_receipt_and_share_no_day(time_zone: str) -> None:
    parameters = WorldParameters(customers=120, weeks=5, seed=5, time_zone=time_zone)
    seen: set[date] = set()
    for slice_ in simulate_world(parameters):
        keys = slice_.events.select(COLUMNS_OF_DELIVERY)
        assert keys.equals(keys.sort_by([(name, "ascending") for name in COLUMNS_OF_DELIVERY]))
        days = set(slice_.events["received_at"].cast("date32").unique().to_pylist())
        assert days
        assert not seen & days
        assert not seen or min(days) > max(seen)
        seen |= days
    week_ends = parameters.first_week + timedelta(weeks=parameters.weeks)
    assert week_ends - timedelta(days=1) in seen  # the last Sunday is there, so its week is complete


def test_nothing_is_received_before_it_occurred(world) -> None:
    assert pc.all(pc.greater(world.events["received_at"], world.events["occurred_at"])).as_py()


def test_duplicates_repeat_an_event_and_come_later(world) -> None:
    events = world.events
    counts = Counter(events["event_id"].to_pylist())
    duplicated = {event_id for event_id, count in counts.items() if count > 1}
    assert max(counts.values()) == 2
    assert 0.003 < len(duplicated) / len(counts) < 0.007
    copies: dict[str, list[dict]] = {}
    for row in events.filter(pc.is_in(events["event_id"], pa.array(duplicated))).to_pylist():
        copies.setdefault(row["event_id"], []).append(row)
    for first, second in copies.values():
        assert first.pop("received_at") < second.pop("received_at")
        assert first == second


def test_some_events_are_late_and_a_few_beyond_the_limit(world) -> None:
    waits = pc.subtract(world.events["received_at"], world.events["occurred_at"])
    hours = waits.cast("int64").to_numpy() / 3.6e9
    assert 0.005 < (hours > 0.5).mean() < 0.02
    assert 0 < (hours > 14 * 24).mean() < 0.001


def test_no_account_acts_before_its_sign_up_and_its_first_event_is_the_sign_up(world) -> None:
    signed_up = dict(
        zip(*(world.accounts[name].to_pylist() for name in ("account_id", "signed_up_at")), strict=True)
    )
    known = set(world.accounts.filter(world.accounts["is_known_at_start"])["account_id"].to_pylist())
    first = world.events.group_by("account_id").aggregate([("occurred_at", "min")])
    assert known
    assert len(first) > len(known)
    for row in first.to_pylist():
        account = row["account_id"]
        if account in known:
            assert row["occurred_at_min"] > signed_up[account]
        else:
            assert row["occurred_at_min"] == signed_up[account]


def test_cancelled_accounts_are_nearly_silent(world) -> None:
    events = world.events.select(["account_id", "event_name", "occurred_at"]).sort_by("occurred_at")
    left: set[str] = set()
    after, before = Counter(), Counter()
    for row in events.to_pylist():
        if row["event_name"] == "subscription_cancelled":
            left.add(row["account_id"])
        elif row["event_name"] == "subscription_started":
            left.discard(row["account_id"])
        if row["event_name"] not in OURS:
            (after if row["account_id"] in left else before)[row["event_name"]] += 1
    assert len(left) > 50
    assert after.total() < 0.01 * before.total()


def test_truth_says_who_cancelled_in_which_week(world) -> None:
    events = world.events
    cancellations = events.filter(pc.equal(events["event_name"], "subscription_cancelled"))
    local_days = pc.cast(pc.add(cancellations["occurred_at"], pa.scalar(timedelta(hours=1))), "date32")
    told = {
        (account, day - timedelta(days=day.weekday()))
        for account, day in zip(cancellations["account_id"].to_pylist(), local_days.to_pylist(), strict=True)
    }
    truth = set()
    was_cancelled: dict[str, bool] = {}
    for row in world.account_weeks.to_pylist():
        account = row["account_id"]
        if row["is_cancelled"] and not was_cancelled.get(account, False):
            truth.add((account, row["review_week"]))
        was_cancelled[account] = row["is_cancelled"]
    assert told == truth


def test_the_hazard_is_the_chance_to_cancel(world) -> None:
    """Calibrated (sums within four standard deviations) and ranking (AUROC by rank sums)."""
    weeks = world.account_weeks.sort_by([("account_id", "ascending"), ("review_week", "ascending")])
    hazard = weeks["cancellation_hazard"].to_numpy(zero_copy_only=False)
    at_risk = ~np.isnan(hazard)
    cancels = weeks["is_cancelled"].to_numpy(zero_copy_only=False)[at_risk]
    hazard = hazard[at_risk]
    assert ((hazard >= 0) & (hazard < 1)).all()
    deviation = np.sqrt((hazard * (1 - hazard)).sum())
    assert abs(cancels.sum() - hazard.sum()) < 4 * deviation
    ranks = np.empty(len(hazard))
    ranks[np.argsort(hazard)] = np.arange(1, len(hazard) + 1)
    leaving = cancels.sum()
    area = (ranks[cancels].sum() - leaving * (leaving + 1) / 2) / (leaving * (len(hazard) - leaving))
    assert leaving > 100
    assert 0.75 < area < 0.92


def test_cancellations_in_28_days_are_learnable_but_rare(world) -> None:
    weeks = world.account_weeks.to_pandas()
    hazard = weeks.loc[weeks["review_week"] >= date(2024, 9, 2), "cancellation_hazard"]
    assert 0.03 < 1 - (1 - hazard.mean()) ** 4 < 0.06


def test_archetypes_have_plausible_shares_and_differ_in_usage(world) -> None:
    last = world.slices[-1].truth["account_weeks"]
    alive = last.filter(pc.invert(last["is_cancelled"]))
    shares = {
        row["values"]: row["counts"] / len(alive) for row in pc.value_counts(alive["archetype"]).to_pylist()
    }
    assert 0.08 < shares["power"] < 0.20
    assert 0.35 < shares["casual"] < 0.60
    assert 0.08 < shares["declining"] < 0.20
    assert 0.08 < shares["new"] < 0.25
    assert 0.05 < shares["dormant"] < 0.20

    received = world.slices[-1].events
    per_account = Counter(
        received.filter(pc.equal(received["event_name"], "task_completed"))["account_id"].to_pylist()
    )
    mean = {
        archetype: np.mean(
            [
                per_account[account]
                for account in alive.filter(pc.equal(alive["archetype"], archetype))["account_id"].to_pylist()
            ]
        )
        for archetype in shares
    }
    assert mean["power"] > 3 * mean["casual"]
    assert mean["casual"] > mean["declining"] > mean["dormant"]


def test_size_grows_with_customers_and_with_weeks() -> None:
    small = _count(customers=300, weeks=10)
    assert _count(customers=900, weeks=10) == pytest.approx(3 * small, rel=0.25)
    assert _count(customers=300, weeks=30) == pytest.approx(3 * small, rel=0.35)


@pytest.mark.parametrize(("customers", "weeks", "seed"), [(1, 1, 0), (1, 3, 2**63), (2, 2, 10**30)])
def test_the_smallest_worlds_and_largest_seeds_work(customers: int, weeks: int, seed: int) -> None:
    slices = list(simulate_world(WorldParameters(customers, weeks, seed)))
    assert len(slices) == weeks
    assert len(slices[-1].truth["account_weeks"]) == customers
