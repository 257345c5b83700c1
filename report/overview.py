"""The week at a glance: key figures, the account of who came and went, and the course of 26 weeks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date, timedelta

import pandas

from report import charts
from report.charts import Series, hover_text
from report.columns import dates, is_observed, numbers, rows_of_week, rows_up_to_week, texts
from report.content import Block, Chart, Column, Direction, KeyFigure, KeyFigures, Section, Sentence, Table
from report.tables import ReviewHeader, ReviewTables
from report.wording import (
    DASH,
    WEEKDAYS,
    amount_of,
    decimal,
    is_missing,
    money,
    percent,
    short_day,
    signed,
)

TREND_WEEKS = 26
COURSE_WIDTH, COURSE_HEIGHT = 100.0, 24.0  # units of the small line in a card

ACCOUNT_COLUMNS = (
    "active_customers",
    "new_customers",
    "retained_customers",
    "resurrected_customers",
    "gone_quiet_customers",
    "previous_active_customers",
)

Show = Callable[[float], str]


def key_figures_section(header: ReviewHeader, tables: ReviewTables) -> Section:
    """The numbers a reader looks for first, each beside last week's."""
    week, before = header.review_week, header.week_before
    history = rows_up_to_week(tables.metrics_weekly, week)
    blocks: list[Block] = []
    figures: list[KeyFigure] = []
    lacking: list[str] = []

    if _row(history, week) is None:
        blocks.append(
            Sentence("There are no weekly figures for this week, so activity cannot be shown.", "absent")
        )
    else:
        columns: list[tuple[str, str, Show, Direction]] = [
            ("Active customers", "active_customers", decimal, "good"),
            ("New", "new_customers", decimal, "good"),
            ("Gone quiet", "gone_quiet_customers", decimal, "bad"),
            ("Churned", "churned_customers", decimal, "bad"),
        ]
        if is_observed(history, "orders"):
            columns += [
                ("Orders", "orders", decimal, "good"),
                ("Revenue", "revenue", lambda value: money(value, header.currency), "good"),
                (
                    "Average order value",
                    "average_order_value",
                    lambda value: money(value, header.currency, 2),
                    "good",
                ),
            ]
        else:
            lacking.append("orders, revenue and average order value (no orders are recorded)")
        trend = _trend_rows(history, week)
        figures += [
            key_figure(
                name,
                _value(history, column, week),
                _value(history, column, before),
                show,
                wanted,
                course_points(numbers(trend, column).tolist()),
            )
            for name, column, show, wanted in columns
        ]

    customers, customers_before = tables.customers, rows_of_week(tables.customer_weeks, before)
    if is_observed(customers, "health_score"):
        mean, mean_before = (numbers(rows, "health_score").mean() for rows in (customers, customers_before))
        figures.append(
            key_figure("Mean health of 100", mean, mean_before, lambda value: decimal(value, 1), "good")
        )
    else:
        lacking.append("mean health (no customer has a health score)")
    if is_observed(customers, "churn_band"):
        figures.append(
            key_figure(
                "At high churn risk",
                _at_high_risk(customers),
                _at_high_risk(customers_before),
                decimal,
                "bad",
            )
        )
    else:
        lacking.append("customers at high churn risk (no churn scores)")

    if figures:
        blocks.append(KeyFigures(tuple(figures)))
    if lacking:
        blocks.append(Sentence(f"Not shown, because the data is not there: {'; '.join(lacking)}.", "absent"))
    known = f"{amount_of(len(customers), 'customer is', 'customers are')} known. " if len(customers) else ""
    return Section(
        "key-figures", "Key figures", f"{known}Changes are against the week before.", tuple(blocks)
    )


def key_figure(
    name: str, now: float, before: float, show: Show, wanted: Direction, course: str = ""
) -> KeyFigure:
    """A card. `wanted` says what a rise means, good or bad; a change too small to be seen means neither."""
    if is_missing(now):
        return KeyFigure(name, DASH, "nothing to count this week", "even", _last_week(before, show), course)
    if is_missing(before):
        return KeyFigure(name, show(now), "not known for last week", "even", "", course)
    if show(now) == show(before):
        return KeyFigure(name, show(now), "unchanged", "even", _last_week(before, show), course)
    change = signed(show(now - before))
    if before > 0:
        change += f" ({signed(percent((now - before) / before))})"
    opposite: Direction = "bad" if wanted == "good" else "good"
    direction = wanted if now > before else opposite
    return KeyFigure(name, show(now), change, direction, _last_week(before, show), course)


