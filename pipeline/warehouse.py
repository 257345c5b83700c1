"""The seam to the engine: the one connection to the build database, and the few verbs used on it.

DuckDB lets one process write; our code, dbt and Great Expectations share this process's database, so all
of them open it with the default configuration and the settings below are set on the running instance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from pipeline.errors import VitalsError
from pipeline.lock import holder_of
from pipeline.processes import is_alive
from pipeline.runlog import RUN_LOG_NAME
from pipeline.settings import Warehouse as WarehouseSettings

if TYPE_CHECKING:
    import pandas
    import pyarrow

Parameters = Sequence[Any] | Mapping[str, Any] | None

SCHEMAS = ("raw", "staging", "intermediate", "features", "scores", "marts", "ops")
# Published files are read by older DuckDB clients and by the drivers of BI tools.
PUBLISHED_STORAGE_VERSION = "v1.2.0"
# How much of a result is in Python at once: about 50 MB of the columns that scoring reads.
ROWS_AT_ONCE = 50_000
# Enough to plan any statement; below the least that a run may be given.
SCRATCH_MEMORY = "100MB"
# How much lies in the log of changes before it is written into the file.
LOG_BEFORE_CHECKPOINT = "1GB"

# How the engine, and the system, say why a file cannot be opened.
LOCKED = "Could not set lock on file"
NO_RIGHT = ("Permission denied", "Read-only file system", "Operation not permitted")
NO_ROOM = ("No space left on device", "Disk quota exceeded")


class Warehouse:
    """An open build database. Use as a context manager; every verb works on the same connection."""

    def __init__(self, path: Path, settings: WarehouseSettings, spill_folder: Path | None = None) -> None:
        """Open or make the file at `path`; `spill_folder` is by default the folder `spill` beside it.

        Raises VitalsError where another process holds the file, or where it cannot be opened.
        """
        self.path = path
        is_new = not path.exists()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = duckdb.connect(str(path))
        except (duckdb.Error, OSError) as error:
            # Without room for its first page a new file stays empty, and no later opening would take it.
            with suppress(OSError):
                if is_new and path.stat().st_size == 0:
                    path.unlink()
            raise _not_opened(error, path) from None
        self.connection.execute("set global TimeZone = 'UTC'")
        spill_folder = spill_folder or path.parent / "spill"
        _remove_spill_of_the_dead(spill_folder)
        _limit(self.connection, settings, spill_folder)
        # Closing writes everything into the file; on the way each checkpoint would cost most of a second.
        self.connection.execute(f"set global checkpoint_threshold = '{LOG_BEFORE_CHECKPOINT}'")
        for schema in SCHEMAS:
            self.connection.execute(f"create schema if not exists {schema}")

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Bring what is in the log of changes into the file, and close.

        dbt and the gate keep connections of their own until the process ends; until then the engine would
        leave the log beside the file, and a process that is ended hard would leave it for good.
        """
        # What a full disk keeps from the file stays in the log, which the next opening applies.
        with suppress(duckdb.Error):
            self.connection.execute("checkpoint")
        self.connection.close()

    def run(self, sql: str, parameters: Parameters = None) -> None:
        """Run one statement, or several, whose result is of no interest."""
        self.connection.execute(sql, parameters or [])

    def rows(self, sql: str, parameters: Parameters = None) -> list[tuple[Any, ...]]:
        """The rows of a small result."""
        return self.connection.execute(sql, parameters or []).fetchall()

    def value(self, sql: str, parameters: Parameters = None) -> Any:
        """The first value of the first row; None where there is no row."""
        # All of the result is read: what is left unread would keep the connection busy.
        rows = self.rows(sql, parameters)
        return rows[0][0] if rows else None

    def frame(self, sql: str, parameters: Parameters = None) -> pandas.DataFrame:
        """A result as a DataFrame, decimals as floats: for models and pages, not for accounting."""
        return _plain_numbers(self.connection, sql, parameters).to_arrow_table().to_pandas()

    def batches(self, sql: str, parameters: Parameters = None) -> Iterator[pandas.DataFrame]:
        """A result as DataFrames of at most ROWS_AT_ONCE rows, decimals as floats, in the order of the query.

        Other statements may run between them; what they write is not seen by this one.
        """
        # An open result keeps its connection busy: this one is its own.
        with self.connection.cursor() as reading:
            reading.execute("set enable_progress_bar = false")
            for batch in _plain_numbers(reading, sql, parameters).to_arrow_reader(ROWS_AT_ONCE):
                yield batch.to_pandas()

    def has_table(self, name: str) -> bool:
        schema, table = name.split(".")
        found = "select count(*) from information_schema.tables where table_schema = ? and table_name = ?"
        return bool(self.value(found, [schema, table]))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        self.connection.execute("begin")
        try:
            yield
        except BaseException:
            self.connection.execute("rollback")
            raise
        self.connection.execute("commit")

    @contextmanager
    def registered(self, name: str, rows: pandas.DataFrame | pyarrow.Table) -> Iterator[None]:
        """Let statements read `rows` under `name`."""
        self.connection.register(name, rows)
        try:
            yield
        finally:
            self.connection.unregister(name)

    def replace_week(
        self, tables: Sequence[str], batches: Iterable[Mapping[str, pandas.DataFrame]], review_week: date
    ) -> dict[str, int]:
        """Put batches of rows, by table, in the place of one week of some tables; how many each got.

        All tables change together or, where a batch fails, none does. All columns of a table are given.
        """
        counts = dict.fromkeys(tables, 0)
        with self.transaction():
            for table in tables:
                self.run(f"delete from {table} where review_week = ?", [review_week])
            for batch in batches:
                for table, rows in batch.items():
                    self.append(table, rows)
                    counts[table] += len(rows)
        return counts

    def append(self, table: str, rows: pandas.DataFrame | pyarrow.Table) -> None:
        """Add rows to a table that exists, by column name."""
        self.write_from(rows, f"insert into {table} by name select * from given_rows")

    def write_from(self, given_rows: pandas.DataFrame | pyarrow.Table, sql: str) -> int:
        """Run a statement that writes what it makes of `given_rows`; how many rows it wrote.

        The engine finds them by the name of the parameter: what is registered instead, it holds until the
        transaction ends, and all that one transaction writes would lie in memory at once.
        """
        written = self.connection.execute(sql).fetchall()
        return int(written[0][0])


