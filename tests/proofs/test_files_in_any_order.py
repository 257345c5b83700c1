"""Files in any order and number, with repeated and late lines, reviewed week by week, equal one rebuild."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random

from hypothesis import strategies as st

from pipeline.weeks import WEEK, week_bounds
from tests.proofs.comparisons import differences, told_briefly
from tests.proofs.compiled_models import CompiledModels
from tests.proofs.histories import FEATURES, History, new_history
from tests.proofs.proving import Size, for_drawn_batches, in_both_sizes
from tests.proofs.worlds import Batch, Business, full_batch

RAW = "select * exclude (load_id) from raw.events order by all"


def what_the_way_changes(models: CompiledModels, folder: Path, batch: Batch, seed: int) -> list[str]:
    """How a warehouse that grew in portions differs from one that is built from everything at once."""
    random = Random(seed)
    with new_history(models, folder, batch.business) as at_once:
        lines = [delivery.line for delivery in batch.deliveries]
        at_once.receive(*split(lines, random, files=random.choice((1, 3))))
        weeks = at_once.weeks()
        if not weeks:
            return []
        at_once.review(weeks[-1])
        expected, raw = at_once.built(), at_once.warehouse.rows(RAW)
    with new_history(models, folder, batch.business) as grown:
        for portion, week in portions(batch, weeks, random):
            grown.receive(*split(portion, random, files=random.choice((1, 2, 3))))
            for _ in range(random.choice((1, 1, 2))):
                grown.review(week)
        grown.review(weeks[-1])
        assert grown.warehouse.rows(RAW) == raw
        told = differences(grown.warehouse, expected)
        # An older week once more: it may bring weeks back that were forgotten, and changes no other.
        kept = grown.warehouse.value(f"select min(review_week) from {FEATURES}")
        grown.review(random.choice(weeks))
        return told or differences(grown.warehouse, expected, f"review_week >= '{kept or weeks[0]}'")


def portions(batch: Batch, weeks: list[date], random: Random) -> Iterator[tuple[list[str], date]]:
    """All lines in some portions, each with the week to review after it; some lines come in several.

    Either as time goes by, each portion with what was received before the end of its week, or at random.
    """
    reviewed = sorted(random.sample(weeks[-20:], min(len(weeks[-20:]), random.randint(1, 3))))
    ends = [week_bounds(week, batch.business.time_zone)[1] for week in reviewed]
    goes_by_time = random.random() < 0.6
    parts: list[list[str]] = [[] for _ in range(len(reviewed) + 1)]
    for delivery in batch.deliveries:
        part = sum(delivery.received_at.replace(tzinfo=None) >= end for end in ends)
        parts[part if goes_by_time else random.randrange(len(parts))].append(delivery.line)
        if random.random() < 0.05:
            parts[random.randrange(part, len(parts))].append(delivery.line)
    if not goes_by_time:
        random.shuffle(reviewed)
    yield from zip(parts, [*reviewed, weeks[-1]], strict=True)


def split(lines: list[str], random: Random, files: int) -> list[list[str]]:
    """The lines, shuffled, in so many files; one may be empty."""
    parts: list[list[str]] = [[] for _ in range(files)]
    for line in random.sample(lines, len(lines)):
        parts[random.randrange(files)].append(line)
    return parts


@in_both_sizes
def test_the_way_of_the_files_changes_nothing(models: CompiledModels, tmp_path: Path, size: Size) -> None:
    def check(batch: Batch, way: int) -> None:
        told = what_the_way_changes(models, tmp_path, batch, way)
        assert not told, told_briefly(told)

    check(full_batch("account"), 5)
    check(full_batch("user"), 6)
    for_drawn_batches(size, check, way=st.integers(0, 2**20))


@in_both_sizes
def test_a_week_run_twice_equals_once(models: CompiledModels, tmp_path: Path, size: Size) -> None:
    """Also with files that bring nothing new, and with the weeks before it built before."""

    def check(batch: Batch) -> None:
        with new_history(models, tmp_path, batch.business) as history:
            lines = [delivery.line for delivery in batch.deliveries]
            history.receive(lines)
            for week in history.weeks()[-1:]:
                history.review(week - WEEK)
                history.review(week)
                told = _after_the_same_once_more(history, week, lines)
                assert not told, told_briefly(told)

    # Every third review of the test above is one, too.
    for_drawn_batches(replace(size, batches=size.batches // 3, worlds=1), check)


def test_a_week_whose_only_activity_is_taken_back_keeps_nothing_of_it(
    models: CompiledModels, tmp_path: Path
) -> None:
    """Found by a world: the receipt that wins comes second, and the week has no row left in a table.

    It had kept the rows of its first build, because a build replaces the weeks that it finds rows for.
    """
    written_to, worked, pinged = (
        json.dumps(
            {
                "messageId": message,
                "type": "track",
                "event": name,
                "userId": "user",
                "timestamp": "2025-01-08T10:00:00Z",
                "receivedAt": f"2025-01-08T10:00:0{second}Z",
                "context": {"groupId": "account"},
            }
        )
        for message, name, second in (
            ("sent", "message_sent", 0),
            ("done", "task_completed", 9),
            ("done", "debug_ping", 1),
        )
    )
    business = Business("account", "UTC", date(2025, 1, 6), 5, "inactivity", 28)
    with (
        new_history(models, tmp_path, business) as at_once,
        new_history(models, tmp_path, business) as grown,
    ):
        at_once.receive([worked, written_to, pinged])
        at_once.review(business.first_week)
        grown.receive([worked, written_to])
        grown.review(business.first_week)
        grown.receive([pinged])
        grown.review(business.first_week)
        assert not differences(grown.warehouse, at_once.built())


def _after_the_same_once_more(history: History, week: date, lines: list[str]) -> list[str]:
    once, raw = history.built(), history.warehouse.rows(RAW)
    history.review(week)
    told = differences(history.warehouse, once)
    history.receive(lines[::-1])
    history.review(week)
    assert history.warehouse.rows(RAW) == raw
    return told or differences(history.warehouse, once)
