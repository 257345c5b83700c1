from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from simulation import hazard
from simulation.anomalies import KINDS
from simulation.catalogue import EVENTS, IS_ACTIVITY, RENAMED_EVENTS
from simulation.parameters import (
    AnomalyNumbers,
    DeliveryNumbers,
    HazardNumbers,
    VisitNumbers,
    WorldParameters,
)
from simulation.world import simulate_world

# What is not the customer's doing, or may come after it left.
OURS = (
    "ticket_closed",
    "order_refunded",
    "subscription_started",
    "subscription_renewed",
    "subscription_cancelled",
)
COLUMNS_OF_DELIVERY = ["received_at", "event_id"]


def _count(customers: int, weeks: int) -> int:
    return sum(len(slice_.events()) for slice_ in simulate_world(WorldParameters(customers, weeks, seed=3)))


def test_the_same_seed_gives_the_same_world() -> None:
    parameters = WorldParameters(customers=150, weeks=6, seed=11)
    for first, second in zip(simulate_world(parameters), simulate_world(parameters), strict=True):
        assert first.week_start == second.week_start
        assert first.events().equals(second.events())
        assert first.truth.keys() == second.truth.keys()
        assert all(first.truth[name].equals(second.truth[name]) for name in first.truth)


def test_another_seed_gives_another_world() -> None:
    first, second = (
        pa.concat_tables(s.events() for s in simulate_world(WorldParameters(150, 6, seed=seed)))
        for seed in (11, 12)
    )
    assert not set(first["event_id"].to_pylist()) & set(second["event_id"].to_pylist())
    moments = set(first["occurred_at"].to_pylist())
    assert len(moments & set(second["occurred_at"].to_pylist())) < 0.001 * len(moments)


def test_slices_are_the_weeks_in_order(world) -> None:
    parameters = world.parameters
    expected = [parameters.first_week + timedelta(weeks=week) for week in range(parameters.weeks)]
    assert [slice_.week_start for slice_ in world.slices] == expected
    for table in ("accounts", "activation", "buyers", "readers"):
        held = [table in slice_.truth for slice_ in world.slices]
        assert held == [True] + [False] * (parameters.weeks - 1)
    for slice_ in world.slices:
        assert slice_.truth["account_weeks"]["review_week"].unique().to_pylist() == [slice_.week_start]


@pytest.mark.parametrize("time_zone", ["Europe/Berlin", "America/Los_Angeles", "Pacific/Auckland"])
def test_slices_are_sorted_by_receipt_and_share_no_day(time_zone: str) -> None:
    parameters = WorldParameters(customers=120, weeks=5, seed=5, time_zone=time_zone)
    seen: set[date] = set()
    for slice_ in simulate_world(parameters):
        keys = slice_.events().select(COLUMNS_OF_DELIVERY)
        assert keys.equals(keys.sort_by([(name, "ascending") for name in COLUMNS_OF_DELIVERY]))
        days = set(slice_.events()["received_at"].cast("date32").unique().to_pylist())
        assert days
        assert not seen & days
        assert not seen or min(days) > max(seen)
        seen |= days
    week_ends = parameters.first_week + timedelta(weeks=parameters.weeks)
    assert week_ends - timedelta(days=1) in seen  # the last Sunday is there, so its week is complete


def test_nothing_is_received_before_it_occurred_but_by_wrong_clocks(world) -> None:
    is_early = pc.less_equal(world.events["received_at"], world.events["occurred_at"])
    early = world.events.filter(is_early)
    assert 0 < len(early) < 0.004 * len(world.events)
    # servers and the computers at work know the time
    assert "server" not in early["channel"].unique().to_pylist()


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


def test_truth_counts_what_the_files_hold(world) -> None:
    """Recounted from the lines themselves, as a loader with a limit of 14 days would."""
    told = world.truth["deliveries"].to_pandas().set_index("received_date")
    lines, seen = Counter(), set()
    found = {name: Counter() for name in ("events", "duplicates", "from_the_future", "late_events")}
    for slice_ in world.slices:
        lines.update(np.floor_divide(slice_.received.received_at, 86_400_000).tolist())
    for row in world.events.select(["event_id", "occurred_at", "received_at"]).to_pylist():
        day = row["received_at"].date()
        waited = row["received_at"] - row["occurred_at"]
        if waited < -timedelta(days=1):
            found["from_the_future"][day] += 1
            continue
        is_repeat = row["event_id"] in seen
        seen.add(row["event_id"])
        found["duplicates" if is_repeat else "events"][day] += 1
        found["late_events"][day] += not is_repeat and waited > timedelta(days=14)
    for name, by_day in found.items():
        assert told[name].to_dict() == {day: by_day[day] for day in told.index}
        assert sum(by_day.values()) > 0
    assert told["malformed"].sum() > 0
    parts = told[["events", "duplicates", "malformed", "from_the_future"]].sum(axis=1)
    assert (parts == told["lines"]).all()
    assert told["lines"].tolist() == [count for _, count in sorted(lines.items())]


