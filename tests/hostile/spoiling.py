"""What spoils a file: odd texts, numbers and times, and bytes changed in a few places."""

from __future__ import annotations

import random

# Texts that would do something where somebody took them for SQL, shell, paths, patterns or markup.
TEXTS = (
    "'; drop table raw.events; --",
    '"; drop schema raw cascade; --',
    "$(touch hostile_was_here)",
    "`touch hostile_was_here`",
    "../../../../etc/passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "*.jsonl",
    "%s%n{0}{{ x }}",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "\u202eabc",
    "\ufeffabc",
    "🙂" * 50,
    "\x00",
    "\x1b[31m",
    "a\nb\r\nc",
    "null",
    "NaN",
    "x" * 70_000,
    "",
    " ",
    "[" * 2_000,
    '{"a":' * 2_000,
)
NUMBERS = (0, -1, 2**63, -(2**63) - 1, 10**400, 1e308, -1e-320, float("nan"), float("inf"), 0.1 + 0.2)
TIMES = (
    "2025-02-30T10:00:00Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "292277026596-12-04T15:30:08Z",
    "2025-03-30T02:30:00",
    "2025-03-04T24:00:00Z",
    "2025-03-04T10:00:60Z",
    "2025-03-04 10:00:00 Europe/Berlin",
    "-infinity",
    "epoch",
    "1741083072",
)


def spoilt_bytes(chance: random.Random, data: bytes) -> bytes:
    """Some bytes changed, cut out, doubled or put in."""
    spoilt = bytearray(data)
    for _ in range(chance.randrange(1, 12)):
        if not spoilt:
            break
        place = chance.randrange(len(spoilt))
        how = chance.randrange(4)
        if how == 0:
            spoilt[place] = chance.randrange(256)
        elif how == 1:
            del spoilt[place : place + chance.randrange(1, 30)]
        elif how == 2:
            spoilt[place:place] = spoilt[place : place + 30]
        else:
            spoilt[place:place] = bytes(chance.randrange(256) for _ in range(8))
    return bytes(spoilt)
