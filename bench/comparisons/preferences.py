"""How owners like to be written to, beside what the product says of them; and who no longer wants to be."""

from __future__ import annotations

import pandas as pd

from bench.comparisons.comparison import Comparison, exact

# Comparison, column of the truth, column of the feature row.
PREFERENCES = (
    ("preferred channel", "preferred_channel", "preferred_channel"),
    ("preferred hour", "preferred_hour_local", "preferred_send_hour_local"),
    ("preferred topic", "preferred_topic", "top_topic_90d"),
)
# An opening is nearly as likely so many hours off the preferred one.
HOURS_NEARBY = 2
OPENED_MESSAGES = 3


def compare_preferences(readers: pd.DataFrame) -> list[Comparison]:
    """Of the customers of whom the product says a preference: the share of whom it is the planted one.

    `readers`: one row per customer of the newest reviewed week: the columns of PREFERENCES, those of the
    feature row with `said_` before their names, and messages_opened, as planted. Planted is 1: right about
    everybody; what a few messages can tell at all lies far below.
    """
    comparisons = []
    for name, column, said in PREFERENCES:
        told = readers[readers[f"said_{said}"].notna()]
        is_right = told[f"said_{said}"] == told[column]
        often = told["messages_opened"] >= OPENED_MESSAGES
        detail = {
            "customers": len(readers),
            "customers_told": len(told),
            "customers_told_with_3_opened_messages": int(often.sum()),
            "share_with_3_opened_messages": _mean(is_right[often]),
            "share_of_a_guess": _share_of_the_commonest(told[column]),
            "planted_shares": _shares(readers[column]),
        }
        if column == "preferred_hour_local":
            distance = (told[f"said_{said}"] - told[column]).abs()
            detail["share_within_2_hours"] = _mean(distance <= HOURS_NEARBY)
        comparisons.append(Comparison(name, 1.0, _mean(is_right), "share", detail=detail))
    return comparisons


def compare_opt_outs(loaded: int, found: int) -> list[Comparison]:
    """Consents withdrawn in the 365 days of the newest reviewed week, as events and in the feature rows."""
    return [
        exact(
            "opt-outs",
            loaded,
            found,
            "withdrawals",
            note="the world keeps no truth of its consents: they are read from the loaded events",
        )
    ]


def _mean(truths: pd.Series) -> float | None:
    return float(truths.mean()) if len(truths) else None


def _share_of_the_commonest(values: pd.Series) -> float | None:
    return float(values.value_counts(normalize=True).max()) if len(values) else None


def _shares(values: pd.Series) -> dict[str, float]:
    shares = values.value_counts(normalize=True).sort_index()
    return {str(name): round(float(share), 4) for name, share in shares.items()}