def test_truth_has_the_sessions_that_a_pause_of_thirty_minutes_makes(world) -> None:
    """Recounted from the activity of each machine; the last days are left out, some of it is on its way."""
    activity = {name for name, is_activity in zip(EVENTS, IS_ACTIVITY, strict=True) if is_activity}
    activity |= set(RENAMED_EVENTS.values())
    columns = ["event_id", "event_name", "anonymous_id", "account_id", "occurred_at"]
    events = world.events.select(columns).to_pandas().drop_duplicates("event_id")
    events = events[events["event_name"].isin(activity) & events["anonymous_id"].notna()]
    events = events.sort_values(["anonymous_id", "occurred_at"], ignore_index=True)
    pause = events.groupby("anonymous_id")["occurred_at"].diff()
    session = (pause.isna() | (pause > pd.Timedelta(minutes=30))).cumsum()
    found = events.groupby(session).agg(
        anonymous_id=("anonymous_id", "first"),
        started_at=("occurred_at", "min"),
        ended_at=("occurred_at", "max"),
        activities=("occurred_at", "size"),
        is_identified=("account_id", lambda accounts: accounts.notna().any()),
    )
    until = pd.Timestamp(world.parameters.first_week) + pd.Timedelta(weeks=world.parameters.weeks - 6)
    planted = world.truth["sessions"].to_pandas()[list(found.columns)]
    keys = ["anonymous_id", "started_at"]
    found, planted = (
        table[table["ended_at"] < until].sort_values(keys, ignore_index=True) for table in (found, planted)
    )
    assert len(planted) > 10_000
    pd.testing.assert_frame_equal(found, planted, check_dtype=False)


def test_no_account_acts_before_its_sign_up_and_its_first_event_is_the_sign_up(world) -> None:
    signed_up = dict(
        zip(
            *(world.truth["accounts"][name].to_pylist() for name in ("account_id", "signed_up_at")),
            strict=True,
        )
    )
    is_known = world.truth["accounts"]["is_known_at_start"]
    known = set(world.truth["accounts"].filter(is_known)["account_id"].to_pylist())
    right_clocks = world.events.filter(pc.is_in(world.events["device"], pa.array([None, "desktop"])))
    named = right_clocks.filter(pc.is_valid(right_clocks["account_id"]))
    first = named.group_by("account_id").aggregate([("occurred_at", "min")])
    assert known
    assert len(first) > len(known)
    early = 0
    for row in first.to_pylist():
        account = row["account_id"]
        if account in known:
            assert row["occurred_at_min"] > signed_up[account]
        else:
            early += row["occurred_at_min"] != signed_up[account]
    assert early < 0.01 * len(first)  # second computers whose clock is hours off


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
    for row in world.truth["account_weeks"].to_pylist():
        account = row["account_id"]
        if row["is_cancelled"] and not was_cancelled.get(account, False):
            truth.add((account, row["review_week"]))
        was_cancelled[account] = row["is_cancelled"]
    assert told == truth


def test_what_can_be_known_of_the_future_comes_true(world) -> None:
    """The chance to leave within 28 days is calibrated, also within tenths, and ranks."""
    weeks = world.truth["account_weeks"].to_pandas()
    weeks["number"] = weeks["review_week"].rank(method="dense").astype(int)
    ended = weeks[weeks["is_cancelled"]].groupby("account_id")["number"].apply(set).to_dict()
    judged = weeks[(weeks["number"] <= world.parameters.weeks - 4) & ~weeks["is_cancelled"]]
    left = np.array(
        [
            any(number + ahead in ended.get(account, ()) for ahead in range(1, 5))
            for account, number in zip(judged["account_id"], judged["number"], strict=True)
        ]
    )
    chance = judged["cancellation_probability_28d"].to_numpy()
    assert ((chance >= 0) & (chance < 1)).all()
    assert 0.03 < left.mean() < 0.08
    # an account counts in four weeks, so the counts scatter twice as much as independent ones
    for tenth in np.array_split(np.argsort(chance), 10):
        deviation = 2 * np.sqrt((chance[tenth] * (1 - chance[tenth])).sum())
        assert abs(left[tenth].sum() - chance[tenth].sum()) < 4 * deviation
    assert 0.80 < roc_auc_score(left, chance) < 0.92
    assert brier_score_loss(left, chance) < 0.9 * left.mean() * (1 - left.mean())


