"""What a measurement leaves: results with the machine, the versions and the commit that they hold for."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline import provenance

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
RESULTS_FOLDER = PROJECT_FOLDER / "bench" / "results"
WRITTEN_BY_MEASUREMENTS = ("bench/results", "docs")
# Beside those that decide what a run makes.
MEASURED_PACKAGES = ("polars", "scipy")


@dataclass(frozen=True)
class Target:
    """The values that are good enough: from `lowest` to `highest`, both included; None: no bound."""

    lowest: float | None = None
    highest: float | None = None

    def holds(self, value: float | None) -> bool | None:
        """Whether a value is good enough; None while there is none."""
        if value is None:
            return None
        return (self.lowest is None or value >= self.lowest) and (
            self.highest is None or value <= self.highest
        )

    def __str__(self) -> str:
        if self.lowest is not None and self.lowest == self.highest:
            return number_text(self.lowest)
        if self.lowest is None:
            return f"≤ {number_text(self.highest)}"
        if self.highest is None:
            return f"≥ {number_text(self.lowest)}"
        return f"{number_text(self.lowest)} to {number_text(self.highest)}"


@dataclass(frozen=True)
class Result:
    """One measured thing. value: None while the product cannot give it; holds: None without a target."""

    name: str
    value: float | None
    unit: str
    target: str | None = None
    holds: bool | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Written:
    """What a file of results says."""

    machine: dict[str, Any]
    versions: dict[str, str]
    commit: str | None
    results: list[Result]


def read_results(path: Path) -> Written:
    """A file of results. Raises FileNotFoundError where there is none."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Written(
        content["machine"],
        content["versions"],
        content["commit"],
        [Result(**result) for result in content["results"]],
    )


def merge_results(path: Path, results: Sequence[Result]) -> None:
    """Write results beside those of other names that the file holds already. Raises OSError.

    What stays from a measurement of another commit, or another machine, says so in its detail: its numbers
    are not of this one.
    """
    try:
        earlier = read_results(path)
    except FileNotFoundError:
        write_results(path, results)
        return
    measured = {result.name for result in results}
    stays = [result for result in earlier.results if result.name not in measured]
    if earlier.commit != commit() or earlier.machine["processor"] != machine()["processor"]:
        of_then = {
            "commit": earlier.commit,
            "measured_on": earlier.machine.get("measured_on"),
            "processor": earlier.machine["processor"],
        }
        stays = [
            result if "commit" in result.detail else replace(result, detail={**of_then, **result.detail})
            for result in stays
        ]
    write_results(path, [*stays, *results])


def write_results(path: Path, results: Sequence[Result]) -> None:
    """Write the results as JSON, whole or not at all: a reader never sees a part. Raises OSError."""
    content = {
        "machine": machine(),
        "versions": versions(),
        "commit": commit(),
        "results": [asdict(result) for result in results],
    }
    text = json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def machine() -> dict[str, Any]:
    """What the measurement ran on, and on which day."""
    return {
        "measured_on": f"{datetime.now(UTC):%Y-%m-%d}",
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gigabytes": round(
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
            1,
        ),
    }


def versions() -> dict[str, str]:
    """Python and the libraries that a measurement depends on."""
    return provenance.versions() | {name: metadata.version(name) for name in MEASURED_PACKAGES}


def commit() -> str | None:
    """The commit of the project, with "-dirty" behind it where files differ from it; None outside of Git.

    What measurements write themselves (WRITTEN_BY_MEASUREMENTS) may differ.
    """
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=PROJECT_FOLDER, capture_output=True, text=True, check=True
        )
        others = [f":(exclude){path}" for path in WRITTEN_BY_MEASUREMENTS]
        differs = subprocess.run(
            ["git", "diff", "--quiet", "HEAD", "--", ".", *others], cwd=PROJECT_FOLDER, check=False
        ).returncode
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip() + ("-dirty" if differs else "")


def number_text(value: float | bool | None) -> str:
    """A number for people: whole ones with thousands, shares with four decimals, nothing as –."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if float(value).is_integer():
        return f"{int(value):,}"
    if abs(value) >= 100:
        return f"{value:,.2f}"
    return f"{value:.4g}" if abs(value) < 0.001 else f"{value:.4f}".rstrip("0")


def table_text(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of columns as wide as their widest text, the first to the left and the others to the right."""
    widths = [max(len(row[column]) for row in [titles, *rows]) for column in range(len(titles))]

    def line(row: Sequence[str]) -> str:
        first, *others = zip(row, widths, strict=True)
        return "  ".join([first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]).rstrip()

    return "\n".join([line(titles), line(["─" * width for width in widths]), *map(line, rows)])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _plain(value: Any) -> Any:
    """The same for JSON: numpy's numbers as Python's, a number that is none as null, dates as text."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if hasattr(value, "item"):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)
