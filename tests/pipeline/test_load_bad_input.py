"""Load: what becomes of bad lines, bad files and failures. Nothing is ever half-written."""

from __future__ import annotations

import errno
import gzip
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

import pipeline.load
from pipeline.errors import VitalsError
from pipeline.load import reading, tables
from tests.pipeline.loading import CSV_SOURCE, Shop, call, json_lines, open_shop, workbook

HEADER = "id,customer,at,amount\n"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "demo") as opened:
        yield opened


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "shop", sources=CSV_SOURCE) as opened:
        yield opened


BAD_LINES: list[tuple[str | dict[str, Any], str]] = [
    ('{"messageId": "x", ', "malformed JSON"),
    ("hello", "malformed JSON"),
    ('{"a":1}{"b":2}', "malformed JSON"),
    ('{"a":"\\ud800"}', "malformed JSON"),
    ('{"a":"\x00"}', "malformed JSON"),
    ("\x00", "malformed JSON"),
    ("[1, 2]", "JSON, but not an object"),
    ('"text"', "JSON, but not an object"),
    ("null", "JSON, but not an object"),
    ("17", "JSON, but not an object"),
    ("[" * 100_000 + "]" * 100_000, "JSON, but not an object"),
    ("{}", "messageId empty: no event_id"),
    (call(1, messageId=" "), "messageId empty: no event_id"),
    (call(1, type="click"), "type is none of track, page, screen, identify, group, alias"),
    (call(1, event=None), "event empty: no event name"),
    (call(1, event="?!"), "event empty: no event name"),
    (call(1, timestamp=None), "timestamp empty: no time"),
    (call(1, timestamp=1741083072), "timestamp is not a readable time"),
    (call(1, timestamp={"at": 1}), "timestamp is not a readable time"),
    (call(1, timestamp="1969-12-31T23:00:00Z"), "timestamp lies outside the years 1970 to 2200"),
    (call(1, receivedAt="soon"), "receivedAt is not a readable time"),
    (call(1, receivedAt="2925-03-04T10:00:00Z"), "receivedAt lies outside the years 1970 to 2200"),
    (
        call(1, timestamp="2025-03-05T10:00:00.001Z", receivedAt="2025-03-04T10:00:00Z"),
        "occurred more than a day after it was received",
    ),
    (call(1, properties={"revenue": "abc"}), "properties.revenue is not a number"),
    (call(1, properties={"revenue": "1,5"}), "properties.revenue is not a number"),
    (call(1, properties={"revenue": "1_000"}), "properties.revenue is not a number"),
    (call(1, properties={"revenue": 1e15}), "properties.revenue is not a number"),
    (call(1, properties={"revenue": 1e11}), "properties.revenue has more than 11 digits before the point"),
    (call(1, properties={"revenue": -1e12}), "properties.revenue has more than 11 digits before the point"),
    (call(1, properties={"revenue": True}), "properties.revenue is not a number"),
    (json.dumps(call(1, properties={"revenue": float("nan")})), "properties.revenue is not a number"),
    (call(1, properties=[1]), "properties is not a JSON object"),
    (call(1, properties="text"), "properties is not a JSON object"),
    (call(1, properties="{broken"), "properties is not a JSON object"),
    (call(1, traits=7), "traits is not a JSON object"),
    (call(1, properties={"score": float("inf")}), "properties is not a JSON object"),
    (call(1, userId={"id": 7}), "userId is neither text nor a number"),
    (call(1, anonymousId=[7]), "anonymousId is neither text nor a number"),
    (call(1, userId=False), "userId is neither text nor a number"),
    (call(1, userId=float("nan")), "userId is neither text nor a number"),
    (call(1, context={"groupId": float("-inf")}), "context.groupId is neither text nor a number"),
]


def test_bad_lines_are_kept_whole_with_their_reason_and_the_rest_is_loaded(demo: Shop) -> None:
    texts = [line if isinstance(line, str) else json.dumps(line) for line, _ in BAD_LINES]
    good = json.dumps(call(7))
    demo.put("a.jsonl", "\n".join([good, *texts, good.replace("message-7", "message-8"), ""]))

    report = demo.load()

    assert (report.rows_rejected, report.events_loaded) == (len(BAD_LINES), 2)
    found = demo.rows("select file_name, line_number, reason, content from raw.rejected_events")
    assert sorted(found, key=lambda row: row[1]) == [
        ("a.jsonl", number, reason, text)
        for number, (text, (_, reason)) in enumerate(zip(texts, BAD_LINES, strict=True), start=2)
    ]