def test_what_weighs_on_the_decision_is_what_can_be_seen(world) -> None:
    """Recounted from events alone: of the active accounts, those with errors or looks at the prices."""
    weeks = world.truth["account_weeks"].to_pandas()
    weeks = weeks[~weeks["is_cancelled"] & (weeks["cancellation_hazard"] > 0)]
    events = world.events.to_pandas()
    has_error = events["event_name"] == "error_shown"
    sees_prices = (events["page_path"] == "/pricing") & events["account_id"].notna()
    hazards = {"error": [], "prices": [], "neither": []}
    for week in sorted(weeks["review_week"].unique())[8::3]:
        ends = pd.Timestamp(week) + pd.Timedelta(weeks=1)
        recent = (events["occurred_at"] < ends) & (events["occurred_at"] >= ends - pd.Timedelta(weeks=4))
        activity, errors, views = (
            events[recent & holds]["account_id"].value_counts() for holds in (True, has_error, sees_prices)
        )
        active = set(activity[activity.between(10, 80)].index)
        for row in weeks[weeks["review_week"] == week].itertuples():
            if row.account_id in active:
                kind = "error" if errors.get(row.account_id, 0) >= 2 else "neither"
                kind = "prices" if views.get(row.account_id, 0) >= 2 else kind
                hazards[kind].append(row.cancellation_hazard)
    assert min(len(kind) for kind in hazards.values()) > 20
    for kind in ("error", "prices"):
        assert np.median(hazards[kind]) > 1.3 * np.median(hazards["neither"])


def test_truth_names_its_anomalies(world) -> None:
    anomalies = world.truth["anomalies"].to_pandas()
    assert set(anomalies["kind"]) == set(KINDS[1:])
    sessions = world.truth["sessions"].to_pandas()
    counts = sessions.groupby(["account_id", "review_week"]).size().rename("count").reset_index()
    usual = counts.groupby("account_id")["count"].median()
    spikes = anomalies[anomalies["kind"] == "spike"].merge(counts, on=["account_id", "review_week"])
    assert (spikes["count"] / spikes["account_id"].map(usual)).median() > 4
    drops = anomalies[anomalies["kind"] == "sudden_drop"].merge(counts, "left", ["account_id", "review_week"])
    assert drops["count"].fillna(0).median() <= 1
    exports = anomalies[anomalies["kind"].isin(["outlier_actions", "suspicious_activity"])]
    longest = sessions.groupby(["account_id", "review_week"])["activities"].max()
    for row in exports.itertuples():
        assert longest[row.account_id, row.review_week] >= 40


def test_bots_fetch_hundreds_of_pages_at_a_constant_pace() -> None:
    numbers = VisitNumbers(bots_per_account=0.01)
    slices = list(simulate_world(WorldParameters(200, 3, seed=2, visit=numbers)))
    bots = pa.concat_tables([slice_.truth["bots"] for slice_ in slices])["anonymous_id"].to_pylist()
    events = pa.concat_tables([slice_.events() for slice_ in slices]).to_pandas().drop_duplicates("event_id")
    assert bots
    for bot in bots:
        times = events[events["anonymous_id"] == bot]["occurred_at"].sort_values()
        assert len(times) >= 200
        assert times.diff().dropna().nunique() == 1


def test_the_calendar_shows() -> None:
    """Sessions by week: fewer between the years and in summer than in autumn."""
    parameters = WorldParameters(customers=1_500, weeks=34, seed=3)
    held = {slice_.week_start: slice_.truth["sessions"] for slice_ in simulate_world(parameters)}
    by_week = {week: pc.sum(pc.is_valid(sessions["account_id"])).as_py() for week, sessions in held.items()}
    autumn = by_week[date(2024, 11, 11)]
    assert by_week[date(2024, 12, 23)] < 0.6 * autumn
    assert by_week[date(2024, 9, 9)] > 1.12 * by_week[date(2024, 8, 12)]  # growth alone makes 5 % of it
    assert by_week[date(2024, 9, 23)] > 1.05 * by_week[date(2024, 9, 9)]


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

    received = world.slices[-1].events()
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


