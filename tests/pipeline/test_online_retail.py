"""The real invoices of Online Retail, against counts made by hand from the published file."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from tests.business import Business, copy_workspace

FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "online_retail" / "online_retail.parquet"
WEEK = "2011-11-28"

pytestmark = pytest.mark.skipif(
    not FILE.is_file(),
    reason=f"SKIPPED LOUDLY: the Online Retail data is not at {FILE}, so its counts were NOT checked",
)


@pytest.fixture(scope="module")
def retail(tmp_path_factory: pytest.TempPathFactory) -> Business:
    business = copy_workspace(tmp_path_factory.mktemp("retail") / "online_retail", "online_retail")
    shutil.copyfile(FILE, business.landing / FILE.name)
    done = business.vitals("run", "--week", WEEK)
    assert done.code == 0, done.said
    return business


def test_every_line_is_accounted_for(retail: Business) -> None:
    ledger = retail.built(
        """
        select rows_read, rows_duplicate, rows_rejected, rows_grouped, events_loaded, events_late
        from raw.loads
        """
    )
    assert ledger == [(541_909, 5_268, 0, 541_909 - 5_268 - 25_900, 25_900, 0)]


def test_known_customers_orders_and_revenue(retail: Business) -> None:
    known, buyers, orders, revenue = retail.published(
        """
        select count(*), count(*) filter (where orders_365d > 0), sum(orders_365d), sum(revenue_365d)
        from marts.customers
        """
    )[0]
    assert (known, buyers, orders) == (4_346, 4_272, 17_737)
    assert revenue.quantize(Decimal("0.01")) == Decimal("7930661.69")


def test_unidentified_events_are_counted(retail: Business) -> None:
    events, unidentified = retail.published(
        "select sum(events), sum(unidentified_events) from ops.event_counts_daily"
    )[0]
    assert events == 25_900
    # Invoices whose lines name no customer; none of them has lines of two.
    assert unidentified == 25_900 - 22_190


def test_a_refund_is_neither_activity_nor_an_order(retail: Business) -> None:
    only_refunds = retail.built(
        """
        with days as (
            select customer_id, sum(orders) as orders, sum(refunds) as refunds, sum(activities) as activities
            from intermediate.customer_days group by customer_id
        )
        select count(*), sum(activities) from days where orders = 0 and refunds > 0
        """
    )[0]
    assert only_refunds[0] > 0
    assert only_refunds[1] == 0


def test_churn_is_judged_at_past_weeks_beside_recency(retail: Business) -> None:
    rows = retail.published(
        """
        select review_week, trained_through, rows_train, rows_test, value, baseline, horizon_days
        from ops.model_metrics where model = 'churn' and metric = 'auroc'
        """
    )
    assert rows
    for week, trained_through, rows_train, rows_test, value, baseline, horizon in rows:
        assert horizon == 28
        assert (week - trained_through).days >= 21
        assert rows_train > 1_000
        assert rows_test > 1_000
        # Recency says next to nothing here; far more than this would be a leak, far less a fault.
        assert baseline < value < 0.85


def test_what_a_shop_lacks_is_said_on_the_page(retail: Business) -> None:
    kinds = retail.published(
        "select count(tickets_28d), count(nps_last), count(team_size) from marts.customers"
    )
    assert kinds == [(0, 0, 0)]
    page = (retail.current / "report" / "index.html").read_text(encoding="utf-8")
    assert "NPS" in page
