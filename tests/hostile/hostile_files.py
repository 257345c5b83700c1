"""Files that are nearly right: what users and strangers put into landing, and settings edited at midnight.

Each case begins as a file that is good, of which the structure is known, and is then spoilt in a few places.
The same number gives the same case.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from pipeline.workspace import WORKSPACES_FOLDER
from tests.pipeline.loading import call, workbook

KINDS = ("jsonl", "csv", "parquet", "xlsx", "review.toml", "events.csv", "playbook.csv")
KINDS_OF_LANDING = KINDS[:4]
ROWS = 12
# Texts that would do something where somebody took them for SQL, shell, paths, patterns or markup.
TEXTS = (
    "'; drop table raw.events; --",
    '"; drop schema raw cascade; --',
    "$(touch hostile_was_here)",
    "`touch hostile_was_here`",
    "../../../../etc/passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "*.jsonl",
    "%s%n{0}{{ x }}",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "\u202eabc",
    "\ufeffabc",
    "🙂" * 50,
    "\x00",
    "\x1b[31m",
    "a\nb\r\nc",
    "null",
    "NaN",
    "x" * 70_000,
    "",
    " ",
    "[" * 2_000,
    '{"a":' * 2_000,
)
NUMBERS = (0, -1, 2**63, -(2**63) - 1, 10**400, 1e308, -1e-320, float("nan"), float("inf"), 0.1 + 0.2)
TIMES = (
    "2025-02-30T10:00:00Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "292277026596-12-04T15:30:08Z",
    "2025-03-30T02:30:00",
    "2025-03-04T24:00:00Z",
    "2025-03-04T10:00:60Z",
    "2025-03-04 10:00:00 Europe/Berlin",
    "-infinity",
    "epoch",
    "1741083072",
)
NAMES = (
    "a b.{s}",
    "'; drop table raw.loads; --.{s}",
    "$(touch hostile_was_here).{s}",
    "[a-z]*?.{s}",
    "ümläut\u202e.{s}",
    "%2e%2e.{s}",
    "-rf.{s}",
    "new\nline.{s}",
    "deep/er/" * 20 + "f.{s}",
    "x" * 200 + ".{s}",
)


@dataclass(frozen=True)
class HostileFile:
    """A spoilt file. `good_ids` are events in rows that nobody touched: they load where the file is read."""

    kind: str
    number: int
    name: str
    content: bytes
    good_ids: frozenset[str] = frozenset()


def hostile_file(kind: str, number: int) -> HostileFile:
    """One case, made from its kind and number alone."""
    chance = random.Random(f"{kind} {number}")
    if kind in KINDS_OF_LANDING:
        content, suffix, good_ids = _OF_LANDING[kind](chance, number)
        name = f"case-{number}.{suffix}"
        if chance.random() < 0.1:
            name = f"{number} {chance.choice(NAMES).format(s=suffix)}"
            # Patterns do not reach into folders.
            good_ids = set() if "/" in name else good_ids
        return HostileFile(kind, number, name, content, frozenset(good_ids))
    text = (WORKSPACES_FOLDER / "demo" / kind).read_text(encoding="utf-8")
    spoilt = _spoilt_settings(chance, text) if kind == "review.toml" else _spoilt_table(chance, text)
    content = spoilt.encode("utf-8", "surrogatepass")
    return HostileFile(
        kind, number, kind, _spoilt_bytes(chance, content) if chance.random() < 0.2 else content
    )


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
        packed = _spoilt_bytes(chance, packed)
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
    return _spoilt_bytes(chance, line).replace(b"\n", b" ")


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
        data, good = _spoilt_bytes(chance, data.replace(b"customer-1", b'"customer-1', 1)), set()
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
                lambda: _spoilt_bytes(chance, data),
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
        return _spoilt_bytes(chance, data), "xlsx", set()
    if draw < 0.6:
        return data[: chance.randrange(len(data))], "xlsx", set()
    return _other_parts(chance, data), "xlsx", set()


def _other_parts(chance: random.Random, data: bytes) -> bytes:
    """A workbook, one part of it replaced by what no spreadsheet writes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    draw = chance.randrange(6)
    if draw == 0:
        entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x" * 10}">' for n in range(9))
        parts[sheet] = parts[sheet].replace("?>", f"?><!DOCTYPE a [{entities}]>", 1).replace("amount", "&e8;")
    elif draw == 1:
        parts[sheet] = parts[sheet].replace('r="A2"', 'r="XFD1048576"').replace('r="B3"', 'r="ZZZZZZ9"')
    elif draw == 2:
        del parts[chance.choice(sorted(parts))]
    elif draw == 3:
        name = chance.choice(sorted(parts))
        parts[name] = _spoilt_bytes(chance, parts[name].encode()).decode("latin-1")
    elif draw == 4:
        # Some ten megabytes unpacked, in a few kilobytes.
        parts[sheet] = parts[sheet].replace("</sheetData>", "<row/>" * 2_000_000 + "</sheetData>")
    else:
        parts["../../escaped.txt"] = "out of the archive"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return out.getvalue()


