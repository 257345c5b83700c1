"""Reading a reviewed workspace and the truth of its world side by side, as the frames that comparisons take.

Nothing but benchmarks and tests may do this. The workspace is only read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd

from bench.comparisons.preferences import PREFERENCES
from bench.evidence_of_activation import ActivationEvidence, read_activation
from bench.evidence_of_identities import IdentityEvidence, prepare, read_identities
from bench.reader import Reader
from simulation.catalogue import AFFINITIES, MESSAGE_CHANNELS

TRUTH_TABLES = (
    "account_weeks",
    "accounts",
    "activation",
    "anomalies",
    "bots",
    "carts",
    "deliveries",
    "messages",
    "readers",
    "sessions",
    "tickets",
    "upgrades",
)
MEMORY_LIMIT, THREADS = "4GB", 2
OUTCOME_WEEKS = 4
TICKET_DAYS = 90
OPT_OUT_DAYS = 365
READING_DAYS = 90

# Customers and weeks with a session of which something never came: what is missing there has a reason.
_EXPLAINED_WEEKS = """
    select distinct account_id, review_week
    from truth.sessions
    cross join (select max(received_date) + interval 1 day as ends_at from truth.deliveries) as the_end
    where is_rejected or ended_at + (first_received_at - started_at) + interval 1 minute >= ends_at
"""
_OUTCOMES = f"""
    select
        *,
        case
            when count(*) over following = {OUTCOME_WEEKS} then bool_or(is_cancelled) over following
        end as has_ended
    from truth.account_weeks
    window following as (
        partition by account_id order by review_week
        rows between 1 following and {OUTCOME_WEEKS} following
    )
