"""What a command says while it works: a live line on a terminal, plain lines elsewhere, or JSON lines.

JSON lines are for programs that collect logs: every line says of which run, week and step it speaks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@dataclass
class JsonLines:
    """Says everything as JSON, a line at a time.

    Every line has `at` (UTC), `level` (info, warning, error), `event`, and what is known of `workspace`,
    `run_id`, `review_week` and `step`; most have a `message` for people. It hears what is written to the run
    log, says it too, and so knows of which step the lines between speak.
    """

    stream: TextIO
    workspace: str = ""
    _speaks_of: dict[str, Any] = field(default_factory=dict)

    def say(self, event: str, *, level: str = "info", **details: Any) -> None:
        """One line, at once: whoever follows the log sees a step while it runs."""
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": level,
            "event": event,
            "workspace": self.workspace,
            **self._speaks_of,
            **details,
        }
        print(json.dumps(line, default=str), file=self.stream, flush=True)

    def hear(self, line: dict[str, Any]) -> None:
        """Say a line of the run log, and remember of what it speaks."""
        event = line["event"]
        if event == "run_started":
            self._speaks_of = {}
        elif event == "step_started":
            self._speaks_of |= {"review_week": line["review_week"], "step": line["step"]}
        elif event == "run_failed" and line.get("step"):
            # Also what is said after it, of the command, speaks of the step that failed.
            self._speaks_of["step"] = line["step"]
        self._speaks_of["run_id"] = line["run_id"]
        level = "error" if event == "run_failed" else "info"
        details = {name: value for name, value in line.items() if name not in ("at", "event", "run_id")}
        self.say(event, level=level, **details)
        if event in ("step_finished", "run_finished"):
            self._speaks_of.pop("step", None)


Screen = Console | JsonLines


def printable(text: str) -> str:
    """Text as one line for a terminal, to which control characters of data or of file names are commands."""
    spaced = (" " if character.isspace() else character for character in text)
    return "".join(character if character.isprintable() else "�" for character in spaced)


def print_line(console: Console, text: str) -> None:
    """One line for people, whatever it quotes: nothing of it is a command or markup."""
    console.print(printable(text), markup=False, highlight=False, soft_wrap=True)


def say(screen: Screen, title: str, text: str) -> None:
    """A line that belongs to a command and to none of its steps."""
    if isinstance(screen, JsonLines):
        screen.say(title, message=text.strip())
    else:
        print_line(screen, f"{title:<9}{text}")


class StepDisplay:
    """Shows one step: its progress while it runs, one line when it is done."""

    def __init__(self, console: Screen, step: str) -> None:
        self.console = console
        self.step = step
        self.summary = ""
        self._progress: Progress | None = None
        self._task = None
        self._said_at = time.monotonic()

    def update(self, text: str, share_done: float | None = None) -> None:
        """What the step is doing now, and how much of it is done (0 to 1) where that is known."""
        if self._progress is not None:
            done = None if share_done is None else 100 * share_done
            self._progress.update(
                self._task,
                description=escape(printable(f"{self.step:<9}{text}")),
                completed=done or 0,
                total=100 if done is not None else None,
            )
        elif time.monotonic() - self._said_at >= 10:
            # Plain lines: a sign of life every ten seconds, not a line per file.
            self._said_at = time.monotonic()
            if isinstance(self.console, JsonLines):
                self.console.say("progress", message=text, share_done=share_done)
                return
            share = "" if share_done is None else f" ({share_done:.0%})"
            print_line(self.console, f"{self.step:<9}… {text}{share}")

    def notice(self, text: str) -> None:
        """Something that the user should know although nothing failed."""
        if isinstance(self.console, JsonLines):
            self.console.say("notice", level="warning", message=text)
            return
        print_line(self.console, f"{self.step:<9}note: {text}")


@contextmanager
def show_step(console: Screen, step: str, *, in_a_line: bool = True) -> Iterator[StepDisplay]:
    """Show a step from its start to its line of summary (set `summary` on what is yielded).

    Without `in_a_line` the line is left out: whoever runs many steps sums them up. As JSON lines, a step
    says its summary with what the run log says of its end.
    """
    display = StepDisplay(console, step)
    started = time.monotonic()
    if isinstance(console, Console) and console.is_terminal:
        progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        with progress:
            display._progress = progress
            display._task = progress.add_task(escape(step), total=None)
            yield display
    else:
        yield display
    if not in_a_line or isinstance(console, JsonLines):
        return
    seconds = time.monotonic() - started
    print_line(console, f"{step:<9}{seconds:6.1f} s  {display.summary}")
