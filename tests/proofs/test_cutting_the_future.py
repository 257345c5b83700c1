"""The row of a week is what one would compute if the stream ended with the week.

All weeks are built at once from the whole stream; then single weeks, each in a fresh warehouse, from the
events that occurred before their end. Nothing may differ, in any column.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from hypothesis import strategies as st

from pipeline.weeks import WEEK
from tests.proofs.comparisons import Coverage, differences, told_briefly
from tests.proofs.compiled_models import CompiledModels
from tests.proofs.histories import FEATURES, LABELS, label_differences, new_history
from tests.proofs.proving import Size, for_drawn_batches, in_both_sizes
from tests.proofs.worlds import Batch, Business, full_batch

# What is the same in every row of every world, with the reason.
NEVER_VARIES: dict[str, str] = {}
# Which weeks are cut, counted back from the last one but one.
CUTS = st.lists(st.integers(0, 17), min_size=2, max_size=3, unique=True)


def what_the_future_changes(
    models: CompiledModels, folder: Path, batch: Batch, cuts: Sequence[int], coverage: Coverage
) -> list[str]:
    """How single weeks differ when nothing after them is known; every week before them is compared too."""
    told = []
    with new_history(models, folder, batch.business) as whole:
        whole.receive([delivery.line for delivery in batch.deliveries])
        weeks = whole.weeks()
        if not weeks:
            return []
        whole.review(weeks[-1])
        coverage.note(whole.warehouse, FEATURES, LABELS)
        weekly = whole.weekly()
        first = max(weeks[0], whole.warehouse.value(f"select min(review_week) from {FEATURES}"))
        for week in {weeks[-2 - cut] for cut in cuts if cut + 2 <= len(weeks)}:
            with whole.reviewed_from_what_lay_before_the_end_of(week) as cut_history:
                both = f"review_week between '{first}' and '{week}'"
                told += differences(cut_history.warehouse, weekly, both)
                told += label_differences(whole, cut_history, week)
    return told


@in_both_sizes
def test_cutting_the_future_changes_nothing(models: CompiledModels, tmp_path: Path, size: Size) -> None:
    coverage = Coverage()

    def check(batch: Batch, cuts: Sequence[int]) -> None:
        told = what_the_future_changes(models, tmp_path, batch, cuts, coverage)
        assert not told, told_briefly(told)

    for customer in ("account", "user"):
        check(full_batch(customer), (0, 3, 7))
    for_drawn_batches(size, check, cuts=CUTS)
    unproven = {column for column in coverage.unproven() if column not in NEVER_VARIES}
    assert not unproven, f"the worlds prove nothing about {coverage.unproven()}"


def test_an_answer_of_a_device_that_is_known_later_changes_no_week_before(
    models: CompiledModels, tmp_path: Path
) -> None:
    """Found by a world: the first answer came from a device that named nobody until the week after."""
    told_by = (
        ("06T08:00", "message_sent", {"userId": "user"}),
        ("06T09:00", "message_opened", {"anonymousId": "device"}),
        ("06T11:00", "message_opened", {"userId": "user"}),
        ("14T08:00", "identify", {"userId": "user", "anonymousId": "device"}),
    )
    lines = [
        json.dumps(
            {
                "messageId": f"event-{number}",
                "type": "identify" if name == "identify" else "track",
                "event": name,
                "timestamp": f"2025-01-{at}:00Z",
                "receivedAt": f"2025-01-{at}:00Z",
                "properties": {"message_id": "m", "message_channel": "email"},
                **ids,
            }
        )
        for number, (at, name, ids) in enumerate(told_by)
    ]
    business = Business("user", "UTC", date(2025, 1, 6), 5, "inactivity", 28)
    with new_history(models, tmp_path, business) as whole:
        whole.receive(lines)
        whole.review(business.first_week + WEEK)
        hours = f"select response_hours_median_90d from {FEATURES} order by review_week"
        assert whole.warehouse.rows(hours) == [(3.0,), (3.0,)]
        with whole.reviewed_from_what_lay_before_the_end_of(business.first_week) as cut:
            of_week = f"review_week = '{business.first_week}'"
            assert not differences(cut.warehouse, whole.weekly(), of_week)
