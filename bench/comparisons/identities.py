"""Who is who: ids, visits before the sign-up, user ids that change, computers that several people use."""

from __future__ import annotations

import pandas as pd

from bench.comparisons.comparison import Comparison, exact
from bench.record import Target

# Of a visit whose sign-up came too late to count, no event says whose it was; that is rare.
NEARLY_ALL = Target(lowest=0.99)


def compare_ids(ids: pd.DataFrame) -> list[Comparison]:
    """Computers and people of whom an event that counts names the account: to whom the identities give them.

    `ids`: one row per such id: id_type (anonymous, user), customer_id, and as the product says
    found_customers (how many it gives the id to), found_customer_id and is_shared (it speaks for nobody,
    because too many people use it).
    """
    comparisons = []
    for name, id_type in (("computers", "anonymous"), ("user ids", "user")):
        rows = ids[ids["id_type"] == id_type]
        is_right = (rows["found_customers"] == 1) & (rows["found_customer_id"] == rows["customer_id"])
        comparisons.append(
            exact(
                f"{name} given to their customer",
                len(rows),
                int(is_right.sum()),
                name,
                shared_by_too_many=int(rows["is_shared"].sum()),
                given_to_another=int((~is_right & (rows["found_customers"] > 0)).sum()),
            )
        )
    return comparisons


def compare_visits(visits: pd.DataFrame) -> list[Comparison]:
    """Visits in which no event says whose they are: those of later customers, and those of strangers.

    `visits`: one row per such visit that was received in time: customer_id (whose it is, NULL: a stranger's
    or a bot's), is_named (an event that counts says later whose the computer is), is_named_in_vain (an event
    does that comes too late, is rejected or is never received), is_flagged (a program ran on the computer on
    that day, which counts for nobody), and found_customer_id, whose it is as the product says (NULL:
    nobody's).
    """
    is_found = visits["found_customer_id"].notna()
    of_customers = visits[visits["customer_id"].notna()]
    expected = of_customers["is_named"] & ~of_customers["is_flagged"]
    given = of_customers["found_customer_id"] == of_customers["customer_id"]
    wrong = of_customers["found_customer_id"].notna() & ~given
    strangers = visits["customer_id"].isna()
    return [
        exact(
            "visits before the sign-up, given to their customer",
            int(expected.sum()),
            int((expected & given).sum()),
            "visits",
            visits=len(of_customers),
            left_out_as_named_too_late=int(
                (~of_customers["is_named"] & of_customers["is_named_in_vain"]).sum()
            ),
            left_out_as_never_named=int(
                (~of_customers["is_named"] & ~of_customers["is_named_in_vain"]).sum()
            ),
            left_out_as_of_a_program=int((of_customers["is_named"] & of_customers["is_flagged"]).sum()),
        ),
        exact(
            "visits before the sign-up, given without a reason",
            0,
            int((given & ~expected).sum()),
            "visits",
        ),
        exact("visits before the sign-up, given to another", 0, int(wrong.sum()), "visits"),
        Comparison(
            "visits before the sign-up, share that is given",
            1.0,
            float(given.mean()) if len(of_customers) else None,
            "share",
            NEARLY_ALL,
        ),
        exact(
            "visits of strangers, given to a customer",
            0,
            int((strangers & is_found).sum()),
            "visits",
            visits=int(strangers.sum()),
        ),
    ]


def compare_changed_ids(changes: pd.DataFrame) -> list[Comparison]:
    """User ids that changed: one person, at one customer.

    `changes`: one row per pair of ids that an alias event in time names: is_merged (the product believes it),
    customer_of_new and customer_of_previous, as the identities say. The world keeps no truth of the changes.
    """
    same = changes["customer_of_new"] == changes["customer_of_previous"]
    note = "which ids change is read from the loaded alias events: the world keeps no truth of it"
    return [
        exact("changed user ids, merged", len(changes), int(changes["is_merged"].sum()), "ids", note=note),
        exact("changed user ids, both at one customer", len(changes), int(same.sum()), "ids", note=note),
    ]


def compare_shared_computers(computers: pd.DataFrame) -> list[Comparison]:
    """Computers of several people: every activity there is hers who was there.

    `computers`: one row per computer on which several people were: people, customers (as planted), events
    (activities in time, without those of days on which a program ran there), and how many of these the
    product gives to another customer or to another person than the truth (events_of_another_customer,
    events_of_another_person). A changed user id is the same person.
    """
    wrong = computers["events_of_another_customer"] + computers["events_of_another_person"] > 0
    events = int(computers["events"].sum())
    return [
        exact(
            "shared computers whose people are kept apart",
            len(computers),
            int((~wrong).sum()),
            "computers",
            people=int(computers["people"].sum()),
            shared_between_customers=int((computers["customers"] > 1).sum()),
        ),
        exact(
            "activities on shared computers, given to another customer",
            0,
            int(computers["events_of_another_customer"].sum()),
            "events",
            events=events,
        ),
        exact(
            "activities on shared computers, given to another person",
            0,
            int(computers["events_of_another_person"].sum()),
            "events",
            events=events,
        ),
    ]
