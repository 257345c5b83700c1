"""Who holds the build database: its lock belongs to a process, and the run log knows what that one does.

The lock is the engine's own, on the file itself. It ends with its process, however that ends: there is no
file of ours that could be left behind and would have to be removed by hand.
"""

from __future__ import annotations

import os
import struct
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.runlog import RunSummary, read_runs

# struct flock of Linux on 64 bits: kind, whence, start, length, process.
_FLOCK = "hhqqi4x"


@dataclass(frozen=True)
class Holder:
    """A process that has the build database open. `run`: what the run log knows of it."""

    process: int
    command: str
    run: RunSummary | None = None

    def __str__(self) -> str:
        said = f"process {self.process}"
        if self.command:
            said += f", `{self.command}`"
        if self.run is None:
            return said
        step = self.run.step_under_way
        since = self.run.started_at if step is None else step.started_at
        doing = f"run {self.run.run_id}" if step is None else f"step {step.step} of run {self.run.run_id}"
        return f"{said}: {doing} since {moment(since)}"


def holder_of(process: int, run_log: Path) -> Holder:
    """What is known of a process that holds the lock."""
    run = next(
        (run for run in reversed(read_runs(run_log)) if run.process == process and run.state == "running"),
        None,
    )
    command = run.command if run is not None and run.command else _command_of(process)
    return Holder(process, command, run)


def find_holder(database: Path, run_log: Path) -> Holder | None:
    """Who holds the lock of the database now; None where nobody does, or where the system does not tell.

    Not for a process that has the database open itself: closing the file would give up its own lock.
    """
    if not sys.platform.startswith("linux"):
        return None
    import fcntl

    try:
        with database.open("rb") as file:
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            answer = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    except OSError:
        return None
    kind, process = answer[0], answer[-1]
    return None if kind == fcntl.F_UNLCK else holder_of(process, run_log)


def moment(at: datetime) -> str:
    """A moment of the machine's clock for people."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _command_of(process: int) -> str:
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return b" ".join(word for word in words if word).decode(errors="replace")[:200]
