"""Questions to the published warehouse, read-only."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import BinaryIO, Literal

import duckdb
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.errors import UsageError, VitalsError
from pipeline.warehouse import open_published
from pipeline.workspace import Workspace

Format = Literal["table", "csv", "json", "parquet"]
ROWS_IN_A_TABLE = 1000
NUMBERS = {"tinyint", "smallint", "integer", "bigint", "hugeint", "ubigint", "float", "double", "decimal"}


def answer_query(workspace: Workspace, sql: str, form: Format, console: Console, out: BinaryIO) -> None:
    """Run one statement on the published warehouse and write its rows in a form.

    Raises VitalsError where nothing is published, UsageError where the statement cannot be run.
    """
    path = workspace.published_database
    if not path.exists():
        raise VitalsError(
            f"{workspace.name} has no release yet. Run `vitals run --workspace {workspace.name}` first."
        )
    connection = open_published(path.resolve())
    try:
        relation = connection.sql(sql)
        if relation is None:
            raise UsageError("the statement returns no rows; give a SELECT.")
        if form == "table":
            _print_table(relation, console)
        else:
            _write(relation, form, out)
    except duckdb.Error as error:
        raise UsageError(f"the query cannot be run: {' '.join(str(error).split())[:600]}") from None
    finally:
        connection.close()


def _print_table(relation: duckdb.DuckDBPyRelation, console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, kind in zip(relation.columns, relation.types, strict=True):
        is_number = kind.id in NUMBERS
        table.add_column(
            Text(name), justify="right" if is_number else "left", no_wrap=not console.is_terminal
        )
    rows = relation.limit(ROWS_IN_A_TABLE + 1).fetchall()
    for row in rows[:ROWS_IN_A_TABLE]:
        table.add_row(*(Text("" if value is None else _shown(value)) for value in row))
    if console.is_terminal:
        console.print(table)
    else:
        # A pipe has no width: nothing is cut there.
        Console(file=sys.stdout, width=10_000, highlight=False).print(table)
    if len(rows) > ROWS_IN_A_TABLE:
        console.print(f"… more than {ROWS_IN_A_TABLE:,} rows; use --format csv for all of them.")


def _shown(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    # Control characters in data must not reach the terminal.
    return "".join(character if character.isprintable() else "�" for character in text)


def _write(relation: duckdb.DuckDBPyRelation, form: Format, out: BinaryIO) -> None:
    table = relation.to_arrow_table()
    if form == "csv":
        from pyarrow import csv

        csv.write_csv(table, out)
    elif form == "parquet":
        from pyarrow import parquet

        parquet.write_table(table, out, compression="zstd")
    else:
        for batch in table.to_batches():
            for row in batch.to_pylist():
                out.write(json.dumps(row, default=_plain, ensure_ascii=False).encode() + b"\n")


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)