def _spoilt_bytes(chance: random.Random, data: bytes) -> bytes:
    """Some bytes changed, cut out, doubled or put in."""
    spoilt = bytearray(data)
    for _ in range(chance.randrange(1, 12)):
        if not spoilt:
            break
        place = chance.randrange(len(spoilt))
        how = chance.randrange(4)
        if how == 0:
            spoilt[place] = chance.randrange(256)
        elif how == 1:
            del spoilt[place : place + chance.randrange(1, 30)]
        elif how == 2:
            spoilt[place:place] = spoilt[place : place + 30]
        else:
            spoilt[place:place] = bytes(chance.randrange(256) for _ in range(8))
    return bytes(spoilt)


def _spoilt_settings(chance: random.Random, text: str) -> str:
    """review.toml with some values of other kinds, keys doubled, gone or unknown, tables moved."""
    lines = text.splitlines()
    values = (
        '""',
        "0",
        "-1",
        "1e400",
        "nan",
        "true",
        "[]",
        "{}",
        '["x", 1]',
        "2025-01-01",
        "99999999999999999999",
        '"../../etc"',
        '"\'; drop table raw.events; --"',
        '"' + "x" * 20_000 + '"',
        '"\\u0000"',
        "'''",
        "[[[[[[",
        '"Europe/Nowhere"',
        '"**/*"',
        '"(((((((((a+)+)+)+)+)+)+)+)+"',
    )
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(lines))
        key, sign, _ = lines[place].partition("=")
        how = chance.randrange(5)
        if how <= 1 and sign:
            lines[place] = f"{key}= {chance.choice(values)}"
        elif how == 2:
            lines.insert(place, lines[chance.randrange(len(lines))])
        elif how == 3:
            del lines[place]
        else:
            lines.insert(place, f"{chance.choice(['unknown', 'a.b.c', 'title'])} = {chance.choice(values)}")
    return "\n".join(lines) + "\n"


def _spoilt_table(chance: random.Random, text: str) -> str:
    """events.csv or playbook.csv with some cells replaced, rows doubled, gone or ragged."""
    rows = [line.split(",") for line in text.splitlines()]
    for _ in range(chance.randrange(1, 5)):
        row = rows[chance.randrange(len(rows))]
        how = chance.randrange(5)
        if how <= 1 and row:
            row[chance.randrange(len(row))] = chance.choice(
                [*TEXTS, "true", "-1", "1e400", "churn_band:low", '"']
            )
        elif how == 2:
            rows.insert(chance.randrange(len(rows)), list(rows[chance.randrange(len(rows))]))
        elif how == 3:
            row.append(chance.choice(TEXTS))
        elif row:
            row.pop()
    return "\n".join(",".join(row) for row in rows) + "\n"


_OF_LANDING: dict[str, Callable[[random.Random, int], tuple[bytes, str, set[str]]]] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "parquet": _parquet,
    "xlsx": _xlsx,
}


def write_case(case: HostileFile, folder: Path) -> Path:
    """The file of a case, in a folder of landing or of a workspace."""
    path = folder / case.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(case.content)
    return path