def course_points(values: Sequence[float]) -> str:
    """Values as points of an SVG line in a box of 100 × 24; fewer than three make no line."""
    known = [(place, value) for place, value in enumerate(values) if not is_missing(value)]
    if len(known) < 3:
        return ""
    lowest = min(value for _, value in known)
    height = max(value for _, value in known) - lowest
    first, last = known[0][0], known[-1][0]
    return " ".join(
        f"{COURSE_WIDTH * (place - first) / (last - first):.1f},"
        f"{COURSE_HEIGHT * (1 - ((value - lowest) / height if height else 0.5)):.1f}"
        for place, value in known
    )


def account_section(header: ReviewHeader, tables: ReviewTables) -> Section:
    """How last week's active customers became this week's."""
    history = rows_up_to_week(tables.metrics_weekly, header.review_week)
    row = _row(history, header.review_week)
    blocks: list[Block] = []
    if row is None:
        blocks.append(Sentence("There are no weekly figures for this week: no account to show.", "absent"))
    elif any(is_missing(row[column]) for column in ACCOUNT_COLUMNS):
        blocks.append(Sentence("The account compares two weeks, and not all of it is known.", "absent"))
    else:
        blocks += _account_blocks(row)
    if len(history) > 1:
        blocks.append(_flows_chart(_trend_rows(history, header.review_week)))
    lead = (
        "Who is active this week is new, was active last week too (retained), or is back after a pause. "
        "Who was active last week was retained or has gone quiet."
    )
    return Section("account", "Who came, who went", lead, tuple(blocks))


def _account_blocks(row: dict[str, float]) -> list[Block]:
    active, before = row["active_customers"], row["previous_active_customers"]
    retained, quiet = row["retained_customers"], row["gone_quiet_customers"]
    new, back = row["new_customers"], row["resurrected_customers"]
    blocks: list[Block] = []
    if active != new + retained + back or before != retained + quiet:
        blocks.append(Sentence("These figures do not add up: do not rely on this account.", "warning"))
    share = f", {percent(quiet / before)} of last week's active" if before > 0 else ""
    takeaway = (
        f"{amount_of(quiet, 'customer', 'customers')} went quiet{share}; {decimal(new)} came new and "
        f"{decimal(back)} came back: {_net(new + back - quiet)}."
    )
    steps = [
        ("Active\nlast week", before, True),
        ("Gone\nquiet", -quiet, False),
        ("Back", back, False),
        ("New", new, False),
        ("Active\nthis week", active, True),
    ]
    shown = [decimal(value) if is_level else signed(decimal(value)) for _, value, is_level in steps]
    blocks.append(
        Chart(
            identifier="account-waterfall",
            title="From last week's active customers to this week's",
            takeaway=takeaway,
            figure=charts.waterfall(steps, shown),
            is_half=True,
            numbers=Table(
                "The account of the week",
                (Column("Step"), Column("Customers", is_number=True)),
                (
                    *(
                        (name.replace("\n", " "), text)
                        for (name, _, _), text in zip(steps, shown, strict=True)
                    ),
                    ("of these retained", decimal(retained)),
                ),
                is_folded=True,
            ),
        )
    )
    return blocks


def _net(change: float) -> str:
    if change == 0:
        return "as many active as before"
    return f"{decimal(abs(change))} {'more' if change > 0 else 'fewer'} active than the week before"


