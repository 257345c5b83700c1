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
from typing import Any, BinaryIO, NamedTuple

import python_calamine

DELIMITERS = (",", ";", "\t", "|")
LINES_OF_A_HEADER = 100
# Beyond these a workbook would not fit into memory beside the engine: its reader holds a sheet whole, and
# as a full rectangle, so that one stray cell in the last corner would take half a terabyte.
LARGEST_WORKBOOK_BYTES = 1_000_000_000
LARGEST_SHEET_CELLS = 25_000_000
CELL_REFERENCE = re.compile(rb"""\sr=["']([A-Za-z]{1,3})([0-9]{1,7})["']""")
LONGEST_REFERENCE = 16
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

    Takes the header, and blank lines before it, from `lines`. None where there is no header. Raises
    UnreadableFileError where the header is no CSV.
    """
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        return DELIMITERS[0], None
    # A name in quotes may hold line breaks.
    for more in islice(lines, LINES_OF_A_HEADER) if first.count('"') % 2 else ():
        first += more
        if first.count('"') % 2 == 0:
            break
    try:
        headers = {delimiter: next(csv.reader([first], delimiter=delimiter)) for delimiter in DELIMITERS}
    except csv.Error as error:
        # A quote that nothing closes, and line breaks after it.
        raise UnreadableFileError(f"its header is not readable as CSV ({error})") from None
    best = max(
        DELIMITERS,
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
    _check_workbook(stream)
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


def _check_workbook(stream: BinaryIO) -> None:
    try:
        archive = zipfile.ZipFile(stream)
        members = archive.infolist()
        if sum(member.file_size for member in members) > LARGEST_WORKBOOK_BYTES:
            raise UnreadableFileError(
                f"it unpacks to more than {LARGEST_WORKBOOK_BYTES / 1e9:g} GB; export it as CSV"
            )
        for member in members:
            if member.filename.startswith("xl/worksheets/") and member.filename.endswith(".xml"):
                with archive.open(member) as sheet:
                    _check_area(sheet)
    except zipfile.BadZipFile:
        raise UnreadableFileError(
            "it is no workbook of the .xlsx kind; an .xls file or one with a password has to be saved anew"
        ) from None
    except (RuntimeError, NotImplementedError) as error:
        raise UnreadableFileError(f"its archive is encrypted or of an unknown kind ({error})") from None


def _check_area(sheet: Any) -> None:
    """Raises UnreadableFileError where the rectangle around all cells is too large to be held in memory."""
    letters: set[bytes] = set()
    last_row, tail = 0, b""
    while chunk := sheet.read(1_000_000):
        references = CELL_REFERENCE.findall(tail + chunk)
        tail = chunk[-LONGEST_REFERENCE:]
        if not references:
            continue
        letters.update(column for column, _ in references)
        last_row = max(last_row, *map(int, {row for _, row in references}))
    width = max((_column_number(column) for column in letters), default=0)
    if width * last_row > LARGEST_SHEET_CELLS:
        raise UnreadableFileError(
            f"a sheet spans {last_row:,} rows and {width:,} columns, over {LARGEST_SHEET_CELLS:,} cells; "
            "delete stray cells far from the table, or export it as CSV"
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
