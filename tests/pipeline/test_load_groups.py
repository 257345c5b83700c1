"""Load: lines that together make one event, as the lines of an invoice do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

import pipeline.load
from tests.pipeline.loading import Shop, open_shop

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
LANTERN = "536365,71053,LANTERN,6,2010-12-01 08:26:00,3.39,17850.0,United Kingdom\n"
HEART = "536365,85123A,HEART,6,2010-12-01 08:27:00,2.55,17850.0,United Kingdom\n"
GLOBE = "536370,10002,GLOBE,48,2010-12-01 08:45:00,0.85,,France\n"
REFUND = "C536379,D,Discount,-1,2010-12-01 09:41:00,27.50,14527.0,United Kingdom\n"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "shop", like="online_retail") as opened:
        yield opened


def test_the_lines_of_an_invoice_become_one_event(shop: Shop) -> None:
    shop.put("a.csv", HEADER + HEART + GLOBE + LANTERN + LANTERN + REFUND)

    report = shop.load()

    assert (report.rows_read, report.rows_duplicate, report.rows_grouped, report.events_loaded) == (
        5,
        1,
        1,
        3,
    )
    found = shop.rows(
        """
        select
            event_id, event_name, user_id, occurred_at, received_at = occurred_at, revenue, currency, traits
        from raw.events
        order by event_id
        """
    )
    assert found == [
        (
            "536365",
            "order_completed",
            "17850",
            datetime(2010, 12, 1, 8, 26),
            True,
            Decimal("35.64"),
            "GBP",
            '{"country":"United Kingdom"}',
        ),
        (
            "536370",
            "order_completed",
            None,
            datetime(2010, 12, 1, 8, 45),
            True,
            Decimal("40.8"),
            "GBP",
            '{"country":"France"}',
        ),
        (
            "C536379",
            "order_refunded",
            "14527",
            datetime(2010, 12, 1, 9, 41),
            True,
            Decimal("-27.5"),
            "GBP",
            '{"country":"United Kingdom"}',
        ),
    ]
    (properties,) = shop.one("select properties from raw.events where event_id = '536365'")
    assert json.loads(properties) == {
        "order_id": "536365",
        "products": [
            {"product_id": "71053", "name": "LANTERN", "quantity": 6, "price": 3.39},
            {"product_id": "85123A", "name": "HEART", "quantity": 6, "price": 2.55},
        ],
    }


def test_an_event_is_its_earliest_line_wherever_it_stands(shop: Shop) -> None:
    minutes = [(invoice, (invoice + place) % 10) for invoice in range(10) for place in range(10)]
    lines = [f"{invoice},S,X,1,2010-12-01 08:0{minute}:00,1,{minute},EIRE\n" for invoice, minute in minutes]
    shop.put("a.csv", HEADER + "".join(lines))
    shop.load()
    found = shop.rows("select distinct occurred_at, user_id, count(*) from raw.events group by all")
    assert found == [(datetime(2010, 12, 1, 8, 0), "0", 10)]


def test_equal_lines_may_be_lines_of_their_own(tmp_path: Path) -> None:
    edits = {"equal_rows_are_duplicates = true": "equal_rows_are_duplicates = false"}
    with open_shop(tmp_path / "shop", like="online_retail", edits=edits) as shop:
        shop.put("a.csv", HEADER + LANTERN + LANTERN)
        report = shop.load()
        assert (report.rows_duplicate, report.rows_grouped) == (0, 1)
        assert shop.event("revenue, json_array_length(properties, '$.products')") == (Decimal("40.68"), 2)


def test_a_bad_line_is_rejected_and_the_rest_of_its_invoice_loaded(shop: Shop) -> None:
    bad = [
        (LANTERN.replace("2010-12-01 08:26:00", "yesterday"), "InvoiceDate is not a readable time"),
        (LANTERN.replace(",6,", ",six,"), "Quantity × UnitPrice is not a number"),
        (LANTERN.replace("3.39", ""), "Quantity × UnitPrice is not a number"),
        (LANTERN.replace("3.39", "1e18"), "Quantity × UnitPrice is not a number"),
        (LANTERN.replace("536365", " "), "InvoiceNo empty: no event_id"),
        ("536365,71053\n", "2 fields where the header has 8"),
    ]
    shop.put("a.csv", HEADER + HEART + "".join(line + line for line, _ in bad))
    report = shop.load()
    assert (report.rows_read, report.rows_rejected, report.rows_duplicate) == (13, 6, 6)
    assert [reason for _, reason in shop.rejected()] == [reason for _, reason in bad]
    assert shop.event("revenue") == (Decimal("15.3"),)


def test_an_invoice_too_large_for_money_is_rejected_with_all_its_lines(shop: Shop) -> None:
    large = LANTERN.replace("3.39", "9999999999999").replace(",6,", ",9,")
    shop.put("a.csv", HEADER + large + large.replace("71053", "71054") + GLOBE)
    report = shop.load()
    assert (report.rows_rejected, report.events_loaded) == (2, 1)
    assert {reason for _, reason in shop.rejected()} == {
        "the revenue of the event has more than 14 digits before the point"
    }


@pytest.mark.parametrize("batch", ["one batch", "two batches"])
def test_an_invoice_that_comes_again_whole_is_a_duplicate(
    shop: Shop, batch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.load, "FILES_PER_BATCH", 2 if batch == "one batch" else 1)
    shop.put("a.csv", HEADER + LANTERN + HEART + GLOBE)
    shop.put("b.csv", HEADER + HEART + REFUND + LANTERN)
    report = shop.load()
    assert (report.rows_duplicate, report.rows_rejected, report.events_loaded) == (2, 0, 3)


@pytest.mark.parametrize("batch", ["one batch", "two batches"])
def test_lines_that_come_later_for_an_invoice_are_rejected(
    shop: Shop, batch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.load, "FILES_PER_BATCH", 3 if batch == "one batch" else 1)
    # Also lines of a later day: an invoice is one event, whatever the date.
    later = HEART.replace("2010-12-01", "2010-12-09")
    shop.put("a.csv", HEADER + LANTERN)
    shop.put("b.csv", HEADER + later + later + GLOBE)
    shop.put("c.csv", HEADER + LANTERN + HEART)
    report = shop.load()
    assert (report.rows_duplicate, report.rows_rejected, report.events_loaded) == (1, 3, 2)
    reason = "event 536365 was loaded from a.csv before; the lines of one event have to arrive in one file"
    rejected = shop.rows("select file_name, line_number, reason from raw.rejected_events order by 1, 2")
    assert rejected == [("b.csv", 2, reason), ("c.csv", 2, reason), ("c.csv", 3, reason)]
    assert shop.one("select revenue from raw.events where event_id = '536365'") == (Decimal("20.34"),)


def test_ties_and_order_within_the_file_do_not_matter(tmp_path: Path) -> None:
    lines = [
        LANTERN,
        LANTERN.replace("71053", "A").replace("17850", "12"),
        LANTERN.replace("71053", "B").replace("United Kingdom", "EIRE"),
        GLOBE,
    ]
    contents = []
    for number, order in enumerate((lines, lines[::-1], lines[2:] + lines[:2])):
        with open_shop(tmp_path / str(number), like="online_retail") as shop:
            shop.put("a.csv", HEADER + "".join(order))
            shop.load()
            contents.append(shop.content())
    assert contents[0] == contents[1] == contents[2]
