"""Load: JSON lines, CSV, Parquet and workbooks, and the mapping of their values."""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from pipeline.errors import UsageError, VitalsError
from tests.pipeline.loading import CSV_SOURCE, Shop, call, json_lines, open_shop, workbook

HEADER = "id,customer,at,amount\n"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "shop", sources=CSV_SOURCE) as opened:
        yield opened


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "demo") as opened:
        yield opened


def test_gzip_is_read_like_what_it_holds(demo: Shop) -> None:
    demo.put("a.jsonl", [call(1)])
    demo.put("b.jsonl.gz", json_lines([call(2), call(3)]))
    # Two members, one after the other, are one file; and no name makes gzip out of it.
    both = gzip.compress(json_lines([call(4)]).encode()) + gzip.compress(json_lines([call(5)]).encode())
    demo.put("c.jsonl", both)
    demo.load()
    assert demo.rows("select event_id from raw.events order by event_id") == [
        (f"message-{number}",) for number in range(1, 6)
    ]


@pytest.mark.parametrize(
    ("first", "delimiter"),
    [("sep=,", ","), ("sep=;", ";"), ("SEP=\t", "\t"), ('"sep=;"', ";"), ("sep=^", "^"), ("sep=,,,", ",")],
)
def test_the_line_that_tells_excel_the_delimiter_is_no_header(shop: Shop, first: str, delimiter: str) -> None:
    text = f"\ufeff{first}\r\n" + HEADER + "1,anna,2025-03-04 10:00,2.50\nx\n"
    told = text.partition("\n")[0] + "\n"
    shop.put("a.csv", told + text.removeprefix(told).replace(",", delimiter))
    shop.load()
    assert shop.event("event_id, user_id, cast(revenue as varchar)") == ("1", "anna", "2.5000")
    # Counted from the header, as everywhere.
    assert shop.rejected() == [(3, "1 fields where the header has 4")]


def test_lines_may_end_and_begin_as_they_like(demo: Shop) -> None:
    first, second, third = (json.dumps(call(number)) for number in (1, 2, 3))
    demo.put("a.jsonl", f"\ufeff{first}\r\n\r\n   \n\n  {second}  \r\n\t\n{third}")
    demo.put("empty.jsonl", "")
    demo.put("blank.jsonl", "\n\r\n \n")
    demo.put("empty.jsonl.gz", b"")
    report = demo.load()
    assert (report.rows_read, report.events_loaded) == (3, 3)
    assert demo.one("select count(*) filter (where rows_read = 0) from raw.loads") == (3,)


def test_csv_knows_quotes_line_breaks_and_delimiters(shop: Shop) -> None:
    shop.put("a.csv", HEADER + '1,"Ann ""A"", Ltd\n2nd line",2025-03-04 10:00:00,1.5\n\n2,Bob,2025-03-04,\n')
    shop.put("b.csv", '\ufeffid;customer;at;amount\r\n3;5" pipe;2025-03-04T10:00;-2\r\n;;;\r\n')
    shop.put("c.csv", '"at"\t"amount"\t"id"\t"customer"\n2025-03-04 10:00\t3\t4\tx,y;z|w\n')
    shop.put("d.csv", HEADER)
    shop.put("e.csv", "")
    report = shop.load()
    assert report.rows_read == 4
    assert report.notices == ("empty: e.csv",)
    assert shop.rows("select event_id, user_id, revenue from raw.events order by event_id") == [
        ("1", 'Ann "A", Ltd\n2nd line', Decimal("1.5")),
        ("2", "Bob", None),
        ("3", '5" pipe', Decimal(-2)),
        ("4", "x,y;z|w", Decimal(3)),
    ]


def test_csv_that_is_not_utf8_is_read_as_what_it_can_be(shop: Shop) -> None:
    row = "1,{},2025-03-04,1\n"
    shop.put("a.csv", (HEADER + row.format("Café €")).encode("cp1252"))
    shop.put("b.csv", (HEADER + row.format("\x81é").replace("1,", "2,", 1)).encode("latin-1"))
    shop.put("c.csv", (HEADER + row.format("Café").replace("1,", "3,", 1)).encode())
    report = shop.load()
    assert report.notices == (
        "not UTF-8, read as Windows-1252: a.csv",
        "not UTF-8, read as Latin-1: b.csv",
    )
    names = shop.rows("select user_id from raw.events order by event_id")
    assert names == [("Café €",), ("\x81é",), ("Café",)]


