"""Numbers read like numbers, whatever the machine's locale."""

from __future__ import annotations

import math
from datetime import date

import pytest

from report import wording
from report.overview import course_points


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1234567, 0, "1,234,567"),
        (-1234.56, 1, "−1,234.6"),
        (-0.001, 1, "0.0"),
        (0, 0, "0"),
        (math.nan, 0, "–"),
        (math.inf, 0, "–"),
        (None, 0, "–"),
    ],
)
def test_decimal(value: float | None, digits: int, text: str) -> None:
    assert wording.decimal(value, digits) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0314, "3.1 %"),
        (0.0001, "< 0.1 %"),
        (0.0, "0.0 %"),
        (-0.2, "−20.0 %"),
        (12.5, "1,250.0 %"),
        (None, "–"),
    ],
)
def test_percent(share: float | None, text: str) -> None:
    assert wording.percent(share).replace(wording.SPACE, " ") == text


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [
        (1234.4, "EUR", "€1,234"),
        (-1234.4, "GBP", "−£1,234"),
        (5, "CHF", "CHF 5"),
        (5, "", "5"),
        (None, "EUR", "–"),
    ],
)
def test_money(value: float | None, currency: str, text: str) -> None:
    assert wording.money(value, currency).replace(wording.SPACE, " ") == text


@pytest.mark.parametrize(
    ("text", "with_sign"), [("12", "+12"), ("€3", "+€3"), ("−3", "−3"), ("0.0", "0.0"), ("–", "–")]
)
def test_signed(text: str, with_sign: str) -> None:
    assert wording.signed(text) == with_sign


@pytest.mark.parametrize(
    ("monday", "text"),
    [
        (date(2026, 11, 9), "Mon 9 – Sun 15 November 2026"),
        (date(2011, 11, 28), "Mon 28 November – Sun 4 December 2011"),
        (date(2026, 12, 28), "Mon 28 December 2026 – Sun 3 January 2027"),
    ],
)
def test_week_span(monday: date, text: str) -> None:
    assert wording.week_span(monday) == text


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("power_user", "Power user"),
        ("cant_lose_them", "Can't lose them"),
        ("At-risk", "At-risk"),
        (None, "–"),
    ],
)
def test_name_of(identifier: str | None, name: str) -> None:
    assert wording.name_of(identifier) == name


def test_course_of_a_card_fills_its_box() -> None:
    assert course_points([1, 2, math.nan, 3]) == "0.0,24.0 33.3,12.0 100.0,0.0"
    assert course_points([2, 2, 2]) == "0.0,12.0 50.0,12.0 100.0,12.0"
    assert course_points([1, 2]) == ""
