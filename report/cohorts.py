"""How new customers stay: cohorts by the month of the first event, in periods of four weeks since then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy
import pandas

from report import charts
from report.charts import hover_text
from report.columns import dates, is_observed, numbers, rows_up_to_week, texts
from report.content import Block, Chart, Column, Section, Sentence, Table
from report.tables import ReviewHeader, ReviewTables
from report.wording import MONTHS, amount_of, decimal, percent

PERIOD_WEEKS = 4  # the window of `active_days_28d`: periods neither overlap nor leave a gap
SMALLEST_COHORT = 30  # below, one customer is more than three points of a share

TITLE = "How new customers stay"


@dataclass(frozen=True)
class Cohort:
    """Customers whose first event fell into one calendar month.

    month: its first day; active: how many of them were active, by period. A period is there only if all of
    the cohort have reached it. The first holds the first event of each, so all count in it.
    """

    month: date
    customers: int
    active: tuple[int, ...]

    @property
    def name(self) -> str:
        """`June 2026`."""
        return f"{MONTHS[self.month.month - 1]} {self.month.year}"

    @property
    def short_name(self) -> str:
        """`Jun 2026`."""
        return f"{MONTHS[self.month.month - 1][:3]} {self.month.year}"

    def share(self, period: int) -> float | None:
        """Active in the period, of the whole cohort; None before all have reached it."""
        return self.active[period] / self.customers if period < len(self.active) else None


def cohorts_section(header: ReviewHeader, tables: ReviewTables) -> Section:
    """Which share of each month's new customers is still active, every four weeks since they came."""
    cohorts = cohorts_of(tables.customers, tables.newcomer_weeks, header.review_week)
    record_begins = min(dates(tables.customers, "first_seen_date").dropna(), default=header.review_week)
    # Who is first seen in the first four weeks of the record may have been a customer for years.
    known_from = record_begins + timedelta(weeks=PERIOD_WEEKS)
    old = [cohort for cohort in cohorts if cohort.month < known_from]
    small = [cohort for cohort in cohorts if cohort.customers < SMALLEST_COHORT and cohort not in old]
    shown = [cohort for cohort in cohorts if cohort not in old and cohort not in small]
    blocks: list[Block] = []
    if max((len(cohort.active) for cohort in shown), default=0) > 1:
        blocks.append(_chart(shown))
    else:
        blocks.append(Sentence(_absence(tables), "absent"))
    for reason, left_out in (
        (f"fewer than {SMALLEST_COHORT} customers, too few for a share", small),
        ("the record begins there, and not all who were first seen then were new", old),
    ):
        if left_out:
            names = ", ".join(cohort.name for cohort in left_out)
            blocks.append(Sentence(f"Left out ({reason}): {names}."))
    lead = (
        "A cohort is all customers whose first event fell into one month; each customer's weeks are counted "
        "from its own first week. Customers who have left stay part of their cohort."
    )
    return Section("cohorts", TITLE, lead, tuple(blocks))


