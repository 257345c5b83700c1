"""A DuckDB with small tables that keep every promise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest


@pytest.fixture(scope="session")
def good_tables() -> str:
    """SQL that makes the tables of all four borders."""
    return (Path(__file__).parent / "good_tables.sql").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def world(good_tables: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The good tables, and a copy of each in the catalogue `kept` to mend a broken one from."""
    with duckdb.connect() as connection:
        connection.execute("set global threads = 2")
        connection.execute(good_tables)
        connection.execute("attach ':memory:' as kept")
        connection.execute("copy from database memory to kept")
        yield connection
