"""Load: the published invoices of the UCI "Online Retail" data, where the file lies beside the checkout."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from tests.pipeline.loading import open_shop

PUBLISHED = Path(__file__).resolve().parents[3] / "shared/data/online_retail/online_retail.parquet"


@pytest.mark.skipif(
    not PUBLISHED.is_file(),
    reason=f"THE PUBLISHED INVOICES ARE NOT THERE, so the known figures are not checked: {PUBLISHED.name}",
)
def test_the_published_invoices_give_the_known_figures(tmp_path: Path) -> None:
    with open_shop(tmp_path / "shop", like="online_retail") as shop:
        shutil.copyfile(PUBLISHED, shop.landing / PUBLISHED.name)

        report = shop.load()

        assert report.rows_read == 541_909
        assert report.rows_duplicate == 5_268
        assert report.rows_rejected == 0
        assert report.events_loaded == 25_900
        assert report.rows_grouped == 541_909 - 5_268 - 25_900
        assert report.notices == ()
        by_name = shop.rows(
            """
            select event_name, count(*), count(*) filter (where user_id is null)
            from raw.events
            group by event_name
            order by event_name
            """
        )
        assert by_name == [("order_completed", 22_064, 3_528), ("order_refunded", 3_836, 182)]
        # The revenue of the events is the sum of the distinct lines, to the last digit.
        (of_lines,) = shop.one(
            f"""
            select sum(cast(Quantity as decimal(18, 0)) * cast(UnitPrice as decimal(18, 4)))
            from (select distinct * from read_parquet('{PUBLISHED}'))
            """
        )
        (of_events,) = shop.one("select sum(revenue) from raw.events")
        assert of_events == of_lines == Decimal("9726006.954")
