"""Churn risk by segment, and what is at stake."""

from __future__ import annotations

from collections.abc import Sequence

import pandas

from report import charts
from report.charts import Series, hover_text
from report.columns import is_observed, is_true, numbers, texts
from report.content import Block, Chart, Column, Section, Sentence, Table
from report.segments import (
    CHURN_BANDS,
    LIFECYCLE,
    MOST_SEGMENTS,
    NAME_LENGTH,
    RFM,
)
from report.tables import ReviewHeader, ReviewTables
from report.wording import amount_of, decimal, money, name_of, percent, shortened

SMALLEST_SEGMENT = 20  # customers; shares of fewer are not singled out in a sentence


def churn_section(header: ReviewHeader, tables: ReviewTables) -> Section:
    """How the churn bands spread over segments, and what stands behind them."""
    title = "Churn risk"
    scored = tables.customers.loc[texts(tables.customers, "churn_band").notna()]
    if scored.empty:
        sentence = Sentence("No customer has a churn score this week.", "absent")
        return Section("churn", title, "", (sentence,))
    blocks: list[Block] = [Sentence(_risk_sentence(scored, header.currency))]
    for column, name, order, identifier in (
        ("lifecycle_stage", "lifecycle stage", LIFECYCLE, "churn-lifecycle"),
        ("rfm_segment", "buying behaviour", RFM, "churn-rfm"),
    ):
        if is_observed(scored, column):
            blocks.append(_risk_chart(scored, column, name, order, identifier))
        else:
            blocks.append(Sentence(f"No scored customer has a segment by {name}.", "absent"))
    unscored = tables.customers.loc[texts(tables.customers, "churn_band").isna()]
    lead = f"{amount_of(len(scored), 'customer has', 'customers have')} a churn score this week"
    if len(unscored) and is_observed(unscored, "is_scorable"):
        gone = int((~is_true(unscored, "is_scorable")).sum())
        lead += f"; {decimal(gone)} are not scored because they have churned or were silent for 90 days"
    elif len(unscored):
        lead += f"; {decimal(len(unscored))} have none"
    lead += "."
    return Section("churn", title, lead, tuple(blocks))


def _risk_sentence(scored: pandas.DataFrame, currency: str) -> str:
    high = texts(scored, "churn_band").eq("high")
    share = percent(high.sum() / len(scored))
    verb = "is" if high.sum() == 1 else "are"
    sentence = f"{amount_of(high.sum(), 'customer', 'customers')} ({share} of the scored) {verb} at high risk"
    parts = []
    for column, words in (
        ("revenue_365d", "of the revenue of the last 365 days"),
        ("monthly_recurring_revenue", "of the monthly recurring revenue"),
    ):
        values = numbers(scored, column)
        if values.notna().any() and values.sum() > 0:
            part = values[high].sum()
            parts.append(f"{money(part, currency)} ({percent(part / values.sum())}) {words}")
    return f"{sentence}; they stand for {' and '.join(parts)}." if parts else f"{sentence}."


def _risk_chart(
    scored: pandas.DataFrame, column: str, name: str, order: Sequence[str], identifier: str
) -> Chart:
    counts = (
        pandas.DataFrame({"segment": texts(scored, column), "band": texts(scored, "churn_band")})
        .dropna()
        .groupby(["segment", "band"])
        .size()
        .unstack(fill_value=0)
        .reindex(columns=list(CHURN_BANDS), fill_value=0)
    )
    totals = counts.sum(axis=1)
    names = [segment for segment in order if segment in counts.index]
    names += [segment for segment in totals.sort_values(ascending=False).index if segment not in names]
    counts = counts.loc[names[:MOST_SEGMENTS]]
    totals = counts.sum(axis=1)
    shares = counts.div(totals.where(totals > 0, 1), axis=0)
    labels = [f"{shortened(name_of(segment), 28)} ({decimal(totals[segment])})" for segment in counts.index]
    large = shares.loc[totals >= SMALLEST_SEGMENT, "high"]
    if large.empty or large.max() == 0:
        takeaway = f"No segment of {SMALLEST_SEGMENT} or more customers holds anyone at high risk."
    else:
        worst = large.idxmax()
        takeaway = (
            f"The largest share at high risk is in the segment {shortened(name_of(worst), NAME_LENGTH)}: "
            f"{percent(large[worst])} of {amount_of(totals[worst], 'customer', 'customers')}."
        )
    series = [
        Series(
            name=name_of(band),
            values=shares[band].round(6).tolist(),
            colour=charts.BAND_COLOURS[band],
            hover=[
                hover_text(label, f"{name_of(band)}: {percent(share)}, {decimal(count)} customers")
                for label, share, count in zip(labels, shares[band], counts[band], strict=True)
            ],
            texts=[percent(share, 0) for share in shares[band]],
        )
        for band in reversed(CHURN_BANDS)  # high risk from the left edge, where bars compare best
    ]
    return Chart(
        identifier=identifier,
        title=f"Churn risk by {name}",
        takeaway=takeaway,
        figure=charts.share_bars(labels, series),
        height="low" if len(labels) <= 4 else "middle" if len(labels) <= 7 else "high",
        is_half=True,
        numbers=Table(
            f"Scored customers by {name} and churn band",
            (
                Column("Segment"),
                *(Column(name_of(band), is_number=True) for band in CHURN_BANDS),
                Column("Share high", is_number=True),
            ),
            tuple(
                (
                    label,
                    *(decimal(counts.at[segment, band]) for band in CHURN_BANDS),
                    percent(shares.at[segment, "high"]),
                )
                for label, segment in zip(labels, counts.index, strict=True)
            ),
            is_folded=True,
        ),
        note="The number of scored customers stands behind each name.",
    )
