"""What a person sees while a command works: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class StepDisplay:
    """Shows one step: its progress while it runs, one line when it is done."""

    def __init__(self, console: Console, step: str) -> None:
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
                description=escape(f"{self.step:<9}{text}"),
                completed=done or 0,
                total=100 if done is not None else None,
            )
        elif time.monotonic() - self._said_at >= 10:
            # Plain lines: a sign of life every ten seconds, not a line per file.
            self._said_at = time.monotonic()
            share = "" if share_done is None else f" ({share_done:.0%})"
            self.console.print(f"{self.step:<9}… {text}{share}", markup=False, highlight=False)

    def notice(self, text: str) -> None:
        """Something that the user should know although nothing failed."""
        self.console.print(f"{self.step:<9}note: {text}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def show_step(console: Console, step: str, *, in_a_line: bool = True) -> Iterator[StepDisplay]:
    """Show a step from its start to its line of summary (set `summary` on what is yielded).

    Without `in_a_line` the line is left out: whoever runs many steps sums them up.
    """
    display = StepDisplay(console, step)
    started = time.monotonic()
    if console.is_terminal:
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
    if not in_a_line:
        return
    seconds = time.monotonic() - started
    console.print(
        f"{step:<9}{seconds:6.1f} s  {display.summary}", markup=False, highlight=False, soft_wrap=True
    )
