"""Load: lines that together make one event, as the lines of an invoice do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

import pipeline.load
from pipeline.errors import SettingsError, VitalsError
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
    large = LANTERN.replace("3.39", "9999999999").replace(",6,", ",9,")
    shop.put("a.csv", HEADER + large + large.replace("71053", "71054") + GLOBE)
    report = shop.load()
    assert (report.rows_rejected, report.events_loaded) == (2, 1)
    assert {reason for _, reason in shop.rejected()} == {
        "the revenue of the event has more than 11 digits before the point"
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


RECEIPTS = """
[[sources]]
name = "receipts"
patterns = ["*.csv", "*.jsonl"]
unknown_columns = "error"
equal_rows_are_duplicates = false
number_columns = ["pieces"]

[sources.columns]
event_id = "receipt"
event_name = { value = "order_completed" }
user_id = "household"
occurred_at = "at"
revenue = "paid"
properties = { fields = { order_id = "receipt" }, constants = { affiliation = 'the "Corner" shop' } }

[sources.group]
by = ["receipt"]
items_property = "products"
items = { product_id = "product", quantity = "pieces", saved = "card" }
sums = { discount = ["card", "coupon"], pieces = ["pieces"] }
"""
RECEIPT = "receipt,household,at,product,pieces,paid,card,coupon\n"


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "shop", sources=RECEIPTS) as opened:
        yield opened


def properties_of(shop: Shop, receipt: str) -> dict:
    (text,) = shop.rows(f"select properties from raw.events where event_id = '{receipt}'")[0]
    return json.loads(text)


def test_columns_are_summed_over_the_lines_of_an_event(till: Shop) -> None:
    lines = [
        "1,7,2017-01-01 10:00,milk,2,3.10,0.1,0.2\n",
        "1,7,2017-01-01 10:00,milk,2,3.10,0.1,0.2\n",
        "1,7,2017-01-01 10:00,bread,1.5,2,,\n",
        "2,7,2017-01-01 11:00,salt,1,1,,\n",
    ]
    till.put("a.csv", RECEIPT + "".join(lines))
    report = till.load()
    assert (report.rows_grouped, report.events_loaded, report.rows_duplicate) == (2, 2, 0)
    # 0.6 and not 0.6000000000000001; what is summed, and what is said to be a number, is a number in items.
    assert properties_of(till, "1") == {
        "order_id": "1",
        "affiliation": 'the "Corner" shop',
        "discount": 0.6,
        "pieces": 5.5,
        "products": [
            {"product_id": "bread", "quantity": 1.5},
            {"product_id": "milk", "quantity": 2, "saved": 0.1},
            {"product_id": "milk", "quantity": 2, "saved": 0.1},
        ],
    }
    # Where no line says anything, nothing is said: not even that the sum is 0.
    assert properties_of(till, "2") == {
        "order_id": "2",
        "affiliation": 'the "Corner" shop',
        "pieces": 1,
        "products": [{"product_id": "salt", "quantity": 1}],
    }


def test_json_lines_and_tables_give_the_same_sums(tmp_path: Path) -> None:
    contents = []
    rows = [("milk", 2, 3.1, 0.1, None), ("bread", 1, 2, 0.25, 1)]
    for name in ("a.csv", "a.jsonl"):
        with open_shop(tmp_path / name, sources=RECEIPTS) as shop:
            if name == "a.csv":
                lines = [f"1,7,2017-01-01 10:00,{','.join(str(x or '') for x in row)}\n" for row in rows]
                shop.put(name, RECEIPT + "".join(lines))
            else:
                names = RECEIPT.strip().split(",")
                given = [("1", "7", "2017-01-01 10:00", *row) for row in rows]
                shop.put(name, [dict(zip(names, row, strict=True)) for row in given])
            shop.load()
            contents.append(shop.content())
    assert contents[0] == contents[1]
    assert '"discount":1.35' in str(contents[0])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,7,2017-01-01 10:00,milk,two,3.10,0.1,0.2\n", "pieces is not a number"),
        ("1,7,2017-01-01 10:00,milk,2,3.10,0.1,free\n", "coupon is not a number"),
        ("1,7,2017-01-01 10:00,milk,2,3.10,1e30,0.2\n", "card is not a number"),
    ],
)
def test_a_line_whose_number_is_none_is_rejected(till: Shop, line: str, reason: str) -> None:
    till.put("a.csv", RECEIPT + "1,7,2017-01-01 10:00,bread,1,2,0.5,\n" + line)
    till.load()
    assert till.rejected() == [(3, reason)]
    assert properties_of(till, "1")["discount"] == 0.5


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('["card", "coupon"]', "[]", "sums.discount names no column to sum"),
        ("discount = [", "products = [", "products is the property of the items"),
        ("discount = [", "order_id = [", "the property order_id is a sum of the group and mapped"),
        ("discount = [", "affiliation = [", "the property affiliation is a sum of the group and mapped"),
        (
            "constants = { affiliation",
            "constants = { order_id",
            "order_id is given by fields and by constants",
        ),
        (
            'revenue = "paid"',
            'revenue = { from = "paid", constants = { a = "b" } }',
            "constants need `fields`",
        ),
    ],
)
def test_a_sum_or_constant_that_has_no_meaning_is_named(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with (
        pytest.raises(SettingsError, match=said),
        open_shop(tmp_path / "shop", sources=RECEIPTS.replace(old, new)),
    ):
        pass


def test_a_summed_column_that_a_file_lacks_is_named_with_its_key(till: Shop) -> None:
    till.put("a.csv", RECEIPT.replace(",coupon", "") + "1,7,2017-01-01 10:00,milk,2,3.10,0.1\n")
    with pytest.raises(VitalsError, match=r"no column 'coupon'.*sources.receipts.group.sums.discount"):
        till.load()
