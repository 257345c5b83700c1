"""Who the customers are: how they spread over the segments of each scheme."""

from __future__ import annotations

from collections.abc import Sequence

import numpy
import pandas

from report.columns import is_observed, numbers, rows_of_week, texts
from report.content import Bar, Bars, Section, Sentence
from report.tables import ReviewHeader, ReviewTables
from report.wording import amount_of, decimal, money, name_of, percent, shortened, signed

MOST_SEGMENTS = 20  # of one scheme; the rest is summed up in one sentence
NAME_LENGTH = 60

LIFECYCLE = ("onboarding", "adopting", "established", "power_user", "at_risk", "dormant", "churned")
ENGAGEMENT = (
    "highly_engaged",
    "moderately_engaged",
    "lightly_engaged",
    "barely_engaged",
    "disengaged",
)
RFM = (
    "champions",
    "loyal",
    "potential_loyalists",
    "new_customers",
    "need_attention",
    "at_risk",
    "cant_lose_them",
    "hibernating",
    "lost",
    "lapsed",
    "no_orders",
)
HEALTH_BANDS = ("advocacy", "automated", "high_touch")
CHURN_BANDS = ("low", "medium", "high")

# What a segment means, in words without limits: the limits are settings of the workspace.
MEANINGS = {
    "lifecycle": {
        "onboarding": "in their first weeks",
        "adopting": "past the start, still finding their way",
        "established": "regular use without alarm",
        "power_user": "the most active, across many features",
        "at_risk": "use is falling clearly",
        "dormant": "silent for weeks",
        "churned": "cancelled, or silent for a quarter",
    },
    "engagement": {
        "highly_engaged": "here on most days, several features",
        "moderately_engaged": "here every week",
        "lightly_engaged": "here in the last four weeks",
        "barely_engaged": "not here in the last four weeks",
        "disengaged": "silent for long, or never active",
    },
    "rfm": {
        "champions": "bought just now, often, and most",
        "loyal": "buy often and recently",
        "potential_loyalists": "recent buyers on the way to loyalty",
        "new_customers": "recent first buyers",
        "need_attention": "average and cooling",
        "at_risk": "bought often, not lately",
        "cant_lose_them": "among the best once, away for long",
        "hibernating": "few orders, long ago, of some value",
        "lost": "few orders, long ago, little value",
        "lapsed": "no order in a year",
        "no_orders": "never ordered",
    },
    "health_band": {
        "advocacy": "healthy: may speak for us",
        "automated": "middling: messages can help",
        "high_touch": "poor: needs a person",
    },
    "cluster": {},
}

ABSENCES = {
    "lifecycle": "No customer has a lifecycle stage this week.",
    "engagement": "No customer has an engagement level this week.",
    "rfm": "No orders are recorded here, so customers cannot be grouped by what they buy.",
    "cluster": "No clusters of behaviour were computed this week.",
    "health_band": "No customer has a health band this week.",
    "own": "No customer is in a segment of your own this week.",
}


def segments_section(header: ReviewHeader, tables: ReviewTables) -> Section:
    """How the customers spread over each scheme of segments."""
    blocks = [
        distribution(header, tables.segments_weekly, scheme, title, order)
        for scheme, title, order in (
            ("lifecycle", "Lifecycle stage", LIFECYCLE),
            ("engagement", "Engagement", ENGAGEMENT),
            ("rfm", "Buying behaviour (recency, frequency, money)", RFM),
            ("cluster", "Clusters of similar behaviour", ()),
        )
    ]
    lead = "Each customer is in one segment of each scheme. Changes are customers against the week before."
    if texts(tables.segments_weekly, "scheme").eq("own").any():
        blocks.append(distribution(header, tables.segments_weekly, "own", "Segments of your own", ()))
        lead += " Your own segments may overlap, and leave customers out."
    return Section("segments", "Segments", lead, tuple(blocks))


def distribution(
    header: ReviewHeader, segments_weekly: pandas.DataFrame, scheme: str, title: str, order: Sequence[str]
) -> Bars | Sentence:
    """The segments of one scheme in a fixed order, unknown ones after them by size."""
    of_scheme = segments_weekly.loc[texts(segments_weekly, "scheme").eq(scheme).astype(bool)]
    of_scheme = of_scheme.loc[texts(of_scheme, "segment").notna()]
    now = _by_segment(rows_of_week(of_scheme, header.review_week))
    before = _by_segment(rows_of_week(of_scheme, header.week_before))
    if now.empty or not numbers(now, "customers").sum() > 0:
        return Sentence(ABSENCES[scheme], "absent")
    by_size = numbers(now, "customers").sort_values(ascending=False, kind="stable").index
    names = [name for name in order if name in now.index or name in before.index]
    names += [name for name in by_size if name not in names]
    shown, rest = names[:MOST_SEGMENTS], names[MOST_SEGMENTS:]
    shares, counts = numbers(now, "customer_share"), numbers(now, "customers")
    counts_before = numbers(before, "customers")
    has_revenue = is_observed(now, "revenue_365d")
    extra = numbers(now, "revenue_365d" if has_revenue else "active_days_28d_mean")
    widest = max(shares.max(), 1e-9)
    bars = []
    for name in shown:
        # A segment that is empty this week has no row: that is 0 customers, not an unknown number.
        count, share = counts.get(name, 0.0), shares.get(name, 0.0)
        change = count - counts_before.get(name, 0.0) if len(before) else numpy.nan
        bars.append(
            Bar(
                name=shortened(name_of(name), NAME_LENGTH),
                meaning=MEANINGS.get(scheme, {}).get(name, ""),
                customers=decimal(count),
                share=percent(share),
                share_percent=f"{100 * share / widest:.1f}",
                change=signed(decimal(change)),
                extra=(
                    money(extra.get(name, 0.0), header.currency)
                    if has_revenue
                    else decimal(extra.get(name, numpy.nan), 1)
                ),
            )
        )
    changes = (counts - counts_before.reindex(counts.index).fillna(0.0)).dropna()
    return Bars(
        title=title,
        takeaway=_distribution_sentence(counts, shares, changes if len(before) else changes.iloc[:0]),
        extra_name="Revenue, 365 days" if has_revenue else "Active days of 28",
        bars=tuple(bars),
        note=f"{amount_of(len(rest), 'smaller segment is', 'smaller segments are')} not listed."
        if rest
        else "",
    )


def _by_segment(rows: pandas.DataFrame) -> pandas.DataFrame:
    indexed = rows.set_axis(texts(rows, "segment"), axis=0)
    return indexed.loc[~indexed.index.duplicated(keep="last")]


def _distribution_sentence(counts: pandas.Series, shares: pandas.Series, changes: pandas.Series) -> str:
    def name(segment: str) -> str:
        return shortened(name_of(segment), NAME_LENGTH)

    largest = counts.idxmax()
    sentence = f"{name(largest)} is the largest segment with {percent(shares[largest])} of customers"
    moved = changes[changes != 0]
    if moved.empty:
        return f"{sentence}."
    strongest = moved.abs().idxmax()
    if strongest == largest:
        return f"{sentence}, and moved most ({signed(decimal(moved[strongest]))})."
    return f"{sentence}; {name(strongest)} moved most ({signed(decimal(moved[strongest]))})."
