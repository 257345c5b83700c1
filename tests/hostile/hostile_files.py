"""Files that are nearly right: what users and strangers put into landing, and settings edited at midnight.

Each case begins as a file that is good, of which the structure is known, and is then spoilt in a few places.
The same number gives the same case.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from pipeline.workspace import WORKSPACES_FOLDER
from tests.hostile.spoiling import spoilt_bytes
from tests.hostile.spoilt_landing import SPOILT_BY_FORMAT
from tests.hostile.spoilt_settings import spoilt_settings, spoilt_table

KINDS_OF_LANDING = tuple(SPOILT_BY_FORMAT)
KINDS = (*KINDS_OF_LANDING, "review.toml", "events.csv", "playbook.csv")
NAMES = (
    "a b.{s}",
    "'; drop table raw.loads; --.{s}",
    "$(touch hostile_was_here).{s}",
    "[a-z]*?.{s}",
    "ümläut\u202e.{s}",
    "%2e%2e.{s}",
    "-rf.{s}",
    "new\nline.{s}",
    "deep/er/" * 20 + "f.{s}",
    "x" * 200 + ".{s}",
)


@dataclass(frozen=True)
class HostileFile:
    """A spoilt file. `good_ids` are events in rows that nobody touched: they load where the file is read."""

    kind: str
    number: int
    name: str
    content: bytes
    good_ids: frozenset[str] = frozenset()


def hostile_file(kind: str, number: int) -> HostileFile:
    """One case, made from its kind and number alone."""
    chance = random.Random(f"{kind} {number}")
    if kind in KINDS_OF_LANDING:
        content, suffix, good_ids = SPOILT_BY_FORMAT[kind](chance, number)
        name = f"case-{number}.{suffix}"
        if chance.random() < 0.1:
            name = f"{number} {chance.choice(NAMES).format(s=suffix)}"
            # Patterns do not reach into folders.
            good_ids = set() if "/" in name else good_ids
        return HostileFile(kind, number, name, content, frozenset(good_ids))
    text = (WORKSPACES_FOLDER / "demo" / kind).read_text(encoding="utf-8")
    spoilt = spoilt_settings(chance, text) if kind == "review.toml" else spoilt_table(chance, text)
    content = spoilt.encode("utf-8", "surrogatepass")
    return HostileFile(
        kind, number, kind, spoilt_bytes(chance, content) if chance.random() < 0.2 else content
    )


def write_case(case: HostileFile, folder: Path) -> Path:
    """The file of a case, in a folder of landing or of a workspace."""
    path = folder / case.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(case.content)
    return path
