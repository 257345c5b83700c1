"""Files of landing that are nearly right, by format: content, suffix, and the ids of untouched rows."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import struct
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow
import pyarrow.parquet

from tests.hostile.spoiling import NUMBERS, TEXTS, TIMES, spoilt_bytes
from tests.pipeline.loading import call, workbook

ROWS = 12


def _value(chance: random.Random, depth: int = 0) -> Any:
    """Any JSON value, the odder the likelier."""
    draw = chance.random()
    if depth < 4 and draw < 0.15:
        return [_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    if depth < 4 and draw < 0.3:
        keys = [chance.choice([*TEXTS[:12], "name", "id"]) for _ in range(chance.randrange(4))]
        return {key: _value(chance, depth + 1) for key in keys}
    return chance.choice([*TEXTS, *NUMBERS, *TIMES, None, True, False])


def _jsonl(chance: random.Random, number: int) -> tuple[bytes, str, set[str]]:
    calls = [call(row, messageId=f"c{number}-{row}") for row in range(ROWS)]
    good = {each["messageId"] for each in calls}
    lines: list[bytes] = [json.dumps(each).encode() for each in calls]
    for row in chance.sample(range(ROWS), chance.randrange(1, 5)):
        good.discard(f"c{number}-{row}")
        lines[row] = _spoilt_line(chance, calls[row])
    data = chance.choice([b"\n", b"\n", b"\r\n"]).join(lines) + chance.choice([b"\n", b"", b"\n\n\n"])
    if chance.random() < 0.1:
        data = b"\xef\xbb\xbf" + data
    if chance.random() < 0.3:
        return *_gzipped(chance, data, good), good
    return data, "jsonl", good


def _gzipped(chance: random.Random, data: bytes, good: set[str]) -> tuple[bytes, str]:
    packed = gzip.compress(data)
    draw = chance.random()
    if draw < 0.2:
        packed = packed[: chance.randrange(len(packed))]
    elif draw < 0.4:
        packed = spoilt_bytes(chance, packed)
    elif draw < 0.5:
        # A thousand times as large once it is unpacked, in one line: no event.
        packed += gzip.compress(b"\n" + b"[" * 20_000_000)
    elif draw < 0.6:
        packed += packed
    return packed, "jsonl.gz"


def _spoilt_line(chance: random.Random, event: dict[str, Any]) -> bytes:
    draw = chance.random()
    if draw < 0.6:
        spoilt = dict(event)
        for key in chance.sample(sorted(event), chance.randrange(1, 4)):
            spoilt[key] = _value(chance)
        if chance.random() < 0.3:
            spoilt["properties"] = {"revenue": _value(chance), chance.choice(TEXTS[:12]): _value(chance)}
        return json.dumps(spoilt, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    line = json.dumps(event).encode()
    if draw < 0.75:
        return line[: chance.randrange(len(line))].replace(b"\n", b"")
    if draw < 0.85:
        return chance.choice(
            [b"[" * 50_000, b'{"a":' * 50_000, b'"' + b"\\" * 9_999, b"\xff\xfe" * 50, b"\x00" * 99]
        )
    return spoilt_bytes(chance, line).replace(b"\n", b" ")


def _rows_of_orders(number: int) -> list[list[str]]:
    return [
        [f"c{number}-{row}", f"customer-{row % 3}", f"2025-03-04 10:{row:02d}:00", f"{row}.50"]
        for row in range(ROWS)
    ]


HEADER = ["id", "customer", "at", "amount"]


def _csv(chance: random.Random, number: int) -> tuple[bytes, str, set[str]]:
    rows = _rows_of_orders(number)
    good = {row[0] for row in rows}
    delimiter = chance.choice([",", ",", ";", "\t", "|"])
    for row in chance.sample(range(ROWS), chance.randrange(1, 5)):
        good.discard(rows[row][0])
        place = chance.randrange(4)
        texts = [
            text for text in (*TEXTS, *TIMES) if "\n" not in text and '"' not in text and "'" not in text
        ]
        rows[row][place] = chance.choice([*texts, "1e999", "-0", "1.234,56", "12345678901234567890.12345"])
        rows[row][place] = rows[row][place].replace(delimiter, "_")
        if chance.random() < 0.2:
            rows[row] = rows[row][: chance.randrange(4)] if chance.random() < 0.5 else rows[row] * 2
    header = list(HEADER)
    draw = chance.random()
    if draw < 0.1:
        header[chance.randrange(4)] = chance.choice(TEXTS[:12])
        good = set()
    text = "\n".join(delimiter.join(cells) for cells in [header, *rows]) + "\n"
    encoding = "utf-8"
    if 0.1 < draw < 0.2:
        encoding, good = chance.choice(["utf-16", "utf-32", "cp1252", "shift_jis"]), set()
    data = text.encode(encoding, "replace")
    if 0.2 < draw < 0.35:
        # An open quotation may swallow what follows it.
        data, good = spoilt_bytes(chance, data.replace(b"customer-1", b'"customer-1', 1)), set()
    return data, "csv", good


def _parquet(chance: random.Random, number: int) -> tuple[bytes, str, set[str]]:
    rows = _rows_of_orders(number)
    columns: dict[str, pyarrow.Array] = {
        name: pyarrow.array([row[place] for row in rows]) for place, name in enumerate(HEADER)
    }
    good = {row[0] for row in rows}
    start = datetime(2025, 3, 4, tzinfo=UTC)
    odd: list[Callable[[], pyarrow.Array]] = [
        lambda: pyarrow.nulls(ROWS),
        lambda: pyarrow.array(range(ROWS), pyarrow.uint64()),
        lambda: pyarrow.array([[row] for row in range(ROWS)]),
        lambda: pyarrow.array([{"a": row} for row in range(ROWS)]),
        lambda: pyarrow.array(
            [start + timedelta(days=row) for row in range(ROWS)], pyarrow.timestamp("ns", "UTC")
        ),
        lambda: pyarrow.array([2**50] * ROWS, pyarrow.timestamp("s")),
        lambda: pyarrow.array([Decimal("9" * 38)] * ROWS, pyarrow.decimal128(38, 0)),
        lambda: pyarrow.array([b"\xff\xfe"] * ROWS, pyarrow.binary()),
        lambda: pyarrow.array([float("nan")] * ROWS),
        lambda: pyarrow.array(["x"] * ROWS).dictionary_encode(),
        lambda: pyarrow.array([True] * ROWS),
        lambda: pyarrow.array([timedelta(days=1)] * ROWS, pyarrow.duration("us")),
        lambda: pyarrow.array([chance.choice(TEXTS) for _ in range(ROWS)]),
    ]
    draw = chance.random()
    if draw < 0.6:
        columns[chance.choice(HEADER)] = chance.choice(odd)()
        good = set()
    elif draw < 0.7:
        del columns[chance.choice(HEADER)]
        good = set()
    out = io.BytesIO()
    compression = chance.choice(["zstd", "snappy", "gzip", "none"])
    pyarrow.parquet.write_table(
        pyarrow.table(columns), out, row_group_size=chance.choice([1, 5, 100]), compression=compression
    )
    data = out.getvalue()
    if draw >= 0.7:
        good = set()
        data = chance.choice(
            [
                lambda: spoilt_bytes(chance, data),
                lambda: data[: chance.randrange(len(data))],
                lambda: data[:-8] + struct.pack("<I", chance.choice([0, 2**31 - 1, len(data)])) + b"PAR1",
                lambda: b"PAR1" + data,
                lambda: data + b"PAR1",
            ]
        )()
    return data, "parquet", good


def _xlsx(chance: random.Random, number: int) -> tuple[bytes, str, set[str]]:
    rows: list[list[Any]] = [list(HEADER), *_rows_of_orders(number)]
    good = {row[0] for row in rows[1:]}
    for row in chance.sample(range(1, ROWS + 1), chance.randrange(1, 4)):
        good.discard(rows[row][0])
        printable = [text for text in TEXTS if not re.search(r"[\x00-\x1f]", text)]
        rows[row][chance.randrange(4)] = chance.choice(
            [*printable, None, True, 1e300, -5, datetime(2199, 1, 1)]
        )
    packed = io.BytesIO()
    workbook(packed, rows)
    data = packed.getvalue()
    draw = chance.random()
    if draw < 0.3:
        return data, "xlsx", good
    if draw < 0.5:
        return spoilt_bytes(chance, data), "xlsx", set()
    if draw < 0.6:
        return data[: chance.randrange(len(data))], "xlsx", set()
    return _other_parts(chance, data), "xlsx", set()


def _other_parts(chance: random.Random, data: bytes) -> bytes:
    """A workbook, one part of it replaced by what no spreadsheet writes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    draw = chance.randrange(9)
    if draw == 0:
        entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x" * 10}">' for n in range(9))
        parts[sheet] = parts[sheet].replace("?>", f"?><!DOCTYPE a [{entities}]>", 1).replace("amount", "&e8;")
    elif draw == 1:
        parts[sheet] = parts[sheet].replace('r="A2"', 'r="XFD1048576"').replace('r="B3"', 'r="ZZZZZZ9"')
    elif draw == 2:
        del parts[chance.choice(sorted(parts))]
    elif draw == 3:
        name = chance.choice(sorted(parts))
        parts[name] = spoilt_bytes(chance, parts[name].encode()).decode("latin-1")
    elif draw == 4:
        # Some ten megabytes unpacked, in a few kilobytes.
        parts[sheet] = parts[sheet].replace("</sheetData>", "<row/>" * 2_000_000 + "</sheetData>")
    elif draw == 5:
        parts["../../escaped.txt"] = "out of the archive"
    elif draw == 6:
        # Far down and far right, said by no reference.
        far = '<row r="1048576"><c><v>1</v></c></row><row>' + "<c><v>1</v></c>" * 16_000 + "</row>"
        parts[sheet] = parts[sheet].replace("</sheetData>", far + "</sheetData>")
    elif draw == 7:
        far = chance.choice(["<c\nr = 'XFD1048576'/>", '<c s="1" r="XFD1048576"/>', '<x:c r="XFD1048576"/>'])
        parts[sheet] = parts[sheet].replace("</sheetData>", f"<row>{far}</row></sheetData>")
    else:
        elsewhere = chance.choice(["xl/a.bin", "xl/sharedStrings.xml", "b/c.xml"])
        parts[elsewhere] = parts.pop(sheet).replace('r="A2"', 'r="XFD1048576"')
        relationships = "xl/_rels/workbook.xml.rels"
        parts[relationships] = parts[relationships].replace("worksheets/sheet1.xml", f"/{elsewhere}")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return out.getvalue()


SPOILT_BY_FORMAT: dict[str, Callable[[random.Random, int], tuple[bytes, str, set[str]]]] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "parquet": _parquet,
    "xlsx": _xlsx,
}
