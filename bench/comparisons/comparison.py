"""One line of the table: what was planted, what was found, and whether that is good enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bench.record import Result, Target, number_text

EXACT = Target(0, 0)


@dataclass(frozen=True)
class Comparison:
    """Something planted beside what the product says of it.

    planted, found: None where the world has no single number for it, or the product cannot answer. target:
    what `found` should be, or with `is_exact` what the error should be: 0.
    """

    name: str
    planted: float | None
    found: float | None
    unit: str
    target: Target | None = None
    is_exact: bool = False
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def error(self) -> float | None:
        """found − planted."""
        if self.planted is None or self.found is None:
            return None
        return self.found - self.planted

    @property
    def holds(self) -> bool | None:
        """None without a target, and while the product cannot answer."""
        if self.is_exact:
            return EXACT.holds(self.error)
        return self.target.holds(self.found) if self.target else None

    @property
    def target_text(self) -> str | None:
        """The target in words."""
        if self.is_exact:
            return "error 0"
        return str(self.target) if self.target else None

    def result(self) -> Result:
        """The comparison as it is written: its value is what was found."""
        detail = {"planted": self.planted, "error": self.error} | self.detail
        return Result(self.name, self.found, self.unit, self.target_text, self.holds, detail)

    def texts(self) -> tuple[str, ...]:
        """The comparison as a row for people, in the order of TITLES."""
        holds = {None: "", True: "yes", False: "NO"}[self.holds]
        numbers = (number_text(value) for value in (self.planted, self.found, self.error))
        return (f"{self.name} [{self.unit}]", *numbers, self.target_text or "", holds)


TITLES = ("what", "planted", "found", "error", "target", "holds")


def exact(name: str, planted: float, found: float, unit: str, **detail: Any) -> Comparison:
    """A comparison of counts that have to be equal."""
    return Comparison(name, planted, found, unit, is_exact=True, detail=detail)


def unanswered(name: str, planted: float | None, unit: str, **detail: Any) -> Comparison:
    """Something planted that the product cannot answer yet."""
    return Comparison(name, planted, None, unit, detail=detail)
