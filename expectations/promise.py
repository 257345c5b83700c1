"""A promise as plain data: what has to hold, how bad it is when it does not, and what a person reads then.

The functions below build the few kinds of promise that the borders need. Nothing here imports Great
Expectations (8 seconds); `expectations.gate` does, once, when a border is checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

Severity = Literal["stop", "warn"]

# Needs no care in any of the three languages that SQL text passes through, see `sql_text`.
_PLAIN_TEXT = re.compile(r"[A-Za-z0-9_ .-]*")


@dataclass(frozen=True)
class Promise:
    """One expectation on one table.

    expectation: its type in Great Expectations' own words; arguments: its keyword arguments.
    severity: `stop` fails the review, `warn` is reported and the review goes on.
    notes: a sentence or two for the person who has to act: what it means when this breaks.
    name: what `ops.quality_checks.expectation` calls it; unique per table and column.
    column: the column it is about; None where it is about whole rows or the whole table.
    """

    expectation: str
    arguments: Mapping[str, Any]
    severity: Severity
    notes: str
    name: str
    column: str | None = None


@dataclass(frozen=True)
class TablePromises:
    """What one table promises, over all its rows or over a slice of them.

    table: `schema.table`. where: SQL condition of the slice, so that cost follows new data.
    keys: the columns that tell a person which row is meant; shown with every example.
    """

    table: str
    keys: tuple[str, ...]
    promises: tuple[Promise, ...]
    where: str | None = None


def never_null(
    column: str,
    notes: str,
    *,
    severity: Severity = "stop",
    at_least_share: float = 1.0,
    name: str = "expect_column_values_to_not_be_null",
) -> Promise:
    """The column has a value in every row, or in at least the given share (0-1) of the rows."""
    return Promise(
        "expect_column_values_to_not_be_null",
        {"column": column, "mostly": at_least_share},
        severity,
        notes,
        name,
        column,
    )


def between(
    column: str,
    lowest: float | None,
    highest: float | None,
    notes: str,
    *,
    severity: Severity = "stop",
    at_least_share: float = 1.0,
    name: str = "expect_column_values_to_be_between",
) -> Promise:
    """Values that are there lie within the bounds, both included; None leaves a side open."""
    return Promise(
        "expect_column_values_to_be_between",
        {"column": column, "min_value": lowest, "max_value": highest, "mostly": at_least_share},
        severity,
        notes,
        name,
        column,
    )


def one_of(column: str, values: Iterable[str], notes: str, *, severity: Severity = "stop") -> Promise:
    """Values that are there are among the given ones."""
    expectation = "expect_column_values_to_be_in_set"
    return Promise(
        expectation, {"column": column, "value_set": list(values)}, severity, notes, expectation, column
    )


def has_rows(notes: str, *, severity: Severity = "stop") -> Promise:
    """The table, or its slice, is not empty."""
    expectation = "expect_table_row_count_to_be_between"
    return Promise(expectation, {"min_value": 1}, severity, notes, expectation)


def no_row_where(
    name: str,
    condition: str,
    notes: str,
    *,
    shown: Sequence[str],
    column: str | None = None,
    severity: Severity = "stop",
) -> Promise:
    """No row meets the SQL condition; `shown` are the columns that an example row lists."""
    query = f"select {', '.join(shown)} from {{batch}} where {condition}"
    return no_result_of(name, query, notes, column=column, severity=severity)


def no_result_of(
    name: str, query: str, notes: str, *, column: str | None = None, severity: Severity = "stop"
) -> Promise:
    """The SQL query finds nothing. It reads the table as `{batch}` and is free to join others.

    Braces are placeholders and a colon before a word is a parameter: write neither otherwise.
    """
    return Promise(
        "unexpected_rows_expectation", {"unexpected_rows_query": query}, severity, notes, name, column
    )


def sql_text(value: str) -> str:
    """A text as a SQL literal that arrives unchanged, whatever a user wrote into a settings file.

    The query is read by `str.format` (braces), by SQLAlchemy (colons) and by DuckDB (quotes), so
    anything but plain characters travels as hexadecimal UTF-8.
    """
    if _PLAIN_TEXT.fullmatch(value):
        return f"'{value}'"
    return f"decode(from_hex('{value.encode().hex()}'))"


def sql_date(day: date) -> str:
    """A date as a SQL literal."""
    return f"date '{day:%Y-%m-%d}'"


def sql_timestamp(moment: datetime) -> str:
    """A naive UTC timestamp as a SQL expression without the colons that SQLAlchemy would read.

    Raises ValueError for a timestamp with a zone: tables hold plain UTC.
    """
    if moment.tzinfo is not None:
        raise ValueError(f"{moment} carries a time zone; tables hold UTC timestamps without one")
    seconds = moment.second + moment.microsecond / 1_000_000
    parts = (moment.year, moment.month, moment.day, moment.hour, moment.minute, f"{seconds:.6f}")
    return f"make_timestamp({', '.join(str(part) for part in parts)})"


def sql_values(values: Iterable[int | str]) -> str:
    """Whole numbers and texts as a comma-separated list of SQL literals, sorted; `null` when there are none.

    `column in (null)` is true for no row, which is what an empty list means.
    """
    literals = {sql_text(value) if isinstance(value, str) else str(int(value)) for value in values}
    return ", ".join(sorted(literals)) or "null"
