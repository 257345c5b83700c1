"""Load: Parquet takes shorter ways than other files; they lead to the same rows."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pipeline.load
from pipeline.errors import VitalsError
from pipeline.load import mapping, reading, undo_loads
from tests.pipeline.loading import CSV_SOURCE, Shop, open_shop

RECEIVED_SOURCE = CSV_SOURCE + 'received_at = "received"\n'
folders = (str(number) for number in itertools.count())

MOMENTS = [
    datetime(2025, 3, 30, 1, 59, 59, 999999),
    datetime(2025, 3, 30, 2, 30),  # skipped by the clocks of Berlin
    datetime(2025, 10, 26, 2, 30),  # there twice
    datetime(2025, 7, 1, 12, 0, 0, 1),
    datetime(1969, 12, 31, 23, 59, 59, 999999),
    datetime(1970, 1, 1),
    datetime(2200, 12, 31, 23, 30),
    datetime(2201, 1, 1),
    datetime(9999, 12, 31, 23, 59, 59),
    datetime(987, 6, 5),
    datetime(1, 1, 1),
    None,
]
FLOATS = [
    *(0.0, -0.0, 0.1, -0.1, 2.675, 1.005, 0.00005, 0.00015, 0.12345, 1e-7, 33.333333333333336, 1e10 + 0.1),
    *(99999999999.99, 1e11, 123456789012.5, 99999999999999.0, 1e14, 1e15, 1e22, 1e300, -19.99, 5e-324),
    *(0.30000000000000004, 4503599627370497.5, math.nan, math.inf, -math.inf, None),
]
DECIMALS = [Decimal("0"), Decimal("-0.01"), Decimal("12.34"), Decimal("99999999999999.99"), None]
AMOUNTS = {
    "double": pyarrow.array(FLOATS, pyarrow.float64()),
    "float": pyarrow.array(
        [value for value in FLOATS if value is None or abs(value) < 1e38], pyarrow.float32()
    ),
    "decimal": pyarrow.array(DECIMALS, pyarrow.decimal128(18, 2)),
    "large decimal": pyarrow.array([Decimal("1e30"), Decimal("-1e14"), None], pyarrow.decimal128(38, 2)),
    "fine decimal": pyarrow.array(
        [Decimal("0.000050"), Decimal("1.234549"), None], pyarrow.decimal128(20, 6)
    ),
    "integer": pyarrow.array([0, -7, 99_999_999_999_999, 2**63 - 1, -(2**63), None], pyarrow.int64()),
    "unsigned": pyarrow.array([0, 2**64 - 1], pyarrow.uint64()),
    "boolean": pyarrow.array([True, False, None]),
    "text": pyarrow.array([" 1.5", "1e3", "-.5", "NaN", "", "1,5", None]),
}
TIMES = {
    **{f"local {unit}": pyarrow.array(MOMENTS, pyarrow.timestamp(unit)) for unit in ("ms", "us")},
    "zoned": pyarrow.array(
        [moment and moment.replace(tzinfo=UTC) for moment in MOMENTS],
        pyarrow.timestamp("us", "America/New_York"),
    ),
    "nanoseconds": pyarrow.array(
        [0, 999, 1_751_371_200_123_456_789, 1_751_371_200_999_999_999, -1, -999_999_999, None],
        pyarrow.timestamp("ns"),
    ),
    "zoned nanoseconds": pyarrow.array(
        [999, 1_751_371_200_123_456_789, None], pyarrow.timestamp("ns", "UTC")
    ),
    "far": pyarrow.array(
        [2**62, -(2**62), 253_402_300_799_999_999, 253_402_300_800_000_000], pyarrow.timestamp("us")
    ),
    "far zoned": pyarrow.array([2**62, -(2**62), 253_402_300_800_000_000], pyarrow.timestamp("us", "UTC")),
    "day": pyarrow.array([date(2025, 3, 30), date(1969, 12, 31), date(2201, 1, 1), None]),
    "text": pyarrow.array([" 2025-03-30T02:30:00Z", "2025-03-30 01:00", "soon", "", None]),
}
TEXTS = {
    "clean": ["a", "é", "a b", None],
    "blank": ["", " ", "\t", "a"],
    "white space before": [" a", "a"],
    "white space after": ["a", None, "a\r\n"],
    "control character": ["a\x1f", "\x0b", "a"],
    "wide space": ["a\u3000", "\u00a0a"],
    "none": [None, None],
}


NAMED_SOURCE = CSV_SOURCE.replace('{ value = "order_completed" }', '"kind"')


def table_of(**columns: Any) -> pyarrow.Table:
    """A table for the source `orders`: the columns given, and what makes events of them."""
    rows = len(next(iter(columns.values())))
    usual = {
        "id": [f"id-{row}" for row in range(rows)],
        "customer": [f"customer-{row % 3}" for row in range(rows)],
        "at": [datetime(2025, 3, 4, 10) + timedelta(minutes=row) for row in range(rows)],
        "amount": [1.5] * rows,
    }
    return pyarrow.table({**usual, **columns})


def everything(shop: Shop) -> list[Any]:
    """All that a load wrote but for its times."""
    return [
        shop.rows("select * from raw.events order by all"),
        shop.rows("select * from raw.rejected_events order by all"),
        shop.rows("select * from raw.replaced_events order by all"),
        shop.rows("select * exclude (seconds, loaded_at, modified_at) from raw.loads order by load_id"),
    ]


def loaded(folder: Path, table: pyarrow.Table, sources: str) -> list[Any]:
    with open_shop(folder, sources=sources) as shop:
        pyarrow.parquet.write_table(table, shop.landing / "a.parquet")
        shop.load()
        return everything(shop)


@pytest.mark.parametrize(
    "columns",
    [
        *({"amount": values} for values in AMOUNTS.values()),
        *({"at": values} for values in TIMES.values()),
        *({"customer": pyarrow.array(values, pyarrow.string())} for values in TEXTS.values()),
        *({"id": pyarrow.array(values, pyarrow.large_string())} for values in TEXTS.values()),
        {"customer": pyarrow.array(TEXTS["blank"]).dictionary_encode()},
        {"customer": pyarrow.array(TEXTS["clean"]).dictionary_encode()},
        {"kind": pyarrow.array(["order_completed", "cart_viewed", None])},
        {"kind": pyarrow.array(["order_completed", "Order Refunded", "cartViewed"])},
        {"kind": pyarrow.array(["order_completed", " cart_viewed", "", "-"])},
        {"customer": AMOUNTS["double"]},
        {"id": AMOUNTS["integer"]},
    ],
    ids=[
        *(f"amount {name}" for name in AMOUNTS),
        *(f"time {name}" for name in TIMES),
        *(f"customer {name}" for name in TEXTS),
        *(f"id {name}" for name in TEXTS),
        *("dictionary of blanks", "dictionary of clean texts"),
        *("snake_case names", "other names", "unclean names", "customer float", "id integer"),
    ],
)
def test_typed_values_are_what_their_texts_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: dict[str, pyarrow.Array]
) -> None:
    table, sources = table_of(**columns), NAMED_SOURCE if "kind" in columns else CSV_SOURCE
    typed = loaded(tmp_path / "typed", table, sources)
    monkeypatch.setattr(mapping, "utc_time_of_cell", lambda *_: None)
    monkeypatch.setattr(mapping, "amount_of_cell", lambda *_: None)
    monkeypatch.setattr(mapping, "TRIMMED_KINDS", ())
    monkeypatch.setattr(pipeline.load, "looked_at", lambda layout, _: layout)
    assert typed == loaded(tmp_path / "text", table, sources)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("type_", [pyarrow.string(), pyarrow.large_string()], ids=str)
def test_clean_texts_are_known_also_in_a_part_of_a_column(name: str, type_: pyarrow.DataType) -> None:
    values = ["  ", "", *TEXTS[name], " "]
    part = pyarrow.array(values, type_).slice(2, len(values) - 3)
    rows = pyarrow.table({"column_0": part})
    (kind,) = reading.looked_at(reading.Layout(("customer",), ("text",)), rows).kinds
    assert (kind == "clean") == (name in ("clean", "none", "wide space"))


# Few ids, days, receipts and contents, so that most of them meet; some rows are no event.
rows_of_files = st.lists(
    st.lists(
        st.fixed_dictionaries(
            {
                "id": st.sampled_from(["a", "b", "c", "d", " a ", "", None]),
                "customer": st.sampled_from(["x", "y"]),
                "at": st.sampled_from([datetime(2025, 3, day, 10) for day in (4, 5, 25)] + [None]),
                "amount": st.sampled_from(["1", "2", "much"]),
                "received": st.sampled_from([datetime(2025, 3, 25, hour) for hour in (11, 12)]),
            }
        ),
        min_size=1,
        max_size=6,
    ),
    min_size=1,
    max_size=3,
)
SCHEMA = pyarrow.schema(
    {
        "id": pyarrow.string(),
        "customer": pyarrow.string(),
        "at": pyarrow.timestamp("us"),
        "amount": pyarrow.string(),
        "received": pyarrow.timestamp("us"),
    }
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=rows_of_files, is_one_batch=st.booleans())
def test_keys_that_are_read_first_decide_nothing(
    tmp_path: Path, files: list[list[dict[str, Any]]], is_one_batch: bool
) -> None:
    found = []
    for are_keys_first in (True, False):
        with (
            pytest.MonkeyPatch.context() as monkeypatch,
            open_shop(tmp_path / next(folders), sources=RECEIVED_SOURCE) as shop,
        ):
            if not are_keys_first:
                monkeypatch.setattr(pipeline.load, "_is_read_by_columns", lambda _: False)
            if not is_one_batch:
                monkeypatch.setattr(pipeline.load, "FILES_PER_BATCH", 1)
            for number, rows in enumerate(files):
                table = pyarrow.Table.from_pylist(rows, SCHEMA)
                pyarrow.parquet.write_table(table, shop.landing / f"{number}.parquet")
            report = shop.load()
            found.append(everything(shop))
            undo_loads(shop.warehouse, report.load_ids[1:])
            found.append(everything(shop))
    assert found[:2] == found[2:]


def test_rows_that_repeat_are_held_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []
    original = pipeline.load.store_uncertain_rows

    def looking(warehouse: Any, *arguments: Any) -> Any:
        held.append(warehouse.rows("select event_id, reason is null from load_rows order by all"))
        return original(warehouse, *arguments)

    monkeypatch.setattr(pipeline.load, "store_uncertain_rows", looking)
    with open_shop(tmp_path / "shop", sources=CSV_SOURCE) as shop:
        table = table_of(id=["1", "2", "3", "2", None], customer=["x", " y ", "z", "y", "x"])
        pyarrow.parquet.write_table(table, shop.landing / "a.parquet")
        shop.load()
        pyarrow.parquet.write_table(table.slice(2, 1), shop.landing / "b.parquet")
        report = shop.load()
        assert report.rows_duplicate == 1
        assert [row[0] for row in shop.rows("select event_id from raw.events order by all")] == [
            "1",
            "2",
            "3",
        ]
    assert held == [[("2", True), ("2", True), (None, False)], [("3", True)]]


def test_a_file_that_ends_too_early_leaves_nothing_of_its_batch(tmp_path: Path) -> None:
    with open_shop(tmp_path / "shop", sources=CSV_SOURCE) as shop:
        pyarrow.parquet.write_table(table_of(id=["1", "2"]), shop.landing / "a.parquet")
        strange = table_of(id=["3", "4"]).drop_columns(["amount"])
        pyarrow.parquet.write_table(strange, shop.landing / "b.parquet")
        with pytest.raises(VitalsError, match=r"b\.parquet in landing has no column 'amount'"):
            shop.load()
        assert everything(shop) == [[], [], [], []]
        pyarrow.parquet.write_table(table_of(id=["3", "4"]), shop.landing / "b.parquet")
        assert shop.load().events_loaded == 4


def test_the_first_error_of_the_engine_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_shop(tmp_path / "shop", sources=CSV_SOURCE) as shop:
        pyarrow.parquet.write_table(table_of(id=["1"]), shop.landing / "a.parquet")
        failing = "select error('the disk is full')"
        monkeypatch.setattr(pipeline.load, "certain_rows_statement", lambda *_: failing)
        with pytest.raises(VitalsError, match=r"loading a\.parquet failed .*the disk is full"):
            shop.load()
        monkeypatch.undo()
        assert shop.load().events_loaded == 1