def cohorts_of(customers: pandas.DataFrame, newcomer_weeks: pandas.DataFrame, week: date) -> list[Cohort]:
    """The cohorts that lie wholly within the weeks of `newcomer_weeks` up to `week`, oldest first.

    A customer without a row for a week counts as not active in it; a period in which a whole week is not on
    record is not counted, nor are those after it.
    """
    rows = rows_up_to_week(newcomer_weeks, week)
    published = _days(dates(rows, "review_week"))
    first_seen = dates(customers, "first_seen_date")
    is_known = first_seen.notna().to_numpy()
    if not len(published) or not is_known.any() or not is_observed(rows, "active_days_28d"):
        return []
    seen_on = _days(first_seen[is_known])
    newcomers = pandas.DataFrame(
        {
            "first_week": _week_number(seen_on),
            "month": seen_on.astype("datetime64[M]"),
        },
        index=texts(customers, "customer_id")[is_known],
    )
    newcomers = newcomers.loc[~newcomers.index.duplicated()]
    weeks_on_record = set(_week_number(published).tolist())
    age = _week_number(published) - newcomers["first_week"].reindex(texts(rows, "customer_id")).to_numpy()
    is_active = numbers(rows, "active_days_28d").gt(0).to_numpy()
    counted = is_active & (age >= 0) & (age % PERIOD_WEEKS == 0)
    active = (
        pandas.DataFrame(
            {
                "month": newcomers["month"].reindex(texts(rows, "customer_id")[counted]).to_numpy(),
                "period": (age[counted] // PERIOD_WEEKS).astype("int64"),
            }
        )
        .value_counts()
        .to_dict()
    )
    cohorts = []
    for month, members in newcomers.groupby("month"):
        if members["first_week"].min() < min(weeks_on_record):
            continue
        first_weeks = set(members["first_week"].tolist())
        counts = [len(members)]
        while all(first + len(counts) * PERIOD_WEEKS in weeks_on_record for first in first_weeks):
            counts.append(int(active.get((month, len(counts)), 0)))
        cohorts.append(Cohort(month.date(), len(members), tuple(counts)))
    return cohorts


def _days(days: pandas.Series) -> numpy.ndarray:
    return numpy.array(days.tolist(), dtype="datetime64[D]")


def _week_number(days: numpy.ndarray) -> numpy.ndarray:
    """Weeks since the first Monday of 1970."""
    return (days - numpy.datetime64("1970-01-05")) // numpy.timedelta64(7, "D")


def _absence(tables: ReviewTables) -> str:
    if not is_observed(tables.customers, "first_seen_date"):
        return "No customer has a day of its first event, so nobody's staying can be followed."
    if not is_observed(tables.newcomer_weeks, "active_days_28d"):
        return "The published weeks hold no first week of a customer, so nobody's staying can be followed."
    return (
        f"The history is too short: no month's new customers ({SMALLEST_COHORT} or more) have all been here "
        f"for {PERIOD_WEEKS} weeks after their first."
    )


def _chart(cohorts: list[Cohort]) -> Chart:
    periods = range(max(len(cohort.active) for cohort in cohorts))
    shares = [[cohort.share(period) for period in periods] for cohort in cohorts]
    shown = [["" if share is None else percent(share, 0) for share in row] for row in shares]
    hover = [
        [_hover(cohort, period) if period < len(cohort.active) else "" for period in periods]
        for cohort in cohorts
    ]
    heads = ("First week", *(f"{PERIOD_WEEKS * period} weeks later" for period in periods[1:]))
    return Chart(
        identifier="cohorts-grid",
        title="Who is still active, by the month of joining",
        takeaway=_takeaway(cohorts),
        # The grid begins at the bottom, and the newest cohort stands there.
        figure=charts.grid(
            [str(PERIOD_WEEKS * period) for period in periods],
            [f"{cohort.short_name} ({decimal(cohort.customers)})" for cohort in reversed(cohorts)],
            shares[::-1],
            shown[::-1],
            hover[::-1],
            ("Weeks since the first week", "Joined in (customers)"),
            limits=(0.0, 1.0),
        ),
        numbers=Table(
            "Share of each cohort that was active",
            (
                Column("Joined in"),
                Column("Customers", is_number=True),
                *(Column(name, is_number=True) for name in heads),
            ),
            tuple(
                (cohort.name, decimal(cohort.customers), *(percent(share) for share in row))
                for cohort, row in zip(cohorts, shares, strict=True)
            ),
            is_folded=True,
        ),
        note=(
            "Active: at least once in the 28 days up to the end of that week. In the first week all count. "
            "A cell is empty until everyone of its cohort has reached the week."
        ),
    )


def _hover(cohort: Cohort, period: int) -> str:
    when = f"{PERIOD_WEEKS * period} weeks after the first" if period else "First week"
    return hover_text(
        f"Joined in {cohort.name}",
        when,
        f"{decimal(cohort.active[period])} of {amount_of(cohort.customers, 'customer', 'customers')}: "
        f"{percent(cohort.share(period))}",
    )


def _takeaway(cohorts: list[Cohort]) -> str:
    """How many of the oldest cohort stay, and whether the newest with a second period does better."""
    oldest = max(cohorts, key=lambda cohort: len(cohort.active))
    last = len(oldest.active) - 1
    sentence = (
        f"Of those who joined in {oldest.name}, {percent(oldest.share(last), 0)} were still active "
        f"{PERIOD_WEEKS * last} weeks later"
    )
    judged = [cohort for cohort in cohorts if len(cohort.active) > 1]
    if len(judged) < 2:
        return f"{sentence}."
    *before, newest = judged
    earlier = sum(cohort.active[1] for cohort in before) / sum(cohort.customers for cohort in before)
    return (
        f"{sentence}; after {PERIOD_WEEKS} weeks it was {percent(newest.share(1), 0)} of those of "
        f"{newest.name} and {percent(earlier, 0)} of the cohorts before."
    )
