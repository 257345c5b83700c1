"""What customers spend against how often they buy."""

from __future__ import annotations

import numpy
import pandas

from report import charts
from report.charts import Series, hover_text
from report.columns import is_observed, numbers, texts
from report.content import Block, Chart, Column, Section, Sentence, Table
from report.segments import (
    CHURN_BANDS,
)
from report.tables import ReviewHeader, ReviewTables
from report.wording import amount_of, decimal, money, name_of, percent

SAMPLE_SIZE = 1500  # points of the scatter plot: enough to see the cloud, few enough for a phone


def value_section(header: ReviewHeader, tables: ReviewTables) -> Section:
    """What customers spend against how often they buy, over 365 days."""
    title = "Value and purchase frequency"
    orders, revenue = numbers(tables.customers, "orders_365d"), numbers(tables.customers, "revenue_365d")
    buyers = tables.customers.loc[orders.gt(0) & revenue.notna()]
    if buyers.empty:
        reason = (
            "No customer ordered in the last 365 days, so there is nothing to set against each other."
            if is_observed(tables.customers, "orders_365d")
            else "No orders are recorded here, so value and purchase frequency cannot be shown."
        )
        return Section("value", title, "", (Sentence(reason, "absent"),))
    blocks: list[Block] = [_value_scatter(buyers, header.currency)]
    if is_observed(buyers, "rfm_r") and is_observed(buyers, "rfm_f"):
        blocks.append(_rfm_grid(buyers, header.currency))
    blocks.append(_frequency_table(buyers, header.currency))
    lead = "Net revenue and orders of the last 365 days, of customers with at least one order in them."
    return Section("value", title, lead, tuple(blocks))


def sample_of(customers: pandas.DataFrame, size: int) -> pandas.DataFrame:
    """At most `size` customers: those with the smallest hash of their id, in whatever order rows arrive."""
    if len(customers) <= size:
        return customers.sort_values("customer_id", kind="stable")
    hashes = pandas.util.hash_array(texts(customers, "customer_id").to_numpy(), categorize=False)
    return customers.iloc[numpy.argsort(hashes, kind="stable")[:size]]


def _value_scatter(buyers: pandas.DataFrame, currency: str) -> Chart:
    revenue = numbers(buyers, "revenue_365d")
    positive = buyers.loc[revenue.gt(0)]
    spent = revenue[revenue.gt(0)].sort_values(ascending=False, kind="stable")
    top = max(1, round(len(spent) * 0.1))
    if spent.sum() > 0 and len(spent) >= 10:
        takeaway = (
            f"The tenth of buyers who spend most bring {percent(spent.iloc[:top].sum() / spent.sum())} "
            "of the revenue."
        )
    else:
        takeaway = f"{amount_of(len(buyers), 'buyer', 'buyers')} brought {money(revenue.sum(), currency)}."
    sample = sample_of(positive, SAMPLE_SIZE)
    bands = texts(sample, "churn_band")
    identifiers, orders, values = (
        texts(sample, "customer_id"),
        numbers(sample, "orders_365d"),
        numbers(sample, "revenue_365d"),
    )
    # Orders are whole numbers and would lie on one line: each point is moved a little, by the hash of its id.
    hashes = pandas.util.hash_array(identifiers.to_numpy(dtype="object"), hash_key="purchasefrequent")
    moved = orders * numpy.exp((hashes % 1000 / 1000 - 0.5) * 0.16)
    clouds = {}
    has_bands = bands.notna().any()
    for band in (*CHURN_BANDS, None):
        chosen = bands.isna() if band is None else bands.eq(band)
        if not chosen.any():
            continue
        name = f"{name_of(band)} risk" if band else ("Not scored" if has_bands else "Customers")
        hover = [
            hover_text(
                identifier,
                f"{amount_of(count, 'order', 'orders')}, {money(value, currency)}",
                name,
            )
            for identifier, count, value in zip(
                identifiers[chosen], orders[chosen], values[chosen], strict=True
            )
        ]
        fallback = charts.NEUTRAL if has_bands else charts.ACCENT
        colour = charts.BAND_COLOURS[band] if band else fallback
        clouds[name] = (
            Series(name, values[chosen].round(2).tolist(), colour, hover),
            moved[chosen].round(3).tolist(),
        )
    notes = []
    if len(sample) < len(positive):
        notes.append(f"A sample of {decimal(len(sample))} of {decimal(len(positive))} customers is drawn.")
    if len(positive) < len(buyers):
        notes.append(
            f"{amount_of(len(buyers) - len(positive), 'buyer', 'buyers')} whose refunds ate up the orders "
            "cannot stand on this scale."
        )
    notes.append("Both axes are logarithmic; points are moved a little sideways so that they do not hide.")
    return Chart(
        identifier="value-scatter",
        title="Each point is a customer, coloured by churn risk" if has_bands else "Each point is a customer",
        takeaway=takeaway,
        figure=charts.points(
            clouds,
            axis_names=(
                "Orders in 365 days",
                f"Net revenue in 365 days{f' ({currency})' if currency else ''}",
            ),
        ),
        height="high",
        is_half=True,
        note=" ".join(notes),
    )


