"""Readers of a release: they query what is published without pause and say whether they ever saw a part.

Each is a process of its own that knows nothing of the pipeline: DuckDB, a folder, what whole releases hold.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import duckdb

Signature = tuple[str, str]
# Beside a review that wants both cores: what is left over is theirs, and they take all of it.
NICENESS = 19
END_OF_PAGE = b"</html>"


@dataclass
class Seen:
    """What readers saw, all together. torn: not the tables and lists of one whole release."""

    queries: int = 0
    fewest_queries: int = 0
    torn: int = 0
    errors: int = 0
    releases: set[str] = field(default_factory=set)
    example: str = ""


def signature_of(release: Path) -> Signature:
    """The content of one release: of all tables of its marts, and of its lists. Raises where it is no whole.

    One connection, one look: duckdb.Error or OSError where a file is missing or damaged, ValueError where the
    page has no end.
    """
    digest = hashlib.sha256()
    with duckdb.connect(
        str(release / "warehouse.duckdb"), read_only=True, config={"threads": 1}
    ) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'marts' order by all"
        ).fetchall()
        for (table,) in tables:
            counted = connection.execute(
                f"select count(*), sum(hash(whole_row)::hugeint) from marts.{table} as whole_row"
            ).fetchone()
            digest.update(f"{table} {counted}".encode())
    lists = hashlib.sha256()
    for path in sorted((release / "lists").iterdir()):
        lists.update(path.name.encode() + path.read_bytes())
    with (release / "report" / "index.html").open("rb") as page:
        page.seek(-64, os.SEEK_END)
        if END_OF_PAGE not in page.read():
            raise ValueError(f"{page.name} has no end")
    return digest.hexdigest(), lists.hexdigest()


class Readers:
    """So many readers from `start` to `stop`, over some workspaces in turn."""

    def __init__(self, count: int, links: Sequence[Path], whole: set[Signature]) -> None:
        """links: `serving/current` of each workspace; whole: the releases that there may be."""
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._answers = context.Queue()
        self._asked = context.Array("q", count)
        arguments = [str(link) for link in links], whole, self._stop, self._answers, self._asked
        self.processes: list[SpawnProcess] = [
            context.Process(target=_read, args=(number, *arguments), daemon=True) for number in range(count)
        ]

    def start(self) -> None:
        """Start them, and wait until each has read once."""
        for process in self.processes:
            process.start()
        self.wait_for(1)

    def have_asked(self, queries: int) -> bool:
        """Whether every reader has asked so often. Raises RuntimeError where one has died."""
        if not all(process.is_alive() for process in self.processes):
            raise RuntimeError("a reader has died")
        return min(self._asked) >= queries

    def wait_for(self, queries: int) -> None:
        """Wait until every reader has asked so often. Raises RuntimeError where one has died."""
        while not self.have_asked(queries):
            time.sleep(0.05)

    def stop(self) -> Seen:
        """End them; what they saw."""
        self._stop.set()
        answers = [self._answers.get(timeout=120) for _ in self.processes]
        for process in self.processes:
            process.join()
        return Seen(
            queries=sum(each["queries"] for each in answers),
            fewest_queries=min(each["queries"] for each in answers),
            torn=sum(each["torn"] for each in answers),
            errors=sum(each["errors"] for each in answers),
            releases=set().union(*(each["releases"] for each in answers)),
            example=next((each["example"] for each in answers if each["example"]), ""),
        )


def _read(number: int, links: list[str], whole: set[Signature], stop: Any, answers: Any, asked: Any) -> None:
    os.nice(NICENESS)
    seen: dict[str, Any] = {"queries": 0, "torn": 0, "errors": 0, "releases": set(), "example": ""}
    while not stop.is_set():
        link = Path(links[(number + seen["queries"]) % len(links)])
        try:
            # Followed once, as whoever opens page and tables together has to.
            release = link.resolve(strict=True)
            signature = signature_of(release)
        except (duckdb.Error, OSError, ValueError) as error:
            seen["errors"] += 1
            seen["example"] = seen["example"] or f"{type(error).__name__}: {error}"[:300]
        else:
            seen["releases"].add(release.name)
            if signature not in whole:
                seen["torn"] += 1
                seen["example"] = seen["example"] or f"{release} is no whole release"
        seen["queries"] += 1
        asked[number] = seen["queries"]
    answers.put(seen)