def test_odd_lines_are_good(demo: Shop) -> None:
    odd = [
        call(0, userId="true", anonymousId="[7]", event="NaN", properties={"note": 'NaN: Infinity \\" Inf'}),
        call(1, properties=None, traits=None, context=None, receivedAt=None),
        call(2, userId="it's \u0000 \u2028 \U0001f600 " + "x" * 100_000),
        call(3, properties={"deep": json.loads("[" * 900 + "]" * 900)}),
        call(4, userId=12345678901234567890123, properties={"revenue": -0.00004}),
        call(5, userId=17841.0, properties={"revenue": "1e3"}),
        call(6, properties='{"plan": "team"}'),
        call(8, properties={"revenue": 99999999999.9999}),
    ]
    twice = json.dumps(call(7, userId="first"))[:-1] + ', "userId": "second"}'
    demo.put("a.jsonl", json_lines(odd) + twice)
    assert demo.load().events_loaded == len(odd) + 1
    assert demo.rejected() == []
    users = [user for (user,) in demo.rows("select user_id from raw.events order by event_id")]
    assert users[0] == "true"
    assert users[2].startswith("it's \u0000 \u2028 \U0001f600 xxx")
    assert users[4:6] == ["12345678901234567890123", "17841.0"]
    # Of a repeated key the first counts.
    assert users[7] == "first"
    revenues = demo.rows(
        "select cast(revenue as varchar) from raw.events where revenue is not null order by event_id"
    )
    assert revenues == [("0.0000",), ("1000.0000",), ("99999999999.9999",)]


def test_lines_that_are_no_utf8_are_rejected_alone(demo: Shop) -> None:
    bad = json.dumps(call(2)).encode().replace(b"user-2", b"caf\xe9")
    lines = [json.dumps(call(1)).encode(), bad, json.dumps(call(3, userId="café")).encode()]
    demo.put("a.jsonl", b"\n".join(lines))
    assert demo.load().events_loaded == 2
    ((number, reason, content),) = demo.rows("select line_number, reason, content from raw.rejected_events")
    assert (number, reason) == (2, "not valid UTF-8")
    assert 'caf\\xe9"' in content