def _rfm_grid(buyers: pandas.DataFrame, currency: str) -> Chart:
    scored = pandas.DataFrame(
        {
            "recency": numbers(buyers, "rfm_r"),
            "frequency": numbers(buyers, "rfm_f"),
            "revenue": numbers(buyers, "revenue_365d"),
        }
    ).dropna(subset=["recency", "frequency"])
    cells = scored.groupby(["frequency", "recency"])["revenue"].agg(["size", "sum"])
    scores = range(1, 6)
    counts = [[float(_cell(cells, frequency, recency, "size")) for recency in scores] for frequency in scores]
    hover = [
        [
            hover_text(
                f"Recency {recency}, frequency {frequency}",
                amount_of(_cell(cells, frequency, recency, "size"), "customer", "customers"),
                f"{money(_cell(cells, frequency, recency, 'sum'), currency)} in 365 days",
            )
            for recency in scores
        ]
        for frequency in scores
    ]
    best = scored.loc[scored["recency"].ge(4) & scored["frequency"].ge(4)]
    slipping = scored.loc[scored["recency"].le(2) & scored["frequency"].ge(4)]
    return Chart(
        identifier="value-grid",
        title="How recently and how often they buy",
        takeaway=(
            f"{amount_of(len(best), 'customer buys', 'customers buy')} often and recently; "
            f"{decimal(len(slipping))} used to buy often and have not come back lately "
            f"({money(slipping['revenue'].sum(), currency)} in 365 days)."
        ),
        figure=charts.grid(
            [str(score) for score in scores],
            [str(score) for score in scores],
            counts,
            [[decimal(count) for count in row] for row in counts],
            hover,
            ("Recency (5 = bought last)", "Frequency (5 = most orders)"),
        ),
        height="high",
        is_half=True,
        numbers=Table(
            "Customers by frequency (rows) and recency (columns)",
            (Column("Frequency"), *(Column(f"Recency {score}", is_number=True) for score in scores)),
            tuple(
                (str(score), *(decimal(count) for count in row))
                for score, row in zip(scores, counts, strict=True)
            ),
            is_folded=True,
        ),
        note="Scores are fifths of the buyers, best is 5; equal values get equal scores.",
    )


def _cell(cells: pandas.DataFrame, frequency: int, recency: int, column: str) -> float:
    key = (float(frequency), float(recency))
    return float(cells.at[key, column]) if key in cells.index else 0.0


def _frequency_table(buyers: pandas.DataFrame, currency: str) -> Table:
    orders, revenue = numbers(buyers, "orders_365d"), numbers(buyers, "revenue_365d")
    total = revenue.sum()
    rows = []
    for name, least, most in (
        ("1 order", 1, 1),
        ("2 orders", 2, 2),
        ("3–5 orders", 3, 5),
        ("6–10 orders", 6, 10),
        ("more than 10 orders", 11, numpy.inf),
    ):
        chosen = orders.between(least, most)
        count, value = int(chosen.sum()), revenue[chosen].sum()
        rows.append(
            (
                name,
                decimal(count),
                percent(count / len(buyers)),
                money(value, currency),
                percent(value / total) if total > 0 else "–",
                money(value / count if count else None, currency),
            )
        )
    heads = ("Customers", "Share of buyers", "Revenue", "Share of revenue", "Revenue per customer")
    return Table(
        "Buyers by number of orders in 365 days",
        (Column("Orders"), *(Column(name, is_number=True) for name in heads)),
        tuple(rows),
    )
