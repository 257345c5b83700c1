"""Lists open in any spreadsheet without running anything, and hold what the table holds."""

from __future__ import annotations

import csv
import io
import re
import sys
import unicodedata
from datetime import date, datetime
from decimal import Decimal

import numpy
import pandas
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from report.lists import guarded, list_csv, split_by_team

STARTS = "=+-@\u2212"
BLANKS = " \t\r\n\v\f\u00a0\u200b\ufeff\u3000\x00"
tricky_text = st.text(
    st.one_of(st.sampled_from(list(STARTS + BLANKS + ";,\"'＝＋－＠ab1")), st.characters(codec="utf-8"))
)


def _read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def _runs_as_formula(cell: str) -> bool:
    visible = cell.lstrip(BLANKS)
    return unicodedata.normalize("NFKC", visible[:1])[:1] in tuple(STARTS) or cell[:1] in ("\t", "\r", "\n")


def test_values_are_written_as_what_they_are() -> None:
    rows = pandas.DataFrame(
        {
            "customer_id": ["a", "b"],
            "rank": [1, -2],
            "health_score": [61.25, None],
            "change": numpy.array([-0.5, 1e-7]),
            "revenue_365d": [Decimal("-12.5000"), None],
            "is_new": numpy.array([True, False]),
            "review_week": [date(2026, 11, 9), None],
            "seen_at": [datetime(2026, 11, 9, 8, 30), pandas.NaT],
            "message": ['Say "hello", please', "two\nlines"],
        }
    )
    assert list_csv(rows) == (
        "customer_id,rank,health_score,change,revenue_365d,is_new,review_week,seen_at,message\r\n"
        'a,1,61.25,-0.5,-12.5000,true,2026-11-09,2026-11-09 08:30:00,"Say ""hello"", please"\r\n'
        'b,-2,,1e-07,,false,,,"two\nlines"\r\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\rx",
        "  =1",
        "\u00a0=1",
        "\u200b=1",
        "\ufeff=1",
        "＝1+1",
        "＋1",
        "－1",
        "＠x",
        "﹦1",
        "\u22121",
        "\n=1",
        "\x00=1",
        '=HYPERLINK("https://evil.example","x")',
    ],
)
def test_text_that_would_run_gets_a_quote_before_it(text: str) -> None:
    cell = _read(list_csv(pandas.DataFrame({"reason": [text]})))[1][0]
    assert cell.startswith("'")
    assert text.strip(BLANKS) in cell


@pytest.mark.parametrize("text", ["a;=1+1", 'a;"=1+1"', "a\n=1+1", "a\t@x", "a; ＝1"])
def test_a_cell_does_not_start_a_formula_for_other_separators(text: str) -> None:
    assert not re.search(r"[;\t\r\n][\s\"]*[=+\-@＝]", guarded(text))
    assert guarded(text).replace("'", "") == text


@pytest.mark.parametrize(
    "text", ["", "acme", "a=b", "10 - 3", "3,5 %", "a, -5 %", "'quoted'", "mail@example.org", "one\ntwo"]
)
def test_plain_text_is_left_alone(text: str) -> None:
    assert guarded(text) == text


@settings(deadline=None)  # other work on the machine is no failure
@given(tricky_text)
@example("\x85=1")
@example("\u2028=1")
def test_no_text_cell_runs_as_a_formula(text: str) -> None:
    rows = pandas.DataFrame({"customer_id": ["x"], "reason": pandas.Series([text], dtype="object")})
    header, cells = _read(list_csv(rows))
    assert header == ["customer_id", "reason"]
    assert cells[0] == "x"
    assert not _runs_as_formula(cells[1])
    if not re.search(r"[=+\-@\u2212;\t\r\n]", unicodedata.normalize("NFKC", text)):
        assert cells[1] == text


@settings(deadline=None)  # other work on the machine is no failure
@given(st.lists(st.tuples(tricky_text, st.integers() | st.none(), tricky_text), max_size=5))
def test_rows_and_cells_stay_where_they_are(rows: list[tuple[str, int | None, str]]) -> None:
    table = pandas.DataFrame(rows, columns=["customer_id", "rank", "reason"], dtype="object")
    read = _read(list_csv(table))
    assert [len(cells) for cells in read] == [3] * (len(rows) + 1)
    assert [cells[1] for cells in read[1:]] == ["" if rank is None else str(rank) for _, rank, _ in rows]
    assert list_csv(table) == list_csv(table.copy())


