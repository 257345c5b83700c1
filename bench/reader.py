"""Rows of a DuckDB connection as frames, tuples or single values."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pandas as pd


@dataclass(frozen=True)
class Reader:
    """Reads what SQL asks for; `values` are its named parameters."""

    connection: duckdb.DuckDBPyConnection

    def frame(self, sql: str, values: dict | None = None) -> pd.DataFrame:
        return self.connection.execute(sql, values or {}).df()

    def rows(self, sql: str, values: dict | None = None) -> list[tuple]:
        return self.connection.execute(sql, values or {}).fetchall()

    def value(self, sql: str, values: dict | None = None) -> object:
        return self.rows(sql, values)[0][0]