def test_parquet_values_mean_what_their_types_say(shop: Shop) -> None:
    at = datetime(2025, 7, 1, 12)
    tables = {
        "naive": {"at": pyarrow.array([at], pyarrow.timestamp("us"))},
        "nanoseconds": {"at": pyarrow.array([at], pyarrow.timestamp("ns"))},
        "zoned": {"at": pyarrow.array([at.replace(tzinfo=UTC)], pyarrow.timestamp("ms", "America/New_York"))},
        "day": {"at": pyarrow.array([date(2025, 7, 1)])},
        "text": {"at": pyarrow.array(["2025-07-01T12:00:00+02:00"]).dictionary_encode()},
    }
    for number, (name, columns) in enumerate(tables.items()):
        columns |= {
            "id": pyarrow.array([float(number)]),
            "customer": pyarrow.array([17841.0 if number else math.nan]),
            "amount": pyarrow.array([Decimal("2.50")]),
        }
        pyarrow.parquet.write_table(pyarrow.table(columns), shop.landing / f"{name}.parquet")
    pyarrow.parquet.write_table(
        pyarrow.table({"id": pyarrow.nulls(0), "customer": [], "at": [], "amount": []}),
        shop.landing / "none.parquet",
    )
    shop.load()
    found = shop.rows("select event_id, user_id, occurred_at, revenue from raw.events order by event_id")
    midday, noon_in_berlin = datetime(2025, 7, 1, 12), datetime(2025, 7, 1, 10)
    assert found == [
        # Files in the order of their names: day, naive, nanoseconds, text, zoned.
        ("0", None, noon_in_berlin, Decimal("2.5")),
        ("1", "17841", noon_in_berlin, Decimal("2.5")),
        ("2", "17841", midday, Decimal("2.5")),
        ("3", "17841", datetime(2025, 6, 30, 22), Decimal("2.5")),
        ("4", "17841", noon_in_berlin, Decimal("2.5")),
    ]


def test_workbook_values_mean_what_a_reader_sees(shop: Shop) -> None:
    rows = [
        ["id", "customer", "at", "amount"],
        [536365, 17850.0, datetime(2010, 12, 1, 8, 26), 2.55],
        ["C536379", "AB 1", datetime(2010, 12, 2), -27.5],
        [None, None, None, None],
        [536367, None, "2010-12-03 08:26:00", None],
        [536368, True, "#N/A", 1],
    ]
    workbook(shop.landing / "book.xlsx", rows)
    shop.put("later.csv", HEADER)
    report = shop.load()
    assert (report.rows_read, report.events_loaded) == (4, 3)
    assert shop.rejected() == [(6, "at is not a readable time")]
    assert shop.rows(
        "select event_id, user_id, occurred_at, revenue from raw.events order by occurred_at"
    ) == [
        ("536365", "17850", datetime(2010, 12, 1, 7, 26), Decimal("2.55")),
        ("C536379", "AB 1", datetime(2010, 12, 1, 23), Decimal("-27.5")),
        ("536367", None, datetime(2010, 12, 3, 7, 26), None),
    ]


READABLE_TIMES = {
    "2025-03-04T10:11:12Z": "2025-03-04 10:11:12",
    "2025-03-04 10:11:12.5 Z": "2025-03-04 10:11:12.5",
    "2025-03-04T10:11:12.123456Z": "2025-03-04 10:11:12.123456",
    "2025-03-04T10:11:12.123456789Z": "2025-03-04 10:11:12.123456",
    "2025-03-04T10:11:12+02:00": "2025-03-04 08:11:12",
    "2025-03-04 10:11:12 -0530": "2025-03-04 15:41:12",
    "2025-03-04 10:11:12+02": "2025-03-04 08:11:12",
    "2025-03-04 10:11:12 UTC": "2025-03-04 10:11:12",
    "2025-03-04 10:11:12 America/New_York": "2025-03-04 15:11:12",
    "2025-07-04 10:11": "2025-07-04 08:11:00",
    "2025-03-04 1:02:03": "2025-03-04 00:02:03",
    "2025-03-04": "2025-03-03 23:00:00",
    # In Berlin this hour is skipped: as if the clocks were still to be put forward.
    "2025-03-30 02:30:00": "2025-03-30 01:30:00",
    # In Berlin this hour comes twice: the later one.
    "2025-10-26 02:30:00": "2025-10-26 01:30:00",
    "1970-01-01T00:00:00Z": "1970-01-01 00:00:00",
    "2200-12-31T23:59:59Z": "2200-12-31 23:59:59",
}
UNREADABLE_TIMES = (
    "1741083072",
    "1741083072123",
    "20250304",
    "2025-02-29",
    "2025-13-01",
    "2025-03-04T25:00:00Z",
    "2025-03-04T10:11:12 Nowhere/Land",
    "04.03.2025",
    "3/4/2025 10:11",
    "epoch",
    "infinity",
    "now",
    "today",
    "2025-03-04T10:11:12+99:99",
    "2025-03-04T10:11:12Z; drop table raw.events",
)


