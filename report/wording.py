"""Numbers, dates and names as the reader sees them: plain text, escaped later by whoever writes HTML.

A missing value is a dash. Names of months are written out here because `strftime` follows the locale of
the machine, and the page must not.
"""

from __future__ import annotations

import math
from datetime import date, timedelta

DASH = "–"
SPACE = "\u00a0"  # keeps a number and its unit on one line
MINUS = "\u2212"

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August")
MONTHS += ("September", "October", "November", "December")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

CURRENCY_SIGNS = {"EUR": "€", "GBP": "£", "USD": "$"}

NAMES = {
    "cant_lose_them": "Can't lose them",
    "no_orders": "No orders yet",
    "auroc": "AUROC",
    "roc_auc": "AUROC",
    "nps": "NPS",
    "rfm": "RFM",
    "in_app": "In-app",
    "sms": "SMS",
}


def is_missing(value: float | None) -> bool:
    """Whether there is no finite number."""
    return value is None or not math.isfinite(value)


def decimal(value: float | None, digits: int = 0) -> str:
    """1234.5 with 1 digit → `1,234.5`; −2 → `−2`."""
    if value is None or not math.isfinite(value):
        return DASH
    rounded = round(float(value), digits)
    text = f"{abs(rounded):,.{digits}f}"
    return f"{MINUS}{text}" if rounded < 0 else text


def percent(share: float | None, digits: int = 1) -> str:
    """0.0314 → `3.1 %`; a share too small for its digits is `< 0.1 %`, not 0."""
    if share is None or not math.isfinite(share):
        return DASH
    smallest = 10.0**-digits
    if 0 < share * 100 < smallest / 2:
        return f"<{SPACE}{decimal(smallest, digits)}{SPACE}%"
    return f"{decimal(share * 100, digits)}{SPACE}%"


def money(value: float | None, currency: str, digits: int = 0) -> str:
    """1234.5 in EUR → `€1,235`; in CHF → `CHF 1,235`; without a currency → `1,235`."""
    text = decimal(value, digits)
    if text == DASH or not currency:
        return text
    sign = CURRENCY_SIGNS.get(currency, f"{currency}{SPACE}")
    return f"{MINUS}{sign}{text[1:]}" if text.startswith(MINUS) else f"{sign}{text}"


def signed(text: str) -> str:
    """A plus before what is neither negative nor zero: `12` → `+12`, `−3` and `0.0` stay."""
    has_value = any(character in "123456789" for character in text)
    return f"+{text}" if has_value and not text.startswith(MINUS) else text


def amount_of(number: float, singular: str, plural: str) -> str:
    """`1 customer`, `1,200 customers`."""
    return f"{decimal(number)}{SPACE}{singular if number == 1 else plural}"


def day(value: date | None) -> str:
    """`16 November 2026`."""
    return DASH if value is None else f"{value.day} {MONTHS[value.month - 1]} {value.year}"


def short_day(value: date | None) -> str:
    """`16 Nov 2026`."""
    return DASH if value is None else f"{value.day} {MONTHS[value.month - 1][:3]} {value.year}"


def week_span(monday: date) -> str:
    """The Monday and the Sunday of a week: `Mon 16 – Sun 22 November 2026`."""
    sunday = monday + timedelta(days=6)
    start = f"Mon {monday.day}"
    if monday.month != sunday.month:
        start += f" {MONTHS[monday.month - 1]}"
    if monday.year != sunday.year:
        start += f" {monday.year}"
    return f"{start} – Sun {day(sunday)}"


def name_of(identifier: str | None) -> str:
    """A name for the reader: `power_user` → `Power user`; text that is no identifier stays as it is."""
    if identifier is None:
        return DASH
    if identifier in NAMES:
        return NAMES[identifier]
    if not all(character.isalnum() or character == "_" for character in identifier):
        return identifier
    words = identifier.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def shortened(text: str | None, limit: int) -> str:
    """At most `limit` characters, so that one absurd value cannot blow up the page."""
    if text is None:
        return DASH
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
