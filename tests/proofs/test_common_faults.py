"""Faults that such software is known to have, each with the smallest world in which it would show."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pandas
import pytest

from report.cohorts import cohorts_of
from tests.proofs.by_hand import hand_made
from tests.proofs.compiled_models import CompiledModels
from tests.proofs.histories import new_history
from tests.proofs.worlds import World, full_batch

WEEK = timedelta(weeks=1)


def test_silent_customers_count_as_churned(models: CompiledModels, tmp_path: Path) -> None:
    """The fault: outcomes are joined to what came after, and who never comes back drops out of the sample."""
    first = date(2025, 1, 6)
    with hand_made(models, tmp_path) as world:
        for customer in ("stays", "falls_silent", "is_only_written_to"):
            world.tell("2025-01-07T10:00", "task_completed", customer)
        for week in range(1, 16):
            day = date(2025, 1, 7) + week * WEEK
            world.tell(f"{day}T10:00", "task_completed", "stays")
            # What we send is no sign of life.
            world.tell(f"{day}T11:00", "message_sent", "is_only_written_to", message_channel="email")
        world.build(first + 15 * WEEK)
        labels = world.rows(
            f"""
            select customer_id, churned_next, active_next_7d from features.customer_week_labels
            where review_week = '{first}' order by all
            """
        )
        assert labels == [
            ("falls_silent", True, False),
            ("is_only_written_to", True, False),
            ("stays", False, True),
        ]
        # Every week has a row and an answer for the silent, too, once four weeks have passed.
        counted = world.rows(
            """
            select customer_id, count(*), count(churned_next), count(*) filter (where churned_next)
            from features.customer_week_labels group by all order by all
            """
        )
        assert counted == [
            ("falls_silent", 16, 12, 12),
            ("is_only_written_to", 16, 12, 12),
            ("stays", 16, 12, 0),
        ]
        stages = world.week(first + 15 * WEEK, "customer_id, lifecycle_stage, is_scorable, engagement_level")
        assert stages == [
            ("falls_silent", "churned", False, "disengaged"),
            ("is_only_written_to", "churned", False, "disengaged"),
            ("stays", "established", True, "lightly_engaged"),
        ]


def test_two_orders_of_equal_value_both_count(models: CompiledModels, tmp_path: Path) -> None:
    """The fault: values are made unique before they are summed, or equal rows are taken for one."""
    same = {
        "revenue": 20,
        "discount": 2,
        "coupon": "SAVE15",
        "payment_method": "card",
        "products": [{"category": "books", "quantity": 3}],
    }
    with hand_made(models, tmp_path) as world:
        for at in ("2025-01-07T10:00", "2025-01-07T10:00", "2025-01-08T10:00"):
            world.tell(at, "order_completed", **same)
        for _ in range(2):
            world.tell("2025-01-09T10:00", "order_refunded", revenue=-5)
        world.build(date(2025, 1, 6))
        columns = "orders_28d, orders_ever, revenue_28d, revenue_ever, average_order_value_365d"
        columns += ", items_per_order_365d, refund_share_365d, discounted_order_share_365d, rfm_frequency"
        (row,) = world.week(date(2025, 1, 6), columns)
    assert row[:5] == (3, 3, Decimal(50), Decimal(50), Decimal("16.6667"))
    assert row[5:] == (3.0, pytest.approx(10 / 60), 1.0, 3)


@pytest.mark.parametrize("others", [0, 1, 3, 7])
def test_five_customers_with_equal_frequency_get_equal_scores(
    models: CompiledModels, tmp_path: Path, others: int
) -> None:
    """The fault: customers are dealt into five equal heaps, and equal ones land in different heaps."""
    with hand_made(models, tmp_path) as world:
        for number in range(5):
            for day in ("07", "08"):
                world.tell(f"2025-01-{day}T1{number}:00", "order_completed", f"equal{number}", revenue=10)
        for number in range(others):
            for _ in range(1 if number % 2 else 3):
                day = f"2025-01-0{6 + number % 4}T09:00"
                world.tell(day, "order_completed", f"other{number}", revenue=10 + number)
        world.build(date(2025, 1, 6))
        scores = world.week(date(2025, 1, 6), "rfm_r, rfm_f, rfm_m, rfm_segment")
    assert len(scores) == 5 + others
    assert len(set(scores[:5])) == 1
    if not others:
        # None is better than another, so none stands above the lowest score.
        assert scores[0][:3] == (1, 1, 1)


def test_no_session_is_cut_at_midnight(models: CompiledModels, tmp_path: Path) -> None:
    """The fault: sessions are numbered by day, and one that goes on after midnight counts twice.

    From 23:50 on Sunday to 00:30 on Monday: one session, of the week in which it starts; the minutes after
    midnight belong to the week in which they were spent.
    """
    sunday, monday = date(2025, 1, 6), date(2025, 1, 13)
    with hand_made(models, tmp_path) as world:
        for at in ("12T23:50", "13T00:05", "13T00:30"):
            world.tell(f"2025-01-{at}", "task_completed")
        # 00:00 UTC is no midnight either: 00:50 to 01:10 in Berlin.
        for at in ("15T00:50", "15T01:10"):
            world.tell(f"2025-01-{at}", "task_completed")
        world.build(monday)
        sessions = world.rows(
            "select start_date, events, session_seconds from intermediate.sessions order by started_at"
        )
        assert sessions == [(date(2025, 1, 12), 3, 2400.0), (date(2025, 1, 15), 2, 1200.0)]
        columns = "sessions_7d, activities_7d, active_days_7d, sessions_28d, session_minutes_28d"
        assert world.week(sunday, columns) == [(1, 1, 1, 1, 0.0)]
        assert world.week(monday, columns) == [(1, 4, 2, 2, 60.0)]


@pytest.mark.parametrize("customer", ["account", "user"])
def test_all_of_a_cohort_count_in_its_first_period(
    models: CompiledModels, tmp_path: Path, customer: str
) -> None:
    """The fault: the first period is counted like the others, and a cohort begins with a share below one.

    Among the customers of the worlds are some who are known by a message from us and never did anything.
    """
    batch = full_batch(customer, worlds=4)
    only_written_to = World(5, 6, frozenset({"is_written_to"}), frozenset())
    batch = replace(batch, worlds=(*batch.worlds, only_written_to))
    with new_history(models, tmp_path, batch.business) as history:
        history.receive([delivery.line for delivery in batch.deliveries])
        week = history.weeks()[-1]
        history.review(week)
        rows = history.warehouse.frame(
            "select customer_id, review_week, first_seen_date, active_days_28d from features.customer_weeks"
        )
        never_active = history.warehouse.value(
            "select count(*) from features.customer_weeks where days_since_last_activity is null"
        )
    assert never_active
    newest = rows.loc[pandas.to_datetime(rows["review_week"]).dt.date == week]
    cohorts = cohorts_of(newest, rows, week)
    assert cohorts
    for cohort in cohorts:
        shares = [cohort.share(period) for period in range(len(cohort.active))]
        assert shares[0] == 1.0
        assert all(0 <= share <= 1 for share in shares if share is not None)
