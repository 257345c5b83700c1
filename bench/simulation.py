"""What the demo's world costs to make, in seconds and memory: `python -m bench.simulation`, `make bench`.

Each world is made by the command in a process of its own, into a folder that is removed afterwards: ten
million events as a collector would drop them, and with --large a hundred million as Parquet, which have to
fit into the same memory because a world is made in slices.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.record import (
    PROJECT_FOLDER,
    RESULTS_FOLDER,
    Result,
    Target,
    merge_results,
    number_text,
    table_text,
)

WEEKS = 78
LARGEST_GIGABYTES = Target(highest=2.0)
LARGEST_SECONDS = Target(highest=60.0)


@dataclass(frozen=True)
class Size:
    """A world by its customers, and the format of its files."""

    name: str
    customers: int
    format: str
    seconds: Target | None


TEN_MILLION = Size("10m_jsonl", 40_000, "jsonl", LARGEST_SECONDS)
HUNDRED_MILLION = Size("100m_parquet", 400_000, "parquet", None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; the exit code: 0 done, 1 a world could not be made."""
    parser = argparse.ArgumentParser(prog="python -m bench.simulation", description=__doc__)
    parser.add_argument("--large", action="store_true", help="also a hundred million events (some minutes)")
    parser.add_argument("--results", type=Path, default=RESULTS_FOLDER / "bench.json")
    asked = parser.parse_args(arguments)
    results = []
    for size in [TEN_MILLION, *([HUNDRED_MILLION] if asked.large else [])]:
        try:
            results += measure(size)
        except subprocess.CalledProcessError as error:
            print(f"{size.name}: {error.stdout.strip()}", file=sys.stderr)
            return 1
    merge_results(asked.results, results)
    rows = [
        [result.name, number_text(result.value), result.unit, result.target or "–", number_text(result.holds)]
        for result in results
    ]
    print(table_text(["measured", "value", "unit", "target", "holds"], rows))
    print(f"written: {asked.results}")
    return 0


def measure(size: Size, weeks: int = WEEKS) -> list[Result]:
    """Make a world; its wall time, peak memory of the process, and bytes on disk.

    Raises CalledProcessError where the command fails.
    """
    with tempfile.TemporaryDirectory(prefix="vitals-bench-") as folder:
        workspace = Path(folder) / "demo"
        shutil.copytree(
            PROJECT_FOLDER / "workspaces" / "demo", workspace, ignore=shutil.ignore_patterns("data")
        )
        command = [sys.executable, "-m", "pipeline", "simulate", "--workspace", str(workspace)]
        command += ["--customers", str(size.customers), "--weeks", str(weeks), "--format", size.format]
        started = time.perf_counter()
        said, peak_kilobytes = _run(command)
        seconds = time.perf_counter() - started
        landing = workspace / "data" / "landing"
        landing_bytes = sum(path.stat().st_size for path in landing.iterdir())
    events = int(re.search(r"([\d,]+) events of", said)[1].replace(",", ""))
    detail = {"events": events, "customers": size.customers, "weeks": weeks, "landing_bytes": landing_bytes}
    measured = (
        ("seconds", seconds, "seconds", size.seconds),
        ("peak_gigabytes", peak_kilobytes * 1024 / 1e9, "gigabytes", LARGEST_GIGABYTES),
        ("events_per_second", events / seconds, "events per second", None),
    )
    return [
        Result(
            name=f"simulate_{size.name}_{name}",
            value=value,
            unit=unit,
            target=None if target is None else str(target),
            holds=None if target is None else target.holds(value),
            detail=detail,
        )
        for name, value, unit, target in measured
    ]


def _run(command: list[str]) -> tuple[str, int]:
    """What a command said, and its peak memory in kilobytes (Linux counts ru_maxrss in them)."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, cwd=PROJECT_FOLDER)
        _, status, usage = os.wait4(process.pid, 0)
        said.seek(0)
        text = said.read()
    code = os.waitstatus_to_exitcode(status)
    process.returncode = code
    if code:
        raise subprocess.CalledProcessError(code, command, output=text)
    return text, usage.ru_maxrss


if __name__ == "__main__":
    sys.exit(main())
