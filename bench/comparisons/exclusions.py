"""What is no customer's doing: programs, and the accounts of our own people."""

from __future__ import annotations

import pandas as pd

from bench.comparisons.comparison import Comparison, exact


def compare_programs(programs: pd.DataFrame, flagged_days: pd.DataFrame) -> list[Comparison]:
    """Programs that were there, and days of computers on which the product says that no human was.

    `programs`: one row per planted session of a program, received whole: kind (scraping_bot, of nobody;
    script, on a customer's own computer, planted as suspicious_activity), is_flagged (its day is), is_marked
    (its session is). `flagged_days`: one row per flagged computer and day: kind of the planted program that
    ran (NULL: none), sessions_of_people (other sessions of customers that began there on that day, which
    count for nobody either).
    """
    bots, scripts = (programs[programs["kind"] == kind] for kind in ("scraping_bot", "script"))
    return [
        exact("scraping bots flagged", len(bots), int(bots["is_flagged"].sum()), "computers"),
        exact("scraping bots whose sessions are marked", len(bots), int(bots["is_marked"].sum()), "sessions"),
        Comparison(
            "scripts on customers' computers, flagged for their day",
            len(scripts),
            int(scripts["is_flagged"].sum()),
            "sessions",
            detail={
                "sessions_of_people_on_flagged_days": int(flagged_days["sessions_of_people"].sum()),
                "note": "the day of that computer counts for nobody, what its people did there included. "
                "Missed is a script that shares its hour with clicks of people, or has less than a hundred "
                "activities in each of two hours: it counts for its customer",
            },
        ),
        exact(
            "days of computers flagged without a program",
            0,
            int(flagged_days["kind"].isna().sum()),
            "days",
            flagged=len(flagged_days),
            of_scraping_bots=int((flagged_days["kind"] == "scraping_bot").sum()),
            of_scripts=int((flagged_days["kind"] == "script").sum()),
        ),
    ]


def compare_test_accounts(accounts: pd.DataFrame) -> list[Comparison]:
    """Accounts of our own people: found, and in no reviewed week.

    `accounts`: one row per account that is planted or flagged as a test: is_test, is_flagged (as the product
    says), planted_sessions, marked_sessions (those that the product marks as of a test), feature_rows (how
    many it has).
    """
    is_test, is_flagged = accounts["is_test"], accounts["is_flagged"]
    return [
        exact("test accounts flagged", int(is_test.sum()), int((is_test & is_flagged).sum()), "accounts"),
        exact("customers taken for tests", 0, int((~is_test & is_flagged).sum()), "customers"),
        exact(
            "sessions of test accounts, marked",
            int(accounts.loc[is_test, "planted_sessions"].sum()),
            int(accounts["marked_sessions"].sum()),
            "sessions",
        ),
        exact(
            "feature rows of test accounts",
            0,
            int(accounts.loc[is_test, "feature_rows"].sum()),
            "customer weeks",
        ),
    ]
