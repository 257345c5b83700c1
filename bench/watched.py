"""A process watched to its end: its seconds, the most memory of it and its children, what dbt said of nodes.

dbt leaves one run_results.json and the next command of dbt writes over it; a review calls dbt several times.
So the file is looked at while the process runs, and every version of it is kept.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.record import PROJECT_FOLDER

SECONDS_BETWEEN_LOOKS = 0.05
# What would move a command to other data, another week or another run, or give it other peers.
MISLEADING_VARIABLES = ("VITALS_DATA_DIR", "VITALS_WORKSPACE", "VITALS_WEEK", "VITALS_RUN_ID")


class MeasuredCommandError(Exception):
    """A command that was to be measured ended with an error; the message is what it said last."""


@dataclass(frozen=True)
class Watched:
    """What a process took. nodes: seconds of each node that dbt ran, by its unique id.

    cpu_seconds: of all cores together. Less of them than seconds means waiting, perhaps for other programs.
    """

    said: str
    seconds: float
    cpu_seconds: float
    peak_gigabytes: float
    nodes: dict[str, float] = field(default_factory=dict)


def environment_of_commands() -> dict[str, str]:
    """The environment of this process without what would lead a command to another workspace, week or run."""
    return {name: text for name, text in os.environ.items() if name not in MISLEADING_VARIABLES}


def watch(command: Sequence[str], run_results: Path | None = None) -> Watched:
    """Run a command to its end. Raises MeasuredCommandError where it fails.

    run_results: the file that dbt leaves, where the command calls dbt. The peak is that of the largest
    process as the kernel knows it, or of all together, whichever is more, as seen twenty times a second: a
    review lets the kernel forget it at the begin of each step.
    """
    environment = environment_of_commands()
    nodes = _NodesOfRuns(run_results)
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, cwd=PROJECT_FOLDER, env=environment, stdout=said, stderr=subprocess.STDOUT
        )
        try:
            peak = 0
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            while not ended:
                peak = max(peak, *_memory(process.pid))
                nodes.look()
                time.sleep(SECONDS_BETWEEN_LOOKS)
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace")
    if process.returncode != 0:
        last = text.strip().splitlines()[-1:] or ["it said nothing"]
        raise MeasuredCommandError(f"{' '.join(map(str, command[1:5]))} … failed: {last[0]}")
    nodes.look()
    return Watched(text, seconds, usage.ru_utime + usage.ru_stime, peak / 1e9, nodes.seconds)


class _NodesOfRuns:
    """Sums the seconds of nodes over all commands of dbt that have written the file since."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.seconds: dict[str, float] = {}
        self._seen_at = self._changed_at()
        self._known: set[str] = set()
        content = self._content()
        if content is not None:
            self._known.add(content["metadata"]["invocation_id"])

    def look(self) -> None:
        changed_at = self._changed_at()
        if changed_at == self._seen_at:
            return
        content = self._content()
        if content is None:
            return  # half written: the next look finds the whole
        self._seen_at = changed_at
        if content["metadata"]["invocation_id"] in self._known:
            return
        self._known.add(content["metadata"]["invocation_id"])
        for result in content["results"]:
            node = result["unique_id"]
            self.seconds[node] = self.seconds.get(node, 0.0) + result["execution_time"]

    def _changed_at(self) -> int | None:
        try:
            return None if self.path is None else self.path.stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def _content(self) -> dict[str, Any] | None:
        try:
            return None if self.path is None else json.loads(self.path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None


def _memory(process: int) -> tuple[int, int]:
    """Bytes of a process and all below it together, and the most that any of them has had alone.

    What ended while it was looked at counts nothing. Not what the kernel says of a process that has ended:
    that holds the memory of whoever started it, too.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
        kilobytes = {
            line.split(":")[0]: int(line.split()[1]) for line in status.splitlines() if line.startswith("Vm")
        }
        resident, most = kilobytes["VmRSS"] * 1024, kilobytes["VmHWM"] * 1024
        children = [
            int(child)
            for task in Path(f"/proc/{process}/task").iterdir()
            for child in (task / "children").read_text(encoding="ascii").split()
        ]
    except (OSError, KeyError, IndexError, ValueError):
        return 0, 0
    for child in children:
        resident_below, most_below = _memory(child)
        resident, most = resident + resident_below, max(most, most_below)
    return resident, most
