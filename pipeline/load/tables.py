"""Tables as they are exported: the records of CSV text and of the first sheet of a workbook, as text.

A cell that is empty, in a spreadsheet also one that holds an error such as #N/A, is an empty text or None.
"""

from __future__ import annotations

import csv
import re
import zipfile
from collections import deque
from collections.abc import Iterator
from datetime import date, datetime
from itertools import islice
from typing import IO, Any, BinaryIO, NamedTuple
from xml.parsers import expat

import python_calamine

DELIMITERS = (",", ";", "\t", "|")
# The line for Excel, which some programs write before the header; in quotes after some round trips.
SEPARATOR_TOLD = re.compile(r'"?sep=([^\w\s"]|\t)"?[,;\t]*\s*', re.IGNORECASE)
LINES_OF_A_HEADER = 100
# Beyond these a workbook would not fit into memory beside the engine: its reader holds a sheet whole, and
# as a full rectangle, so that one stray cell in the last corner would take half a terabyte.
LARGEST_WORKBOOK_BYTES = 1_000_000_000
LARGEST_SHEET_CELLS = 25_000_000
# Sheets as all common programs write them are measured by their bytes, others are parsed: this way a good
# workbook costs a third of the time. Each tag of a cell is one of ANY_CELL, whatever else that finds.
PLAIN_CELL = re.compile(rb'<c r="([A-Z]{1,3})([0-9]{1,7})"(?: [a-qs-z]{1,2}="[^"<>]*")*/?>')
ANY_CELL = re.compile(rb"[<:]c[\s/>]")
SHEET_MARK = b"sheetData"
REFERENCE = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")
ROW_NUMBER = re.compile(r"()([0-9]{1,7})")
PART_BYTES = 1_000_000
LONGEST_TAG = 1_000
ZIP_SIGNATURE = b"PK"
OF_OTHER_WORKBOOKS = frozenset({"xl/workbook.bin", "content.xml"})
# Integral floats below this are the integers that a spreadsheet made floats of.
LARGEST_EXACT_FLOAT = 1e15


class UnreadableFileError(Exception):
    """A file is not what its format says; the message completes `cannot be read as csv: …`."""


class Record(NamedTuple):
    """One record of a table. Where `problem` is said, `line` holds its text and the cells are None."""

    number: int
    cells: tuple[str | None, ...]
    problem: str | None = None
    line: str | None = None


def sniffed_header(lines: Iterator[str], wanted_columns: frozenset[str]) -> tuple[str, list[str] | None]:
    """The delimiter under which the first record names most of the wanted columns, and that record.

    Takes the header, and what stands before it, from `lines`: blank lines, and the line `sep=;` by which
    Excel is told the delimiter. None where there is no header. Raises UnreadableFileError where the header is
    no CSV.
    """
    delimiters = DELIMITERS
    first = next((line for line in lines if line.strip()), None)
    if first is not None and (told := SEPARATOR_TOLD.fullmatch(first)):
        delimiters = (told[1],)
        first = next((line for line in lines if line.strip()), None)
    if first is None:
        return delimiters[0], None
    # A name in quotes may hold line breaks.
    for more in islice(lines, LINES_OF_A_HEADER) if first.count('"') % 2 else ():
        first += more
        if first.count('"') % 2 == 0:
            break
    try:
        headers = {delimiter: next(csv.reader([first], delimiter=delimiter)) for delimiter in delimiters}
    except csv.Error as error:
        # A quote that nothing closes, and line breaks after it.
        raise UnreadableFileError(f"its header is not readable as CSV ({error})") from None
    best = max(
        delimiters,
        key=lambda delimiter: (len(wanted_columns & set(headers[delimiter])), len(headers[delimiter])),
    )
    return best, headers[best]


def csv_records(lines: Iterator[str], delimiter: str, width: int) -> Iterator[Record]:
    """The records after the header, numbered from 2.

    A record that breaks the rules of CSV (an open quote, another number of fields than the header has) costs
    its first physical line only: reading goes on with the next one.
    """
    source = _Rereadable(lines)
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    number = 1
    while True:
        source.taken.clear()
        number += 1
        problem = None
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells, problem = [], f"not readable as CSV: {error}"
        if problem is None and not any(cells):
            continue
        if problem is None and len(cells) != width:
            problem = f"{len(cells)} fields where the header has {width}"
        if problem is None:
            yield Record(number, tuple(cells))
            continue
        first, *others = source.taken
        source.give_back(others)
        reader = csv.reader(source, delimiter=delimiter, strict=True)
        yield Record(number, (None,) * width, problem, first.rstrip("\r\n"))