def _flows_chart(trend: pandas.DataFrame) -> Chart:
    weeks = dates(trend, "review_week").tolist()
    new, back, quiet = (
        numbers(trend, column)
        for column in ("new_customers", "resurrected_customers", "gone_quiet_customers")
    )
    net = new + back - quiet
    rising, known = int(net.gt(0).sum()), int(net.notna().sum())

    def series(name: str, values: pandas.Series, colour: str) -> Series:
        hover = [
            hover_text(f"Week of {short_day(week)}", f"{name}: {signed(decimal(value))}")
            for week, value in zip(weeks, values, strict=True)
        ]
        return Series(name, _gaps(values), colour, hover)

    flows = [
        series("New", new, charts.ACCENT),
        series("Back", back, charts.ACCENT_SOFT),
        series("Gone quiet", -quiet, charts.BAD),
    ]
    return Chart(
        identifier="account-flows",
        title="The account, week by week",
        takeaway=f"More came than went in {rising} of the last {amount_of(known, 'week', 'weeks')}.",
        figure=charts.bars_over_time(weeks, flows, total=series("Net", net, charts.WARNING)),
        is_half=True,
        numbers=_week_table(
            "New, back and gone quiet by week",
            weeks,
            {"New": new, "Back": back, "Gone quiet": quiet, "Net": net},
        ),
    )


def trend_section(header: ReviewHeader, tables: ReviewTables) -> Section:
    """Active customers and revenue over 26 weeks, and the days of the week."""
    history = rows_up_to_week(tables.metrics_weekly, header.review_week)
    trend = _trend_rows(history, header.review_week)
    blocks: list[Block] = []
    if len(history) < 2:
        blocks.append(Sentence("A trend needs at least two weeks in the record.", "absent"))
    else:
        blocks.append(_active_chart(trend))
        if is_observed(history, "orders"):
            blocks.append(_revenue_chart(trend, header.currency))
        else:
            blocks.append(Sentence("No orders are recorded here, so there is no revenue to show.", "absent"))
    blocks.append(_days_block(header, tables.metrics_daily))
    return Section("trend", f"The last {TREND_WEEKS} weeks", "", tuple(blocks))


def _active_chart(trend: pandas.DataFrame) -> Chart:
    weeks = dates(trend, "review_week").tolist()
    active = numbers(trend, "active_customers")
    hover = [
        hover_text(f"Week of {short_day(week)}", f"{decimal(value)} active")
        for week, value in zip(weeks, active, strict=True)
    ]
    return Chart(
        identifier="trend-active",
        title="Active customers a week",
        takeaway=_course_sentence(active.dropna()),
        figure=charts.lines_over_weeks(weeks, Series("Active", _gaps(active), charts.ACCENT, hover)),
        is_half=True,
        numbers=_week_table("Active customers by week", weeks, {"Active": active}),
    )


def _revenue_chart(trend: pandas.DataFrame, currency: str) -> Chart:
    weeks = dates(trend, "review_week").tolist()
    revenue, orders = numbers(trend, "revenue"), numbers(trend, "orders")
    newest, earlier = revenue.iloc[-4:], revenue.iloc[-8:-4]
    if len(earlier) == 4 and earlier.notna().all() and newest.notna().all() and earlier.sum() > 0:
        change = newest.sum() / earlier.sum() - 1
        takeaway = (
            f"The last four weeks brought {money(newest.sum(), currency)}, {percent(abs(change))} "
            f"{'more' if change >= 0 else 'less'} than the four before."
        )
    else:
        takeaway = f"{money(revenue.sum(), currency)} in the weeks shown."
    hover = [
        hover_text(
            f"Week of {short_day(week)}",
            f"{money(value, currency)} from {amount_of(count, 'order', 'orders')}",
        )
        for week, value, count in zip(weeks, revenue, orders, strict=True)
    ]
    shown_currency = f" ({currency})" if currency else ""
    return Chart(
        identifier="trend-revenue",
        title=f"Net revenue a week{shown_currency}",
        takeaway=takeaway,
        figure=charts.bars_over_time(weeks, [Series("Revenue", _gaps(revenue), charts.ACCENT, hover)]),
        is_half=True,
        numbers=_week_table("Revenue and orders by week", weeks, {"Revenue": revenue, "Orders": orders}),
        note="Refunds are subtracted in the week in which they were made.",
    )


