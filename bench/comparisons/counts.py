"""What was counted while loading and cutting sessions, beside what was sent: to the last line."""

from __future__ import annotations

import pandas as pd

from bench.comparisons.comparison import Comparison, exact

# Reasons of raw.rejected_events, in the words of the loader, for what the world calls from the future; all
# others are damaged lines.
FUTURE_REASON = "occurred more than a day after it was received"


def compare_sessions(sessions: pd.DataFrame) -> list[Comparison]:
    """Sessions of customers and the activities in them, in all and customer by customer.

    A customer's are the sessions in which an event names it, and the visits from a computer of which an event
    says later, or earlier, whose it is; those of test accounts too, but nothing of days on which a program
    ran on the computer. `sessions`: one row per customer that has a session on either side: customer_id,
    planted_sessions (planted_visits: without a name among them), found_sessions, planted_activities,
    found_activities (without the sessions that the end of the world divides, divided_sessions).
    """
    counts = sessions.drop(columns="customer_id").sum()
    differ = sessions["planted_sessions"] != sessions["found_sessions"]
    activities_differ = sessions["planted_activities"] != sessions["found_activities"]
    return [
        exact(
            "sessions of customers",
            int(counts["planted_sessions"]),
            int(counts["found_sessions"]),
            "sessions",
            visits_without_a_name=int(counts["planted_visits"]),
            note="those of test accounts too; nothing of days on which a program ran on the computer",
        ),
        exact(
            "customers whose sessions differ",
            0,
            int(differ.sum()),
            "customers",
            customers=sessions.loc[differ, "customer_id"].head(10).tolist(),
        ),
        exact(
            "activities in these sessions",
            int(counts["planted_activities"]),
            int(counts["found_activities"]),
            "events",
            left_out_sessions=int(counts["divided_sessions"]),
            why_left_out="events of these sessions had not been received when the world ended",
        ),
        exact("customers whose activities differ", 0, int(activities_differ.sum()), "customers"),
    ]


def compare_sessions_of_weeks(rows: pd.DataFrame) -> list[Comparison]:
    """Sessions of 90 days and activity in the feature rows of the reviewed weeks, as known at their ends.

    `rows`: one row per customer × reviewed week: customer_id, review_week, planted_sessions (planted_visits:
    visits from before the sign-up among them), found_sessions; known_later: sessions of these 90 days of
    which the week could not know yet whose they are; planted_is_active and found_is_active in the week.
    """
    differ = rows["planted_sessions"] != rows["found_sessions"]
    activity_differs = rows["planted_is_active"] != rows["found_is_active"]
    return [
        exact(
            "sessions of 90 days in the reviewed weeks",
            int(rows["planted_sessions"].sum()),
            int(rows["found_sessions"].sum()),
            "sessions",
            visits_without_a_name=int(rows["planted_visits"].sum()),
            left_out_as_known_later=int(rows["known_later"].sum()),
        ),
        exact(
            "customer weeks whose sessions of 90 days differ",
            0,
            int(differ.sum()),
            "customer weeks",
            customers=rows.loc[differ, "customer_id"].head(10).tolist(),
        ),
        exact(
            "customer weeks whose being active differs",
            0,
            int(activity_differs.sum()),
            "customer weeks",
            active=int(rows["planted_is_active"].sum()),
        ),
    ]


def compare_active_customers(weeks: pd.DataFrame) -> list[Comparison]:
    """Active customers as the metrics of every week tell them, visits from before the sign-up included.

    `weeks`: one row per week of the metrics: review_week, planted_customers and found_customers, both by what
    is known at the end of the newest reviewed week, without test accounts.
    """
    planted, found = weeks["planted_customers"], weeks["found_customers"]
    differ = planted != found
    return [
        exact(
            "active customers in all weeks",
            int(planted.sum()),
            int(found.sum()),
            "customer weeks",
            weeks=len(weeks),
        ),
        exact(
            "weeks whose active customers differ",
            0,
            int(differ.sum()),
            "weeks",
            weeks=[f"{week:%Y-%m-%d}" for week in weeks.loc[differ, "review_week"].head(10)],
        ),
    ]


def compare_deliveries(days: pd.DataFrame, late_counted: int) -> list[Comparison]:
    """What the files of every day of receipt held.

    `days`: one row per UTC day of receipt on either side (0 where the other side has none): received_date
    and, each as planted_… and found_…, lines, events, duplicates, rejected, late. late_counted: the sum of
    ops.late_events_daily.
    """
    comparisons = []
    for what, unit in (
        ("lines", "lines"),
        ("events", "events"),
        ("duplicates", "lines"),
        ("rejected", "lines"),
        ("late", "events"),
    ):
        planted, found = days[f"planted_{what}"], days[f"found_{what}"]
        name = {
            "lines": "lines read",
            "events": "events loaded",
            "duplicates": "duplicates",
            "rejected": "rejected lines",
            "late": "late events beyond the limit",
        }[what]
        comparisons.append(exact(name, int(planted.sum()), int(found.sum()), unit, days=len(days)))
        differ = planted != found
        comparisons.append(
            exact(
                f"days whose {name} differ",
                0,
                int(differ.sum()),
                "days",
                days=[str(day) for day in days.loc[differ, "received_date"].head(10)],
            )
        )
    comparisons.append(
        exact("late events counted per day", int(days["planted_late"].sum()), late_counted, "events")
    )
    return comparisons


def compare_rejections(planted: pd.Series, reasons: pd.Series) -> list[Comparison]:
    """Damaged lines, and events from the future.

    `planted`: counts of malformed and from_the_future; `reasons`: counts by the loader's own words.
    """
    future = int(reasons.get(FUTURE_REASON, 0))
    damaged = reasons.drop(FUTURE_REASON, errors="ignore")
    return [
        exact(
            "malformed lines",
            int(planted["malformed"]),
            int(damaged.sum()),
            "lines",
            reasons={str(reason): int(count) for reason, count in damaged.items()},
        ),
        exact("events from the future", int(planted["from_the_future"]), future, "events"),
    ]
