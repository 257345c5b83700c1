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
NO_TRUTH = "the world keeps no truth of its consents: they are read from the loaded events"


def compare_preferences(readers: pd.DataFrame) -> list[Comparison]:
    """Of the customers who opened at least three messages in 90 days: of how many what is said is planted.

    `readers`: one row per customer of the newest reviewed week: the columns of PREFERENCES, those of the
    feature row with `said_` before their names, messages_opened (in the 90 days of the week), and
    is_in_zone_of_business (where its clocks are those of the business). Planted is 1: right about everybody;
    what a few messages can tell at all lies far below, so chance stands beside it (share_by_chance: what is
    said, dealt out among these customers at random).
    """
    comparisons = []
    for name, column, said in PREFERENCES:
        has_told = readers[f"said_{said}"].notna()
        told = readers[has_told & (readers["messages_opened"] >= OPENED_MESSAGES)]
        is_right = told[f"said_{said}"] == told[column]
        less_told = readers[has_told]
        detail = {
            "customers": len(readers),
            "customers_with_3_opened_messages": len(told),
            "share_by_chance": _share_by_chance(told[f"said_{said}"], told[column]),
            "share_of_the_commonest": _share_of_the_commonest(told[column]),
            "customers_told": len(less_told),
            "share_of_all_told": _mean(less_told[f"said_{said}"] == less_told[column]),
            "planted_shares": _shares(readers[column]),
        }
        if column == "preferred_hour_local":
            distance = (told[f"said_{said}"] - told[column]).abs()
            detail["share_within_2_hours"] = _mean(distance <= HOURS_NEARBY)
            at_home = told["is_in_zone_of_business"]
            detail["share_in_the_zone_of_the_business"] = _mean(is_right[at_home])
            detail["note"] = "said by the clock of the business, planted by that of the reader"
        comparisons.append(Comparison(name, 1.0, _mean(is_right), "share", detail=detail))
    return comparisons


def compare_consents(consents: pd.DataFrame) -> list[Comparison]:
    """Consents of the customers at the end of the newest reviewed week, as the events say and the rows.

    `consents`: one row per customer × channel: loaded (what the last event says), found (of the feature row),
    truth values; NULL where nothing was ever said.
    """
    loaded, found = (consents[side].astype("boolean") for side in ("loaded", "found"))
    differ = (loaded.isna() != found.isna()) | (loaded != found).fillna(False)
    return [
        exact("consents", int(loaded.sum()), int(found.sum()), "customers × channels", note=NO_TRUTH),
        exact("consents that differ", 0, int(differ.sum()), "customers × channels", of=len(consents)),
    ]


def compare_opt_outs(loaded: int, found: int) -> list[Comparison]:
    """Consents withdrawn in the 365 days of the newest reviewed week, as events and in the feature rows."""
    return [exact("opt-outs", loaded, found, "withdrawals", note=NO_TRUTH)]


def _mean(truths: pd.Series) -> float | None:
    return float(truths.mean()) if len(truths) else None


def _share_by_chance(said: pd.Series, planted: pd.Series) -> float | None:
    """How often two are equal that are drawn from both without regard to each other."""
    if said.empty:
        return None
    shares = said.value_counts(normalize=True), planted.value_counts(normalize=True)
    return float(shares[0].mul(shares[1], fill_value=0).sum())


def _share_of_the_commonest(values: pd.Series) -> float | None:
    return float(values.value_counts(normalize=True).max()) if len(values) else None


def _shares(values: pd.Series) -> dict[str, float]:
    shares = values.value_counts(normalize=True).sort_index()
    return {str(name): round(float(share), 4) for name, share in shares.items()}
