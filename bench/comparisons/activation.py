"""First steps after the sign-up: those that were taken, and who counts as activated."""

from __future__ import annotations

import pandas as pd

from bench.comparisons.comparison import Comparison, exact

STEPS = 6  # of the demo's events.csv: the sign-up itself, and five that the world plans for the first day


def compare_steps_of_first_days(steps: pd.DataFrame) -> list[Comparison]:
    """Steps on the day of the sign-up, of customers who were here once on that day.

    Whoever comes back takes further steps as part of the usage, which the world does not tell. `steps`: one
    row per such customer × step: customer_id, event_name, planted, found (whether it was taken on that day).
    """
    differ = steps.loc[steps["planted"] != steps["found"], "customer_id"].unique()
    return [
        exact(
            "steps to activation on the day of the sign-up",
            int(steps["planted"].sum()),
            int(steps["found"].sum()),
            "steps",
            customers=steps["customer_id"].nunique(),
            by_step={
                str(name): {"planted": int(of_step["planted"].sum()), "found": int(of_step["found"].sum())}
                for name, of_step in steps.groupby("event_name")
            },
        ),
        exact(
            "customers whose steps on that day differ",
            0,
            len(differ),
            "customers",
            customers=sorted(differ)[:10],
        ),
    ]


def compare_steps_of_weeks(steps: pd.DataFrame) -> list[Comparison]:
    """Steps in the feature rows of customers who have not been here again by the end of the week.

    `steps`: one row per such customer × reviewed week: customer_id, review_week, planted_steps, found_steps,
    found_is_activated (all steps taken).
    """
    differ = steps["planted_steps"] != steps["found_steps"]
    is_activated = steps["planted_steps"] == STEPS
    activation_differs = is_activated != steps["found_is_activated"].astype("boolean").fillna(False)
    return [
        exact(
            "steps to activation in the reviewed weeks, of customers who came once",
            int(steps["planted_steps"].sum()),
            int(steps["found_steps"].sum()),
            "steps",
            customer_weeks=len(steps),
        ),
        exact(
            "customer weeks of these whose steps differ",
            0,
            int(differ.sum()),
            "customer weeks",
            customers=steps.loc[differ, "customer_id"].head(10).tolist(),
        ),
        exact(
            "customer weeks of these whose being activated differs",
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
