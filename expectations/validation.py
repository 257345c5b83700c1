"""Great Expectations inside an open DuckDB, by SQL.

Importing this costs 8 seconds: only the gate does, when it runs. No data context is made (a validator on an
execution engine is all that is needed), so nothing is read from or written to a project or home folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from great_expectations.core.batch import Batch
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.validator.validator import Validator
from sqlalchemy import Connection, Engine

from expectations.promise import Promise, TablePromises

EXAMPLE_ROWS = 3


class OpenConnectionExecutionEngine(SqlAlchemyExecutionEngine):
    """Keeps one connection open from the first query to `close`, where the original opens one per query.

    The original hands out a result after its connection has closed. DuckDB 2.0 streams results, so such a
    result is empty (`IndexError: list index out of range`). Great Expectations itself keeps the connection
    open for SQLite and SQL Server; this does the same for DuckDB. Nothing is buffered: of a million rows that
    break a promise only those that are asked for are read.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine=engine, create_temp_table=False)

    @contextmanager
    def get_connection(self) -> Iterator[Connection]:
        """The open connection, in a transaction of its own: a failed query must not spoil the next one."""
        if self._connection is None:
            self._connection = self.engine.connect()
        elif self._connection.in_transaction():
            self._connection.rollback()
        yield self._connection

    def close(self) -> None:
        """Close the connection; the engine stays with the one who made it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass(frozen=True)
class Outcome:
    """What Great Expectations found for one promise.

    error: why it could not be checked, in one line. unexpected_count and row_count: rows, None where not
    asked for or not countable. examples: up to three rows that break the promise, as column -> value.
    """

    passed: bool
    error: str | None = None
    unexpected_count: int | None = None
    row_count: int | None = None
    examples: tuple[Mapping[str, Any], ...] = ()


def validate_table(execution_engine: OpenConnectionExecutionEngine, table: TablePromises) -> list[Outcome]:
    """Check the promises of one table; one outcome per promise, in their order.

    All promises run together first, only for yes or no, which bundles the column checks into one query. What
    did not hold, or tolerates exceptions, runs again for counts and example rows: together too, and alone
    where it raised, because a query that fails in a bundle fails for all in it.
    """
    validator = _validator(execution_engine, table)
    outcomes = dict(enumerate(_run(validator, table.promises, {"result_format": "BOOLEAN_ONLY"})))
    for is_query in (False, True):
        details = _details(is_query, table.keys)
        unclear = [
            position
            for position, promise in enumerate(table.promises)
            if _is_query(promise) is is_query
            and (not outcomes[position].passed or promise.arguments.get("mostly", 1.0) < 1.0)
        ]
        together = _run(validator, [table.promises[position] for position in unclear], details)
        for position, outcome in zip(unclear, together, strict=True):
            alone = [table.promises[position]]
            outcomes[position] = _run(validator, alone, details)[0] if outcome.error else outcome
    return [outcomes[position] for position in range(len(table.promises))]


def _is_query(promise: Promise) -> bool:
    return promise.expectation == "unexpected_rows_expectation"


def _validator(execution_engine: OpenConnectionExecutionEngine, table: TablePromises) -> Validator:
    condition = f" where {table.where}" if table.where else ""
    data = SqlAlchemyBatchData(
        execution_engine, query=f"select * from {table.table}{condition}", create_temp_table=False
    )
    validator = Validator(execution_engine, batches=[Batch(data=data)])
    validator.metrics_calculator.show_progress_bars = False
    return validator


def _details(is_query: bool, keys: tuple[str, ...]) -> dict[str, Any]:
    if is_query:
        return {"result_format": "COMPLETE"}  # the only format with its rows, of which it reads 200 at most
    return {
        "result_format": "SUMMARY",
        "partial_unexpected_count": EXAMPLE_ROWS,
        "unexpected_index_column_names": list(keys),
    }


def _run(validator: Validator, promises: Sequence[Promise], result_format: dict[str, Any]) -> list[Outcome]:
    results = validator.graph_validate(
        [
            ExpectationConfiguration(
                type=promise.expectation, kwargs=dict(promise.arguments), meta={"position": position}
            )
            for position, promise in enumerate(promises)
        ],
        runtime_configuration={"result_format": result_format},
    )
    # Results that raised come first, so the order has to be restored.
    outcomes = {result.expectation_config.meta["position"]: _outcome(result) for result in results}
    silent = Outcome(passed=False, error="Great Expectations gave no result")
    return [outcomes.get(position, silent) for position in range(len(promises))]


def _outcome(result: ExpectationValidationResult) -> Outcome:
    error = _error(result.exception_info or {})
    if error is not None:
        return Outcome(passed=False, error=error)
    found = result.result
    if result.expectation_config.type == "unexpected_rows_expectation":
        rows = found.get("details", {}).get("unexpected_rows", [])
        return Outcome(result.success, None, found.get("observed_value"), None, tuple(rows[:EXAMPLE_ROWS]))
    return Outcome(
        passed=bool(result.success),
        unexpected_count=found.get("unexpected_count"),
        row_count=found.get("element_count", found.get("observed_value")),
        examples=tuple(found.get("partial_unexpected_index_list", ())),
    )


def _error(exception_info: Mapping[str, Any]) -> str | None:
    """The first line of what was raised, without the wrapping of the layers; None when nothing was.

    Great Expectations gives one exception, or one per metric keyed by the metric's id.
    """
    if exception_info.get("raised_exception") is False:
        return None
    messages = [
        str(info.get("exception_message"))
        for info in (exception_info, *exception_info.values())
        if isinstance(info, Mapping) and info.get("exception_message")
    ]
    if not messages:
        return "Great Expectations raised an exception without a message" if exception_info else None
    missing = re.search(r'The column "(.+?)" in BatchData does not exist', messages[0])
    if missing:
        return f"the table has no column {missing[1]}"
    first_line = messages[0].strip().splitlines()[0]
    return re.sub(r"^\([\w.]+\) ", "", first_line)