def _plain_numbers(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Parameters
) -> duckdb.DuckDBPyRelation:
    """A result with floats for decimals, made by the engine, which rounds rightly: 1726.04 stays 1726.04."""
    relation = connection.sql(sql, params=parameters or [])
    columns = (
        f'cast("{name}" as double) as "{name}"' if kind.id == "decimal" else f'"{name}"'
        for name, kind in zip(relation.columns, relation.types, strict=True)
    )
    return relation.project(", ".join(columns))


def _limit(connection: duckdb.DuckDBPyConnection, settings: WarehouseSettings, spill_folder: Path) -> None:
    """Keep an engine within what review.toml gives it; beyond its memory it spills into the folder.

    The order of rows stays preserved: the same input then gives the same files, and without it the widest
    table needed no less memory.
    """
    connection.execute(f"set global memory_limit = '{_megabytes(settings.memory_limit_gigabytes)}'")
    connection.execute(f"set global threads = {settings.threads}")
    escaped = str(spill_folder).replace("'", "''")
    connection.execute(f"set global temp_directory = '{escaped}'")
    if settings.spill_gigabytes_at_most is not None:
        at_most = _megabytes(settings.spill_gigabytes_at_most)
        connection.execute(f"set global max_temp_directory_size = '{at_most}'")


def _megabytes(gigabytes: float) -> str:
    return f"{max(gigabytes * 1000, 1):.0f}MB"


def _remove_spill_of_the_dead(folder: Path) -> None:
    """What a killed process spilled stays on disk until somebody removes it; its id is in the names."""
    for path in folder.glob("duckdb_temp_*"):
        number = path.name.split("_")[2]
        if number.isdigit() and not is_alive(int(number)):
            path.unlink(missing_ok=True)


def scratch_database() -> duckdb.DuckDBPyConnection:
    """An empty database in memory, closed to everything outside, on which SQL of a workspace is tried.

    It holds no rows: it needs no more than a little memory and nothing to spill into.
    """
    connection = duckdb.connect(":memory:", config={"threads": 1})
    connection.execute(f"set memory_limit = '{SCRATCH_MEMORY}'")
    connection.execute("set temp_directory = ''")
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set enable_external_access = false")
    return connection


def open_published(path: Path, settings: WarehouseSettings, spill_folder: Path) -> duckdb.DuckDBPyConnection:
    """A published warehouse, read-only, closed to everything outside the file and the spill folder."""
    connection = duckdb.connect(str(path), read_only=True)
    connection.execute("set TimeZone = 'UTC'")
    _limit(connection, settings, spill_folder)
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def _not_opened(error: Exception, path: Path) -> VitalsError:
    """The sentence for a build database that cannot be opened, with the remedy for its reason."""
    said = _first_line(error)
    # A path may hold the very words that tell the reasons apart.
    reason = said.replace(str(path), "").replace(str(path.parent), "")
    if LOCKED in reason:
        return VitalsError(
            f"{path} is locked by another process{_holder(str(error), path)}. Wait until it has "
            "ended, or stop it, and run the command again."
        )
    if any(words in reason for words in NO_ROOM):
        remedy = "Make room, or move the data with VITALS_DATA_DIR, and run the command again."
    elif isinstance(error, OSError) or any(words in reason for words in NO_RIGHT):
        remedy = (
            "Give whoever runs `vitals` the right to write there, or set VITALS_DATA_DIR to another folder."
        )
    else:
        remedy = "Move the file away and run `vitals run`: it is rebuilt from landing."
    return VitalsError(f"{path} cannot be opened: {said} {remedy}")


def _holder(message: str, path: Path) -> str:
    # DuckDB says "... held in /path/python (PID 123)": the number leads to the rest.
    _, _, rest = message.partition("PID ")
    number = rest.split(")")[0].strip()
    return f" ({holder_of(int(number), path.with_name(RUN_LOG_NAME))})" if number.isdigit() else ""


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".!") + "."