def test_the_sessions_of_a_day_come_in_bursts(world) -> None:
    """Two sessions of an account on a day lie closer together than the first sessions of two accounts."""
    sessions = world.truth["sessions"].to_pandas().dropna(subset=["account_id"])
    sessions["day"] = sessions["started_at"].dt.floor("D")
    of_days = sessions.sort_values("started_at").groupby(["account_id", "day"])["started_at"].agg(list)
    pairs = of_days[of_days.str.len() == 2]
    gaps = pairs.map(lambda starts: (starts[1] - starts[0]).total_seconds() / 3600)
    firsts = pairs.map(lambda starts: starts[0] - starts[0].floor("D")).dt.total_seconds() / 3600
    apart = (firsts - firsts.sample(frac=1, random_state=1).to_numpy()).abs()
    assert len(pairs) > 500
    assert gaps.median() < 0.7 * apart.median()


def test_who_was_removed_from_a_team_is_not_seen_again(world) -> None:
    events = world.events.to_pandas()
    removed = events[events["event_name"] == "team_member_removed"]
    gone = {json.loads(row.properties)["member_id"]: row.occurred_at for row in removed.itertuples()}
    acts = events[events["user_id"].isin(gone) & (events["channel"] == "web")]
    late = acts["occurred_at"] > acts["user_id"].map(gone)
    # second computers may be hours ahead
    assert len(gone) > 50
    assert late.sum() <= 0.002 * len(acts)


def test_systems_and_second_computers_say_nothing_else(world) -> None:
    """Each chance that stays with a machine or a person is a chance of its own."""
    events = world.events.select(["user_id", "anonymous_id", "platform"]).to_pandas().dropna()
    ids = events.drop_duplicates().groupby(["user_id", "platform"])["anonymous_id"].nunique()
    many = ids[ids > 2].index.get_level_values("platform")
    assert {"Windows", "macOS", "iOS", "Android"} <= set(many)


def test_the_night_of_a_pattern_break_can_be_seen() -> None:
    numbers = AnomalyNumbers(pattern_break_rate=0.05)
    slices = list(simulate_world(WorldParameters(600, 16, seed=5, anomaly=numbers)))
    anomalies = pa.concat_tables([s.truth["anomalies"] for s in slices]).to_pandas()
    accounts = slices[0].truth["accounts"].to_pandas().set_index("account_id")
    sessions = pa.concat_tables([s.truth["sessions"] for s in slices]).to_pandas()
    sessions = sessions[sessions["account_id"].map(accounts["time_zone"]) == "Europe/Berlin"]
    hour = sessions["started_at"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin").dt.hour
    sessions = sessions.assign(is_evening=(hour >= 19) | (hour < 2))
    broken = anomalies[anomalies["kind"] == "pattern_break"]
    seen = sessions.merge(broken, on=["account_id", "review_week"])["is_evening"]
    assert len(seen) > 50
    assert seen.mean() > 3 * sessions["is_evening"].mean()


def test_some_clocks_are_wrong_and_a_few_live_in_the_future() -> None:
    numbers = DeliveryNumbers(wrong_clock_share=0.3, broken_clock_share=0.05)
    slices = list(simulate_world(WorldParameters(300, 6, seed=5, delivery=numbers)))
    events = pa.concat_tables([s.events() for s in slices]).to_pandas().dropna(subset=["anonymous_id"])
    lead = (events["occurred_at"] - events["received_at"]).dt.total_seconds() / 3600
    by_machine = lead.groupby(events["anonymous_id"]).max()
    assert 0.02 < (by_machine.between(0.1, 24)).mean() < 0.3
    assert 0.002 < (by_machine > 24).mean() < 0.05


def test_a_decision_to_leave_changes_nothing_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two worlds, one in which many decide from the fifth week on, are the same until the first has left."""
    parameters = WorldParameters(400, 8, seed=8, hazard=HazardNumbers(intercept=-2.5))
    decide, decided = hazard._decide, []

    def from_the_fifth_week_on(random, accounts, foresight, week_number, *others):
        chances = decide(random, accounts, foresight, week_number, *others)
        if week_number < 5:
            accounts.ends_in_week[:] = 0
        decided.append((accounts.ends_in_week > 0).sum())
        return chances

    def never(random, accounts, *others):
        chances = decide(random, accounts, *others)
        accounts.ends_in_week[:] = 0
        return chances

    worlds = []
    for decision in (from_the_fifth_week_on, never):
        monkeypatch.setattr(hazard, "_decide", decision)
        worlds.append([slice_.events() for slice_ in simulate_world(parameters)])
    assert max(decided) > 50
    assert all(first.equals(second) for first, second in zip(*worlds, strict=True))