"""


@dataclass(frozen=True)
class Evidence:
    """The frames of the comparisons, which say what their rows are. weeks: the reviewed ones, ascending."""

    weeks: list[date]
    currency: str
    invite_odds: float
    scored: pd.DataFrame
    living: pd.DataFrame
    identities: IdentityEvidence
    deliveries: pd.DataFrame
    late_counted: int
    rejections_planted: pd.Series
    rejection_reasons: pd.Series
    customers: pd.DataFrame
    labels: pd.DataFrame
    orders: pd.DataFrame
    refunded: float
    found_orders: int
    found_gross: float
    found_net: float
    tickets: pd.DataFrame
    found_tickets: int
    messages_planted: dict[str, int]
    messages_found: dict[str, int]
    activation: pd.DataFrame
    first_steps: ActivationEvidence
    anomalies: pd.DataFrame
    readers: pd.DataFrame
    consents: pd.DataFrame
    opt_outs_loaded: int
    opt_outs_found: int
    upgrades: pd.DataFrame
    carts: pd.DataFrame
    account_weeks: pd.DataFrame
    affinities: list[tuple[str, ...]]


def read_evidence(data: Path) -> Evidence:
    """Read what a workspace's data folder holds after some reviews. Raises ValueError where none is done."""
    parameters = json.loads((data / "truth" / "parameters.json").read_text(encoding="utf-8"))
    with duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "threads": THREADS}) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach '{data / 'build' / 'build.duckdb'}' as build (read_only)")
        connection.execute("create schema truth")
        for table in TRUTH_TABLES:
            connection.execute(
                f"create view truth.{table} as from read_parquet('{data / 'truth' / table}.parquet')"
            )
        read = Reader(connection)
        weeks = [
            week for (week,) in read.rows("select distinct review_week from build.scores.health order by 1")
        ]
        if not weeks:
            raise ValueError(f"{data} has no reviewed week; `vitals run` makes one")
        connection.execute(
            "create table reviewed_weeks as select unnest($weeks::date[]) as review_week", {"weeks": weeks}
        )
        newest, zone = weeks[-1], read.value("select time_zone from build.ops.run_parameters")
        end = {"end": newest + timedelta(days=7), "ends_at": _midnight(newest + timedelta(days=7), zone)}
        connection.execute("create view tests as select account_id from truth.accounts where is_test")
        prepare(read, zone, parameters["anomaly"]["script_events"][0])
        connection.execute(_loaded_events(zone))
        rejected = read.frame(
            "select reason, count(*) as lines from build.raw.rejected_events group by reason"
        )
        return Evidence(
            weeks=weeks,
            currency=parameters["currency"],
            invite_odds=parameters["activation"]["invite_odds"],
            scored=_scored(read),
            living=_living(read),
            identities=read_identities(read),
            deliveries=_deliveries(read),
            late_counted=int(
                read.value("select coalesce(sum(late_events), 0) from build.ops.late_events_daily")
            ),
            rejections_planted=read.frame(
                """
                select sum(malformed) as malformed, sum(from_the_future) as from_the_future
                from truth.deliveries
                """
            ).iloc[0],
            rejection_reasons=rejected.set_index("reason")["lines"],
            customers=_customers(read),
            labels=_labels(read),
            orders=_orders(read, end["ends_at"]),
            refunded=float(
                read.value(
                    """
                    select coalesce(sum(revenue), 0) from loaded_events
                    where
                        event_name = 'order_refunded' and not is_late and occurred_at < $ends_at
                        and not is_of_test
                    """,
                    {"ends_at": end["ends_at"]},
                )
            ),
            found_orders=int(_newest_sum(read, "orders_ever", newest)),
            found_gross=float(
                read.value(
                    """
                    select coalesce(sum(order_revenue), 0) from build.intermediate.customer_days
                    semi join (
                        from build.features.customer_weeks where review_week = $week
                    ) as reviewed using (customer_id)
                    where local_date < $end
                    """,
                    {"week": newest, "end": end["end"]},
                )
            ),
            found_net=float(_newest_sum(read, "revenue_ever", newest)),
            tickets=_tickets(read, end["end"] - timedelta(days=TICKET_DAYS), end["end"]),
            found_tickets=int(_newest_sum(read, "tickets_90d", newest)),
            messages_planted=read.frame(
                """
                select
                    count(*) as message_sent,
                    count(*) filter (where is_opened) as message_opened,
                    count(*) filter (where is_clicked) as message_clicked
                from truth.messages
                """
            )
            .iloc[0]
            .astype(int)
            .to_dict(),
            messages_found={
                name: int(events)
                for name, events in read.rows(
                    """
                    select event_name, sum(events) from build.ops.event_counts_daily
                    where event_name like 'message_%' group by event_name
                    """
                )
            },
            activation=read.frame(
                """
                select activation.* from truth.activation inner join truth.accounts using (account_id)
                where not is_known_at_start
                """
            ),
            first_steps=read_activation(read),
            anomalies=read.frame("from truth.anomalies"),
            readers=_readers(read, newest, zone),
            consents=_consents(read, newest, end["ends_at"]),
            opt_outs_loaded=int(
                read.value(
                    """
                    select count(*) from loaded_events
                    where
                        event_name = 'channel_unsubscribed' and not is_late
                        and account_id is not null and not is_of_test
                        and local_date >= $first and local_date < $end
                    """,
                    {"first": end["end"] - timedelta(days=OPT_OUT_DAYS), "end": end["end"]},
                )
            ),
            opt_outs_found=int(_newest_sum(read, "opt_outs_365d", newest)),
            upgrades=read.frame("from truth.upgrades"),
            carts=read.frame("from truth.carts"),
            account_weeks=read.frame("from truth.account_weeks semi join reviewed_weeks using (review_week)"),
            affinities=[affinity.products for affinity in AFFINITIES],
        )


def _loaded_events(zone: str) -> str:
    """Makes a view: raw events with their local date, and why the product leaves some out of all weeks."""
    return f"""
        create view loaded_events as
        select
            events.event_id,
            events.event_name,
            events.account_id,
            events.properties,
            events.revenue,
            events.occurred_at,
            cast(timezone('{zone}', timezone('UTC', events.occurred_at)) as date) as local_date,
            events.is_late,
            tests.account_id is not null as is_of_test
        from build.raw.events
        left join tests on events.account_id = tests.account_id
    """


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)


def _newest_sum(read: Reader, column: str, week: date) -> object:
    return read.value(
        f"select coalesce(sum({column}), 0) from build.features.customer_weeks where review_week = $week",
        {"week": week},
    )


