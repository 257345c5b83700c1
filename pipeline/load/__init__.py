"""Load: files of landing become raw.events, raw.rejected_events and raw.loads.

Read in this order: `landing` finds the files that are new, `reading` (with `tables`) makes rows of their
bytes, `mapping` makes event-shaped rows of those by review.toml, `storing` decides which of them are events
and writes a batch of files in one transaction.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy
import pyarrow

from pipeline.errors import VitalsError
from pipeline.load.deciding import find_contested_keys
from pipeline.load.landing import LandingFile, files_to_load, find_files, notices
from pipeline.load.mapping import (
    certain_rows_statement,
    check_columns,
    check_mapping,
    key_columns,
    keys_statement,
    repeating_columns,
    rows_statement,
    uncertain_rows_statement,
    wanted_columns,
)
from pipeline.load.reading import Block, Layout, Reading, looked_at
from pipeline.load.storing import (
    LEDGER_COUNTS,
    begin_batch,
    create_tables,
    end_batches,
    is_late,
    store_batch,
    store_uncertain_rows,
    undo_loads,
)
from pipeline.settings import Source
from pipeline.warehouse import Warehouse
from pipeline.workspace import Workspace

__all__ = ["LoadReport", "load_landing", "undo_loads"]

Progress = Callable[[str, float], None]

# How much of landing goes into one transaction; a compressed or columnar file counts as what it unpacks to.
BATCH_BYTES = 200_000_000
FILES_PER_BATCH = 2_000
UNPACKED_BYTES_PER_BYTE = {"jsonl": 1, "csv": 1, "parquet": 10, "xlsx": 10}
UNPACKED_BYTES_PER_GZIP_BYTE = 10
# Of files whose keys are read first hardly more than the keys is held.
HELD_BYTES_PER_BYTE_OF_COLUMNS = 2
# How much is handed to the engine at once.
STAGED_BYTES = 64_000_000
# Of what goes straight into raw.events more, so that few of its row groups are begun and not filled.
STAGED_BYTES_OF_COLUMNS = 192_000_000


@dataclass(frozen=True)
class LoadReport:
    """What one call did. rows_read = rows_duplicate + rows_rejected + rows_grouped + events_loaded."""

    files_loaded: int
    files_skipped: int
    rows_read: int
    rows_duplicate: int
    rows_rejected: int
    rows_grouped: int
    events_loaded: int
    events_late: int
    load_ids: tuple[int, ...]
    notices: tuple[str, ...]


def load_landing(warehouse: Warehouse, workspace: Workspace, progress: Progress | None = None) -> LoadReport:
    """Load the files of landing that the ledger does not have, in the order of their names.

    `progress` is told a file name and the share (0-1) of the bytes that is done. Raises VitalsError where
    nothing can be loaded or a file cannot be read, UsageError where review.toml does not fit landing: nothing
    of the batch in work is kept then, batches before it stay.
    """
    meter = _Meter(progress)
    try:
        return _load(warehouse, workspace, meter)
    except duckdb.Error as error:
        said = str(_first_error(error)).splitlines()[0].rstrip(".")
        raise VitalsError(
            f"loading {meter.doing} failed in {warehouse.path}: {said}. Nothing of the files in work was "
            "kept: remove the cause and run the command again."
        ) from None


def _first_error(error: BaseException) -> BaseException:
    """The error that made the engine refuse all that came after it."""
    return _first_error(error.__context__) if isinstance(error.__context__, duckdb.Error) else error


def _load(warehouse: Warehouse, workspace: Workspace, meter: _Meter) -> LoadReport:
    settings = workspace.settings
    for source in settings.sources:
        check_mapping(warehouse, source)
    create_tables(warehouse)
    landing = find_files(workspace.landing, settings.sources)
    if not landing.files and not warehouse.value("select count(*) from raw.loads"):
        patterns = ", ".join(pattern for source in settings.sources for pattern in source.patterns)
        others = "".join(f" ({notice})" for notice in notices(landing.said))
        raise VitalsError(
            f"nothing to load: {workspace.landing} has no file that fits {patterns}{others}. Put files into "
            "it; for the demo run `vitals simulate`."
        )
    files = files_to_load(warehouse, landing.files)
    meter.bytes_total = sum(file.bytes for file in files)
    next_load_id = warehouse.value("select coalesce(max(load_id), 0) + 1 from raw.loads")
    load_ids = tuple(range(next_load_id, next_load_id + len(files)))
    totals = dict.fromkeys(LEDGER_COUNTS, 0)
    said = dict(landing.said)
    try:
        for batch in _batches(files):
            loading = _Batch(warehouse, batch, meter, said)
            for counts in loading.load(next_load_id, settings.loading.lateness_limit_days):
                totals = {name: totals[name] + counts[name] for name in LEDGER_COUNTS}
            next_load_id += len(batch)
    finally:
        # After a fatal error the engine refuses even this; the first error is the one to report.
        with contextlib.suppress(duckdb.Error):
            end_batches(warehouse)
    return LoadReport(
        files_loaded=len(files),
        files_skipped=len(landing.files) - len(files),
        **totals,
        load_ids=load_ids,
        notices=notices(said),
    )


class _Meter:
    """How far the call has come: the file in work, and the share of all bytes."""

    def __init__(self, progress: Progress | None) -> None:
        self.doing = "landing"
        self.bytes_total = 0
        self.bytes_done = 0
        self._progress = progress

    def tell(self, file: LandingFile, share_of_file: float) -> None:
        self.doing = file.name
        if self._progress is not None:
            done = self.bytes_done + share_of_file * file.bytes
            self._progress(file.name, min(done / max(self.bytes_total, 1), 1.0))


class _Batch:
    """Files that are loaded in one transaction. Rows are held back until there are enough for the engine."""

    def __init__(
        self, warehouse: Warehouse, files: list[LandingFile], meter: _Meter, said: dict[str, list[str]]
    ) -> None:
        self._said = said
        self._warehouse = warehouse
        self._files = files
        self._meter = meter
        self._digests: list[str] = []
        self._stage_rows: Callable[[Source, Layout, pyarrow.Table], None] = self._stage_all
        self._held: list[pyarrow.RecordBatch] = []
        self._held_bytes = 0
        self._staged_bytes = STAGED_BYTES
        self._held_as: tuple[Source, Layout, pyarrow.Schema] | None = None

    def load(self, first_load_id: int, lateness_limit_days: int) -> list[dict[str, int]]:
        """Read, map and store all files. Returns the counts of each."""
        started = time.perf_counter()
        begin_batch(self._warehouse)
        if all(map(_is_read_by_columns, self._files)):
            counts = self._load_by_columns(first_load_id, lateness_limit_days, started)
        else:
            self._read_all()
            sources = list({file.source.name: file.source for file in self._files}.values())
            ledger = self._ledger(first_load_id)
            counts = store_batch(self._warehouse, ledger, sources, lateness_limit_days, started)
        for file, count in zip(self._files, counts, strict=True):
            if count["rows_rejected"] == count["rows_read"] > 0:
                self._said.setdefault("all rows rejected", []).append(file.name)
        return counts

    def _load_by_columns(
        self, first_load_id: int, lateness_limit_days: int, started: float
    ) -> list[dict[str, int]]:
        """Read the keys of all files first, so that rows whose key is theirs alone need not be held."""
        self._stage_rows, self._staged_bytes = self._stage_keys, STAGED_BYTES_OF_COLUMNS
        for number, file in enumerate(self._files):
            self._meter.tell(file, 0.0)
            for block in Reading(file, frozenset()).blocks(key_columns(file.source)):
                # Without these columns the file is refused when it is read in whole.
                if key_columns(file.source) <= {*block.layout.columns}:
                    self._hold(number, file, block)
        self._stage()
        find_contested_keys(self._warehouse)
        late = is_late(lateness_limit_days)

        def stage(source: Source, layout: Layout, rows: pyarrow.Table) -> None:
            certain = self._warehouse.write_from(
                rows, certain_rows_statement(source, layout, first_load_id, late)
            )
            if certain < rows.num_rows:
                self._warehouse.write_from(rows, uncertain_rows_statement(source, layout))

        self._stage_rows = stage
        with self._warehouse.transaction():
            self._read_all()
            ledger = self._ledger(first_load_id)
            return store_uncertain_rows(self._warehouse, ledger, lateness_limit_days, started)

    def _read_all(self) -> None:
        for number, file in enumerate(self._files):
            self._read(number, file)
            self._meter.bytes_done += file.bytes
        self._stage()

    def _ledger(self, first_load_id: int) -> list[dict[str, Any]]:
        """The ledger rows of the files that were read, without counts."""
        return [
            {
                "load_id": first_load_id + number,
                "source": file.source.name,
                "file_name": file.name,
                "sha256": digest,
                "bytes": file.bytes,
                "modified_at": file.modified_at,
            }
            for number, (file, digest) in enumerate(zip(self._files, self._digests, strict=True))
        ]

    def _read(self, number: int, file: LandingFile) -> None:
        self._meter.tell(file, 0.0)
        reading = Reading(file, frozenset(wanted_columns(file.source)), repeating_columns(file.source))
        said = []
        for place, block in enumerate(reading.blocks()):
            if place == 0 and block.layout.columns:
                said += check_columns(file.name, file.source, block.layout)
            self._hold(number, file, block)
            self._meter.tell(file, block.share_read)
        self._digests.append(reading.sha256)
        for text in said + reading.said:
            self._said.setdefault(text, []).append(file.name)

    def _hold(self, number: int, file: LandingFile, block: Block) -> None:
        held_as = (file.source, block.layout, block.rows.schema)
        if self._held_as != held_as:
            self._stage()
            self._held_as = held_as
        numbers = pyarrow.array(numpy.full(block.rows.num_rows, number), pyarrow.int32())
        self._held.append(block.rows.append_column("file_number", numbers))
        self._held_bytes += block.rows.nbytes
        if self._held_bytes > self._staged_bytes:
            self._stage()

    def _stage(self) -> None:
        """Hand the rows that are held to the engine."""
        if self._held_as is None or not self._held:
            return
        source, layout, _ = self._held_as
        rows = pyarrow.Table.from_batches(self._held)
        self._held, self._held_bytes = [], 0
        self._stage_rows(source, looked_at(layout, rows), rows)

    def _stage_all(self, source: Source, layout: Layout, rows: pyarrow.Table) -> None:
        self._warehouse.write_from(rows, rows_statement(source, layout))

    def _stage_keys(self, source: Source, layout: Layout, rows: pyarrow.Table) -> None:
        self._warehouse.write_from(rows, keys_statement(source, layout))


def _is_read_by_columns(file: LandingFile) -> bool:
    """Whether the keys of a file can be read without its other columns, and each row can be an event."""
    source = file.source
    are_rows_events = source.group is None and (not source.id_columns or source.equal_rows_are_duplicates)
    return file.format == "parquet" and are_rows_events and bool(key_columns(source))


def _batches(files: tuple[LandingFile, ...]) -> Iterator[list[LandingFile]]:
    """Files in the order of their names, together so many that a batch stays within BATCH_BYTES."""
    batch: list[LandingFile] = []
    batch_bytes = 0
    for file in files:
        if batch and (batch_bytes + _unpacked_bytes(file) > BATCH_BYTES or len(batch) == FILES_PER_BATCH):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(file)
        batch_bytes += _unpacked_bytes(file)
    if batch:
        yield batch


def _unpacked_bytes(file: LandingFile) -> int:
    if _is_read_by_columns(file):
        return file.bytes * HELD_BYTES_PER_BYTE_OF_COLUMNS
    is_gzip = file.name.endswith(".gz")
    return file.bytes * (UNPACKED_BYTES_PER_GZIP_BYTE if is_gzip else UNPACKED_BYTES_PER_BYTE[file.format])