class _Rereadable:
    """Lines that remember what was taken of them, so that it can be given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._waiting: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> _Rereadable:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else next(self._lines)
        self.taken.append(line)
        return line

    def give_back(self, lines: list[str]) -> None:
        self._waiting.extendleft(reversed(lines))


def sheet_records(stream: BinaryIO) -> tuple[int, Iterator[Record]]:
    """The height of the first worksheet and its records from the header on, numbered by their row.

    Raises UnreadableFileError where it is no workbook or too large a one.
    """
    check_workbook(stream)
    stream.seek(0)
    workbook = python_calamine.CalamineWorkbook.from_filelike(stream)
    worksheets = [
        place
        for place, sheet in enumerate(workbook.sheets_metadata)
        if sheet.typ == python_calamine.SheetTypeEnum.WorkSheet
    ]
    if not worksheets:
        raise UnreadableFileError("the workbook has no worksheet")
    sheet = workbook.get_sheet_by_index(worksheets[0])
    rows = (
        Record(number, tuple(_cell_text(cell) for cell in cells))
        for number, cells in enumerate(sheet.iter_rows(), start=1)
    )
    return max(sheet.total_height, 1), (row for row in rows if any(row.cells))


def check_workbook(stream: BinaryIO) -> None:
    """Raises UnreadableFileError where the reader would not survive it or would try another kind of file."""
    try:
        archive = zipfile.ZipFile(stream)
        members = archive.infolist()
        _check_kind(stream, members)
        if sum(member.file_size for member in members) > LARGEST_WORKBOOK_BYTES:
            raise UnreadableFileError(
                f"it unpacks to more than {LARGEST_WORKBOOK_BYTES / 1e9:g} GB; export it as CSV"
            )
        # By what they hold: relationships may name any member as a sheet.
        for member in members:
            _check_member(archive, member)
    except zipfile.BadZipFile:
        raise UnreadableFileError(
            "it is no workbook of the .xlsx kind; an .xls file or one with a password has to be saved anew"
        ) from None
    except (RuntimeError, NotImplementedError) as error:
        raise UnreadableFileError(f"its archive is encrypted or of an unknown kind ({error})") from None


def _check_kind(stream: BinaryIO, members: list[zipfile.ZipInfo]) -> None:
    """The reader would try other kinds of workbook as well, whose size is not looked at."""
    stream.seek(0)
    names = {member.filename.replace("\\", "/").lower() for member in members}
    if stream.read(len(ZIP_SIGNATURE)) != ZIP_SIGNATURE or names & OF_OTHER_WORKBOOKS:
        raise zipfile.BadZipFile


def _check_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Raises UnreadableFileError where it holds a sheet that does not fit into memory."""
    columns: set[bytes] = set()
    last_row = cells = 0
    is_sheet, is_plain, last = False, True, b""
    with archive.open(member) as stream:
        for part in _parts_between_tags(stream):
            is_sheet = is_sheet or SHEET_MARK in last + part
            last = part[-len(SHEET_MARK) :]
            plain = PLAIN_CELL.findall(part)
            is_plain = is_plain and len(plain) == len(ANY_CELL.findall(part))
            if plain and is_plain:
                cells += len(plain)
                columns.update(column for column, _ in plain)
                last_row = max(last_row, *map(int, {row for _, row in plain}))
    if is_sheet and is_plain:
        _check_area(last_row, max(map(_column_number, columns), default=0), cells)
    elif is_sheet:
        with archive.open(member) as stream:
            _SheetMeasure().check(stream)


def _parts_between_tags(stream: IO[bytes]) -> Iterator[bytes]:
    """The bytes in parts that do not end within a tag, unless it is longer than any writer's."""
    rest = b""
    while chunk := stream.read(PART_BYTES):
        chunk = rest + chunk
        cut = chunk.rfind(b"<", max(len(chunk) - LONGEST_TAG, 0))
        cut = len(chunk) if cut < 0 else cut
        rest = chunk[cut:]
        yield chunk[:cut]
    yield rest


class _SheetMeasure:
    """Where the reader of workbooks puts the cells of a sheet: a cell without a reference stands beside the
    one before it, a row without a number below the one before it.
    """

    def __init__(self) -> None:
        self._row, self._column, self._cells = 1, 0, 0
        self._last_row = self._width = 0

    def check(self, stream: IO[bytes]) -> None:
        """Raises UnreadableFileError where the sheet is too large to be held, or is no XML."""
        parser = expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        try:
            while chunk := stream.read(PART_BYTES):
                parser.Parse(chunk)
                _check_area(self._last_row, self._width, self._cells)
            parser.Parse(b"", True)
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise UnreadableFileError(f"a sheet of it is no XML ({error})") from None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name == "c":
            if (reference := attributes.get("r")) is None:
                self._column += 1
                row = self._row
            else:
                letters, row = _place(REFERENCE, reference)
                self._column = _column_number(letters.encode())
            self._cells += 1
            self._width = max(self._width, self._column)
            self._last_row = max(self._last_row, row)
        elif name == "row" and (number := attributes.get("r")) is not None:
            _, self._row = _place(ROW_NUMBER, number)

    def _end(self, name: str) -> None:
        if name.rpartition(":")[2] == "row":
            self._row, self._column = self._row + 1, 0

    def _refuse_doctype(self, *_: object) -> None:
        # It could give cells a reference that the reader of workbooks does not see.
        raise UnreadableFileError("a sheet of it declares a document type, which no spreadsheet does")


def _place(pattern: re.Pattern[str], reference: str) -> tuple[str, int]:
    found = pattern.fullmatch(reference)
    if found is None:
        raise UnreadableFileError(
            f"a sheet of it has a cell or a row at {reference[:20]!r}, which is no place"
        )
    return found[1], int(found[2])


def _check_area(last_row: int, width: int, cells: int) -> None:
    """Raises UnreadableFileError where the rectangle around all cells is too large to be held in memory."""
    if width * last_row > LARGEST_SHEET_CELLS:
        raise UnreadableFileError(
            f"a sheet spans {last_row:,} rows and {width:,} columns, over {LARGEST_SHEET_CELLS:,} cells; "
            "delete stray cells far from the table, or export it as CSV"
        )
    if cells > LARGEST_SHEET_CELLS:
        raise UnreadableFileError(
            f"a sheet has more than {LARGEST_SHEET_CELLS:,} cells, many at the same place; export it as CSV"
        )


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number


def _cell_text(cell: Any) -> str | None:
    """Text of a cell: dates in ISO 8601 with a T, integral numbers without a decimal point."""
    if isinstance(cell, str):
        return cell or None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        is_integer = cell.is_integer() and abs(cell) < LARGEST_EXACT_FLOAT
        return str(int(cell)) if is_integer else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat()
    if isinstance(cell, date):
        return f"{cell.isoformat()}T00:00:00"
    return str(cell)
