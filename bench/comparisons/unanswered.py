"""What the world has planted and no table of the product answers yet.

Each function becomes a comparison once there is something to compare with. All of them take frames of the
truth as the world writes them.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from bench.comparisons.comparison import Comparison, unanswered

DECOYS = ("takes_tour", "finishes_tour", "previews_template")
ANOMALY_KINDS = ("sudden_drop", "spike", "pattern_break", "outlier_actions", "suspicious_activity")


def list_activation(activation: pd.DataFrame, invite_odds: float) -> list[Comparison]:
    """What brings people back on the next day, and what only looks as if it did.

    `activation`: the first days of the accounts that signed up in the world. The odds ratio of inviting is
    planted among accounts that are equal in the use of the core feature (Mantel and Haenszel 1959).
    """
    comes_back = activation["returns_next_day"]

    def ratio(step: str, strata: pd.Series) -> float | None:
        return pooled_odds_ratio(activation[step], comes_back, strata)

    alone = pd.Series(0, index=activation.index)
    return [
        unanswered(
            "activation: odds ratio of inviting",
            invite_odds,
            "odds ratio",
            as_it_came=ratio("invites", activation["uses_core"]),
            without_regard_to_the_core_feature=ratio("invites", alone),
            accounts=len(activation),
            activated_share=_mean(activation["is_activated"]),
            missing="a column that says who came back on the next day",
        ),
        unanswered(
            "activation: decoys not taken for causes",
            len(DECOYS),
            "steps",
            odds_ratios={step: ratio(step, alone) for step in DECOYS},
        ),
    ]


def list_anomalies(anomalies: pd.DataFrame, weeks: list[date]) -> list[Comparison]:
    """Anomalies by kind in the reviewed weeks; the product's should have precision and recall."""
    in_reviewed = anomalies["review_week"].isin(pd.to_datetime(pd.Series(weeks)))
    reviewed = anomalies.loc[in_reviewed, "kind"].value_counts()
    everywhere = anomalies["kind"].value_counts()
    return [
        unanswered(
            f"anomalies found: {kind}",
            int(reviewed.get(kind, 0)),
            "customer weeks",
            in_all_weeks=int(everywhere.get(kind, 0)),
            precision=None,
            recall=None,
            missing="scores.anomalies",
        )
        for kind in ANOMALY_KINDS
    ]


def list_upgrades(account_weeks: pd.DataFrame, upgrades: pd.DataFrame) -> list[Comparison]:
    """How well the true chance ranks the upgrades of its week: the best that a ranking could do.

    `account_weeks`: one row per subscribed account × reviewed week (account_id, review_week, upgrade_hazard).
    """
    keys = ["account_id", "review_week"]
    known = account_weeks.dropna(subset=["upgrade_hazard"])
    happened = known.set_index(keys).index.isin(upgrades.set_index(keys).index)
    has_both = 0 < happened.sum() < len(known)
    return [
        unanswered(
            "upgrades: rank correlation with the true chance",
            1.0,
            "Spearman",
            auroc_of_the_true_chance=float(roc_auc_score(happened, known["upgrade_hazard"]))
            if has_both
            else None,
            upgrades_in_the_reviewed_weeks=int(happened.sum()),
            causes=_shares(upgrades["cause"]),
            missing="scores.upsell",
        )
    ]


def list_shop(carts: pd.DataFrame, affinities: list[tuple[str, ...]]) -> list[Comparison]:
    """What is bought together, and why carts are left."""
    abandoned = carts[~carts["is_ordered"]]
    return [
        unanswered(
            "product affinities found",
            len(affinities),
            "groups of products",
            groups=[list(products) for products in affinities],
            missing="a table of products bought together",
        ),
        unanswered(
            "causes of abandoned carts",
            len(abandoned),
            "carts",
            of_carts=len(carts),
            planted_shares=_shares(abandoned["cause"]),
            missing="a table of carts",
        ),
    ]


def list_seasons(account_weeks: pd.DataFrame) -> list[Comparison]:
    """Accounts that come in their season alone. `account_weeks`: account_id, review_week, archetype."""
    seasonal = account_weeks[account_weeks["archetype"] == "seasonal"]
    return [
        unanswered(
            "seasonal accounts recognised",
            seasonal["account_id"].nunique(),
            "accounts",
            missing="a stage, a trend or a column that says so",
        )
    ]


def pooled_odds_ratio(does: pd.Series, happens: pd.Series, strata: pd.Series) -> float | None:
    """The odds ratio over strata (Mantel and Haenszel 1959): Σ ad / n over Σ bc / n; None where Σ bc is 0."""
    above = below = 0.0
    for _, rows in pd.DataFrame({"does": does, "happens": happens}).groupby(strata):
        done, came = rows["does"].astype(bool), rows["happens"].astype(bool)
        above += (done & came).sum() * (~done & ~came).sum() / len(rows)
        below += (done & ~came).sum() * (~done & came).sum() / len(rows)
    return float(above / below) if below else None


def _mean(values: pd.Series) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _shares(values: pd.Series) -> dict[str, float]:
    shares = values.value_counts(normalize=True).sort_index()
    return {str(name): round(float(share), 4) for name, share in shares.items()}
