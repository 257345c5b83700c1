"""Settings and tables of a workspace as somebody edited them at midnight."""

from __future__ import annotations

import random

from tests.hostile.spoiling import TEXTS


def spoilt_settings(chance: random.Random, text: str) -> str:
    """review.toml with some values of other kinds, keys doubled, gone or unknown, tables moved."""
    lines = text.splitlines()
    values = (
        '""',
        "0",
        "-1",
        "1e400",
        "nan",
        "true",
        "[]",
        "{}",
        '["x", 1]',
        "2025-01-01",
        "99999999999999999999",
        '"../../etc"',
        '"\'; drop table raw.events; --"',
        '"' + "x" * 20_000 + '"',
        '"\\u0000"',
        "'''",
        "[[[[[[",
        '"Europe/Nowhere"',
        '"**/*"',
        '"(((((((((a+)+)+)+)+)+)+)+)+"',
    )
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(lines))
        key, sign, _ = lines[place].partition("=")
        how = chance.randrange(5)
        if how <= 1 and sign:
            lines[place] = f"{key}= {chance.choice(values)}"
        elif how == 2:
            lines.insert(place, lines[chance.randrange(len(lines))])
        elif how == 3:
            del lines[place]
        else:
            lines.insert(place, f"{chance.choice(['unknown', 'a.b.c', 'title'])} = {chance.choice(values)}")
    return "\n".join(lines) + "\n"


def spoilt_table(chance: random.Random, text: str) -> str:
    """events.csv or playbook.csv with some cells replaced, rows doubled, gone or ragged."""
    rows = [line.split(",") for line in text.splitlines()]
    for _ in range(chance.randrange(1, 5)):
        row = rows[chance.randrange(len(rows))]
        how = chance.randrange(5)
        if how <= 1 and row:
            row[chance.randrange(len(row))] = chance.choice(
                [*TEXTS, "true", "-1", "1e400", "churn_band:low", '"']
            )
        elif how == 2:
            rows.insert(chance.randrange(len(rows)), list(rows[chance.randrange(len(rows))]))
        elif how == 3:
            row.append(chance.choice(TEXTS))
        elif row:
            row.pop()
    return "\n".join(",".join(row) for row in rows) + "\n"
