"""The comparison with the truth: its sums by hand, on a small world, and as a command."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.comparisons.activation import (
    compare_activated,
    compare_steps_of_first_days,
    compare_steps_of_weeks,
)
from bench.comparisons.business import (
    compare_customers,
    compare_labels,
    compare_messages,
    compare_orders,
    compare_tickets,
)
from bench.comparisons.churn import (
    calibration_line,
    compare_accuracy,
    compare_calibration,
    compare_health,
    compare_ranking,
)
from bench.comparisons.comparison import Comparison, exact, unanswered
from bench.comparisons.counts import (
    FUTURE_REASON,
    compare_active_customers,
    compare_deliveries,
    compare_rejections,
    compare_sessions,
    compare_sessions_of_weeks,
)
from bench.comparisons.exclusions import compare_programs, compare_test_accounts
from bench.comparisons.groups import (
    agreement,
    compare_agreement,
    compare_cluster_sizes,
    cross_table,
    recognise_archetypes,
)
from bench.comparisons.identities import (
    compare_changed_ids,
    compare_ids,
    compare_shared_computers,
    compare_visits,
)
from bench.comparisons.preferences import compare_consents, compare_opt_outs, compare_preferences
from bench.comparisons.unanswered import (
    list_anomalies,
    list_shop,
    list_upgrades,
    pooled_odds_ratio,
)
from bench.evidence import read_evidence
from bench.record import Target, number_text, table_text, write_results
from bench.truth import (
    REVIEWED_WEEKS_BEFORE_THE_LAST,
    compare_counts,
    compare_judgement,
    compare_what_is_planted,
    main,
)
from bench.world import WorldSize, weeks_before_the_last
from simulation.parameters import WorldParameters
from tests.business import Business, copy_business

PROJECT = Path(__file__).resolve().parents[2]
WEEK = pd.Timestamp("2025-01-06")


def scored(
    found: list[float], true: list[float], ended: list[bool | None], health: list[float] | None = None
) -> pd.DataFrame:
    """A row for each of the values: customers c0, c1 … in one week."""
    return pd.DataFrame(
        {
            "customer_id": [f"c{number}" for number in range(len(found))],
            "review_week": WEEK,
            "churn_probability": found,
            "health_score": health or [None] * len(found),
            "true_probability": true,
            "true_hazard": true,
            "has_ended": pd.Series(ended, dtype=object),
        }
    )


def by_name(comparisons: list[Comparison]) -> dict[str, Comparison]:
    named = {comparison.name: comparison for comparison in comparisons}
    assert len(named) == len(comparisons)
    return named


def test_ranking_is_held_against_the_best_that_is_possible() -> None:
    # Of the four pairs of one who left and one who stayed, the product has one the wrong way round.
    rows = scored([0.1, 0.3, 0.2, 0.4], [0.1, 0.2, 0.3, 0.4], [False, False, True, True])
    auroc, share = compare_ranking(rows)
    assert (auroc.planted, auroc.found) == (1.0, 0.75)
    assert auroc.error == -0.25
    assert share.found == 0.5
    assert share.holds is False
    assert auroc.detail["weeks"]["2025-01-06"]["ended"] == 2
    low, high = auroc.detail["gap_95_percent_interval"]
    assert low <= 0.25 <= high


def test_equal_probabilities_rank_nobody() -> None:
    _, share = compare_ranking(scored([0.1] * 4, [0.1, 0.2, 0.3, 0.4], [False, False, True, True]))
    assert share.found == 0.0


def test_the_gap_of_a_perfect_product_is_nothing() -> None:
    true = np.linspace(0.05, 0.95, 40)
    rows = scored(list(true), list(true), [number % 3 == 0 or number > 30 for number in range(40)])
    auroc, share = compare_ranking(rows)
    assert auroc.error == 0
    assert auroc.detail["gap_95_percent_interval"] == [0.0, 0.0]
    assert share.found == 1.0
    assert share.holds is True


def test_accuracy_is_skill_over_the_share_who_left() -> None:
    brier, skill = compare_accuracy(scored([0.5, 0.5], [0.2, 0.8], [False, True]))
    assert brier.planted == pytest.approx(0.04)
    assert brier.found == pytest.approx(0.25)
    assert brier.detail["brier_of_the_base_rate"] == pytest.approx(0.25)
    assert skill.planted == pytest.approx(0.84)
    assert skill.found == pytest.approx(0.0)


def test_a_calibrated_probability_has_slope_one() -> None:
    # 1 of 5 at 20 %, 4 of 5 at 80 %.
    happened = np.array([True, False, False, False, False, True, True, True, True, False])
    said = np.repeat([0.2, 0.8], 5)
    assert calibration_line(said, happened) == pytest.approx((1.0, 0.0), abs=1e-4)
    # Twice the log-odds, so too sure by half: 0.2 becomes 1/17.
    assert calibration_line(np.repeat([1 / 17, 16 / 17], 5), happened) == pytest.approx((0.5, 0.0), abs=1e-4)
    assert calibration_line(np.full(10, 0.5), happened) == (None, None)


def test_deciles_show_how_far_probabilities_are_from_the_true_ones() -> None:
    true = np.linspace(0.01, 0.4, 100)
    found = true + np.where(np.arange(100) >= 90, 0.05, 0.0)
    rows = scored(list(found), list(true), [None] * 100)
    named = by_name(compare_calibration(rows))
    assert named["churn: mean error of the deciles"].found == pytest.approx(0.005)
    assert named["churn: largest error of a decile"].found == pytest.approx(0.05)
    assert named["churn: rank correlation with the true chance"].found == pytest.approx(1.0)
    assert named["churn: mean probability"].error == pytest.approx(0.005)
    # Nobody knows yet who left.
    assert named["churn: calibration slope"].found is None
    assert named["churn: calibration slope"].holds is None


def test_health_should_fall_with_the_chance_to_leave() -> None:
    rows = scored([0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [None] * 3, health=[90.0, 50.0, 10.0])
    (health,) = compare_health(rows)
    assert (health.planted, health.found) == (-1.0, pytest.approx(-1.0))
    assert health.holds is True
    (constant,) = compare_health(rows.assign(health_score=50.0))
    assert constant.found is None


def living(weeks: list[str], clusters: list[str | None], archetypes: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": [f"c{number}" for number in range(len(weeks))],
            "review_week": pd.to_datetime(weeks),
            "lifecycle_stage": "established",
            "cluster_name": clusters,
            "archetype": archetypes,
        }
    )


def test_agreement_is_about_groups_not_names_and_taken_week_by_week() -> None:
    weeks = ["2025-01-06"] * 4 + ["2025-02-03"] * 4
    # In the second week the same names stand for the other groups.
    rows = living(weeks, ["a", "a", "b", "b", "b", "b", "a", "a"], ["power", "power", "new", "new"] * 2)
    assert agreement(rows, "cluster_name") == 1.0
    # One group for all says nothing.
    assert agreement(rows, "lifecycle_stage") == 0.0
    # Each side has 2 of the 6 pairs together, and none of them in common; by chance it were 2 × 2 / 6:
    # (0 − 2/3) / (2 − 2/3).
    crossed = living(weeks[:4], ["a", "b", "a", "b"], ["power", "power", "new", "new"])
    assert agreement(crossed, "cluster_name") == pytest.approx(-0.5)
    assert agreement(living(weeks[:4], [None] * 4, ["power"] * 4), "cluster_name") is None
    assert cross_table(rows, "cluster_name") == {
        "a": {"power": 0.5, "new": 0.5, "share_of_all": 0.5},
        "b": {"new": 0.5, "power": 0.5, "share_of_all": 0.5},
    }
    stage, cluster = compare_agreement(rows, rows["archetype"])
    assert (cluster.planted, cluster.found) == (1.0, 1.0)
    assert (stage.planted, stage.found) == (1.0, 0.0)


def test_clusters_that_share_a_beginning_are_summed() -> None:
    clusters = ["Power users", "Casual users, less active", "Casual users, more active", "Steady users"]
    rows = living(["2025-01-06"] * 4, clusters, ["power", "casual", "casual", "seasonal"])
    named = by_name(compare_cluster_sizes(rows))
    assert named["cluster: share of Power"].found == 0.25
    assert named["cluster: share of Power"].holds is False
    assert named["cluster: share of Casual"].found == 0.5
    assert named["cluster: share of Casual"].holds is True
    assert named["cluster: share of New"].found == 0.0
    assert named["cluster: share of other"].detail["names"] == {"Steady users": 1.0}
    none = compare_cluster_sizes(living(["2025-01-06"], [None], ["power"]))
    assert {comparison.found for comparison in none} == {None}


def test_a_classifier_that_is_shown_the_truth_finds_what_the_rows_tell() -> None:
    features = pd.DataFrame(
        {
            "customer_id": [f"c{number}" for number in range(200)],
            "review_week": WEEK,
            "core_events_28d": np.arange(200),
            "plan": ["starter", "team"] * 100,
            "first_seen_date": WEEK,
        }
    )
    archetype = pd.Series(np.where(np.arange(200) % 100 < 50, "casual", "power"))
    recognised = recognise_archetypes(features.assign(core_events_28d=np.arange(200) % 100), archetype)
    assert recognised.eq(archetype).mean() > 0.95
    assert recognise_archetypes(features, pd.Series(["casual"] * 200)) is None
    assert recognise_archetypes(features.head(3), archetype.head(3)) is None


def sessions(found: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": ["a", "b"],
            "planted_sessions": [5, 7],
            "planted_visits": [2, 0],
            "found_sessions": [5, found],
            "planted_activities": [20, 30],
            "found_activities": [20, 30],
            "divided_sessions": [0, 1],
        }
    )


def test_a_broken_count_shows_its_error() -> None:
    assert all(comparison.holds for comparison in compare_sessions(sessions(7)))
    broken = by_name(compare_sessions(sessions(6)))
    counted = broken["sessions of customers"]
    assert counted.detail["visits_without_a_name"] == 2
    assert (counted.planted, counted.found, counted.error) == (12, 11, -1)
    assert counted.holds is False
    assert counted.texts()[-1] == "NO"
    assert broken["customers whose sessions differ"].found == 1
    assert broken["customers whose sessions differ"].detail["customers"] == ["b"]
    assert broken["activities in these sessions"].holds is True


def test_a_week_counts_the_sessions_of_which_it_could_know_whose_they_are() -> None:
    rows = pd.DataFrame(
        {
            "customer_id": ["a", "b"],
            "review_week": WEEK,
            "planted_sessions": [4, 2],
            "planted_visits": [1, 0],
            "known_later": [0, 3],
            "found_sessions": [4, 5],
            "planted_is_active": [True, False],
            "found_is_active": [True, True],
        }
    )
    counted, differ, activity = compare_sessions_of_weeks(rows)
    assert (counted.planted, counted.found, counted.holds) == (6, 9, False)
    assert (counted.detail["visits_without_a_name"], counted.detail["left_out_as_known_later"]) == (1, 3)
    assert differ.detail["customers"] == ["b"]
    assert (differ.found, activity.found) == (1, 1)
    weeks = pd.DataFrame(
        {
            "review_week": [WEEK, WEEK + pd.Timedelta(weeks=1)],
            "planted_customers": [3, 4],
            "found_customers": [4, 3],
        }
    )
    counted, differ = compare_active_customers(weeks)
    assert (counted.error, differ.found) == (0, 2)


def test_errors_of_two_days_do_not_cancel_out() -> None:
    days = pd.DataFrame({"received_date": pd.to_datetime(["2025-01-06", "2025-01-07"])})
    for what in ("lines", "events", "duplicates", "rejected", "late"):
        days[f"planted_{what}"], days[f"found_{what}"] = [3, 4], [3, 4]
    assert all(comparison.holds for comparison in compare_deliveries(days, late_counted=7))
    named = by_name(compare_deliveries(days.assign(found_late=[4, 3]), late_counted=6))
    assert named["late events beyond the limit"].error == 0
    assert named["days whose late events beyond the limit differ"].found == 2
    assert named["late events counted per day"].error == -1


def test_rejections_are_told_apart_by_reason() -> None:
    planted = pd.Series({"malformed": 3, "from_the_future": 2})
    reasons = pd.Series({"malformed JSON": 2, "timestamp is not a readable time": 1, FUTURE_REASON: 2})
    malformed, future = compare_rejections(planted, reasons)
    assert (malformed.error, future.error) == (0, 0)
    malformed, future = compare_rejections(planted, reasons.drop(FUTURE_REASON))
    assert (malformed.error, future.error) == (0, -2)


def test_orders_are_counted_once_they_are_loaded_in_time() -> None:
    orders = pd.DataFrame(
        {
            "order_id": ["counted", "late", "after", "not received", "lost", "nobody's", "test"],
            "revenue": [10.5, 20.0, 30.0, 40.0, 50.0, None, 60.0],
            "is_loaded": [True, True, True, False, False, True, True],
            "is_late": [False, True, False, False, False, False, False],
            "is_explained": [False, False, False, True, False, False, False],
            "is_before_end": [True, True, False, False, False, True, True],
            "is_of_test": [False, False, False, False, False, False, True],
        }
    )
    named = by_name(compare_orders(orders, -2.5, 1, 10.5, 8.0, "EUR"))
    assert named["orders lost without a reason"].found == 1
    assert named["orders that nobody placed"].found == 1
    assert named["orders so far"].error == 0
    assert named["orders so far"].detail == {
        "left_out_as_late": 1,
        "left_out_as_not_received": 1,
        "left_out_as_of_tests": 1,
    }
    assert named["revenue of these orders"].error == 0
    assert named["net revenue so far"].planted == 8.0
    assert named["net revenue so far"].error == 0


def test_customers_and_outcomes_are_held_against_the_truth() -> None:
    customers = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c"],
            "review_week": WEEK,
            "is_planted": [True, True, True],
            "is_found": [True, True, False],
            "planted_cancelled": pd.Series([True, False, False], dtype=object),
            "found_cancelled": pd.Series([True, True, None], dtype=object),
            "planted_upgrades": [2, 0, 0],
            "found_upgrades": [2, 0, 0],
        }
    )
    named = by_name(compare_customers(customers))
    assert named["customers known in the newest week"].error == -1
    assert named["cancelled customers in the newest week"].error == 1
    assert named["customer weeks whose cancellation differs"].found == 1
    assert named["upgrades so far"].holds is True
    labels = pd.DataFrame({"planted": [True, False, True], "found": [True, True, False]})
    cancelled, differ = compare_labels(labels)
    assert (cancelled.error, differ.found) == (0, 2)
    tickets = pd.DataFrame(
        {
            "is_planted": [True, True, True, True],
            "is_loaded": [True, True, False, True],
            "is_late": [False, True, False, False],
            "is_explained": [False, False, False, False],
            "is_in_window": [True, True, False, True],
            "is_of_test": [False, False, False, True],
        }
    )
    lost, counted = compare_tickets(tickets, found_tickets=1)
    assert (lost.found, counted.error) == (1, 0)
    sent = {"message_sent": 5, "message_opened": 2, "message_clicked": 1}
    assert compare_messages(sent, {"message_sent": 4})[0].error == -1


def test_ids_belong_to_one_customer_and_the_right_one() -> None:
    ids = pd.DataFrame(
        {
            "id_type": ["anonymous"] * 4 + ["user"],
            "id": ["right", "another's", "nobody's", "of two", "right"],
            "customer_id": ["a", "a", "a", "a", "a"],
            "found_customers": [1, 1, 0, 2, 1],
            "found_customer_id": ["a", "b", None, "a", "a"],
            "is_shared": [False, False, True, False, False],
        }
    )
    computers, users = compare_ids(ids)
    assert (computers.planted, computers.found, computers.holds) == (4, 1, False)
    assert computers.detail == {"shared_by_too_many": 1, "given_to_another": 2}
    assert (users.planted, users.found, users.holds) == (1, 1, True)


def test_visits_are_given_to_whom_an_event_names_later() -> None:
    visits = pd.DataFrame(
        {
            "customer_id": ["right", "missed", "too late", "never", "a script's", None, None],
            "is_named": [True, True, False, False, True, False, False],
            "is_named_in_vain": [True, True, True, False, True, False, False],
            "is_flagged": [False, False, False, False, True, False, True],
            "found_customer_id": ["right", None, None, None, None, None, None],
        }
    )
    named = by_name(compare_visits(visits))
    given = named["visits before the sign-up, given to their customer"]
    assert (given.planted, given.found, given.holds) == (2, 1, False)
    assert given.detail == {
        "visits": 5,
        "left_out_as_named_too_late": 1,
        "left_out_as_never_named": 1,
        "left_out_as_of_a_program": 1,
    }
    share = named["visits before the sign-up, share that is given"]
    assert (share.found, share.holds) == (0.2, False)
    wrong = by_name(
        compare_visits(visits.assign(found_customer_id=["other", "missed", "too late", *["x"] * 4]))
    )
    assert wrong["visits before the sign-up, given to their customer"].found == 1
    assert wrong["visits before the sign-up, given without a reason"].found == 1
    assert wrong["visits before the sign-up, given to another"].found == 3
    assert wrong["visits of strangers, given to a customer"].found == 2
    nobody = by_name(compare_visits(visits.tail(2)))
    assert nobody["visits before the sign-up, share that is given"].found is None


def test_changed_ids_are_one_person_at_one_customer() -> None:
    changes = pd.DataFrame(
        {
            "customer_of_new": ["a", "b", None],
            "customer_of_previous": ["a", "x", None],
            "is_merged": [True, True, False],
        }
    )
    merged, same = compare_changed_ids(changes)
    assert (merged.planted, merged.found) == (3, 2)
    assert (same.planted, same.found, same.holds) == (3, 1, False)


def test_people_of_one_computer_are_kept_apart_by_what_each_does() -> None:
    computers = pd.DataFrame(
        {
            "anonymous_id": ["d", "e", "f"],
            "people": [2, 3, 2],
            "customers": [1, 1, 2],
            "events": [10, 20, 30],
            "events_of_another_customer": [0, 0, 4],
            "events_of_another_person": [0, 1, 4],
        }
    )
    apart, of_customer, of_person = compare_shared_computers(computers)
    assert (apart.planted, apart.found, apart.holds) == (3, 1, False)
    assert apart.detail == {"people": 7, "shared_between_customers": 1}
    assert (of_customer.found, of_person.found, of_person.detail["events"]) == (4, 5, 60)


def test_programs_are_found_and_nobody_else() -> None:
    programs = pd.DataFrame(
        {
            "kind": ["scraping_bot", "scraping_bot", "script", "script"],
            "is_flagged": [True, False, True, False],
            "is_marked": [True, False, True, False],
        }
    )
    flagged_days = pd.DataFrame(
        {"kind": ["scraping_bot", "script", None], "sessions_of_people": [0, 3, 1]},
    )
    named = by_name(compare_programs(programs, flagged_days))
    assert named["scraping bots flagged"].error == -1
    assert named["scraping bots whose sessions are marked"].error == -1
    scripts = named["scripts on customers' computers, flagged for their day"]
    assert (scripts.planted, scripts.found, scripts.holds) == (2, 1, None)
    assert scripts.detail["sessions_of_people_on_flagged_days"] == 4
    false_alarms = named["days of computers flagged without a program"]
    assert (false_alarms.found, false_alarms.holds) == (1, False)
    assert false_alarms.detail == {"flagged": 3, "of_scraping_bots": 1, "of_scripts": 1}


def test_accounts_of_our_own_people_are_found_and_in_no_week() -> None:
    accounts = pd.DataFrame(
        {
            "customer_id": ["found", "missed", "a customer"],
            "is_test": [True, True, False],
            "is_flagged": [True, False, True],
            "planted_sessions": [2, 3, 4],
            "marked_sessions": [2, 0, 4],
            "feature_rows": [0, 5, 0],
        }
    )
    found, mistaken, marked, rows = compare_test_accounts(accounts)
    assert (found.planted, found.found) == (2, 1)
    assert mistaken.found == 1
    assert (marked.planted, marked.found) == (5, 6)
    assert rows.found == 5


def test_odds_ratios_are_pooled_over_strata() -> None:
    # In each stratum 3 of 4 with and 1 of 4 without: (3 × 3) / (1 × 1).
    does = pd.Series([True] * 4 + [False] * 4)
    happens = pd.Series([True] * 3 + [False] + [True] + [False] * 3)
    twice = pd.concat([does, does], ignore_index=True), pd.concat([happens, happens], ignore_index=True)
    assert pooled_odds_ratio(*twice, strata=pd.Series([0] * 8 + [1] * 8)) == pytest.approx(9.0)
    assert pooled_odds_ratio(does, does, strata=pd.Series([0] * 8)) is None


def test_steps_to_activation_are_those_of_the_first_day() -> None:
    steps = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c"],
            "review_week": WEEK,
            "planted_steps": [6, 2, 6],
            "found_steps": [6, 3, 5],
            "found_is_activated": pd.Series([True, False, False], dtype=object),
        }
    )
    counted, differ, activated = compare_steps_of_weeks(steps)
    assert (counted.planted, counted.found, counted.holds) == (14, 14, True)
    assert (differ.found, differ.detail["customers"]) == (2, ["b", "c"])
    assert (activated.found, activated.detail["activated"]) == (1, 2)
    first_days = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b", "b"],
            "event_name": ["signed_up", "email_verified"] * 2,
            "planted": [True, True, True, False],
            "found": [True, False, True, True],
        }
    )
    counted, differ = compare_steps_of_first_days(first_days)
    assert (counted.planted, counted.found) == (3, 3)
    assert counted.detail["by_step"]["email_verified"] == {"planted": 1, "found": 1}
    assert (differ.found, differ.detail["customers"]) == (2, ["a", "b"])
    (both,) = compare_activated(
        pd.DataFrame({"planted": [True, True, False], "found": pd.Series([True, None, True], dtype=object)})
    )
    assert (both.planted, both.found, both.holds) == (2, 2, None)
    assert (both.detail["both"], both.detail["of"]) == (1, 3)


def test_preferences_are_right_or_wrong_where_enough_was_opened() -> None:
    readers = pd.DataFrame(
        {
            "account_id": ["a", "b", "c", "d", "e"],
            "preferred_channel": ["sms", "email", "email", "push", "email"],
            "said_preferred_channel": ["sms", "email", "sms", None, "email"],
            "preferred_hour_local": [8, 9, 20, 12, 9],
            "said_preferred_send_hour_local": [8.0, 11.0, 12.0, None, 9.0],
            "preferred_topic": ["x", "y", "x", "x", "x"],
            "said_top_topic_90d": [None] * 5,
            "is_in_zone_of_business": [True, False, True, True, True],
            "messages_opened": [3, 4, 3, 0, 1],
        }
    )
    channel, hour, topic = compare_preferences(readers)
    assert (channel.planted, channel.found, channel.holds) == (1.0, pytest.approx(2 / 3), None)
    assert channel.detail["customers_with_3_opened_messages"] == 3
    # Two of three are said to like sms, one is planted; e-mail the other way round.
    assert channel.detail["share_by_chance"] == pytest.approx(2 / 3 * 1 / 3 + 1 / 3 * 2 / 3)
    assert channel.detail["share_of_the_commonest"] == pytest.approx(2 / 3)
    assert channel.detail["customers_told"] == 4
    assert channel.detail["share_of_all_told"] == pytest.approx(3 / 4)
    assert channel.detail["planted_shares"] == {"email": 0.6, "push": 0.2, "sms": 0.2}
    assert hour.found == pytest.approx(1 / 3)
    assert hour.detail["share_within_2_hours"] == pytest.approx(2 / 3)
    assert hour.detail["share_in_the_zone_of_the_business"] == pytest.approx(1 / 2)
    assert (topic.found, topic.detail["share_by_chance"]) == (None, None)


def test_consents_and_opt_outs_are_those_of_the_events() -> None:
    consents = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c", "d", "e"],
            "message_channel": "email",
            "loaded": pd.Series([True, False, None, True, None], dtype=object),
            "found": pd.Series([True, False, None, False, True], dtype=object),
        }
    )
    counted, differ = compare_consents(consents)
    assert (counted.planted, counted.found, counted.holds) == (2, 2, True)
    assert (differ.found, differ.holds, differ.detail["of"]) == (2, False, 5)
    assert [comparison.holds for comparison in compare_opt_outs(3, 3)] == [True]
    assert [comparison.holds for comparison in compare_opt_outs(3, 2)] == [False]


def test_what_cannot_be_answered_stays_null(tmp_path: Path) -> None:
    anomalies = pd.DataFrame(
        {"account_id": ["a", "b"], "review_week": [WEEK, WEEK + pd.Timedelta(weeks=1)], "kind": "spike"}
    )
    account_weeks = pd.DataFrame(
        {"account_id": ["a", "b"], "review_week": WEEK, "upgrade_hazard": [0.2, 0.1], "archetype": "casual"}
    )
    upgrades = pd.DataFrame({"account_id": ["a"], "review_week": WEEK, "cause": "limit"})
    carts = pd.DataFrame({"is_ordered": [True, False], "cause": [None, "distraction"]})
    comparisons = [
        *list_anomalies(anomalies, [WEEK.date()]),
        *list_upgrades(account_weeks, upgrades),
        *list_shop(carts, [("p_1", "p_2")]),
    ]
    named = by_name(comparisons)
    assert named["anomalies found: spike"].planted == 1
    assert named["upgrades: rank correlation with the true chance"].detail["auroc_of_the_true_chance"] == 1.0
    assert named["causes of abandoned carts"].planted == 1
    path = tmp_path / "results" / "truth.json"
    write_results(path, [comparison.result() for comparison in comparisons])
    assert [entry.name for entry in path.parent.iterdir()] == ["truth.json"]
    written = json.loads(path.read_text(encoding="utf-8"))
    assert set(written) == {"machine", "versions", "commit", "results"}
    for result in written["results"]:
        assert set(result) == {"name", "value", "unit", "target", "holds", "detail"}
        assert result["value"] is None
        assert result["holds"] is None
        assert "planted" in result["detail"]


def test_results_are_plain_numbers(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    detail = {"nothing": float("nan"), "week": date(2025, 1, 6), "counts": [np.int64(3)]}
    write_results(
        path, [Comparison("one", 1, np.float64(0.5), "share", Target(0, 1), detail=detail).result()]
    )
    (result,) = json.loads(path.read_text(encoding="utf-8"))["results"]
    assert result["value"] == 0.5
    assert (result["target"], result["holds"]) == ("0 to 1", True)
    assert result["detail"] == {
        "planted": 1,
        "error": -0.5,
        "nothing": None,
        "week": "2025-01-06",
        "counts": [3],
    }


def test_rows_are_for_people() -> None:
    rows = [exact("rows", 12_000, 12_001, "rows").texts(), unanswered("open", 6.5, "ratio").texts()]
    assert rows == [
        ("rows [rows]", "12,000", "12,001", "1", "error 0", "NO"),
        ("open [ratio]", "6.5", "–", "–", "", ""),
    ]
    assert table_text(("what", "n"), [("a", "1"), ("bbbbb", "10")]).splitlines() == [
        "what    n",
        "─────  ──",
        "a       1",
        "bbbbb  10",
    ]
    assert [number_text(value) for value in (0.12345, 1234.5, 0.00001234, None)] == [
        "0.1235",
        "1,234.50",
        "1.234e-05",
        "–",
    ]
    assert [str(target) for target in (Target(0.8), Target(highest=2), Target(1, 1))] == ["≥ 0.8", "≤ 2", "1"]


def test_reviewed_weeks_are_so_many_before_the_last() -> None:
    first_week = WorldParameters(customers=1, weeks=1, seed=0).first_week
    weeks = weeks_before_the_last(WorldSize(1, 40, 7), (39, 4, 0))
    assert [(week - first_week).days for week in weeks] == [0, 35 * 7, 39 * 7]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--customers", "0"),
        ("--customers", "many"),
        ("--weeks", "20"),
        ("--seed", "-1"),
        ("--nonsense",),
        ("--results", "."),
        ("--folder", "pyproject.toml"),
    ],
    ids=" ".join,
)
def test_bad_usage_is_one_line_and_nothing_is_written(
    arguments: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(PROJECT)
    given = ["--folder", str(tmp_path / "world"), "--results", str(tmp_path / "truth.json"), *arguments]
    with pytest.raises(SystemExit) as ended:
        main(given)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_what_vitals_says_is_passed_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """dbt cannot take a quote in a path, so the command refuses it; the results are not touched."""
    results = tmp_path / "truth.json"
    assert main(["--folder", str(tmp_path / "it's"), "--results", str(results)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("truth: vitals simulate failed:")
    assert not results.exists()


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "mine.txt").touch()
    results = tmp_path / "truth.json"
    assert main(["--folder", str(tmp_path / "world"), "--results", str(results)]) == 2
    assert "mine.txt" not in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "world").iterdir()] == ["mine.txt"]
    assert not results.exists()


def test_no_room_knows_the_benchmarks() -> None:
    rooms = ("dags", "pipeline", "ml", "expectations", "report", "simulation")
    found = [
        str(path.relative_to(PROJECT))
        for room in rooms
        for path in (PROJECT / room).rglob("*.py")
        if re.search(r"^\s*(from|import) bench\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert not found


def test_counts_of_a_reviewed_world_are_exact(reviewed: Business) -> None:
    evidence = read_evidence(reviewed.data)
    counted = compare_counts(evidence)
    assert len(counted) > 30
    assert [comparison.texts() for comparison in counted if comparison.holds is False] == []
    named = by_name(counted)
    for name in (
        "visits before the sign-up, given to their customer",
        "shared computers whose people are kept apart",
        "sessions of customers",
        "sessions of 90 days in the reviewed weeks",
        "active customers in all weeks",
        "duplicates",
        "customers known in the newest week",
        "orders so far",
        "tickets of 90 days",
        "messages sent",
        "cancellations among the outcomes",
        "steps to activation on the day of the sign-up",
        "consents",
        "opt-outs",
    ):
        assert named[name].planted > 0, name
    # What has not come to pass is judged by nobody, and everything planted has a row.
    assert evidence.scored["has_ended"].isna().all()
    planted = by_name(compare_what_is_planted(evidence))
    assert planted["activation: odds ratio of inviting"].planted == 6.5
    assert planted["activation: odds ratio of inviting"].found is None
    for name in ("preferred channel", "preferred hour", "preferred topic"):
        # In so small a world few have opened three messages.
        assert 0 < planted[name].detail["share_of_all_told"] < 1, name


@pytest.mark.slow
def test_a_review_does_not_read_the_truth(reviewed: Business, tmp_path: Path) -> None:
    """The same tables come out where there is no truth."""
    blind = copy_business(reviewed, tmp_path / "demo")
    shutil.rmtree(blind.data / "truth")
    done = blind.vitals("run", "--from", "features", VITALS_RUN_ID="blind")
    assert done.code == 0, done.said
    schemas = ("intermediate", "features", "scores", "marts")
    assert blind.fingerprints(*schemas) == reviewed.fingerprints(*schemas)
    published = [
        business.fingerprints("marts", database=(business.current / "warehouse.duckdb").resolve())
        for business in (blind, reviewed)
    ]
    assert published[0] == published[1]
    assert not (blind.data / "truth").exists()


@pytest.mark.slow
def test_the_command_measures_a_small_world(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder, results = tmp_path / "world", tmp_path / "results" / "truth.json"
    given = ["--customers", "600", "--weeks", "40", "--folder", str(folder), "--results", str(results)]
    assert main(given) == 0
    said = capfd.readouterr().out
    assert said.count("review of 20") == len(REVIEWED_WEEKS_BEFORE_THE_LAST)
    written = json.loads(results.read_text(encoding="utf-8"))
    named = {result["name"]: result for result in written["results"]}
    assert len(named) == len(written["results"])
    auroc = named["churn: AUROC"]
    assert 0.5 < auroc["value"] < 1
    assert len(auroc["detail"]["weeks"]) == len(REVIEWED_WEEKS_BEFORE_THE_LAST)
    inexact = [name for name, each in named.items() if each["target"] == "error 0" and not each["holds"]]
    assert not inexact
    assert named["anomalies found: spike"]["value"] is None
    assert named["time of this measurement"]["detail"]["world"]["customers"] == 600
    evidence = read_evidence(folder / "demo" / "data")
    assert len(evidence.weeks) == len(REVIEWED_WEEKS_BEFORE_THE_LAST)
    assert [each.result().value for each in compare_judgement(evidence)] == pytest.approx(
        [each["value"] for each in written["results"]][: len(compare_judgement(evidence))]
    )
    # The same world is not made again.
    assert main(given) == 0
    assert "kept" in capfd.readouterr().out
