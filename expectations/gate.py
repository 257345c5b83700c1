"""The gate at a border: run the promises of its tables and say in sentences what was found.

`check_border` is the only way in. It needs a SQLAlchemy engine over the DuckDB that the process has open;
`engine_over` makes one from a connection without opening anything.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from expectations.promise import Promise, Severity, TablePromises

if TYPE_CHECKING:
    import duckdb
    from sqlalchemy import Engine

    from expectations.validation import Outcome

# Characters of a value, and of the reason why a promise could not be checked, in a message.
LONGEST_VALUE = 60
LONGEST_REASON = 200


@dataclass(frozen=True)
class CheckResult:
    """One row of `ops.quality_checks`: run × table × column × expectation.

    unexpected_count: rows that break the promise; 0 where it holds in every row, None where it could not be
    checked or is broken by there being no row. message: one line, for people; it may quote customers' text.
    """

    run_id: str
    review_week: date | None
    border: str
    table_name: str
    column_name: str | None
    expectation: str
    severity: Severity
    passed: bool
    unexpected_count: int | None
    message: str


def engine_over(connection: duckdb.DuckDBPyConnection) -> Engine:
    """A SQLAlchemy engine over an open DuckDB connection; it opens and locks nothing.

    Every connection of the engine is a cursor of the given one: the same database instance and configuration,
    a transaction of its own. So what the given connection has not committed is not seen. The given connection
    stays the caller's: closing the engine or its connections leaves it open.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    wrapper = _connection_wrapper()

    def connect() -> Any:
        cursor = connection.cursor()
        # Every cursor has this setting of its own; a slow query would draw a bar over the command's output.
        cursor.execute("set enable_progress_bar = false")
        return wrapper(cursor)

    # `creator` replaces the dialect's own connect, which adds a user agent to the configuration: DuckDB
    # refuses that for a file that this process already holds.
    return create_engine("duckdb://", creator=connect, poolclass=NullPool)


@cache
def _connection_wrapper() -> Callable[[duckdb.DuckDBPyConnection], Any]:
    """What the DuckDB dialect of SQLAlchemy wants to be handed as its own connection."""
    import duckdb_engine

    # When the interpreter ends with this module and jsonschema loaded, DuckDB's binding prints a page about
    # leaked objects to stderr. Letting go of the module's names first keeps the end of a command quiet.
    atexit.register(vars(duckdb_engine).clear)
    return duckdb_engine.ConnectionWrapper


def check_border(
    engine: Engine, tables: Sequence[TablePromises], *, border: str, run_id: str, review_week: date | None
) -> list[CheckResult]:
    """Check every promise of the tables and return one result per promise, in their order.

    Never raises for what the data is like: a table or column that is missing, or any other exception inside
    Great Expectations, is a failed check of severity stop. Raises ValueError for a table without promises,
    which would pass whatever it holds. The first call in a process imports Great Expectations (8 seconds).
    """
    for table in tables:
        if not table.promises:
            raise ValueError(f"{table.table} promises nothing, so checking it would always pass")
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # has to be said before the import
    from expectations.validation import OpenConnectionExecutionEngine, validate_table

    with closing(OpenConnectionExecutionEngine(engine)) as execution_engine:
        return [
            CheckResult(
                run_id=run_id,
                review_week=review_week,
                border=border,
                table_name=table.table,
                column_name=promise.column,
                expectation=promise.name,
                severity="stop" if outcome.error else promise.severity,
                passed=outcome.passed,
                unexpected_count=_unexpected_count(outcome),
                message=_message(table, promise, outcome),
            )
            for table in tables
            for promise, outcome in zip(table.promises, validate_table(execution_engine, table), strict=True)
        ]


def _unexpected_count(outcome: Outcome) -> int | None:
    if outcome.passed and outcome.unexpected_count is None:
        return 0
    return outcome.unexpected_count


def _message(table: TablePromises, promise: Promise, outcome: Outcome) -> str:
    """One line: table and column, what was promised, how many rows break it, examples, and the notes."""
    target = f"{table.table}.{promise.column}" if promise.column else table.table
    if outcome.error:
        reason = _shortened(_on_one_line(outcome.error), LONGEST_REASON).rstrip(".!")
        return f"{target} could not be checked: {reason}. {promise.notes}"
    kept, broken = _verdicts(promise)
    tolerated = 1 - promise.arguments.get("mostly", 1.0)
    differs = f" (up to {tolerated:.0%} may differ)" if tolerated else ""
    if outcome.passed:
        tolerance = f", but not in {_rows(outcome)}{differs}" if outcome.unexpected_count else ""
        return f"{target} {kept}{tolerance}."
    if promise.expectation == "expect_table_row_count_to_be_between":
        slice_of_table = f" where {_shortened(table.where)}" if table.where else ""
        return f"{target} {broken}{slice_of_table}. {promise.notes}"
    examples = "; ".join(_example(row) for row in outcome.examples)
    return f"{target} {broken} in {_rows(outcome)}{differs}: {examples}. {promise.notes}"


def _verdicts(promise: Promise) -> tuple[str, str]:
    """How the sentence about a table or column goes on where the promise is kept, and where it is broken."""
    arguments = promise.arguments
    match promise.expectation:
        case "expect_column_values_to_not_be_null":
            return "has a value", "has no value"
        case "expect_column_values_to_be_between":
            bounds = _bounds(arguments["min_value"], arguments["max_value"])
            return f"is {bounds}", f"is not {bounds}"
        case "expect_column_values_to_be_in_set":
            values = ", ".join(_on_one_line(value) for value in arguments["value_set"])
            return f"is one of {values}", f"is none of {values}"
        case "expect_table_row_count_to_be_between":
            return "has rows", "has no row"
        case _:
            sentence = promise.name.replace("_", " ")
            return f"keeps “{sentence}”", f"breaks “{sentence}”"


def _bounds(lowest: float | None, highest: float | None) -> str:
    if lowest == highest:
        return f"{lowest}"
    if highest is None:
        return f"at least {lowest}"
    return f"at most {highest}" if lowest is None else f"between {lowest} and {highest}"


def _rows(outcome: Outcome) -> str:
    total = f" of {outcome.row_count:,}" if outcome.row_count else ""
    noun = "row" if outcome.unexpected_count == 1 and not total else "rows"
    return f"{outcome.unexpected_count:,}{total} {noun}"


def _example(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{column} {_value(value)}" for column, value in row.items())


def _value(value: Any) -> str:
    """A value in about 60 characters of one line at most, whatever a customer has written into it."""
    if value is None:
        return "NULL"
    # repr escapes line ends, terminal codes and marks that turn the direction of writing.
    return _shortened(repr(value[:LONGEST_VALUE]) if isinstance(value, str) else str(value))


def _shortened(text: str, longest: int = LONGEST_VALUE) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _on_one_line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
