"""Write the simulated world into landing, a file per day as a collector drops them, and its truth."""

from __future__ import annotations

import contextlib
import json
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow
from pyarrow import parquet
from rich.console import Console

from pipeline.display import show_step
from pipeline.errors import UsageError, VitalsError
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from simulation.world import WorldSlice

# Bytes per customer (its sign-up or import), per customer and week, and per week (parts of blocks on the
# disk), truth and all. Measured on worlds of 1 to 385,000 customers × 1 to 78 weeks, with a margin: only to
# see, before anything is written, whether the disk has room.
FORMATS = {"jsonl": (8_000, 2_000, 100_000), "parquet": (1_500, 300, 200_000)}
MOST_EVENTS_BESIDE_OTHERS = 500_000
LARGEST_CUSTOMERS = 50_000_000
LARGEST_WEEKS = 1_040


def simulate_into_landing(
    workspace: Workspace,
    customers: int,
    weeks: int,
    seed: int,
    *,
    format_: str,
    replace: bool,
    console: Console,
) -> None:
    """Write a file per day of receipt into landing, and the truth as Parquet beside it.

    `format_` is a key of FORMATS. Raises UsageError for sizes that make no world, and where landing holds
    files and `replace` is not given; VitalsError where the disk is too small. Nothing is written then.
    """
    _check_usage(workspace, customers, weeks, seed, format_)
    landing = workspace.landing
    held = sorted(landing.iterdir()) if landing.is_dir() else []
    if held and not replace:
        raise UsageError(
            f"{landing} holds {len(held)} files already. Give --replace to remove them, and the build made "
            "of them, first."
        )
    per_customer, per_customer_week, per_week = FORMATS[format_]
    _check_room(workspace.data, customers * (per_customer + weeks * per_customer_week) + weeks * per_week)

    from simulation.parameters import WorldParameters
    from simulation.world import simulate_world

    parameters = WorldParameters(
        customers=customers, weeks=weeks, seed=seed, time_zone=workspace.settings.time_zone
    )
    try:
        # What was built of an old world knows its files by name; it goes with them.
        for folder in (landing, workspace.truth, workspace.build):
            _empty(folder)
        events = files = 0
        with (
            show_step(console, "simulate") as display,
            _TruthFiles(workspace.truth) as truth,
            # One week is written while the next one is made, unless two of them would fill the memory.
            ThreadPoolExecutor(max_workers=1) as writer,
        ):
            (workspace.truth / "parameters.json").write_text(
                json.dumps(asdict(parameters), indent=2, default=str) + "\n", encoding="utf-8"
            )
            writing: Future[int] | None = None
            for number, slice_ in enumerate(simulate_world(parameters), start=1):
                if writing is not None:
                    files += writing.result()
                writing = writer.submit(_write_slice, slice_, landing, format_, truth)
                events += len(slice_.received)
                if len(slice_.received) > MOST_EVENTS_BESIDE_OTHERS:
                    writing.result()
                del slice_
                display.update(f"week {number} of {weeks}", number / weeks)
            files += writing.result() if writing is not None else 0
            display.summary = f"{events:,} events of {customers:,} customers in {files} files (simulated)"
    except OSError as error:
        raise VitalsError(
            f"the world could not be written: {error.strerror or error} "
            f"({error.filename or workspace.data}). Make room or give the right to write "
            "there, then run `vitals simulate --replace`."
        ) from None


def _empty(folder: Path) -> None:
    """Make the folder, or remove all that it holds; it may be a link to another disk. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _check_usage(workspace: Workspace, customers: int, weeks: int, seed: int, format_: str) -> None:
    for name, value, largest in (
        ("customers", customers, LARGEST_CUSTOMERS),
        ("weeks", weeks, LARGEST_WEEKS),
    ):
        if not 1 <= value <= largest:
            raise UsageError(f"--{name} is {value}; give a whole number from 1 to {largest:,}.")
    if format_ not in FORMATS:
        raise UsageError(f"--format is {format_!r}; give {' or '.join(FORMATS)}.")
    if seed < 0:
        raise UsageError(f"--seed is {seed}; give a whole number from 0.")
    if workspace.settings.customer != "account":
        raise UsageError(
            f"{workspace.name} is no workspace for the simulated world: its review.toml says "
            f"customer = {workspace.settings.customer!r}. `vitals init NAME --from demo` makes one."
        )
    for path in (workspace.data, workspace.landing, workspace.truth):
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is a file and has to be a folder. Move it away first.")


def _write_slice(slice_: WorldSlice, landing: Path, format_: str, truth: _TruthFiles) -> int:
    """Write the days and the truth of a slice; returns the count of files."""
    from simulation.collector import day_batches, day_lines, day_tables
    from simulation.events import EVENT_SCHEMA

    files = 0
    for day, received in day_batches(slice_.received):
        # Written whole, then named: a load never sees half a day.
        path = landing / f"events-{day}.{format_}"
        part = path.with_name(path.name + ".part")
        if format_ == "parquet":
            with parquet.ParquetWriter(part, EVENT_SCHEMA, compression="zstd") as file:
                for table in day_tables(received, slice_.parameters):
                    file.write_table(table)
        else:
            with part.open("wb") as file:
                for lines in day_lines(received, slice_.parameters):
                    file.write(lines)
        part.rename(path)
        files += 1
    truth.write(slice_.truth)
    return files


class _TruthFiles:
    """One Parquet file per table of the truth, written slice by slice."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writers: dict[str, parquet.ParquetWriter] = {}

    def __enter__(self) -> _TruthFiles:
        return self

    def write(self, tables: dict[str, pyarrow.Table]) -> None:
        for name, table in tables.items():
            if name not in self.writers:
                path = self.folder / f"{name}.parquet"
                self.writers[name] = parquet.ParquetWriter(path, table.schema, compression="zstd")
            self.writers[name].write_table(table)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for writer in self.writers.values():
            # After a failure the end of a file may fail too, for the same reason.
            with contextlib.suppress(OSError) if kind else contextlib.nullcontext():
                writer.close()


def _check_room(data: Path, needed: int) -> None:
    folder = data
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise VitalsError(
            f"the world needs about {_size_text(needed)} and {folder} has {_size_text(free)} free. "
            "Give smaller --customers or --weeks, or set VITALS_DATA_DIR to a larger disk."
        )


def _size_text(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
