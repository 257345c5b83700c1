"""Health: its bands, its spread and what it is made of."""

from __future__ import annotations

import numpy
import pandas

from report import charts
from report.charts import Series, hover_text
from report.columns import numbers, rows_of_week, texts
from report.content import Block, Chart, Column, Section, Sentence, Table
from report.segments import (
    HEALTH_BANDS,
    MOST_SEGMENTS,
    distribution,
)
from report.tables import ReviewHeader, ReviewTables
from report.wording import amount_of, decimal, name_of, shortened


def health_section(header: ReviewHeader, tables: ReviewTables) -> Section:
    """Health bands, the spread of the score, and what it is made of."""
    title = "Health"
    customers = tables.customers
    scores = numbers(customers, "health_score")
    scored = customers.loc[scores.notna()]
    if scored.empty:
        sentence = Sentence(
            "No customer has a health score this week: too few of its components are observed.", "absent"
        )
        return Section("health", title, "", (sentence,))
    blocks: list[Block] = [
        distribution(header, tables.segments_weekly, "health_band", "Health bands", HEALTH_BANDS),
        _health_histogram(scored),
    ]
    contributions = _observed_contributions(tables.health_contributions, header, scored)
    if contributions.empty:
        blocks.append(Sentence("What the health scores are made of is not recorded this week.", "absent"))
    else:
        blocks.append(_components_chart(contributions))
    lead = (
        f"{amount_of(len(scored), 'customer has', 'customers have')} a health score of 0 to 100, a weighted "
        "mean of what is observed of each"
    )
    unscored = len(customers) - len(scored)
    lead += f"; {decimal(unscored)} have too little observed for one." if unscored else "."
    return Section("health", title, lead, tuple(blocks))


def _health_histogram(scored: pandas.DataFrame) -> Chart:
    scores, bands = numbers(scored, "health_score"), texts(scored, "health_band")
    width = 5
    edges = list(range(0, 100, width))
    places = numpy.clip(scores.to_numpy() // width, 0, len(edges) - 1).astype(int)
    series = []
    for band in (*reversed(HEALTH_BANDS), None):
        chosen = (bands.isna() if band is None else bands.eq(band)).to_numpy()
        if not chosen.any():
            continue
        name = name_of(band) if band else "Without a band"
        counts = numpy.bincount(places[chosen], minlength=len(edges)).tolist()
        hover = [
            hover_text(f"Health {edge}–{edge + width}", name, amount_of(count, "customer", "customers"))
            for edge, count in zip(edges, counts, strict=True)
        ]
        series.append(Series(name, counts, charts.BAND_COLOURS.get(band or "", charts.NEUTRAL), hover))
    lower, middle, upper = scores.quantile([0.25, 0.5, 0.75])
    totals = numpy.bincount(places, minlength=len(edges))
    return Chart(
        identifier="health-histogram",
        title="How the health score spreads",
        takeaway=(
            f"Half of the customers score {decimal(middle, 1)} or less; the middle half lies between "
            f"{decimal(lower, 1)} and {decimal(upper, 1)}."
        ),
        figure=charts.histogram(edges, width, series, "Health score"),
        is_half=True,
        numbers=Table(
            "Customers by health score",
            (Column("Score"), Column("Customers", is_number=True)),
            tuple(
                (f"{edge}–{edge + width}", decimal(count)) for edge, count in zip(edges, totals, strict=True)
            ),
            is_folded=True,
        ),
    )


def _observed_contributions(
    health_contributions: pandas.DataFrame, header: ReviewHeader, scored: pandas.DataFrame
) -> pandas.DataFrame:
    """Component, score, weight and contribution, where observed, of the customers who have a score."""
    rows = rows_of_week(health_contributions, header.review_week)
    rows = rows.loc[texts(rows, "customer_id").isin(texts(scored, "customer_id"))]
    return pandas.DataFrame(
        {
            "component": texts(rows, "component"),
            "score": numbers(rows, "component_score"),
            "weight": numbers(rows, "weight"),
            "contribution": numbers(rows, "contribution"),
        }
    ).dropna(subset=["component", "score"])


def _components_chart(contributions: pandas.DataFrame) -> Chart:
    means = contributions.groupby("component").agg(
        score=("score", "mean"),
        weight=("weight", "max"),
        contribution=("contribution", "mean"),
        customers=("score", "size"),
    )
    means = means.sort_index().sort_values("weight", ascending=False, kind="stable").iloc[:MOST_SEGMENTS]
    names = [shortened(name_of(component), 28) for component in means.index]
    lowest, highest = means["score"].idxmin(), means["score"].idxmax()
    takeaway = (
        f"{name_of(lowest)} pulls health down most (mean {decimal(means.at[lowest, 'score'], 1)} of 100); "
        f"{name_of(highest)} is the strongest ({decimal(means.at[highest, 'score'], 1)})."
        if lowest != highest
        else f"{name_of(lowest)} alone makes the score (mean {decimal(means.at[lowest, 'score'], 1)} of 100)."
    )
    hover = [
        hover_text(
            name,
            f"mean score {decimal(row.score, 1)} of 100",
            f"adds {decimal(row.contribution, 1)} points on average, weight {decimal(row.weight)}",
            f"observed of {amount_of(row.customers, 'customer', 'customers')}",
        )
        for name, row in zip(names, means.itertuples(), strict=True)
    ]
    return Chart(
        identifier="health-components",
        title="What health is made of",
        takeaway=takeaway,
        figure=charts.score_bars(
            names,
            Series(
                "Mean score",
                means["score"].round(4).tolist(),
                charts.ACCENT,
                hover,
                [decimal(score, 1) for score in means["score"]],
            ),
        ),
        is_half=True,
        numbers=Table(
            "Components of the health score",
            (
                Column("Component"),
                Column("Weight", is_number=True),
                Column("Mean score of 100", is_number=True),
                Column("Mean contribution, points", is_number=True),
                Column("Customers observed", is_number=True),
            ),
            tuple(
                (
                    name,
                    decimal(row.weight),
                    decimal(row.score, 1),
                    decimal(row.contribution, 1),
                    decimal(row.customers),
                )
                for name, row in zip(names, means.itertuples(), strict=True)
            ),
        ),
        note="The mean is over customers of whom the component is observed.",
    )
