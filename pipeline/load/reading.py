"""Files of landing as Arrow record batches: bytes in, rows out, in bounded memory.

Every batch has one row per row of the file and begins with the columns
    line_number  int64, of JSON lines the physical line; else the number of the record in the file, where a
                 header is record 1
    problem      why the row cannot be read at all, NULL where it can
    line         its text as it stands in the file: JSON lines always, CSV only where there is a problem
A table's own columns follow as column_0, column_1 …: names of a file never become names in SQL. Blank lines
are no rows, neither are rows of a table whose cells are all empty. Files are opened here and handed on as
streams, so that no engine takes a file name for a pattern or an address.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any, BinaryIO

import numpy
import pyarrow
import pyarrow.compute
import pyarrow.parquet
import python_calamine

from pipeline.errors import VitalsError
from pipeline.load.expressions import SNAKE_CASE
from pipeline.load.landing import LandingFile, check_unchanged
from pipeline.load.tables import UnreadableFileError, csv_records, sheet_records, sniffed_header

BLOCK_BYTES = 8_000_000
ROWS_PER_BLOCK = 20_000
# Columns are read in long blocks, but where the rows are so large that these would not fit into memory.
ROWS_PER_PARQUET_BLOCK = 60_000
BYTES_PER_PARQUET_BLOCK = 32_000_000
# What raw.events keeps of an amount: more would be rounded.
DECIMALS_OF_AMOUNTS = 4
# There are few names of events; more texts than this are not looked through for it.
MOST_NAMES = 1_000
# A longer line is no event; what is kept of it is its beginning.
LONGEST_LINE_BYTES = 16_000_000
# Days that no event has, far outside of the years that count.
CALENDAR = (date(1, 1, 1), date(9999, 12, 31))
UNREADABLE = (
    UnreadableFileError,
    OSError,
    EOFError,
    MemoryError,
    zlib.error,
    zipfile.BadZipFile,
    pyarrow.ArrowException,
    python_calamine.CalamineError,
)


@dataclass(frozen=True)
class Layout:
    """How the rows of a block are to be understood.

    `columns` are the names in the file, `kinds` what each holds: text, clean (texts without white space
    around them, none of them empty), names (clean texts in snake_case), time, instant (a time with a zone),
    nanosecond time, nanosecond instant, date, float, double, integer, decimal (of at most four places),
    nested, other. Both are empty for JSON lines.
    """

    columns: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


JSON_LINES = Layout()


@dataclass(frozen=True)
class Block:
    """Some rows of a file, and the share of the file (0-1) that has been read with them."""

    layout: Layout
    rows: pyarrow.RecordBatch
    share_read: float


class Reading:
    """One file, read once. After the last block `sha256` is known, and what is to be `said` of it.

    `repeating_columns` of Parquet hold few different texts, which are handed on as a dictionary.
    """

    def __init__(
        self,
        file: LandingFile,
        wanted_columns: frozenset[str],
        repeating_columns: frozenset[str] = frozenset(),
    ) -> None:
        self.file = file
        self.wanted_columns = wanted_columns
        self.repeating_columns = repeating_columns
        self.sha256 = ""
        self.said: list[str] = []

    def blocks(self, only_columns: frozenset[str] | None = None) -> Iterator[Block]:
        """The rows in the order of the file; a table has at least one block, so that its columns are seen.

        Of Parquet `only_columns` are read, where they are given. Raises VitalsError naming the file where it
        cannot be read to its end.
        """
        read = {
            "jsonl": self._json_lines,
            "csv": self._csv,
            "parquet": partial(self._parquet, only_columns=only_columns),
            "xlsx": self._xlsx,
        }[self.file.format]
        try:
            with self.file.path.open("rb") as raw:
                stream = _HashingStream(raw, self.file.bytes)
                yield from read(stream)
                self.sha256 = stream.hexdigest()
            check_unchanged(self.file)
        except UNREADABLE as error:
            raise self._unreadable(error) from None
        except BaseException as error:
            # A panic in the Rust code of the workbook reader is no subclass of Exception.
            if type(error).__name__ != "PanicException":
                raise
            raise self._unreadable(error) from None

    def _json_lines(self, stream: _HashingStream) -> Iterator[Block]:
        number = 1
        for block, is_cut in _line_blocks(_uncompressed(self.file, stream)):
            rows, lines = _cut_line(block, number) if is_cut else _rows_of_lines(block, number)
            number += lines
            yield Block(JSON_LINES, rows, self._share(stream))
        stream.drain()

    def _csv(self, stream: _HashingStream) -> Iterator[Block]:
        encoding = self._encoding(stream)
        stream.rewind()
        lines = _text_lines(_uncompressed(self.file, stream), encoding)
        delimiter, header = sniffed_header(lines, self.wanted_columns)
        if header is None:
            self.said.append("empty")
        else:
            layout = Layout(self._column_names(header), ("text",) * len(header))
            for rows in _batches(csv_records(lines, delimiter, len(header)), len(header)):
                yield Block(layout, rows, self._share(stream))
        stream.drain()

    def _encoding(self, stream: _HashingStream) -> str:
        """UTF-8 if the whole file is, else Windows-1252, else Latin-1: CSV files come in all three."""
        candidates = ["utf-8", "cp1252"]
        for block, _ in _line_blocks(_uncompressed(self.file, stream)):
            candidates = [encoding for encoding in candidates if _decodes(block, encoding)]
        encoding = candidates[0] if candidates else "latin-1"
        if encoding != "utf-8":
            name = "Windows-1252" if encoding == "cp1252" else "Latin-1"
            self.said.append(f"not UTF-8, read as {name}")
        return encoding

    def _parquet(self, stream: _HashingStream, only_columns: frozenset[str] | None) -> Iterator[Block]:
        if only_columns is None:
            stream.drain()
        parquet = pyarrow.parquet.ParquetFile(stream.raw)
        # Of a column that is not there, or is nested, no dictionary can be asked for.
        repeating = [
            field.name
            for field in parquet.schema_arrow
            if field.name in self.repeating_columns and not pyarrow.types.is_nested(field.type)
        ]
        if repeating:
            parquet = pyarrow.parquet.ParquetFile(stream.raw, read_dictionary=repeating)
        fields = list(parquet.schema_arrow)
        columns = self._column_names([field.name for field in fields])
        for column, field in zip(columns, fields, strict=True):
            if (type_ := _unknown_to_the_engine(field.type)) is not None:
                raise UnreadableFileError(
                    f"its column {column!r} is of type {type_}, which is not read; write it as a float "
                    "of 32 or 64 bits, or a decimal of at most 38 digits"
                )
        if only_columns is not None:
            fields = [field for field in fields if field.name in only_columns]
            columns = tuple(column for column in columns if column in only_columns)
        layout = Layout(columns, tuple(_kind(field.type) for field in fields))
        number, rows_total = 1, max(parquet.metadata.num_rows, 1)
        none_yet = [pyarrow.array([], field.type) for field in fields]
        yield Block(layout, _record_batch(numpy.arange(0), {}, none_yet), 0.0)
        bytes_total = sum(
            parquet.metadata.row_group(i).total_byte_size for i in range(parquet.num_row_groups)
        )
        rows_per_block = BYTES_PER_PARQUET_BLOCK * rows_total // max(bytes_total, 1)
        rows_per_block = min(max(rows_per_block, ROWS_PER_BLOCK), ROWS_PER_PARQUET_BLOCK)
        names = None if only_columns is None else list(columns)
        for batch in parquet.iter_batches(rows_per_block, columns=names):
            # Texts in Parquet are said to be UTF-8; nobody after us looks whether they are.
            batch.validate(full=True)
            numbers = numpy.arange(number, number + batch.num_rows)
            number += batch.num_rows
            values = [_within_the_calendar(column) for column in batch.columns]
            yield Block(layout, _record_batch(numbers, {}, values), (number - 1) / rows_total)

    def _xlsx(self, stream: _HashingStream) -> Iterator[Block]:
        stream.drain()
        height, records = sheet_records(stream.raw)
        header = next(records, None)
        if header is None:
            self.said.append("empty")
            return
        names = [name or "" for name in header.cells]
        layout = Layout(self._column_names(names), ("text",) * len(names))
        for rows in _batches(records, len(names)):
            last = rows.column(0)[-1].as_py() if rows.num_rows else height
            yield Block(layout, rows, last / height)

    def _column_names(self, header: list[str]) -> tuple[str, ...]:
        """The names of a header; a column without one is called by its place: `column 3`."""
        names = tuple(name or f"column {place}" for place, name in enumerate(header, start=1))
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise UnreadableFileError(f"it has the column {repeated[0]!r} twice; rename one of them")
        return names

    def _share(self, stream: _HashingStream) -> float:
        return min(stream.raw.tell() / max(self.file.bytes, 1), 1.0)

    def _unreadable(self, error: BaseException) -> VitalsError:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        said = " ".join(said.split())[:300].rstrip(".")
        return VitalsError(
            f"{self.file.name} in landing cannot be read as {self.file.format}: {said}. Nothing of it was "
            "loaded: repair it or take it out of landing, and run the command again."
        )


class _HashingStream(io.RawIOBase):
    """The bytes of a file and their SHA-256, in one pass.

    Not more than `size` bytes: of a file that somebody keeps writing to, reading would never come to an end.
    """

    def __init__(self, raw: BinaryIO, size: int) -> None:
        self.raw = raw
        self._size = size
        self.rewind()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = memoryview(buffer)[: self._size - self._bytes_read]
        count = self.raw.readinto(wanted)
        self._hash.update(wanted[:count])
        self._bytes_read += count
        return count

    def rewind(self) -> None:
        self.raw.seek(0)
        self._hash = hashlib.sha256()
        self._bytes_read = 0

    def drain(self) -> None:
        """Read on to the end for the hash; the raw stream then stands at its beginning again."""
        while self.read(BLOCK_BYTES):
            pass
        self.raw.seek(0)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def _uncompressed(file: LandingFile, stream: _HashingStream) -> Any:
    """What is in the file, decompressed where its name or its first bytes say gzip."""
    is_gzip = file.name.endswith(".gz") or stream.raw.peek(2)[:2] == b"\x1f\x8b"
    return gzip.GzipFile(fileobj=stream, mode="rb") if is_gzip else stream


def _line_blocks(stream: Any) -> Iterator[tuple[bytes, bool]]:
    """Blocks of whole lines; or, marked True, the beginning of one line that is too long to hold.

    A byte order mark is no part of the first line. Raises UnreadableFileError where it is that of UTF-16.
    """
    rest = stream.read(len(codecs.BOM_UTF8)).removeprefix(codecs.BOM_UTF8)
    if rest.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableFileError("it is UTF-16, which is not read; save it as UTF-8")
    while chunk := stream.read(BLOCK_BYTES):
        end = chunk.rfind(b"\n") + 1
        if end:
            yield rest + chunk[:end], False
            rest = chunk[end:]
        else:
            rest += chunk
        if len(rest) > LONGEST_LINE_BYTES:
            yield rest[:LONGEST_LINE_BYTES], True
            rest = b""
            while chunk := stream.read(BLOCK_BYTES):
                if end := chunk.find(b"\n") + 1:
                    rest = chunk[end:]
                    break
    if rest:
        yield rest, False


def _rows_of_lines(block: bytes, first_number: int) -> tuple[pyarrow.RecordBatch, int]:
    """The lines of a block, cut without copying, and how many there are (blank ones too)."""
    ends = numpy.flatnonzero(numpy.frombuffer(block, numpy.uint8) == ord("\n")) + 1
    if not block.endswith(b"\n"):
        ends = numpy.append(ends, len(block))
    offsets = numpy.concatenate([[0], ends]).astype(numpy.int32)
    lengths = numpy.diff(offsets)
    lines = pyarrow.BinaryArray.from_buffers(
        pyarrow.binary(), len(lengths), [None, pyarrow.py_buffer(offsets), pyarrow.py_buffer(block)]
    )
    numbers = numpy.arange(first_number, first_number + len(lengths))
    is_blank = lengths <= 2
    if is_blank.any():
        # One letter and a line end are as short as a blank line in CRLF; no event is.
        first_bytes = numpy.frombuffer(block, numpy.uint8)[offsets[:-1]]
        is_blank &= (first_bytes == ord("\n")) | (first_bytes == ord("\r"))
        lines, numbers = lines.filter(pyarrow.array(~is_blank)), numbers[~is_blank]
    problems = None
    if not _decodes(block, "utf-8") or lengths.max() > LONGEST_LINE_BYTES:
        lines, problems = _judged_lines(lines)
    return _record_batch(numbers, {"line": lines.cast(pyarrow.string()), "problem": problems}, []), len(
        lengths
    )


def _judged_lines(lines: pyarrow.BinaryArray) -> tuple[pyarrow.Array, pyarrow.Array]:
    """Line by line: the text, with what is no UTF-8 written as \\xNN, and what is wrong with it."""
    texts, problems = [], []
    for line in lines.to_pylist():
        problem = None
        if not _decodes(line, "utf-8"):
            problem = "not valid UTF-8"
        if len(line) > LONGEST_LINE_BYTES:
            problem = _too_long()
        texts.append(line[:LONGEST_LINE_BYTES].decode("utf-8", errors="backslashreplace"))
        problems.append(problem)
    return pyarrow.array(texts, pyarrow.string()), pyarrow.array(problems, pyarrow.string())


def _cut_line(beginning: bytes, number: int) -> tuple[pyarrow.RecordBatch, int]:
    text = beginning.decode("utf-8", errors="backslashreplace")
    columns = {"line": pyarrow.array([text]), "problem": pyarrow.array([_too_long()])}
    return _record_batch(numpy.array([number]), columns, []), 1


def _too_long() -> str:
    return f"longer than {LONGEST_LINE_BYTES // 1_000_000} MB; only its beginning is kept"


def _text_lines(stream: Any, encoding: str) -> Iterator[str]:
    """The physical lines of a text file, with their ends. Of a line too long to hold only the beginning."""
    for block, _ in _line_blocks(stream):
        yield from io.StringIO(block.decode(encoding, errors="replace"), newline="")


def _decodes(block: bytes, encoding: str) -> bool:
    try:
        block.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _batches(records: Iterator[Any], width: int) -> Iterator[pyarrow.RecordBatch]:
    """Records (see pipeline.load.tables) as batches of at most ROWS_PER_BLOCK rows; at least one batch."""
    held, is_first = [], True
    for record in records:
        held.append(record)
        if len(held) == ROWS_PER_BLOCK:
            yield _rows_of_records(held, width)
            held, is_first = [], False
    if held or is_first:
        yield _rows_of_records(held, width)


def _rows_of_records(records: list[Any], width: int) -> pyarrow.RecordBatch:
    numbers = numpy.array([record.number for record in records], numpy.int64)
    problems = pyarrow.array([record.problem for record in records], pyarrow.string())
    lines = pyarrow.array([record.line for record in records], pyarrow.string())
    columns = zip(*(record.cells for record in records), strict=True) if records else [()] * width
    values = [pyarrow.array([cell or None for cell in column], pyarrow.string()) for column in columns]
    return _record_batch(numbers, {"problem": problems, "line": lines}, values)


def _record_batch(
    numbers: numpy.ndarray, said: dict[str, pyarrow.Array | None], values: list[pyarrow.Array]
) -> pyarrow.RecordBatch:
    columns: dict[str, pyarrow.Array] = {"line_number": pyarrow.array(numbers, pyarrow.int64())}
    for name in ("problem", "line"):
        nothing = pyarrow.nulls(len(numbers), pyarrow.string() if name in said else pyarrow.null())
        columns[name] = nothing if said.get(name) is None else said[name]
    columns |= {f"column_{place}": value for place, value in enumerate(values)}
    return pyarrow.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _within_the_calendar(values: pyarrow.Array) -> pyarrow.Array:
    """Times and dates that the engine has no number for, as the first or the last day that it is asked about.

    Both are refused as lying outside the years that count; as they are, they would stop the engine for good.
    """
    type_ = values.type.value_type if pyarrow.types.is_dictionary(values.type) else values.type
    is_moment = pyarrow.types.is_timestamp(type_) and type_.unit != "ns"
    if not (is_moment or pyarrow.types.is_date(type_)):
        return values
    if pyarrow.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    # As numbers: there is no smaller or larger one of times with a zone.
    number = pyarrow.int32() if pyarrow.types.is_date32(type_) else pyarrow.int64()
    first, last = (pyarrow.scalar(day, pyarrow.date32()).cast(type_).value for day in CALENDAR)
    kept = pyarrow.compute.min_element_wise(
        values.view(number), pyarrow.scalar(last, number), skip_nulls=False
    )
    kept = pyarrow.compute.max_element_wise(kept, pyarrow.scalar(first, number), skip_nulls=False)
    return kept.view(type_)


def looked_at(layout: Layout, rows: pyarrow.Table) -> Layout:
    """The layout with the kinds `clean` and `names` where the texts of these rows are."""
    kinds = []
    for place, kind in enumerate(layout.kinds):
        chunks = rows.column(f"column_{place}").chunks
        if kind != "text" or not all(map(_is_clean, chunks)):
            kinds.append(kind)
        else:
            kinds.append("names" if all(map(_are_names, chunks)) else "clean")
    return replace(layout, kinds=tuple(kinds))


def _are_names(texts: pyarrow.Array) -> bool:
    """Whether all texts of a short dictionary are in snake_case. Of other columns it is not asked."""
    if not pyarrow.types.is_dictionary(texts.type) or len(texts.dictionary) > MOST_NAMES:
        return False
    return all(text is None or re.fullmatch(SNAKE_CASE, text) for text in texts.dictionary.to_pylist())


def _is_clean(texts: pyarrow.Array) -> bool:
    """Whether no text is empty, or begins or ends with a character up to the space."""
    if pyarrow.types.is_dictionary(texts.type):
        return _is_clean(texts.dictionary)
    if len(texts) == texts.null_count:
        return True
    if not (pyarrow.types.is_string(texts.type) or pyarrow.types.is_large_string(texts.type)):
        return False
    if pyarrow.compute.min(pyarrow.compute.binary_length(texts)).as_py() == 0:
        return False
    _, offsets_buffer, text_buffer = texts.buffers()
    width = numpy.int32 if pyarrow.types.is_string(texts.type) else numpy.int64
    offsets = numpy.frombuffer(offsets_buffer, width)[texts.offset : texts.offset + len(texts) + 1]
    letters = numpy.frombuffer(text_buffer, numpy.uint8)
    starts, ends = offsets[:-1], offsets[1:]
    if texts.null_count:
        starts, ends = starts[ends > starts], ends[ends > starts]
    return bool(letters[starts].min() > ord(" ") and letters[ends - 1].min() > ord(" "))


def _unknown_to_the_engine(type_: pyarrow.DataType) -> pyarrow.DataType | None:
    """The type, or the one within it, that makes the engine refuse all of the columns."""
    if pyarrow.types.is_float16(type_) or pyarrow.types.is_decimal256(type_):
        return type_
    if pyarrow.types.is_dictionary(type_):
        return _unknown_to_the_engine(type_.value_type)
    within = (_unknown_to_the_engine(type_.field(place).type) for place in range(type_.num_fields))
    return next((each for each in within if each is not None), None)


def _kind(type_: pyarrow.DataType) -> str:
    types = pyarrow.types
    if types.is_dictionary(type_):
        return _kind(type_.value_type)
    if types.is_timestamp(type_):
        kind = "time" if type_.tz is None else "instant"
        return f"nanosecond {kind}" if type_.unit == "ns" else kind
    is_kind = {
        "text": types.is_string(type_) or types.is_large_string(type_) or types.is_string_view(type_),
        "date": types.is_date(type_),
        "double": types.is_float64(type_),
        "float": types.is_floating(type_),
        "integer": types.is_integer(type_),
        "decimal": types.is_decimal(type_) and 0 <= type_.scale <= DECIMALS_OF_AMOUNTS,
        "nested": types.is_nested(type_),
    }
    return next((kind for kind, holds in is_kind.items() if holds), "other")
