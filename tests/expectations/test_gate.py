"""The gate runs on the database that the process has open, leaves nothing behind, and speaks in sentences."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest

from expectations.gate import CheckResult, check_border, engine_over
from expectations.promise import (
    Promise,
    TablePromises,
    between,
    has_rows,
    never_null,
    no_result_of,
    no_row_where,
    one_of,
    sql_text,
    sql_timestamp,
    sql_values,
)

# Importing Great Expectations takes seconds: one worker does it for the whole room.
pytestmark = pytest.mark.xdist_group("great_expectations")

PROJECT = Path(__file__).resolve().parents[2]
WEEK = date(2025, 3, 3)
NOTES = "See the notes."

Check = Callable[..., list[CheckResult]]


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("""
        create schema shop;
        create table shop.orders as
        select
            'order_' || number as order_id,
            case number when 3 then 'Tom' || chr(10) || chr(27) || '[31m' when 4 then repeat('x', 500)
                when 5 then null else 'Ann' end as buyer,
            number * 1.5 as amount
        from range(10) as numbers (number)
    """)
    return connection


@pytest.fixture
def check(connection: duckdb.DuckDBPyConnection) -> Check:
    def check_promises(
        *promises: Promise,
        table: str = "shop.orders",
        keys: Sequence[str] = ("order_id",),
        where: str | None = None,
    ) -> list[CheckResult]:
        tables = [TablePromises(table, tuple(keys), promises, where)]
        return check_border(engine_over(connection), tables, border="shop", run_id="run_1", review_week=WEEK)

    return check_promises


def test_importing_the_borders_imports_nothing_heavy() -> None:
    code = (
        "import sys, expectations.raw, expectations.features, expectations.scores, expectations.marts,"
        " expectations.gate;"
        " print({'great_expectations', 'sqlalchemy', 'duckdb_engine', 'duckdb', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_the_end_of_a_command_is_quiet() -> None:
    # What Great Expectations brings along makes DuckDB's binding complain about leaks when the process ends.
    code = (
        "import duckdb, jsonschema, sqlalchemy.orm; from expectations.gate import engine_over;"
        " engine = engine_over(duckdb.connect());"
        " print(engine.connect().exec_driver_sql('select 42').scalar())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("42\n", "")


def test_the_gate_runs_on_the_open_file_and_leaves_it_as_it_was(
    tmp_path: Path, good_tables: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the gate must not use the network")

    path = tmp_path / "build.duckdb"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    inventory = """
        select database_name, schema_name, table_name, temporary from duckdb_tables() union all
        select database_name, schema_name, view_name, temporary from duckdb_views() where not internal
        order by all
    """
    with duckdb.connect(str(path)) as ours:
        ours.execute(good_tables)
        ours.execute("set enable_progress_bar = false")
        before = ours.execute(inventory).fetchall()
        ours.execute("create temp table ours_alone as select 1 as number")
        table = TablePromises(
            "scores.churn",
            ("customer_id",),
            (between("churn_score", 0, 50, NOTES), never_null("churn_band", NOTES), has_rows(NOTES)),
        )
        # An unread result of ours stays readable while the gate works beside it.
        open_result = ours.execute("select count(*) from features.customer_weeks")
        results = check_border(engine_over(ours), [table], border="scores", run_id="run", review_week=WEEK)
        assert open_result.fetchall() == [(8,)]
        assert [result.passed for result in results] == [False, True, True]

        assert ours.execute("select number from ours_alone").fetchall() == [(1,)]
        ours.execute("drop table ours_alone")
        assert ours.execute(inventory).fetchall() == before
        # No transaction of the gate is left open: ours may alter and drop what it read.
        ours.execute("alter table scores.churn add column remark text")
        ours.execute("drop table scores.churn")
        ours.execute("checkpoint")
    # No lock is left: another configuration may open the file.
    with duckdb.connect(str(path), read_only=True, config={"custom_user_agent": "other"}) as other:
        assert other.execute("select count(*) from scores.health").fetchall() == [(6,)]
    assert [entry.name for entry in tmp_path.iterdir()] == ["build.duckdb"]
    assert capfd.readouterr() == ("", "")


def test_a_slow_query_draws_no_progress_bar(connection: duckdb.DuckDBPyConnection) -> None:
    # What it is at first depends on where standard output goes.
    connection.execute("set enable_progress_bar = true")
    with engine_over(connection).connect() as gate:
        assert gate.exec_driver_sql("select current_setting('enable_progress_bar')").scalar() is False
    assert connection.execute("select current_setting('enable_progress_bar')").fetchone() == (True,)


def test_what_is_not_committed_is_not_seen(connection: duckdb.DuckDBPyConnection, check: Check) -> None:
    connection.execute("begin")
    connection.execute("delete from shop.orders")
    assert check(has_rows(NOTES))[0].passed
    connection.execute("commit")
    assert not check(has_rows(NOTES))[0].passed


def test_results_have_the_columns_of_quality_checks(check: Check) -> None:
    assert [field.name for field in fields(CheckResult)] == [
        "run_id",
        "review_week",
        "border",
        "table_name",
        "column_name",
        "expectation",
        "severity",
        "passed",
        "unexpected_count",
        "message",
    ]
    kept, broken = check(
        never_null("order_id", NOTES),
        no_row_where("orders_are_small", "amount > 12", NOTES, shown=("order_id", "amount"), severity="warn"),
    )
    assert kept == CheckResult(
        run_id="run_1",
        review_week=WEEK,
        border="shop",
        table_name="shop.orders",
        column_name="order_id",
        expectation="expect_column_values_to_not_be_null",
        severity="stop",
        passed=True,
        unexpected_count=0,
        message="shop.orders.order_id has a value.",
    )
    assert broken == CheckResult(
        run_id="run_1",
        review_week=WEEK,
        border="shop",
        table_name="shop.orders",
        column_name=None,
        expectation="orders_are_small",
        severity="warn",
        passed=False,
        unexpected_count=1,
        message=(
            "shop.orders breaks “orders are small” in 1 row: order_id 'order_9', amount 13.5. See the notes."
        ),
    )


@pytest.mark.parametrize(
    ("promise", "message"),
    [
        (
            never_null("buyer", NOTES),
            "shop.orders.buyer has no value in 1 of 10 rows: order_id 'order_5', buyer NULL. See the notes.",
        ),
        (
            between("amount", 1.5, 9, NOTES),
            "shop.orders.amount is not between 1.5 and 9 in 4 of 10 rows: order_id 'order_0', amount 0.0; "
            "order_id 'order_7', amount 10.5; order_id 'order_8', amount 12.0. See the notes.",
        ),
        (
            between("amount", None, 12, NOTES),
            "shop.orders.amount is not at most 12 in 1 of 10 rows: order_id 'order_9', amount 13.5. "
            "See the notes.",
        ),
        (
            between("amount", 1, None, NOTES, at_least_share=0.95),
            "shop.orders.amount is not at least 1 in 1 of 10 rows (up to 5% may differ): order_id 'order_0', "
            "amount 0.0. See the notes.",
        ),
        (
            one_of("order_id", [f"order_{number}" for number in range(9)], NOTES),
            "shop.orders.order_id is none of order_0, order_1, order_2, order_3, order_4, order_5, order_6, "
            "order_7, order_8 in 1 of 10 rows: order_id 'order_9'. See the notes.",
        ),
        (
            no_result_of(
                "totals_agree",
                "select count(*) as orders from {batch} having count(*) <> 9",
                NOTES,
                column="amount",
            ),
            "shop.orders.amount breaks “totals agree” in 1 row: orders 10. See the notes.",
        ),
    ],
)
def test_a_failure_is_a_readable_sentence(check: Check, promise: Promise, message: str) -> None:
    (result,) = check(promise)
    assert not result.passed
    assert result.message == message


def test_an_empty_slice_is_named(check: Check) -> None:
    (result,) = check(has_rows(NOTES), where="amount > 100")
    assert result.message == "shop.orders has no row where amount > 100. See the notes."


def test_customer_text_is_shown_on_one_line_and_cut(check: Check) -> None:
    (result,) = check(no_row_where("nobody_else_buys", "buyer <> 'Ann'", NOTES, shown=("buyer",)))
    assert result.message == (
        "shop.orders breaks “nobody else buys” in 2 rows: buyer 'Tom\\n\\x1b[31m'; "
        f"buyer '{'x' * 58}…. See the notes."
    )


def test_tolerated_exceptions_pass_and_are_counted(check: Check) -> None:
    (result,) = check(never_null("buyer", NOTES, at_least_share=0.9))
    assert result.passed
    assert result.unexpected_count == 1
    assert result.message == "shop.orders.buyer has a value, but not in 1 of 10 rows (up to 10% may differ)."


@pytest.mark.parametrize(
    ("promise", "reason"),
    [
        (never_null("nothing", NOTES, severity="warn"), "the table has no column nothing"),
        (
            no_row_where("x", "nothing > 1", NOTES, shown=("order_id",), severity="warn"),
            'Binder Error: Referenced column "nothing" not found in FROM clause',
        ),
        (
            no_row_where("x", "cast(order_id as integer) > 1", NOTES, shown=("order_id",), severity="warn"),
            "Conversion Error: Could not convert string 'order_0' to INT32",
        ),
        (
            between("order_id", 1, 2, NOTES, severity="warn"),
            "Binder Error: Cannot compare values of type VARCHAR and type",
        ),
    ],
)
def test_what_cannot_be_checked_stops_and_spoils_nothing_else(
    check: Check, capfd: pytest.CaptureFixture[str], promise: Promise, reason: str
) -> None:
    results = check(never_null("order_id", NOTES), promise, between("amount", 0, 20, NOTES), has_rows(NOTES))
    assert [result.passed for result in results] == [True, False, True, True]
    assert results[1].severity == "stop"
    assert results[1].unexpected_count is None
    assert f" could not be checked: {reason}" in results[1].message
    assert results[1].message.endswith(f". {NOTES}")
    assert "\n" not in results[1].message
    assert capfd.readouterr() == ("", "")


def test_a_missing_table_breaks_every_promise(check: Check) -> None:
    results = check(
        never_null("order_id", NOTES, severity="warn"),
        no_row_where("x", "amount < 0", NOTES, shown=("order_id",)),
        has_rows(NOTES),
        table="shop.gone",
    )
    assert {(result.passed, result.severity) for result in results} == {(False, "stop")}
    assert {result.message.partition(" could not")[2] for result in results} == {
        " be checked: Catalog Error: Table with name gone does not exist. See the notes."
    }


def test_a_table_without_promises_is_refused(check: Check) -> None:
    with pytest.raises(ValueError, match=r"shop\.orders promises nothing"):
        check()


@pytest.mark.parametrize(
    "text", ["plain text_1.0-2", "it's", "{batch} {", "a:b ::c", "%s %%", 'quo"te', "größer\n", ""]
)
def test_texts_of_settings_reach_the_query_unchanged(
    connection: duckdb.DuckDBPyConnection, check: Check, text: str
) -> None:
    connection.execute("insert into shop.orders values ('new', ?, 1)", [text])
    (found,) = check(no_row_where("x", f"buyer = {sql_text(text)}", NOTES, shown=("order_id",)))
    assert found.unexpected_count == 1
    (in_slice,) = check(has_rows(NOTES), where=f"buyer = {sql_text(text)} and order_id = 'new'")
    assert in_slice.passed


def test_timestamps_keep_their_microseconds_and_refuse_zones(connection: duckdb.DuckDBPyConnection) -> None:
    moment = datetime(2025, 3, 9, 23, 59, 58, 123456)
    assert ":" not in sql_timestamp(moment)
    assert connection.execute(f"select {sql_timestamp(moment)}").fetchone() == (moment,)
    with pytest.raises(ValueError, match="carries a time zone"):
        sql_timestamp(moment.astimezone())


def test_lists_of_values_are_sorted_and_no_value_matches_nothing(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert sql_values([2, 1, 2]) == "1, 2"
    assert sql_values(["b's", "a"]) == "'a', decode(from_hex('622773'))"
    found = connection.execute(f"select count(*) from shop.orders where order_id in ({sql_values([])})")
    assert found.fetchone() == (0,)