def _days_block(header: ReviewHeader, metrics_daily: pandas.DataFrame) -> Block:
    by_day = dict(
        zip(dates(metrics_daily, "activity_date"), numbers(metrics_daily, "active_customers"), strict=True)
    )
    days = [header.review_week + timedelta(days=place) for place in range(7)]
    this_week = [by_day.get(day, math.nan) for day in days]
    last_week = [by_day.get(day - timedelta(days=7), math.nan) for day in days]
    if all(map(is_missing, this_week)):
        return Sentence("There are no daily figures for this week.", "absent")
    best = max((value, -place) for place, value in enumerate(this_week) if not is_missing(value))
    known = [value for value in this_week if not is_missing(value)]

    def series(name: str, values: list[float], colour: str, shift: int) -> Series:
        hover = [
            hover_text(short_day(day - timedelta(days=shift)), f"{decimal(value)} active")
            for day, value in zip(days, values, strict=True)
        ]
        return Series(name, [None if is_missing(value) else value for value in values], colour, hover)

    return Chart(
        identifier="trend-days",
        title="Active customers day by day",
        takeaway=(
            f"{WEEKDAYS[-best[1]]} was the busiest day with {decimal(best[0])} active customers; "
            f"the average day had {decimal(sum(known) / len(known))}."
        ),
        figure=charts.grouped_bars(
            WEEKDAYS,
            [
                series("Last week", last_week, charts.ACCENT_SOFT, 7),
                series("This week", this_week, charts.ACCENT, 0),
            ],
        ),
        height="low",
        numbers=Table(
            "Active customers by day",
            (Column("Day"), Column("Last week", is_number=True), Column("This week", is_number=True)),
            tuple(
                (name, decimal(earlier), decimal(now))
                for name, earlier, now in zip(WEEKDAYS, last_week, this_week, strict=True)
            ),
            is_folded=True,
        ),
    )


def _course_sentence(known: pandas.Series) -> str:
    """What a series by week says from its first week to its last."""
    if known.empty:
        return "No week shown has a figure."
    now, first = known.iloc[-1], known.iloc[0]
    if first > 0:
        change = now / first - 1
        direction = "more" if change >= 0 else "fewer"
        sentence = (
            f"{decimal(now)} were active, {percent(abs(change))} {direction} than in the week of "
            f"{short_day(known.index[0])}"
        )
    else:
        sentence = f"{decimal(now)} were active"
    if len(known) > 2 and now == known.max():
        return f"{sentence}: the highest of the weeks shown."
    if len(known) > 2 and now == known.min():
        return f"{sentence}: the lowest of the weeks shown."
    return f"{sentence}; the weeks shown range from {decimal(known.min())} to {decimal(known.max())}."


def _trend_rows(history: pandas.DataFrame, week: date) -> pandas.DataFrame:
    """The newest 26 weeks without a hole: a week that is not in the record is a row without figures."""
    by_week = history.set_axis(dates(history, "review_week"), axis=0)
    by_week = by_week.loc[~by_week.index.duplicated(keep="last")]
    if by_week.empty:
        return by_week
    weeks = [week - timedelta(days=7 * back) for back in reversed(range(TREND_WEEKS))]
    known = [day for day in weeks if day >= by_week.index.min()]
    return by_week.reindex(known).assign(review_week=known)


def _row(history: pandas.DataFrame, week: date) -> dict[str, float] | None:
    rows = rows_of_week(history, week)
    if rows.empty:
        return None
    return {str(column): numbers(rows, column).iloc[-1] for column in rows if column != "review_week"}


def _value(history: pandas.DataFrame, column: str, week: date) -> float:
    row = _row(history, week)
    return math.nan if row is None else row.get(column, math.nan)


def _at_high_risk(customers: pandas.DataFrame) -> float:
    """How many are in the high churn band; missing where nobody was scored."""
    bands = texts(customers, "churn_band")
    return float(bands.eq("high").sum()) if bands.notna().any() else math.nan


def _last_week(before: float, show: Show) -> str:
    return "" if is_missing(before) else f"last week {show(before)}"


def _gaps(values: pandas.Series) -> list[float | None]:
    return [None if is_missing(value) else float(value) for value in values]


def _week_table(caption: str, weeks: Sequence[date], columns: dict[str, pandas.Series]) -> Table:
    heads = (Column("Week of"), *(Column(name, is_number=True) for name in columns))
    cells = zip(weeks, *columns.values(), strict=True)
    rows = tuple((short_day(week), *(decimal(value) for value in values)) for week, *values in cells)
    return Table(caption, heads, rows[::-1], is_folded=True)
