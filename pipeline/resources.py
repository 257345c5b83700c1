"""What the engine may take of the machine: looked at before a run begins, and named where it ran out.

Memory, the folder into which the engine spills what does not fit, and the disk under the data are the three
things that grow with a business. Each of them ends a run with one sentence that says which it was, how much
there was, and what to change.
"""

from __future__ import annotations

import errno
import math
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import BrokenPromiseError, SettingsError, UsageError, VitalsError
from pipeline.runlog import read_runs
from pipeline.settings import REVIEW_FILE
from pipeline.workspace import Workspace

# Least memory, measured (docs/workspaces.md): what the engine holds however small the data is, what each
# thread adds, …
LEAST_GIGABYTES = 0.1
LEAST_GIGABYTES_PER_THREAD = 0.15
# … and what the widest table adds while it is written, which is never more than a group of rows at once.
LEAST_GIGABYTES_PER_CUSTOMER = 3e-6
CUSTOMERS_AT_ONCE = 122_880

# How the gate says that a promise was neither kept nor broken.
NOT_CHECKED = "could not be checked"

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_ROOM_SAID = ("No space left on device", "Disk quota exceeded", "File too large")
_SPILL_FULL_SAID = ("failed to offload data block", "max_temp_directory_size")
_MEMORY_FULL_SAID = (
    "Out of Memory Error",
    "Out of Memory Exception",
    "failed to pin block",
    "std::bad_alloc",
)
# As the engine writes it, also within the JSON text of an error of its writers.
_FILE_WRITTEN = re.compile(r'(?:write|create|open|truncate)\w* (?:file|directory) \\?"([^"\\]+)\\?"')


def least_memory_gigabytes(threads: int, customers: int = 0) -> float:
    """Below this no run of so many threads and customers gets to its end; long histories may need more."""
    of_customers = LEAST_GIGABYTES_PER_CUSTOMER * min(customers, CUSTOMERS_AT_ONCE)
    return math.ceil(100 * (LEAST_GIGABYTES + LEAST_GIGABYTES_PER_THREAD * threads + of_customers)) / 100


def check_resources(workspace: Workspace) -> None:
    """Before a run reads or builds anything. Raises SettingsError where [warehouse] cannot carry it."""
    given, file = workspace.settings.warehouse, workspace.folder / REVIEW_FILE
    customers = _customers_of_last_run(workspace)
    least = least_memory_gigabytes(given.threads, customers)
    if given.memory_limit_gigabytes < least:
        counted = f" and {customers:,} customers" if customers else ""
        raise SettingsError(
            f"{file}: warehouse.memory_limit_gigabytes is {given.memory_limit_gigabytes:g}: {given.threads} "
            f"threads{counted} need at least {least:g}. Raise it, or lower warehouse.threads."
        )
    folder = workspace.spill_folder
    try:
        is_there = folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
        may_write = os.access(folder, os.W_OK | os.X_OK)
        if not is_there:
            # The engine makes it, and takes it away, where something is spilled; it makes no folder above.
            folder.rmdir()
        reason = "it may not be written"
    except OSError as error:
        may_write, reason = False, error.strerror or str(error)
    if not may_write:
        raise SettingsError(
            f"{file}: warehouse.spill_folder is {given.spill_folder[:100]!r}, which is {str(folder)[:300]}: "
            f"{reason}. Give a folder in which whoever runs `vitals` may write."
        )


def _customers_of_last_run(workspace: Workspace) -> int:
    """How many customers the newest built week has, by the run log; 0 before the first."""
    for run in reversed(read_runs(workspace.run_log)):
        if "features" in run.details:
            return int(run.details["features"]["customers"])
    return 0


def shortage(
    error: BaseException, step: str, workspace: Workspace, *, is_published: bool = False
) -> VitalsError | None:
    """The sentence for a step that ended for want of memory or disk; None where that was not the reason.

    The engine's words reach us by many ways (our own connection, dbt, the gate, the loader), so they are
    looked for in the text of the error and of those behind it.
    """
    # What a broken promise quotes is what customers wrote, be it the words of an engine.
    is_of_data = isinstance(error, BrokenPromiseError) and NOT_CHECKED not in str(error)
    found = None if is_of_data or isinstance(error, UsageError) else _what_ran_out(error, workspace)
    if found is None:
        return None
    what, remedy = found
    outcome = "The release is published, its run not noted" if is_published else "Nothing was published"
    again = "vitals run" if step == "load" else f"vitals run --from {step}"
    return VitalsError(f"{step} {what}. {outcome}. {remedy}; then run `{again}`.")


def _what_ran_out(error: BaseException, workspace: Workspace) -> tuple[str, str] | None:
    """What there was not enough of, as it goes on after the step's name, and the remedy."""
    chain = list(_chain(error))
    said = "\n".join(str(each) for each in chain)
    given, file = workspace.settings.warehouse, workspace.folder / REVIEW_FILE
    limit = given.memory_limit_gigabytes
    place = _file_without_room(chain, said, workspace)
    if _says(said, _SPILL_FULL_SAID) or (place and place.is_relative_to(workspace.spill_folder)):
        folder, at_most = workspace.spill_folder, given.spill_gigabytes_at_most
        bound = "" if at_most is None else f"warehouse.spill_gigabytes_at_most allows {at_most:g} GB, "
        return (
            f"ended because what does not fit into memory filled {folder} ({bound}{_free(folder)} free on "
            "that disk)",
            f"In {file} raise warehouse.memory_limit_gigabytes ({limit:g}) or give another warehouse."
            f"spill_folder, or {'make room there' if at_most is None else 'allow more'}",
        )
    if place:
        return (
            f"ended because there is no room to write {place} ({_free(place)} free on that disk)",
            "Make room, or move the data with VITALS_DATA_DIR",
        )
    if _says(said, _MEMORY_FULL_SAID):
        fewer = f", or threads to {given.threads // 2}" if given.threads > 1 else ""
        return (
            f"ran out of memory: the engine may use {limit:g} GB with {given.threads} threads",
            f"Set warehouse.memory_limit_gigabytes in {file} to about {2 * limit:g}{fewer}",
        )
    if any(isinstance(each, MemoryError) for each in chain):
        return (
            "ran out of the machine's memory",
            f"Leave it more: the engine takes up to {limit:g} GB of it (warehouse.memory_limit_gigabytes in "
            f"{file}), the rest of the command about 1 GB beside it",
        )
    return None


def _file_without_room(chain: list[BaseException], said: str, workspace: Workspace) -> Path | None:
    """The file that could not be written for want of room; the build database where none is named."""
    for each in chain:
        if isinstance(each, OSError) and each.errno in _NO_ROOM and each.filename:
            return Path(os.fsdecode(each.filename))
    is_full = any(isinstance(each, OSError) and each.errno in _NO_ROOM for each in chain)
    if not is_full and not _says(said, _NO_ROOM_SAID):
        return None
    found = _FILE_WRITTEN.search(said)
    return Path(found[1]) if found else workspace.build_database


def _says(said: str, words: tuple[str, ...]) -> bool:
    return any(each in said for each in words)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and those it came from: a rollback that fails in its turn hides the reason behind it."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _free(place: Path) -> str:
    there = next((each for each in (place, *place.parents) if each.exists()), Path("/"))
    try:
        free = shutil.disk_usage(there).free
    except OSError:
        return "an unknown amount"
    return f"{free / 1e9:.1f} GB" if free >= 1e9 else f"{free / 1e6:.0f} MB"
