"""A cohort is followed as a whole: from its own first week on, with those who have left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

import pandas
import pytest

from report.cohorts import SMALLEST_COHORT, Cohort, cohorts_of, cohorts_section
from report.content import Chart, Section, Sentence
from report.page import ReviewTables, render_page
from tests.report.conftest import HEADER, tables_by_hand
from tests.report.page_reader import Page

# The published weeks are those of 1 June to 9 November 2026 (the reviewed one): 24 of them.
FIRST_WEEK, WEEK = date(2026, 6, 1), HEADER.review_week
LONG_AGO = date(2020, 1, 1)
HOSTILE = "</script><script>alert(1)</script><b>"

# A small business: since when a customer is there, and in which weeks (counted from its own first) it was
# active in the last 28 days.
Life = tuple[date, Sequence[int]]


def customers_of(lives: dict[str, Life]) -> pandas.DataFrame:
    return pandas.DataFrame(
        {
            "customer_id": ["old", *lives],
            "review_week": WEEK,
            "first_seen_date": [LONG_AGO, *(day for day, _ in lives.values())],
        }
    )


def weeks_of(lives: dict[str, Life], *, first_week: date = FIRST_WEEK) -> pandas.DataFrame:
    """A row per week from the customer's first on, also in silence."""
    rows = []
    for customer_id, (first_seen, active) in lives.items():
        monday = first_seen - timedelta(days=first_seen.weekday())
        for age in range((WEEK - monday).days // 7 + 1):
            week = monday + timedelta(weeks=age)
            if week >= first_week:
                rows.append((customer_id, week, 3 if age in active else 0))
    return pandas.DataFrame(rows, columns=["customer_id", "review_week", "active_days_28d"])


def section_of(lives: dict[str, Life], **changes: object) -> Section:
    frames = tables_by_hand() | {"customers": customers_of(lives), "newcomer_weeks": weeks_of(lives)}
    return cohorts_section(HEADER, ReviewTables(**(frames | changes)))


def many(life: Life, number: int, name: str) -> dict[str, Life]:
    return {f"{name}{place}": life for place in range(number)}


def sentences(section: Section) -> str:
    return " ".join(block.text for block in section.blocks if isinstance(block, Sentence))


def chart(section: Section) -> Chart:
    (found,) = (block for block in section.blocks if isinstance(block, Chart))
    return found


# Two who came in August, on the 5th and the 31st: the first weeks are those of 3 and 31 August, so that the
# weeks after them that are over on 15 November are at most 14 and 10.
AUGUST = {"a": (date(2026, 8, 5), [0, 1, 2, 3, 4, 5, 8]), "b": (date(2026, 8, 31), [0, 1, 2, 3])}
SEPTEMBER = {
    "c": (date(2026, 9, 7), [0, 4]),
    "d": (date(2026, 9, 13), [0, 4, 8]),
    "e": (date(2026, 9, 14), []),  # known by a message from us; never did anything
    "f": (date(2026, 9, 20), [0, 3, 5, 8]),  # not active in the 28 days up to week 4
}


def test_a_small_business_by_hand() -> None:
    lives = AUGUST | SEPTEMBER
    assert cohorts_of(customers_of(lives), weeks_of(lives), WEEK) == [
        # week 0: all; week 4: a; week 8: a; week 12: b has not reached it
        Cohort(date(2026, 8, 1), 2, (2, 1, 1)),
        # week 0: all; week 4: c, d; week 8: d, f
        Cohort(date(2026, 9, 1), 4, (4, 2, 2)),
    ]


def test_silent_customers_stay_in_the_denominator() -> None:
    lives = many((date(2026, 8, 5), [0]), 45, "silent") | many((date(2026, 8, 6), [0, 4, 8, 12]), 15, "loyal")
    (cohort,) = cohorts_of(customers_of(lives), weeks_of(lives), WEEK)
    assert cohort == Cohort(date(2026, 8, 1), 60, (60, 15, 15, 15))
    # … also those of whom no row tells any more
    gone = weeks_of(lives)
    gone = gone.loc[~(gone["customer_id"].str.startswith("silent") & gone["active_days_28d"].eq(0))]
    assert cohorts_of(customers_of(lives), gone, WEEK) == [cohort]
    assert "Of those who joined in August 2026, 25\u00a0% were still active 12 weeks later." in (
        chart(section_of(lives)).takeaway
    )


def test_the_first_week_is_all_of_the_cohort() -> None:
    cohorts = cohorts_of(customers_of(AUGUST | SEPTEMBER), weeks_of(AUGUST | SEPTEMBER), WEEK)
    assert [cohort.share(0) for cohort in cohorts] == [1.0, 1.0]


def test_periods_count_from_the_first_week_of_each() -> None:
    """Those who came in one month and were active for the same weeks since have equal shares."""
    for day in (1, 12, 30):
        lives = many((date(2026, 7, day), range(9)), 3, "x")
        (cohort,) = cohorts_of(customers_of(lives), weeks_of(lives), WEEK)
        assert cohort.active[:4] == (3, 3, 3, 0)


def test_a_cell_waits_for_the_last_of_its_cohort() -> None:
    early = many((date(2026, 8, 3), range(20)), 40, "early")
    (alone,) = cohorts_of(customers_of(early), weeks_of(early), WEEK)
    # 3 August plus 12 weeks is the week of 26 October; 16 weeks are not over
    assert len(alone.active) == 4
    lives = early | {"late": (date(2026, 8, 31), range(20))}
    (together,) = cohorts_of(customers_of(lives), weeks_of(lives), WEEK)
    # … and 31 August plus 8 weeks is that week too
    assert together.active == (41, 41, 41)


def test_later_weeks_are_not_read() -> None:
    lives = AUGUST | SEPTEMBER
    earlier = cohorts_of(customers_of(lives), weeks_of(lives), date(2026, 10, 11))
    assert [len(cohort.active) for cohort in earlier] == [2, 1]


def test_a_month_that_begins_before_the_history_is_not_followed() -> None:
    # Wednesday 1 July lies in the week of 29 June
    july = {"a": (date(2026, 7, 1), [0, 4]), "b": (date(2026, 7, 20), [0, 4])}
    august = many((date(2026, 8, 5), [0]), 2, "c")
    for first_week, months in ((date(2026, 6, 29), [7, 8]), (date(2026, 7, 6), [8])):
        weeks = weeks_of(july | august, first_week=first_week)
        found = cohorts_of(customers_of(july | august), weeks, WEEK)
        assert [cohort.month.month for cohort in found] == months


def test_a_week_that_is_not_published_ends_the_row() -> None:
    weeks = weeks_of(AUGUST)
    hole = weeks.loc[weeks["review_week"] != date(2026, 8, 31) + timedelta(weeks=8)]
    (cohort,) = cohorts_of(customers_of(AUGUST), hole, WEEK)
    assert cohort.active == (2, 1)


def test_the_heat_map_has_the_newest_cohort_last() -> None:
    lives = many((date(2026, 8, 5), [0, 4]), 40, "a") | many((date(2026, 10, 1), [0, 4]), 30, "b")
    lives |= many((date(2026, 10, 2), [0]), 20, "c")
    shown = chart(section_of(lives))
    assert shown.takeaway.replace("\u00a0", " ") == (
        "Of those who joined in August 2026, 0 % were still active 12 weeks later; after 4 weeks it was 60 % "
        "of those of October 2026 and 100 % of the cohorts before."
    )
    assert shown.numbers is not None
    assert [[cell.replace("\u00a0", " ") for cell in row] for row in shown.numbers.rows] == [
        ["August 2026", "40", "100.0 %", "100.0 %", "0.0 %", "0.0 %"],
        ["October 2026", "50", "100.0 %", "60.0 %", "–", "–"],
    ]
    page = Page(render_with(lives))
    figure = page.figures["cohorts-grid"]["data"][0]
    assert figure["y"] == ["Oct 2026 (50)", "Aug 2026 (40)"]  # upwards
    assert figure["x"] == ["0", "4", "8", "12"]
    assert figure["z"] == [[1.0, 0.6, None, None], [1.0, 1.0, 0.0, 0.0]]
    places = [attributes["id"] for tag, attributes in page.elements if tag == "section"]
    assert places.index("cohorts") == places.index("trend") + 1


def render_with(lives: dict[str, Life]) -> str:
    frames = tables_by_hand()
    customers = pandas.concat([frames["customers"], customers_of(lives)], ignore_index=True)
    return render_page(
        HEADER, ReviewTables(**(frames | {"customers": customers, "newcomer_weeks": weeks_of(lives)}))
    )


def test_small_cohorts_are_left_out_and_named() -> None:
    section = section_of(many((date(2026, 8, 5), [0, 4]), 40, "a") | SEPTEMBER)
    assert "September" not in str(chart(section))
    assert sentences(section) == (
        f"Left out (fewer than {SMALLEST_COHORT} customers, too few for a share): September 2026."
    )


def test_those_first_seen_when_the_record_begins_are_not_called_new() -> None:
    lives = many((date(2026, 6, 3), [0]), 40, "known") | many((date(2026, 8, 5), [0, 4]), 40, "new")
    customers = customers_of(lives).iloc[1:]
    section = section_of(lives, customers=customers)
    assert "June" not in str(chart(section))
    assert "the record begins there" in sentences(section)
    assert sentences(section).endswith("June 2026.")


NOTHING: dict[str, Life] = {}


@pytest.mark.parametrize(
    ("lives", "reason"),
    [
        (NOTHING, "The published weeks hold no first week of a customer"),
        (AUGUST, "The history is too short: no month's new customers (30 or more)"),
        (many((date(2026, 11, 2), [0, 1]), 50, "a"), "have all been here for 4 weeks after their first"),
    ],
)
def test_too_short_a_history_says_so(lives: dict[str, Life], reason: str) -> None:
    section = section_of(lives)
    assert not [block for block in section.blocks if isinstance(block, Chart)]
    assert reason in sentences(section)


@pytest.mark.parametrize("make", [lambda frame: frame.iloc[:0], lambda frame: pandas.DataFrame()])
def test_empty_tables_become_a_sentence(make: Callable[[pandas.DataFrame], pandas.DataFrame]) -> None:
    lives = many((date(2026, 8, 5), [0, 4]), 40, "a")
    for name, frame in (("customers", customers_of(lives)), ("newcomer_weeks", weeks_of(lives))):
        section = section_of(lives, **{name: make(frame)})
        assert [block.tone for block in section.blocks if isinstance(block, Sentence)] == ["absent"]
        assert len(section.blocks) == 1


def test_types_and_order_make_no_difference() -> None:
    lives = AUGUST | SEPTEMBER
    customers, weeks = customers_of(lives), weeks_of(lives)
    expected = cohorts_of(customers, weeks, WEEK)
    as_times = customers.assign(first_seen_date=pandas.to_datetime(customers["first_seen_date"]))
    assert cohorts_of(
        as_times, weeks.assign(active_days_28d=weeks["active_days_28d"].astype("Int32")), WEEK
    ) == (expected)
    as_texts = weeks.assign(
        review_week=weeks["review_week"].map(lambda day: datetime.combine(day, datetime.min.time()))
    )
    assert cohorts_of(customers.iloc[::-1], as_texts.iloc[::-1], WEEK) == expected
    unknown = customers.assign(first_seen_date=[None, *customers["first_seen_date"].iloc[1:]])
    assert cohorts_of(unknown, weeks, WEEK) == expected


def test_hostile_ids_are_counted_and_not_shown() -> None:
    lives = many((date(2026, 8, 5), [0, 4]), 40, HOSTILE)
    section = section_of(lives)
    assert "40" in str(chart(section).numbers)
    assert "alert" not in str(section)
