"""Commands of `vitals` in processes forked from a server that has imported what the steps need.

That spares the seconds of importing; from there on they are what the command is.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

# What the steps import when they run.
PRELOADED = (
    "bench.forked",
    "pipeline.cli",
    "pipeline.review",
    "pipeline.load_step",
    "pipeline.features",
    "pipeline.learning",
    "pipeline.marts",
    "pipeline.telling",
    "pipeline.release",
    "pipeline.extension.reading",
    "pipeline.extension.building",
    "dbt.cli.main",
    "dbt.adapters.duckdb",
    "duckdb_engine",
    "expectations.gate",
    "expectations.validation",
    "expectations.raw",
    "expectations.features",
    "expectations.scores",
    "expectations.marts",
    "ml.churn",
    "ml.clusters",
    "ml.health",
    "report.lists",
    "report.page",
    "skops.io",
)
# Great Expectations asks for it when it is imported, by whoever is preloaded.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

SECONDS_AT_MOST = 600

Before = Callable[[], None]


def begin_vitals(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    said: Path,
    complained: Path | None = None,
    before: Before | None = None,
) -> ForkServerProcess:
    """Begin a command in its process.

    said: the file for what it says; complained: that for its errors, where they are to be told apart.
    before: is called in the process first, as to limit it.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    files = (str(said), str(complained or said))
    process = context.Process(target=_vitals, args=(list(arguments), dict(environment), files, before))
    process.start()
    return process


def exit_code_of(process: ForkServerProcess) -> int:
    """The exit code of a command at its end; below 0 the signal that ended it, as it does one that hangs."""
    process.join(SECONDS_AT_MOST)
    if process.exitcode is None:
        process.kill()
        process.join()
    return process.exitcode


def _vitals(
    arguments: list[str], environment: dict[str, str], files: tuple[str, str], before: Before | None
) -> None:
    """In the forked process: what the command `vitals` does, its words into files."""
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    for path, descriptor in zip(files, (1, 2), strict=True):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        os.dup2(file, descriptor)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    sys.argv = ["vitals", *arguments]
    if before is not None:
        before()
    from pipeline.cli import app

    app(arguments, prog_name="vitals")