@settings(deadline=None)  # other work on the machine is no failure
@given(st.floats(allow_nan=False))
def test_only_finite_numbers_are_numbers(value: float) -> None:
    cell = _read(list_csv(pandas.DataFrame({"rank": [1], "score": [value]})))[1][1]
    if numpy.isfinite(value):
        assert float(cell) == value
    else:
        assert cell == ("inf" if value > 0 else "'-inf")


def test_names_of_columns_are_guarded_too() -> None:
    assert list_csv(pandas.DataFrame({"=1+1": [1]})) == "'=1+1\r\n1\r\n"


def test_a_table_without_rows_is_a_header() -> None:
    assert list_csv(pandas.DataFrame(columns=["customer_id", "rank"])) == "customer_id,rank\r\n"


def test_an_empty_cell_alone_is_still_a_row() -> None:
    assert _read(list_csv(pandas.DataFrame({"note": ["", None]}))) == [["note"], [""], [""]]


def test_every_width_of_a_formula_sign_is_guarded() -> None:
    signs = [
        chr(point)
        for point in range(0x20, 0x10000)
        if not 0xD800 <= point < 0xE000 and unicodedata.normalize("NFKC", chr(point))[:1] in tuple("=+-@")
    ]
    assert len(signs) >= 15, sys.version
    assert [sign for sign in signs if not guarded(f"{sign}1").startswith("'")] == []


def _teams(*names: str | None) -> pandas.DataFrame:
    return pandas.DataFrame(
        {
            "customer_id": [f"c{place}" for place in range(len(names))],
            "rank": range(len(names), 0, -1),
            "owner_team": pandas.Series(names, dtype="object"),
        }
    )


def test_each_team_gets_its_rows_in_order_of_rank() -> None:
    lists = split_by_team(_teams("sales", "marketing", "sales"))
    assert list(lists) == ["marketing", "sales"]
    assert lists["sales"]["customer_id"].tolist() == ["c2", "c0"]
    assert lists["marketing"]["customer_id"].tolist() == ["c1"]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("customer_success", "customer_success"),
        ("Vertrieb Süd", "vertrieb_sud"),
        ("../../etc/passwd", "etc_passwd"),
        ("..\\..\\windows", "windows"),
        ("/", "team"),
        ("営業", "team"),
        ("", "unassigned"),
        (None, "unassigned"),
        ("CON", "con_team"),
        ("a\x00b\nc", "a_b_c"),
        ("x" * 500, "x" * 60),
        (".hidden", "hidden"),
        ("-rf", "rf"),
    ],
)
def test_names_of_teams_make_harmless_keys(name: str | None, key: str) -> None:
    assert list(split_by_team(_teams(name))) == [key]


def test_names_that_come_to_the_same_key_are_kept_apart() -> None:
    names = ("Sales", "sales", "SALES", "sales_2")
    lists = split_by_team(_teams(*names))
    owners = {key: rows["owner_team"].tolist() for key, rows in lists.items()}
    assert owners == {"sales": ["sales"], "sales_2": ["sales_2"], "sales_3": ["SALES"], "sales_4": ["Sales"]}
    assert owners == {
        key: rows["owner_team"].tolist() for key, rows in split_by_team(_teams(*reversed(names))).items()
    }


@settings(deadline=None)  # other work on the machine is no failure
@given(st.lists(st.text(max_size=12), min_size=1, max_size=8))
def test_no_row_is_lost_and_no_key_is_a_path(names: list[str]) -> None:
    rows = _teams(*names)
    lists = split_by_team(rows)
    assert sorted(owner for part in lists.values() for owner in part["customer_id"]) == sorted(
        rows["customer_id"]
    )
    assert len(lists) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9_]{0,70}", key) for key in lists)


def test_no_interventions_make_no_list() -> None:
    assert split_by_team(pandas.DataFrame()) == {}
    assert split_by_team(_teams().iloc[:0]) == {}