def test_times_of_iso_8601_are_read_in_the_zone_of_the_source(shop: Shop) -> None:
    shop.put("a.csv", HEADER + "".join(f"{n},x,{time},\n" for n, time in enumerate(READABLE_TIMES)))
    shop.load()
    found = dict(shop.rows("select event_id, cast(occurred_at as varchar) from raw.events"))
    assert [found.get(str(n)) for n, _ in enumerate(READABLE_TIMES)] == list(READABLE_TIMES.values())


def test_other_times_are_rejected_in_words(shop: Shop) -> None:
    shop.put("a.csv", HEADER + "".join(f"{n},x,{time},\n" for n, time in enumerate(UNREADABLE_TIMES)))
    shop.put(
        "b.csv", HEADER + "1,x,1969-12-31 23:59:59Z,\n2,x,2201-01-01T00:00:00Z,\n3,x,9999-12-31,\n4,x,,\n"
    )
    shop.load()
    reasons = [reason for _, reason in shop.rejected()]
    assert reasons[:-4] == ["at is not a readable time"] * len(UNREADABLE_TIMES)
    assert reasons[-4:] == ["at lies outside the years 1970 to 2200"] * 3 + ["at empty: no time"]


def with_format(folder: Path, format_: str) -> AbstractContextManager[Shop]:
    at = f'occurred_at = {{ from = "at", format = "{format_}" }}'
    return open_shop(folder, sources=CSV_SOURCE.replace('occurred_at = "at"', at))


def test_a_format_of_its_own(tmp_path: Path) -> None:
    with with_format(tmp_path / "shop", "%m/%d/%Y %H:%M") as shop:
        shop.put("a.csv", HEADER + "1,x,12/1/2010 8:26,\n2,x,13/1/2010 8:26,\n3,x,2010-12-01 08:26,\n")
        workbook(
            shop.landing / "b.xlsx", [HEADER.strip().split(","), ["4", "x", datetime(2010, 12, 1, 8, 26), 1]]
        )
        shop.load()
        assert shop.rejected() == [(3, "at is not a readable time"), (4, "at is not a readable time")]
        found = shop.rows("select event_id, occurred_at from raw.events order by event_id")
        assert found == [("1", datetime(2010, 12, 1, 7, 26)), ("4", datetime(2010, 12, 1, 7, 26))]
    with with_format(tmp_path / "zoned", "%d.%m.%Y %H:%M %z") as shop:
        shop.put("a.csv", HEADER + "1,x,01.12.2010 08:26 +0300,\n")
        shop.load()
        assert shop.event("occurred_at") == (datetime(2010, 12, 1, 5, 26),)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'occurred_at = "at"',
            'occurred_at = { from = "at", format = "%Q" }',
            "'%Q' is no format of strptime",
        ),
        ('user_id = "customer"', 'user_id = { fields = { a = "customer" } }', "only properties and traits"),
        ('user_id = "customer"', 'user_id = { product_of = ["amount"] }', "for revenue only"),
        (
            'user_id = "customer"',
            'user_id = { from = "customer", format = "%Y" }',
            "`format` is understood for",
        ),
        ('revenue = "amount"', "revenue = { product_of = [] }", "takes 1 to 4 columns"),
    ],
)
def test_mappings_without_meaning_are_bad_usage(tmp_path: Path, old: str, new: str, said: str) -> None:
    with open_shop(tmp_path / "shop", sources=CSV_SOURCE.replace(old, new)) as shop:
        shop.put("a.csv", HEADER)
        with pytest.raises(UsageError, match=f"review.toml: sources.orders.columns.*{said}"):
            shop.load()


