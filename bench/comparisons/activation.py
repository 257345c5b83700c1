"""First steps after the sign-up: those that were taken, and who counts as activated."""

from __future__ import annotations

import pandas as pd

from bench.comparisons.comparison import Comparison, exact

STEPS = 6  # of the demo's events.csv: the sign-up itself, and five that the world plans for the first day


def compare_steps(steps: pd.DataFrame) -> list[Comparison]:
    """Steps of customers who have been here once: at their sign-up, and not again by the end of the week.

    Of them alone the world knows all steps: whoever comes back takes further ones as part of the usage.
    `steps`: one row per such customer × reviewed week: customer_id, review_week, planted_steps, found_steps,
    found_is_activated (all steps taken).
    """
    differ = steps["planted_steps"] != steps["found_steps"]
    is_activated = steps["planted_steps"] == STEPS
    activation_differs = is_activated != steps["found_is_activated"].astype("boolean").fillna(False)
    return [
        exact(
            "steps to activation, of customers who came once",
            int(steps["planted_steps"].sum()),
            int(steps["found_steps"].sum()),
            "steps",
            customer_weeks=len(steps),
        ),
        exact(
            "customer weeks whose steps to activation differ",
            0,
            int(differ.sum()),
            "customer weeks",
            customers=steps.loc[differ, "customer_id"].head(10).tolist(),
        ),
        exact(
            "customer weeks whose being activated differs",
            0,
            int(activation_differs.sum()),
            "customer weeks",
            activated=int(is_activated.sum()),
        ),
    ]


def compare_activated(activated: pd.DataFrame) -> list[Comparison]:
    """Activated customers of the newest reviewed week, by two notions that are not the same.

    `activated`: one row per customer that signed up in the world: planted, found (truth values).
    """
    planted, found = activated["planted"].astype(bool), activated["found"].astype("boolean").fillna(False)
    return [
        Comparison(
            "activated customers",
            int(planted.sum()),
            int(found.sum()),
            "customers",
            detail={
                "both": int((planted & found).sum()),
                "of": len(activated),
                "note": "planted: a project, the core feature and a return on the next day; found: all steps "
                "of events.csv, whenever they were taken",
            },
        )
    ]