def _scored(read: Reader) -> pd.DataFrame:
    return read.frame(
        f"""
        with outcomes as ({_OUTCOMES})
        select
            health.customer_id,
            health.review_week,
            churn.churn_probability,
            health.health_score,
            outcomes.cancellation_probability_28d as true_probability,
            outcomes.cancellation_hazard as true_hazard,
            outcomes.has_ended
        from build.scores.health
        left join build.scores.churn
            on health.customer_id = churn.customer_id and health.review_week = churn.review_week
        left join outcomes
            on health.customer_id = outcomes.account_id and health.review_week = outcomes.review_week
        order by health.review_week, health.customer_id
        """
    )


def _living(read: Reader) -> pd.DataFrame:
    return read.frame(
        """
        select customer_weeks.*, clusters.cluster_name, account_weeks.archetype
        from build.features.customer_weeks
        semi join reviewed_weeks on customer_weeks.review_week = reviewed_weeks.review_week
        inner join truth.account_weeks
            on
                customer_weeks.customer_id = account_weeks.account_id
                and customer_weeks.review_week = account_weeks.review_week
        left join build.scores.clusters
            on
                customer_weeks.customer_id = clusters.customer_id
                and customer_weeks.review_week = clusters.review_week
        where customer_weeks.lifecycle_stage <> 'churned' and not account_weeks.is_cancelled
        order by customer_weeks.review_week, customer_weeks.customer_id
        """
    )


def _deliveries(read: Reader) -> pd.DataFrame:
    measures = {
        "lines": ("lines", "rows_read"),
        "events": ("events", "events_loaded"),
        "duplicates": ("duplicates", "rows_duplicate"),
        "rejected": ("malformed + from_the_future", "rows_rejected"),
        "late": ("late_events", "events_late"),
    }
    columns = ",\n".join(
        f"coalesce({planted}, 0)::bigint as planted_{name}, coalesce({found}, 0)::bigint as found_{name}"
        for name, (planted, found) in measures.items()
    )
    sums = ", ".join(f"sum({found}) as {found}" for _, found in measures.values())
    return read.frame(
        f"""
        with files as (
            select
                cast(regexp_extract(file_name, '\\d{{4}}-\\d{{2}}-\\d{{2}}') as date) as received_date,
                {sums}
            from build.raw.loads group by received_date
        )
        select received_date, {columns}
        from truth.deliveries full outer join files using (received_date)
        order by received_date
        """
    )


def _customers(read: Reader) -> pd.DataFrame:
    return read.frame(
        """
        with planted as (
            select account_id as customer_id, review_week, is_cancelled
            from truth.account_weeks
            semi join reviewed_weeks using (review_week)
            anti join tests using (account_id)
        ),
        found as (
            select customer_id, review_week, is_cancelled, upgrades_ever
            from build.features.customer_weeks semi join reviewed_weeks using (review_week)
        ),
        planted_upgrades as (
            select reviewed_weeks.review_week, account_id as customer_id, count(*) as upgrades
            from reviewed_weeks
            inner join truth.upgrades on upgrades.review_week <= reviewed_weeks.review_week
            group by reviewed_weeks.review_week, account_id
        )
        select
            customer_id,
            review_week,
            planted.customer_id is not null as is_planted,
            found.customer_id is not null as is_found,
            planted.is_cancelled as planted_cancelled,
            found.is_cancelled as found_cancelled,
            coalesce(planted_upgrades.upgrades, 0)::bigint as planted_upgrades,
            coalesce(found.upgrades_ever, 0)::bigint as found_upgrades
        from planted
        full outer join found using (customer_id, review_week)
        left join planted_upgrades using (customer_id, review_week)
        """
    )


def _labels(read: Reader) -> pd.DataFrame:
    return read.frame(
        f"""
        with outcomes as ({_OUTCOMES})
        select outcomes.has_ended as planted, customer_week_labels.churned_next as found
        from build.features.customer_week_labels
        inner join outcomes
            on
                customer_week_labels.customer_id = outcomes.account_id
                and customer_week_labels.review_week = outcomes.review_week
        where
            customer_week_labels.churned_next is not null
            and outcomes.has_ended is not null
            and not outcomes.is_cancelled
        """
    )