def test_lines_too_long_are_rejected_alone(demo: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    # A block of 400 bytes and lines up to 1,000: around, within and over several blocks.
    monkeypatch.setattr(reading, "BLOCK_BYTES", 400)
    monkeypatch.setattr(reading, "LONGEST_LINE_BYTES", 1_000)
    base = len(json.dumps(call(1, userId=""))) + len("\n")
    sizes = [0, 1, 300, 1_000 - base, 1_001 - base, 900, 1_500, 4_000, 0]
    lines = [json.dumps(call(number, userId="x" * size)) for number, size in enumerate(sizes)]
    demo.put("a.jsonl", "\n".join(lines))
    demo.load()
    too_long = [number for number, size in enumerate(sizes, start=1) if base + size > 1_000]
    assert len(too_long) == 4
    assert [number for number, reason in demo.rejected() if "longer than" in reason] == too_long
    assert demo.one("select max(length(content)) from raw.rejected_events") == (1_000,)


def test_small_blocks_give_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [json.dumps(call(number)) if number % 7 else f"bad {number}" for number in range(50)]
    contents = []
    for name, block_bytes in (("large", reading.BLOCK_BYTES), ("small", 97)):
        monkeypatch.setattr(reading, "BLOCK_BYTES", block_bytes)
        monkeypatch.setattr(pipeline.load, "STAGED_BYTES", 10 * block_bytes)
        with open_shop(tmp_path / name) as shop:
            shop.put("a.jsonl", "\ufeff" + "\r\n\n".join(lines))
            shop.load()
            contents.append((shop.content(), shop.rows("from raw.rejected_events order by line_number")))
    assert contents[0] == contents[1]
    assert len(contents[0][1]) == 8


def test_csv_rows_that_break_the_rules_are_rejected_alone(shop: Shop) -> None:
    good = "{},x,2025-03-04,1\n"
    broken = [
        ('9,"open quote,2025-03-04,1\n', "not readable as CSV"),
        ("9,x,2025-03-04\n", "3 fields where the header has 4"),
        ("9,x,2025-03-04,1,2\n", "5 fields where the header has 4"),
        ('9,"x"y,2025-03-04,1\n', "not readable as CSV"),
        (f'9,"{"y" * 200_000}",2025-03-04,1\n', "not readable as CSV: field larger than field limit"),
    ]
    shop.put(
        "a.csv",
        HEADER + "".join(good.format(n) + line for n, (line, _) in enumerate(broken)) + good.format(8),
    )
    report = shop.load()
    assert (report.events_loaded, report.rows_rejected) == (6, 5)
    found = shop.rows("select line_number, reason, content from raw.rejected_events order by line_number")
    for (number, reason, content), place, (line, said) in zip(found, range(3, 13, 2), broken, strict=True):
        assert (number, content) == (place, line.rstrip("\n"))
        assert reason.startswith(said)


def test_bad_values_of_a_table_are_kept_with_all_columns(tmp_path: Path) -> None:
    with open_shop(tmp_path / "shop", sources=CSV_SOURCE.replace('"error"', '"ignore"')) as shop:
        shop.put("a.csv", 'amount,id,"it\'s",customer,at\nabc,1,note,x,2025-03-04\n1,,,,\n')
        shop.load()
        assert shop.rows(
            "select line_number, reason, content from raw.rejected_events order by line_number"
        ) == [
            (
                2,
                "amount is not a number",
                '{"amount":"abc","id":"1","it\'s":"note","customer":"x","at":"2025-03-04"}',
            ),
            (
                3,
                "id empty: no event_id",
                '{"amount":"1","id":null,"it\'s":null,"customer":null,"at":null}',
            ),
        ]


def test_a_file_of_bad_rows_only_is_said(demo: Shop) -> None:
    demo.put("a.jsonl", '[\n{"messageId": "1"}\n]\n')
    assert demo.load().notices == ("all rows rejected: a.jsonl",)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_lines_in_utf_16_are_refused_as_that(demo: Shop, name: str, encoding: str) -> None:
    content = ("\ufeff" + json_lines([call(1)])).encode(encoding)
    demo.put(name, gzip.compress(content) if name.endswith(".gz") else content)
    with pytest.raises(VitalsError, match=f"{name} in landing cannot be read .* UTF-16, .* save it as UTF-8"):
        demo.load()


@pytest.mark.parametrize(
    "type_",
    [
        pyarrow.float16(),
        pyarrow.decimal256(50, 2),
        pyarrow.struct([("net", pyarrow.float16())]),
        pyarrow.list_(pyarrow.decimal256(40, 0)),
    ],
)
def test_columns_of_types_that_the_engine_lacks_are_named(shop: Shop, type_: pyarrow.DataType) -> None:
    columns = {"id": ["1"], "customer": ["x"], "at": ["2025-03-04"]}
    table = pyarrow.table(columns).append_column("amount", pyarrow.nulls(1, type_))
    pyarrow.parquet.write_table(table, shop.landing / "a.parquet")
    with pytest.raises(VitalsError, match=r"a\.parquet in landing .* column 'amount' is of type ") as said:
        shop.load()
    assert "build.duckdb" not in str(said.value)


# -- files that cannot be read -------------------------------------------------------------------------------


def test_an_unreadable_file_fails_its_batch_and_no_other(demo: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline.load, "FILES_PER_BATCH", 2)
    whole = gzip.compress(json_lines([call(number) for number in range(200)]).encode())
    broken = {
        "c.jsonl.gz": whole[: len(whole) // 2],
        "d.jsonl.gz": whole[:-6] + bytes(6),
        "e.jsonl.gz": whole[:40] + b"\xff\xff\xff" + whole[43:],
        "f.jsonl.gz": b"no gzip at all",
    }
    demo.put("a.jsonl", [call(1)])
    demo.put("b.jsonl", [call(2)])
    for name, content in broken.items():
        demo.put(name, content)
        demo.put("g.jsonl", [call(3)])
        with pytest.raises(
            VitalsError, match=rf"{name} in landing cannot be read as jsonl: .*Nothing of it was loaded"
        ):
            demo.load()
        (demo.landing / name).unlink()
    assert demo.rows("select file_name from raw.loads order by all") == [("a.jsonl",), ("b.jsonl",)]
    assert demo.load().events_loaded == 1


def test_files_that_are_not_what_they_say(shop: Shop) -> None:
    good = shop.landing / "good.xlsx"
    workbook(good, [["id", "customer", "at", "amount"], *([n, "x", "2025-03-04", 1] for n in range(500))])
    whole = good.read_bytes()
    good.unlink()
    files = {
        "text.parquet": b"hello",
        "empty.parquet": b"",
        "short.parquet": b"PAR1" + bytes(40) + b"PAR1",
        "text.xlsx": b"hello",
        "empty.xlsx": b"",
        "short.xlsx": whole[:-300],
        "damaged.xlsx": whole[:1200] + bytes(60) + whole[1260:],
        "old.xlsx": bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600),
        "wide.csv": HEADER.encode("utf-16"),
    }
    no_text = pyarrow.array([b"caf\xe9"]).view(pyarrow.string())
    columns = {"id": no_text, "customer": ["x"], "at": ["2025-03-04"], "amount": [1]}
    pyarrow.parquet.write_table(pyarrow.table(columns), shop.landing / "latin.parquet")
    files["latin.parquet"] = (shop.landing / "latin.parquet").read_bytes()
    (shop.landing / "latin.parquet").unlink()
    for name, content in files.items():
        path = shop.put(name, content)
        with pytest.raises(VitalsError, match=rf"{name} in landing cannot be read as") as raised:
            shop.load()
        assert len(str(raised.value).splitlines()) == 1
        path.unlink()
    assert shop.one("select count(*) from raw.loads") == (0,)


def test_workbooks_too_large_for_memory_are_refused_before_they_are_read(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = [["id", "customer", "at", "amount"]]
    stray = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    workbook(shop.landing / "a.xlsx", header, stray)
    with pytest.raises(VitalsError, match="1,048,576 rows and 16,384 columns, over 25,000,000 cells"):
        shop.load()
    monkeypatch.setattr(tables, "LARGEST_WORKBOOK_BYTES", 1_000)
    workbook(shop.landing / "a.xlsx", header)
    with pytest.raises(VitalsError, match="it unpacks to more than"):
        shop.load()


CELLS_OF_NO_PLACE = "<c><v>1</v></c>" * 16_000
FAR_ROW = '<row r="1048576"><c><v>1</v></c></row>'


@pytest.mark.parametrize(
    "more_rows",
    [
        pytest.param(f"{FAR_ROW}<row>{CELLS_OF_NO_PLACE}</row>", id="cells and rows without a place"),
        pytest.param("<row><c\nr = 'XFD1048576'><v>1</v></c></row>", id="spaces in the tag"),
        pytest.param('<x:row><x:c s="1" r="XFD1048576"><x:v>1</x:v></x:c></x:row>', id="prefix"),
        pytest.param(
            '<row r="1048570">' + "<row>" * 9 + "</row>" * 9 + CELLS_OF_NO_PLACE + "</row>", id="rows in rows"
        ),
        pytest.param('<row><c r="A&#49;048576"><v>1</v></c></row><row r="x"/>', id="no place"),
    ],
)
@pytest.mark.parametrize("name_of_sheet", ["xl/worksheets/sheet1.xml", "xl/elsewhere/sheet1.bin"])
def test_no_workbook_ends_the_process_that_reads_it(shop: Shop, more_rows: str, name_of_sheet: str) -> None:
    path = shop.landing / "a.xlsx"
    workbook(path, [["id", "customer", "at", "amount"]], more_rows)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    sheet = parts.pop("xl/worksheets/sheet1.xml").replace("<worksheet ", '<worksheet xmlns:x="x" ')
    relationships = "xl/_rels/workbook.xml.rels"
    target = name_of_sheet.removeprefix("xl/")
    parts[relationships] = parts[relationships].replace("worksheets/sheet1.xml", target)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in {**parts, name_of_sheet: sheet}.items():
            archive.writestr(name, part)
    # In front of the reader, which none of these may reach: it would take this process with it.
    with (
        path.open("rb") as stream,
        pytest.raises(tables.UnreadableFileError, match=r"over 25,000,000 cells|which is no place"),
    ):
        tables.check_workbook(stream)
    with pytest.raises(VitalsError, match=r"a\.xlsx in landing cannot be read as xlsx: a sheet"):
        shop.load()


def test_sheets_of_an_odd_form_are_read(shop: Shop) -> None:
    """Cells without a place stand side by side, as some programs write them."""
    cells = "".join(f"<c t='inlineStr'><is><t>{text}</t></is></c>" for text in ("1", "x", "2025-03-04", "2"))
    workbook(shop.landing / "a.xlsx", [["id", "customer", "at", "amount"]], f"<row>{cells}</row>")
    assert shop.load().events_loaded == 1


def test_other_kinds_of_workbook_are_refused(shop: Shop) -> None:
    workbook(shop.landing / "a.xlsx", [["id", "customer", "at", "amount"]])
    whole = (shop.landing / "a.xlsx").read_bytes()
    shop.put("a.xlsx", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504) + whole)
    with pytest.raises(VitalsError, match=r"no workbook of the \.xlsx kind"):
        shop.load()
    for name in ("xl/workbook.bin", "content.xml"):
        shop.put("a.xlsx", whole)
        with zipfile.ZipFile(shop.landing / "a.xlsx", "a") as archive:
            archive.writestr(name, "")
        with pytest.raises(VitalsError, match=r"no workbook of the \.xlsx kind"):
            shop.load()


def test_a_forbidden_file_is_named(demo: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    demo.put("a.jsonl", [call(1)])

    def refuse(path: Path, mode: str) -> None:
        # As the system does; not by chmod, because root may read every file.
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(VitalsError, match=r"a\.jsonl in landing cannot be read as jsonl: Permission denied"):
        demo.load()


def test_a_file_that_changes_while_it_is_read_is_not_loaded(demo: Shop) -> None:
    path = demo.put("a.jsonl", [call(1)])

    def grow(_: str, __: float) -> None:
        with path.open("a") as stream:
            stream.write(json_lines([call(2)]))

    with pytest.raises(VitalsError, match=r"a\.jsonl in landing changed while it was read"):
        pipeline.load.load_landing(demo.warehouse, demo.workspace, grow)
    demo.check_accounts()
    assert demo.load().events_loaded > 1


# -- failures of the engine ----------------------------------------------------------------------------------


def test_a_failure_while_storing_leaves_nothing_of_the_batch(demo: Shop) -> None:
    demo.put("a.jsonl", [call(1), call(2, receivedAt="2025-03-04T12:00:00Z")])
    demo.load()
    before = demo.content()
    # The ledger is written last: without one of its columns everything before it is already done.
    demo.warehouse.run("alter table raw.loads rename column seconds to minutes")
    demo.put("b.jsonl", [call(2), call(3), call(4, event=None)])
    with pytest.raises(
        VitalsError, match=r"loading b\.jsonl failed in .*build\.duckdb: .*run the command again"
    ):
        demo.load()
    assert demo.content() == before
    demo.warehouse.run("alter table raw.loads rename column minutes to seconds")
    assert demo.load().events_loaded == 1
    leftovers = (
        "select table_name from information_schema.tables where table_name like 'load\\_%' escape '\\'"
    )
    assert demo.rows(leftovers) == []


def test_an_interrupted_load_leaves_nothing_of_the_batch(demo: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    append = demo.warehouse.append

    def interrupt(table: str, rows: Any) -> None:
        append(table, rows)
        raise KeyboardInterrupt

    monkeypatch.setattr(demo.warehouse, "append", interrupt)
    demo.put("a.jsonl", [call(1)])
    with pytest.raises(KeyboardInterrupt):
        demo.load()
    monkeypatch.undo()
    assert demo.one("select count(*) from raw.events") == (0,)
    assert demo.load().events_loaded == 1


def test_running_out_of_memory_is_said_in_a_line(demo: Shop) -> None:
    demo.put("a.jsonl", [call(number, userId="x" * 5_000) for number in range(3_000)])
    demo.warehouse.run("set global memory_limit = '8MB'; set global max_temp_directory_size = '1MB'")
    with pytest.raises(VitalsError, match=r"loading a\.jsonl failed") as raised:
        demo.load()
    assert len(str(raised.value).splitlines()) == 1
    demo.warehouse.run("set global memory_limit = '1GB'; set global max_temp_directory_size = '1GB'")
    assert demo.load().events_loaded == 3_000
