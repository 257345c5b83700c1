"""What a page is made of. Sections hold blocks in reading order; the template knows one shape for each kind.

All fields are plain text, escaped by the template, except `Chart.figure`: JSON that `charts` has made safe
inside a script element.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

Tone = Literal["plain", "absent", "warning", "fine"]
Direction = Literal["good", "bad", "even"]


@dataclass(frozen=True)
class Sentence:
    """One paragraph. `absent` says that a kind of data is not there, `warning` that something is wrong."""

    kind: ClassVar[str] = "sentence"
    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class KeyFigure:
    """One number of the week, its change against the week before, and its course (points of an SVG line)."""

    name: str
    value: str
    change: str
    direction: Direction
    before: str
    course: str = ""


@dataclass(frozen=True)
class KeyFigures:
    """The cards at the top of the page."""

    kind: ClassVar[str] = "key_figures"
    figures: tuple[KeyFigure, ...]


@dataclass(frozen=True)
class Column:
    """Head of a table column; numbers stand at the right."""

    name: str
    is_number: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of text. `first_is_name`: the first cell of a row names it. `tones`: one per row, or none."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    tones: tuple[Tone, ...] = ()
    is_folded: bool = False


@dataclass(frozen=True)
class Bar:
    """One segment: its share as a bar, and its change against the week before."""

    name: str
    meaning: str
    customers: str
    share: str
    share_percent: str
    change: str
    extra: str


@dataclass(frozen=True)
class Bars:
    """A distribution: one bar per segment."""

    kind: ClassVar[str] = "bars"
    title: str
    takeaway: str
    extra_name: str
    bars: tuple[Bar, ...]
    note: str = ""


@dataclass(frozen=True)
class Chart:
    """A figure with the sentence that says what it shows, and its numbers for those who cannot see it."""

    kind: ClassVar[str] = "chart"
    identifier: str
    title: str
    takeaway: str
    figure: str
    height: Literal["low", "middle", "high"] = "middle"
    is_half: bool = False
    numbers: Table | None = None
    note: str = ""


Block = Sentence | KeyFigures | Table | Bars | Chart


@dataclass(frozen=True)
class Section:
    """A chapter of the page and its place in the table of contents."""

    identifier: str
    title: str
    lead: str
    blocks: tuple[Block, ...]
