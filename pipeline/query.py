"""Questions to the published warehouse, read-only."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import BinaryIO, Literal

import duckdb
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.display import printable
from pipeline.errors import UsageError, VitalsError
from pipeline.settings import REVIEW_FILE
from pipeline.warehouse import open_published
from pipeline.workspace import Workspace, is_there

Format = Literal["table", "csv", "json", "parquet"]
ROWS_IN_A_TABLE = 1000
ROWS_AT_ONCE = 10_000
# How the engine says that a file is not what it wrote; of these words it makes no kind of its own.
CORRUPT = "Corrupt database file"
DAMAGED = (duckdb.IOException, duckdb.SerializationException, duckdb.FatalException, duckdb.InternalException)
NUMBERS = {"tinyint", "smallint", "integer", "bigint", "hugeint", "ubigint", "float", "double", "decimal"}


def answer_query(workspace: Workspace, sql: str, form: Format, out: BinaryIO) -> None:
    """Run one statement on the published warehouse and write its rows in a form.

    Values are written as the engine writes them, so no digit is lost. Raises VitalsError where nothing is
    published or the rows cannot be written, UsageError where the statement cannot be run.
    """
    path = workspace.published_database
    if not is_there(workspace.current_release):
        raise VitalsError(
            f"{workspace.name} has no release yet. Run `vitals run --workspace {workspace.name}` first."
        )
    try:
        connection = open_published(path.resolve(), workspace.settings.warehouse, workspace.spill_folder)
    except (OSError, duckdb.Error) as error:
        raise _release_not_readable(path, error) from None
    try:
        _check_one_select(connection, sql)
        relation = connection.sql(sql)
        if len(set(relation.columns)) < len(relation.columns):
            raise UsageError("two columns of the answer have the same name; give each its own with `as`.")
        WRITERS[form](relation, out)
    except duckdb.OutOfMemoryException:
        limit = workspace.settings.warehouse.memory_limit_gigabytes
        raise VitalsError(
            f"the query does not fit into {limit:g} GB of memory and the room in {workspace.spill_folder}. "
            f"Ask for less, or raise warehouse.memory_limit_gigabytes in {workspace.folder / REVIEW_FILE}."
        ) from None
    except duckdb.Error as error:
        if str(workspace.spill_folder) in str(error):
            raise _no_room_to_spill(workspace, error) from None
        if isinstance(error, DAMAGED) or CORRUPT in str(error):
            raise _release_not_readable(path, error) from None
        raise UsageError(f"the query cannot be run: {' '.join(str(error).split())[:600]}") from None
    except BrokenPipeError:
        raise
    except OSError as error:
        raise VitalsError(f"the answer could not be written: {error.strerror or error}.") from None
    finally:
        connection.close()


def _release_not_readable(path: Path, error: Exception) -> VitalsError:
    return VitalsError(
        f"the release {path} cannot be read: {_first_line(error)}. Give whoever asks the right "
        "to read it; where it is damaged, `vitals publish` makes a new one."
    )


def _no_room_to_spill(workspace: Workspace, error: Exception) -> VitalsError:
    return VitalsError(
        f"the query needs room in {workspace.spill_folder} for what does not fit into memory: "
        f"{_first_line(error)}. Give whoever asks the right to write there, ask for less, or raise "
        f"warehouse.memory_limit_gigabytes in {workspace.folder / REVIEW_FILE}."
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")


def _check_one_select(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = connection.extract_statements(sql)
    answering = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
    if len(statements) != 1 or statements[0].type not in answering:
        raise UsageError("the query cannot be run: give exactly one SELECT.")


def _write_table(relation: duckdb.DuckDBPyRelation, out: BinaryIO) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, kind in zip(relation.columns, relation.types, strict=True):
        table.add_column(Text(printable(name)), justify="right" if kind.id in NUMBERS else "left")
    rows = relation.limit(ROWS_IN_A_TABLE + 1).fetchall()
    for row in rows[:ROWS_IN_A_TABLE]:
        table.add_row(*(Text("" if value is None else _shown(value)) for value in row))
    # A pipe has no width: nothing is cut or folded there.
    screen = Console(highlight=False)
    console = screen if screen.is_terminal else Console(width=100_000, highlight=False)
    with console.capture() as captured:
        console.print(table)
        if len(rows) > ROWS_IN_A_TABLE:
            console.print(f"… more than {ROWS_IN_A_TABLE:,} rows; use --format csv for all of them.")
    lines = (line.rstrip() for line in captured.get().splitlines())
    out.write(("\n".join(lines) + "\n").encode())
    out.flush()


def _shown(value: object) -> str:
    return printable(f"{value:.6g}" if isinstance(value, float) else str(value))


def _write_csv(relation: duckdb.DuckDBPyRelation, out: BinaryIO) -> None:
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(relation.columns)
    as_text = relation.project(", ".join(f"cast({_quoted(name)} as varchar)" for name in relation.columns))
    for batch in as_text.to_arrow_reader(ROWS_AT_ONCE):
        writer.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    text.detach()


def _write_json(relation: duckdb.DuckDBPyRelation, out: BinaryIO) -> None:
    # JSON has no word for NaN and infinity.
    finite = (
        f"case when isfinite({_quoted(name)}) then {_quoted(name)} end as {_quoted(name)}"
        if kind.id in ("double", "float")
        else _quoted(name)
        for name, kind in zip(relation.columns, relation.types, strict=True)
    )
    lines = relation.project(", ".join(finite)).query(
        "answer", "select cast(to_json(answer) as varchar) from answer"
    )
    for batch in lines.to_arrow_reader(ROWS_AT_ONCE):
        out.write(b"".join(line.encode() + b"\n" for line in batch.column(0).to_pylist()))


def _write_parquet(relation: duckdb.DuckDBPyRelation, out: BinaryIO) -> None:
    from pyarrow import parquet

    # Parquet as Arrow writes it has no intervals.
    columns = (
        f"cast({_quoted(name)} as varchar) as {_quoted(name)}" if kind.id == "interval" else _quoted(name)
        for name, kind in zip(relation.columns, relation.types, strict=True)
    )
    parquet.write_table(relation.project(", ".join(columns)).to_arrow_table(), out, compression="zstd")


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


WRITERS = {"table": _write_table, "csv": _write_csv, "json": _write_json, "parquet": _write_parquet}
