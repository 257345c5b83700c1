"""What the business reads off a week: customers, cancellations, orders, revenue, tickets, upgrades."""

from __future__ import annotations

import pandas as pd

from bench.comparisons.comparison import Comparison, exact


def compare_customers(customers: pd.DataFrame) -> list[Comparison]:
    """Who is known, who has cancelled and who has upgraded by the end of each reviewed week.

    Without the accounts of our own people, who are no customers of a review.

    `customers`: one row per customer known on either side × reviewed week: customer_id, review_week,
    is_planted, is_found, planted_cancelled, found_cancelled (NULL where the side does not know it),
    planted_upgrades, found_upgrades.
    """
    newest = customers[customers["review_week"] == customers["review_week"].max()]
    differ = customers["is_planted"] != customers["is_found"]
    cancelled_differ = _truths(customers["planted_cancelled"]) != _truths(customers["found_cancelled"])
    upgrades_differ = customers["planted_upgrades"] != customers["found_upgrades"]
    return [
        exact(
            "customers known in the newest week",
            int(newest["is_planted"].sum()),
            int(newest["is_found"].sum()),
            "customers",
        ),
        exact("customer weeks known on one side alone", 0, int(differ.sum()), "customer weeks"),
        exact(
            "cancelled customers in the newest week",
            int(_truths(newest["planted_cancelled"]).sum()),
            int(_truths(newest["found_cancelled"]).sum()),
            "customers",
        ),
        exact(
            "customer weeks whose cancellation differs",
            0,
            int(cancelled_differ.sum()),
            "customer weeks",
        ),
        exact(
            "upgrades so far",
            int(newest["planted_upgrades"].sum()),
            int(newest["found_upgrades"].sum()),
            "upgrades",
        ),
        exact("customer weeks whose upgrades differ", 0, int(upgrades_differ.sum()), "customer weeks"),
    ]


def compare_labels(labels: pd.DataFrame) -> list[Comparison]:
    """The outcomes that the product learns from, beside what happened.

    `labels`: one row per customer with a subscription × week that has matured: planted, found (truth values).
    """
    planted, found = _truths(labels["planted"]), _truths(labels["found"])
    return [
        exact("cancellations among the outcomes", int(planted.sum()), int(found.sum()), "customer weeks"),
        exact(
            "outcomes that differ",
            0,
            int((planted != found).sum()),
            "customer weeks",
            outcomes=len(labels),
        ),
    ]


def compare_orders(
    orders: pd.DataFrame,
    refunded: float,
    found_orders: int,
    found_gross: float,
    found_net: float,
    currency: str,
) -> list[Comparison]:
    """Orders and revenue up to the end of the newest reviewed week.

    Without those of test accounts. `orders`: one row per order known on either side: order_id, revenue
    (planted, after the discount; NULL where the world knows of no such order), is_loaded, is_late (beyond the
    limit), is_explained (not loaded, because its event was rejected or had not been received when the world
    ended), is_before_end, is_of_test. When an order happened is read from its event: the world tells its
    orders by week of its own customers' zones.
    refunded: the refunds among the loaded events (at most 0; the world keeps no truth of them).
    """
    is_planted = orders["revenue"].notna()
    lost = is_planted & ~orders["is_loaded"] & ~orders["is_explained"]
    in_time = orders[is_planted & orders["is_loaded"] & ~orders["is_late"] & orders["is_before_end"]]
    counted = in_time[~in_time["is_of_test"]]
    gross = float(counted["revenue"].sum())
    return [
        exact("orders lost without a reason", 0, int(lost.sum()), "orders"),
        exact("orders that nobody placed", 0, int((~is_planted).sum()), "orders"),
        exact(
            "orders so far",
            len(counted),
            found_orders,
            "orders",
            left_out_as_late=int((is_planted & orders["is_late"]).sum()),
            left_out_as_not_received=int(orders["is_explained"].sum()),
            left_out_as_of_tests=int(in_time["is_of_test"].sum()),
        ),
        exact("revenue of these orders", round(gross, 2), round(found_gross, 2), currency),
        exact(
            "net revenue so far",
            round(gross + refunded, 2),
            round(found_net, 2),
            currency,
            refunds=round(refunded, 2),
            note="the world keeps no truth of refunds: they are read from the loaded events",
        ),
    ]


def compare_tickets(tickets: pd.DataFrame, found_tickets: int) -> list[Comparison]:
    """Tickets of the 90 days before the end of the newest reviewed week.

    `tickets`: one row per ticket known on either side: ticket_id, is_planted, is_loaded, is_in_window, and as
    for orders is_late, is_explained, is_of_test.
    """
    lost = tickets["is_planted"] & ~tickets["is_loaded"] & ~tickets["is_explained"]
    in_time = tickets["is_planted"] & tickets["is_loaded"] & ~tickets["is_late"] & tickets["is_in_window"]
    counted = in_time & ~tickets["is_of_test"]
    return [
        exact("tickets lost without a reason", 0, int(lost.sum()), "tickets"),
        exact(
            "tickets of 90 days",
            int(counted.sum()),
            found_tickets,
            "tickets",
            left_out_as_of_tests=int((in_time & tickets["is_of_test"]).sum()),
        ),
    ]


def compare_messages(planted: dict[str, int], found: dict[str, int]) -> list[Comparison]:
    """Messages sent; those opened and clicked stand in the detail: some answers come after the end."""
    return [
        exact(
            "messages sent",
            planted["message_sent"],
            found.get("message_sent", 0),
            "messages",
            opened={"planted": planted["message_opened"], "found": found.get("message_opened", 0)},
            clicked={"planted": planted["message_clicked"], "found": found.get("message_clicked", 0)},
        )
    ]


def _truths(values: pd.Series) -> pd.Series:
    """Truth values with a missing one as no."""
    return values.astype("boolean").fillna(False).astype(bool)
