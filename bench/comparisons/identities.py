"""Who is who: visits before the sign-up, user ids that change, computers that several people use."""

from __future__ import annotations

import pandas as pd

from bench.comparisons.comparison import Comparison, unanswered


def compare_visits(visits: pd.DataFrame) -> list[Comparison]:
    """Visits of later customers, of whom no event says whose they are: how many the product gives them.

    `visits`: one row per such visit whose customer is known by the end of the data: customer_id, and as the
    product says found_customer_id (of the session; NULL: nobody's) and known_customer_id (to whom the
    identities give its computer at last).
    """
    stitched = visits["found_customer_id"] == visits["customer_id"]
    wrong = visits["found_customer_id"].notna() & ~stitched
    linked = visits["known_customer_id"] == visits["customer_id"]
    return [
        Comparison(
            "visits before the sign-up, given to their customer",
            len(visits),
            int(stitched.sum()),
            "visits",
            detail={"given_to_another": int(wrong.sum()), "identities_know_the_computer": int(linked.sum())},
        )
    ]


def compare_changed_ids(changes: pd.DataFrame) -> list[Comparison]:
    """User ids that changed: both at one customer.

    `changes`: one row per alias event: customer_of_new, customer_of_previous, as the identities say.
    """
    same = (changes["customer_of_new"] == changes["customer_of_previous"]) & changes[
        "customer_of_new"
    ].notna()
    never_used = changes["customer_of_new"].isna() | changes["customer_of_previous"].isna()
    return [
        Comparison(
            "changed user ids, both at one customer",
            len(changes),
            int(same.sum()),
            "ids",
            detail={
                "never_used_before_or_after": int(never_used.sum()),
                "note": "the customer is the account: its events name it, whichever user id they carry",
            },
        )
    ]


def compare_shared_computers(people_of_computers: pd.DataFrame) -> list[Comparison]:
    """Computers of several people. `people_of_computers`: anonymous_id, people, customers (as planted)."""
    shared = people_of_computers[people_of_computers["people"] > 1]
    return [
        unanswered(
            "shared computers whose people are kept apart",
            len(shared),
            "computers",
            of_computers=len(people_of_computers),
            shared_between_customers=int((shared["customers"] > 1).sum()),
            missing="a table of people: the demo's customer is the account, so nothing would show a merger",
        )
    ]
