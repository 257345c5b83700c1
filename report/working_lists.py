"""What to do this week: the top of each owner team's list."""

from __future__ import annotations

import pandas

from report.columns import is_observed, numbers, rows_of_week, texts
from report.content import Block, Column, Section, Sentence, Table
from report.tables import ReviewHeader, ReviewTables
from report.wording import amount_of, decimal, money, name_of, percent, shortened

TOP_ROWS = 10
MOST_TEAMS = 12
IDENTIFIER_LENGTH, TITLE_LENGTH, REASON_LENGTH = 48, 120, 240


def working_lists_section(header: ReviewHeader, tables: ReviewTables) -> Section:
    """The first ten of each team, with the reason."""
    title = "What to do this week"
    rows = rows_of_week(tables.interventions, header.review_week)
    if rows.empty:
        sentence = Sentence("No intervention is proposed for this week.", "absent")
        return Section("interventions", title, "", (sentence,))
    teams = texts(rows, "owner_team").fillna("")
    sizes = teams.value_counts(sort=False).sort_index()
    by_size = sizes.sort_values(ascending=False, kind="stable").index
    blocks: list[Block] = [
        _team_table(rows.loc[teams.eq(team)], team, header.currency) for team in by_size[:MOST_TEAMS]
    ]
    if len(sizes) > MOST_TEAMS:
        blocks.append(Sentence(f"{decimal(len(sizes) - MOST_TEAMS)} smaller teams have lists of their own."))
    customers = texts(rows, "customer_id").nunique()
    lead = (
        f"{amount_of(len(rows), 'action', 'actions')} for {amount_of(customers, 'customer', 'customers')}, "
        f"on {amount_of(len(sizes), 'list', 'lists')}. The whole lists are the CSV files of this release."
    )
    return Section("interventions", title, lead, tuple(blocks))


def _team_table(rows: pandas.DataFrame, team: str, currency: str) -> Table:
    ordered = rows.assign(_rank=numbers(rows, "rank"), _customer=texts(rows, "customer_id"))
    top = ordered.sort_values(["_rank", "_customer"], kind="stable").iloc[:TOP_ROWS]
    columns = [Column("Rank", is_number=True), Column("Customer"), Column("What to do"), Column("Why")]
    cells = [
        [decimal(value) for value in numbers(top, "rank")],
        [shortened(value, IDENTIFIER_LENGTH) for value in texts(top, "customer_id")],
        [shortened(value, TITLE_LENGTH) for value in texts(top, "title")],
        [shortened(value, REASON_LENGTH) for value in texts(top, "reason")],
    ]
    if is_observed(top, "channel"):
        columns.append(Column("Channel"))
        cells.append([shortened(name_of(value), IDENTIFIER_LENGTH) for value in texts(top, "channel")])
    for column, name, show in (
        ("churn_probability", "Churn risk", percent),
        ("health_score", "Health", decimal),
        ("revenue_365d", "Revenue, 365 days", lambda value: money(value, currency)),
    ):
        if is_observed(top, column):
            columns.append(Column(name, is_number=True))
            cells.append([show(value) for value in numbers(top, column)])
    cost = numbers(rows, "cost").sum()
    note = f"The first {len(top)} of {amount_of(len(rows), 'action', 'actions')}."
    if cost > 0:
        note += f" The whole list costs about {money(cost, currency)}."
    return Table(
        caption=shortened(name_of(team), IDENTIFIER_LENGTH) if team else "Without an owner team",
        columns=tuple(columns),
        rows=tuple(zip(*cells, strict=True)),
        note=note,
    )