def _orders(read: Reader, ends_at: datetime) -> pd.DataFrame:
    return read.frame(
        f"""
        with explained_weeks as ({_EXPLAINED_WEEKS}),
        rejected as (
            select distinct unnest(regexp_extract_all(content, 'o_[0-9a-f]{{16}}')) as order_id
            from build.raw.rejected_events
        ),
        planted as (
            select
                order_id,
                account_id,
                review_week,
                cast(gross_value - discount as double) as revenue
            from truth.carts where is_ordered
        ),
        loaded as (
            select
                properties ->> '$.order_id' as order_id,
                occurred_at,
                is_late,
                is_of_test
            from loaded_events where event_name = 'order_completed'
        )
        select
            order_id,
            planted.revenue,
            loaded.occurred_at is not null as is_loaded,
            coalesce(loaded.is_late, false) as is_late,
            coalesce(loaded.is_of_test, false) as is_of_test,
            loaded.occurred_at is null and (
                rejected.order_id is not null or explained_weeks.account_id is not null
            ) as is_explained,
            coalesce(loaded.occurred_at < $ends_at, false) as is_before_end
        from planted
        full outer join loaded using (order_id)
        left join rejected using (order_id)
        left join explained_weeks
            on
                planted.account_id = explained_weeks.account_id
                and planted.review_week = explained_weeks.review_week
        """,
        {"ends_at": ends_at},
    )


def _tickets(read: Reader, first: date, end: date) -> pd.DataFrame:
    return read.frame(
        f"""
        with explained_weeks as ({_EXPLAINED_WEEKS}),
        loaded as (
            select
                properties ->> '$.ticket_id' as ticket_id,
                is_late,
                is_of_test,
                local_date
            from loaded_events where event_name = 'ticket_opened'
        )
        select
            ticket_id,
            tickets.account_id is not null as is_planted,
            loaded.local_date is not null as is_loaded,
            coalesce(loaded.is_late, false) as is_late,
            coalesce(loaded.is_of_test, false) as is_of_test,
            loaded.local_date is null and explained_weeks.account_id is not null as is_explained,
            coalesce(loaded.local_date >= $first and loaded.local_date < $end, false) as is_in_window
        from truth.tickets
        full outer join loaded using (ticket_id)
        left join explained_weeks
            on
                tickets.account_id = explained_weeks.account_id
                and tickets.review_week = explained_weeks.review_week
        """,
        {"first": first, "end": end},
    )


def _readers(read: Reader, week: date, zone: str) -> pd.DataFrame:
    said = ", ".join(f"customer_weeks.{column} as said_{column}" for _, _, column in PREFERENCES)
    return read.frame(
        f"""
        with opened as (
            select customer_id, count(*) as messages_opened from build.intermediate.messages
            where sent_date >= $first and opened_date < $end and sent_date < $end
            group by customer_id
        )
        select
            readers.*,
            {said},
            accounts.time_zone = $zone as is_in_zone_of_business,
            coalesce(opened.messages_opened, 0)::bigint as messages_opened
        from build.features.customer_weeks
        inner join truth.readers on customer_weeks.customer_id = readers.account_id
        inner join truth.accounts on customer_weeks.customer_id = accounts.account_id
        left join opened on readers.account_id = opened.customer_id
        where customer_weeks.review_week = $week
        order by readers.account_id
        """,
        {
            "week": week,
            "zone": zone,
            "first": week + timedelta(days=7 - READING_DAYS),
            "end": week + timedelta(days=7),
        },
    )


def _consents(read: Reader, week: date, ends_at: datetime) -> pd.DataFrame:
    """What was said last before the end of the week is read from the loaded events."""
    found = " union all ".join(
        f"""
        select customer_id, '{channel}' as message_channel, is_subscribed_{channel} as found
        from build.features.customer_weeks where review_week = $week
        """
        for channel in MESSAGE_CHANNELS
    )
    return read.frame(
        f"""
        with found as ({found}),
        loaded as (
            select
                account_id as customer_id,
                properties ->> '$.message_channel' as message_channel,
                arg_max(event_name = 'channel_subscribed', (occurred_at, event_id)) as loaded
            from loaded_events
            where
                event_name in ('channel_subscribed', 'channel_unsubscribed')
                and not is_late and occurred_at < $ends_at
            group by all
        )
        select customer_id, message_channel, loaded, found
        from found left join loaded using (customer_id, message_channel)
        order by customer_id, message_channel
        """,
        {"week": week, "ends_at": ends_at},
    )
