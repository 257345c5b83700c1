"""What the learners are handed: a bounded draw of all weeks alike, and whole judged weeks where they fit."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas
import pytest

from pipeline.learning import _matured_rows
from pipeline.review import Review
from pipeline.runlog import RunLog
from pipeline.workspace import Workspace
from tests.business import Business, copy_business

MATURED = """
    from features.customer_weeks inner join features.customer_week_labels using (customer_id, review_week)
    where is_scorable and churned_next is not null
"""


@pytest.fixture
def drawn(reviewed: Business, tmp_path: Path) -> tuple[Business, pandas.DataFrame]:
    """A business whose history is larger than its sample of 1,000 rows, and what is drawn of it."""
    business = copy_business(reviewed, tmp_path / "demo")
    file = business.folder / "review.toml"
    text = file.read_text(encoding="utf-8").replace("sample_rows = 6000", "sample_rows = 1000")
    file.write_text(text, encoding="utf-8")
    workspace = Workspace(business.folder, business.data)
    review = Review(workspace, None, "draw", RunLog(workspace.run_log, "draw"))
    try:
        return business, _matured_rows(review, review.review_week + timedelta(days=7))
    finally:
        review.warehouse.close()


def test_rows_to_learn_from_are_a_bounded_share_of_every_week(
    drawn: tuple[Business, pandas.DataFrame],
) -> None:
    business, rows = drawn
    [(there, weeks)] = business.built(f"select count(*), count(distinct review_week) {MATURED}")
    taught = rows[rows["may_teach"]]
    assert there > 2_000
    assert 1_000 <= len(taught) <= 1_250
    by_week = taught.groupby("review_week").size()
    assert len(by_week) > 0.9 * weeks
    assert by_week.max() < 4 * len(taught) / weeks


def test_judged_weeks_are_whole_where_they_fit(drawn: tuple[Business, pandas.DataFrame]) -> None:
    business, rows = drawn
    newest = business.built(f"select review_week, count(*) {MATURED} group by all order by 1 desc limit 2")
    counts = rows.groupby("review_week").size()
    assert {week: counts[week] for week, _ in newest} == dict(newest)
    assert not rows.loc[rows["review_week"].eq(newest[0][0]), "may_teach"].all()