def test_columns_of_a_table_have_to_fit_the_mapping(shop: Shop) -> None:
    shop.put("a.csv", "id,customer,when,amount\n1,x,2025-03-04,1\n")
    with pytest.raises(
        VitalsError,
        match=r"a\.csv in landing has no column 'at'.*\(sources\.orders\.columns\.occurred_at\); it has: id,",
    ):
        shop.load()
    shop.put("a.csv", "id,customer,at,amount,note,\n1,x,2025-03-04,1,n,\n")
    with pytest.raises(VitalsError, match=r"does not map: note, column 6\. Map them, or .*ignored_columns"):
        shop.load()
    shop.put("a.csv", "id,customer,at,amount,id\n1,x,2025-03-04,1,2\n")
    with pytest.raises(VitalsError, match=r"it has the column 'id' twice"):
        shop.load()
    assert shop.one("select count(*) from raw.loads") == (0,)


def test_columns_may_be_ignored(tmp_path: Path) -> None:
    edits = {
        "known": CSV_SOURCE.replace('"error"', '"error"\nignored_columns = ["note"]'),
        "all": CSV_SOURCE.replace('"error"', '"ignore"'),
    }
    notices = {"known": (), "all": ("columns not mapped and left out (note): a.csv",)}
    for name, source in edits.items():
        with open_shop(tmp_path / name, sources=source) as shop:
            shop.put("a.csv", "id,customer,at,amount,note\n1,x,2025-03-04,1,n\n")
            assert shop.load().notices == notices[name]
            assert shop.one("select count(*) from raw.events") == (1,)


NESTED_SOURCE = """
[[sources]]
name = "app"
patterns = ["*.jsonl", "*.csv"]
id_columns = ["who.id", "at"]

[sources.columns]
event_type = { value = "track" }
event_name = { from = "what", when_prefix = { c = "cancelled", co = "completed" }, otherwise = "Some Thing" }
user_id = { from = "who.id", remove_suffix = ".0" }
occurred_at = "at"
revenue = { product_of = ["price", "quantity"] }
currency = { value = "E'UR" }
properties = { fields = { "it's \\"x\\"" = "note", amount = "price", is_new = "new" } }
traits = "traits"
"""


def test_the_mapping_language(tmp_path: Path) -> None:
    with open_shop(tmp_path / "app", sources=NESTED_SOURCE) as shop:
        shop.put(
            "a.jsonl",
            [
                {
                    "who": {"id": "7.0"},
                    "what": "cart",
                    "at": "2025-03-04",
                    "price": 0.1,
                    "quantity": "3",
                    "new": True,
                },
                {
                    "who": {"id": 8},
                    "what": "cost",
                    "at": "2025-03-05",
                    "note": ["a", None],
                    "traits": {"a": 1},
                },
                {
                    "who": {"id": 9},
                    "what": "x",
                    "at": "2025-03-06",
                    "price": 33.3333333,
                    "quantity": 3,
                    "traits": None,
                },
            ],
        )
        shop.put(
            "b.csv", 'at,who.id,what,price,quantity,new,note,traits\n2025-03-07,7.0,,1,2,yes,"a ""b""",{}\n'
        )
        shop.put("c.csv", "at,who.id,what,price,quantity,new,note,traits\n2025-03-07,7.0,cart,1.50,2,,,[1]\n")
        shop.load()
        found = shop.rows(
            """
            select event_name, user_id, revenue, currency, properties, traits
            from raw.events
            order by occurred_at
            """
        )
        assert found == [
            ("cancelled", "7", Decimal("0.3"), "E'UR", '{"amount":0.1,"is_new":true}', None),
            ("completed", "8", None, "E'UR", '{"it\'s \\"x\\"":["a",null]}', '{"a":1}'),
            ("some_thing", "9", Decimal(100), "E'UR", '{"amount":33.333333}', None),
        ]
        assert shop.rejected() == [(2, "what empty: no event name"), (2, "traits is not a JSON object")]


def ids(shop: Shop) -> list[Any]:
    return [event_id for (event_id,) in shop.rows("select event_id from raw.events order by all")]


