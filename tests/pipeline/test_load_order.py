"""Load: the order in which rows and files come decides nothing but which load an event is counted with."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pipeline.load
from tests.pipeline.loading import Shop, call, open_shop

# Few ids, days, receipts and contents, so that most of them meet.
events = st.builds(
    lambda number, day, hour, user, is_bad: call(
        number,
        timestamp=f"2025-03-{day:02d}T10:00:00Z" if not is_bad else "soon",
        receivedAt=f"2025-03-{day:02d}T{hour:02d}:00:00Z",
        userId=user,
    ),
    number=st.integers(1, 4),
    day=st.sampled_from([4, 5, 25]),
    hour=st.integers(11, 13),
    user=st.sampled_from(["x", "y"]),
    is_bad=st.integers(0, 9).map(lambda tenth: tenth == 0),
)
folders = (str(number) for number in itertools.count())


def loaded(shop: Shop, files: list[list[dict[str, Any]]]) -> list[tuple[Any, ...]]:
    """What raw.events holds after all files, each loaded on its own: every one meets what came before."""
    for number, rows in enumerate(files):
        shop.put(f"{number}.jsonl", rows)
        shop.load()
    return shop.content()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(events, min_size=2, max_size=12), data=st.data())
def test_rows_may_come_in_any_order_and_any_number_of_files(
    tmp_path: Path, rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=2)))
    parts = [shuffled[start:end] for start, end in itertools.pairwise([0, *cuts, len(rows)])]
    with open_shop(tmp_path / next(folders)) as at_once, open_shop(tmp_path / next(folders)) as bit_by_bit:
        assert loaded(at_once, [rows]) == loaded(bit_by_bit, parts)


def test_files_of_one_batch_are_like_files_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents, counts = [], []
    for files_per_batch in (1, 2, 100):
        monkeypatch.setattr(pipeline.load, "FILES_PER_BATCH", files_per_batch)
        with open_shop(tmp_path / str(files_per_batch)) as shop:
            for file in range(5):
                rows = [call(n, receivedAt=f"2025-03-04T{15 - file}:00:00Z") for n in range(file, file + 4)]
                shop.put(f"{file}.jsonl", rows)
            report = shop.load()
            contents.append(shop.content())
            counts.append((report.rows_read, report.rows_duplicate, report.events_loaded, report.load_ids))
    assert contents[0] == contents[1] == contents[2]
    assert counts == [(20, 12, 8, (1, 2, 3, 4, 5))] * 3
