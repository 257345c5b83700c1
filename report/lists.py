"""The working lists as CSV text (RFC 4180), safe to open in a spreadsheet."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from numbers import Integral, Real

import numpy
import pandas

# A spreadsheet reads a cell that begins so as a formula, in any width of the character.
FORMULA_STARTS = frozenset("=+-@\u2212")
# Where a spreadsheet of another locale (semicolons), or one that reads line by line, sees a new cell begin
# although the cell is quoted. The last group also names the full-width forms: an expression cannot normalise.
INNER_FORMULA = re.compile(
    r"([;\t\r\n](?:[^\S\t\r\n]|[\"\ufeff\u200b])*)([=+\-@\u2212\uff1d\uff0b\uff0d\uff20])"
)

QUOTED = re.compile(r'[,"\r\n]')  # what a cell may hold only inside quotes (RFC 4180, 2.6)

KEY_LENGTH = 60  # characters; leaves room for a suffix on every file system
WINDOWS_DEVICES = frozenset(["con", "prn", "aux", "nul"]) | {
    f"{device}{number}" for device in ("com", "lpt") for number in range(10)
}


def list_csv(rows: pandas.DataFrame) -> str:
    """The rows as CSV: a header, comma, CRLF, quotes only where needed; a missing value is an empty cell.

    Grain: as handed in, in the order handed in. Numbers, dates and booleans (`true`, `false`) are written as
    they are, a negative number too. Text that a spreadsheet would run as a formula gets a single quote before
    it (source: OWASP, "CSV Injection"), as do column names; line breaks stay, inside quotes. A program that
    needs the text to the letter reads `marts.interventions` instead.
    """
    columns = [[_cell(value) for value in rows.iloc[:, place]] for place in range(rows.shape[1])]
    header = [guarded(str(column)) for column in rows.columns]
    lines = [header, *zip(*columns, strict=True)]
    return "".join(f"{_line(cells)}\r\n" for cells in lines)


def _line(cells: Sequence[str]) -> str:
    if list(cells) == [""]:
        return '""'  # an empty line would not be a row
    return ",".join(_quoted(cell) if QUOTED.search(cell) else cell for cell in cells)


def _quoted(cell: str) -> str:
    doubled = cell.replace('"', '""')
    return f'"{doubled}"'


def guarded(text: str) -> str:
    """The text with a single quote before each place from which a spreadsheet would read a formula."""
    kept = INNER_FORMULA.sub(r"\1'\2", text)
    visible = next((character for character in text if not _is_blank(character)), "")
    return f"'{kept}" if text[:1] in ("\t", "\r", "\n") or _starts_formula(visible) else kept


def _starts_formula(character: str) -> bool:
    # Compatibility normalisation turns the full-width, small and raised forms into the plain ones.
    return unicodedata.normalize("NFKC", character)[:1] in FORMULA_STARTS if character else False


def _is_blank(character: str) -> bool:
    """White space, controls and characters of no width, which spreadsheets skip or drop."""
    return character.isspace() or unicodedata.category(character) in ("Cc", "Cf")


def _cell(value: object) -> str:
    if value is None or (pandas.api.types.is_scalar(value) and pandas.isna(value)):
        return ""
    match value:
        case bool() | numpy.bool_():
            text = "true" if value else "false"
        case Integral():
            text = str(int(value))
        case Decimal() if value.is_finite():
            text = format(value, "f")
        case Real() if math.isfinite(value):
            text = repr(float(value))
        case datetime():
            text = value.isoformat(sep=" ")
        case date():
            text = value.isoformat()
        case _:
            text = guarded(str(value))
    return text


def split_by_team(interventions: pandas.DataFrame) -> dict[str, pandas.DataFrame]:
    """One list per owner team, by a key that is safe as a file name.

    Keys consist of a–z, 0–9 and _, at most 60 of them and perhaps a number. Rows stand in order of rank. A
    team without a name has the key `unassigned`. Where several names come to the same key (`Sales`, `sales`),
    the name that needs no change keeps it, the others get `_2`, `_3` … in the order of their names. No name
    leads out of a folder: `../../etc` has the key `etc`.
    """
    if interventions.empty or "owner_team" not in interventions:
        return {}
    teams = interventions["owner_team"].astype("object")
    names = teams.map(str).where(teams.notna(), "")
    order = [column for column in ("rank", "customer_id", "action_id") if column in interventions]
    keys: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(names.unique(), key=lambda name: (team_key(name) != name, name)):
        key = team_key(name)
        number = 1
        while key in taken:
            number += 1
            key = f"{team_key(name)}_{number}"
        taken.add(key)
        keys[name] = key
    parts = {key: interventions.loc[names.eq(name)] for name, key in keys.items()}
    return {
        key: (part.sort_values(order, kind="stable") if order else part).reset_index(drop=True)
        for key, part in sorted(parts.items())
    }


def team_key(name: str) -> str:
    """A file name's worth of a team's name: `Vertrieb Süd` → `vertrieb_sud`, `` → `unassigned`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
    key = re.sub(r"[^a-z0-9]+", "_", plain)[:KEY_LENGTH].strip("_")
    if not key:
        return "team" if name.strip() else "unassigned"
    return f"{key}_team" if key in WINDOWS_DEVICES else key