def id_source(name: str, pattern: str, equal_rows_are_duplicates: bool) -> str:
    return f"""
[[sources]]
name = "{name}"
patterns = ["{pattern}"]
id_columns = ["id", "at"]
unknown_columns = "ignore"
equal_rows_are_duplicates = {str(equal_rows_are_duplicates).lower()}

[sources.columns]
event_name = {{ value = "order_completed" }}
user_id = "customer"
occurred_at = "at"
"""


def test_ids_are_made_of_identifying_columns(tmp_path: Path) -> None:
    sources = id_source("orders", "orders*.csv", True) + id_source("visits", "visits*.csv", True)
    with open_shop(tmp_path / "shop", sources=sources) as shop:
        shop.put("orders.csv", HEADER + "1,x,2025-03-04,1\n1,x,2025-03-04,1\n1,y,2025-03-05,1\n,z,,5\n")
        shop.put("visits.csv", HEADER + "1,x,2025-03-04,1\n")
        report = shop.load()
        assert (report.events_loaded, report.rows_duplicate, report.rows_rejected) == (3, 1, 1)
        assert shop.rejected() == [(5, "id and at empty: no event_id")]
        assert len(set(ids(shop))) == 3
        assert all(len(event_id) == 32 for event_id in ids(shop))


def test_equal_rows_may_be_events_of_their_own(tmp_path: Path) -> None:
    contents = []
    for number, order in enumerate(("xxy", "yxx", "xyx")):
        with open_shop(tmp_path / str(number), sources=id_source("orders", "*.csv", False)) as shop:
            shop.put("a.csv", HEADER + "".join(f"1,{customer},2025-03-04,1\n" for customer in order))
            assert shop.load().events_loaded == 3
            contents.append(shop.content())
            # The same rows in another file are the same events.
            shop.put("b.csv", HEADER + "1,x,2025-03-04,1\n1,x,2025-03-04,1\n1,y,2025-03-04,1\n\n")
            assert shop.load().rows_duplicate == 3
    assert contents[0] == contents[1] == contents[2]


def test_invoices_are_the_same_events_in_every_format(tmp_path: Path) -> None:
    names = [
        "InvoiceNo",
        "StockCode",
        "Description",
        "Quantity",
        "InvoiceDate",
        "UnitPrice",
        "CustomerID",
        "Country",
    ]
    at, summer = datetime(2010, 12, 1, 8, 26), datetime(2011, 7, 1, 9, 0)
    rows: list[list[Any]] = [
        ["536365", "85123A", 'HEART, "WHITE"', 6, at, 2.55, 17850.0, "United Kingdom"],
        ["536365", "71053", "LANTERN ", 6, at, 3.39, 17850.0, "United Kingdom"],
        ["536365", "71053", "LANTERN ", 6, at, 3.39, 17850.0, "United Kingdom"],
        ["536366", "10002", None, 10, summer, 0.001, None, "EIRE"],
        ["C536379", "D", "Discount", -1, summer, 27.5, 14527.0, "France"],
    ]
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    contents = []
    for format_ in ("csv", "parquet", "xlsx"):
        with open_shop(tmp_path / format_, like="online_retail") as shop:
            if format_ == "parquet":
                pyarrow.parquet.write_table(pyarrow.table(columns), shop.landing / "a.parquet")
            elif format_ == "xlsx":
                numeric = [[int(row[0]) if row[0].isdigit() else row[0], *row[1:]] for row in rows]
                numeric = [[row[0], int(row[1]) if row[1].isdigit() else row[1], *row[2:]] for row in numeric]
                workbook(shop.landing / "a.xlsx", [names, *numeric])
            else:
                with (shop.landing / "a.csv").open("w", encoding="utf-8", newline="") as stream:
                    csv.writer(stream).writerows([names, *rows])
            report = shop.load()
            assert (report.rows_read, report.rows_duplicate, report.rows_grouped) == (5, 1, 1)
            contents.append(shop.content())
    assert len(contents[0]) == 3
    assert contents.count(contents[0]) == len(contents)
    completed = contents[0][0]
    assert completed[:4] == ("536365", "track", "order_completed", "17850")
    assert json.loads(completed[20]) == {
        "order_id": "536365",
        "products": [
            {"product_id": "71053", "name": "LANTERN ", "quantity": 6, "price": 3.39},
            {"product_id": "85123A", "name": 'HEART, "WHITE"', "quantity": 6, "price": 2.55},
        ],
    }
