"""The border raw: what loading promises to everything behind it.

Grain: `raw.events` an event, `raw.loads` a file, `raw.rejected_events` a row that could not be read.
`load_ids` names the loads to look at, so that the cost follows new data; None looks at all of them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Literal

from expectations.promise import (
    Promise,
    TablePromises,
    between,
    never_null,
    no_result_of,
    no_row_where,
    one_of,
    sql_text,
    sql_timestamp,
    sql_values,
)

# The calls of the Segment spec, which raw.events speaks.
EVENT_TYPES = ("track", "page", "identify", "group", "alias")

# From one file in twenty bad lines on, a collector or a mapping has changed; single bad lines are everyday.
REJECTED_SHARE_WARNING = 0.05
# Where most lines cannot be read, what is left is no picture of the week.
REJECTED_SHARE_STOP = 0.5
# Late events are left out downstream; above one in twenty the weeks they belong to are visibly too small.
LATE_SHARE_WARNING = 0.05
# One event in five without a customer: a fifth of the business is outside the review.
UNIDENTIFIED_SHARE_WARNING = 0.2

LoadIds = Collection[int | str] | None


def all_tables(
    load_ids: LoadIds = None, *, customer: Literal["user", "account"], currency: str
) -> list[TablePromises]:
    """Every table of this border, the cheapest first; the parameters are those of the functions below."""
    return [
        loads(load_ids),
        rejected_events(load_ids),
        events(load_ids, customer=customer, currency=currency),
    ]


def events(load_ids: LoadIds = None, *, customer: Literal["user", "account"], currency: str) -> TablePromises:
    """raw.events, the events of the given loads.

    customer: whose id makes a customer in this workspace. currency: the workspace's, ISO 4217.
    """
    shown = ("event_id", "event_name", "occurred_at")
    ids = ("event_id", "user_id", "anonymous_id", "account_id")
    return TablePromises(
        table="raw.events",
        keys=("event_id", "source"),
        where=_of_loads(load_ids),
        promises=(
            never_null(
                "event_id", "Without an id an event cannot be told from its duplicate; see the mapping."
            ),
            one_of(
                "event_type", EVENT_TYPES, "Only the calls of the Segment spec are understood downstream."
            ),
            never_null(
                "event_type", "An event without a type is read by no model; see the source's mapping."
            ),
            never_null(
                "occurred_at", "An event without a time belongs to no week; loading should reject it."
            ),
            never_null(
                "received_at", "Without a time of receipt lateness cannot be judged; see the mapping."
            ),
            never_null("source", "Every event names the source in review.toml that it came through."),
            no_row_where(
                "tracked_events_have_a_name",
                "event_type = 'track' and event_name is null",
                "An event without a name is counted nowhere; the source's mapping of event_name misses it.",
                shown=("event_id", "event_type", "source"),
                column="event_name",
            ),
            no_row_where(
                "names_are_snake_case",
                "not regexp_full_match(event_name, '[a-z][a-z0-9]*(_[a-z0-9]+)*')",
                "Names in events.csv are snake_case: an event named otherwise is loaded but never counted.",
                shown=shown,
                column="event_name",
                severity="warn",
            ),
            no_row_where(
                "ids_are_not_blank",
                " or ".join(f"trim({column}) = ''" for column in ids),
                "A blank id makes one huge customer of everybody without an id; it has to arrive as NULL.",
                shown=ids,
            ),
            no_row_where(
                "nothing_happens_a_day_after_its_receipt",
                "occurred_at > received_at + interval 1 day",
                "Such a clock is wrong; loading rejects these events, so one that got through is a defect.",
                shown=(*shown, "received_at"),
                column="occurred_at",
            ),
            no_row_where(
                "clocks_were_set",
                "occurred_at < date '1995-01-01'",
                "A time before the commercial web is an unset clock; it makes a customer decades old.",
                shown=(*shown, "source"),
                column="occurred_at",
                severity="warn",
            ),
            never_null(
                f"{customer}_id",
                "Events without the customer's id are kept but belong to nobody; the review covers the rest.",
                severity="warn",
                at_least_share=1 - UNIDENTIFIED_SHARE_WARNING,
            ),
            no_row_where(
                "money_is_in_the_currency_of_the_workspace",
                f"currency <> {sql_text(currency)}",
                f"Amounts are added up as {currency} without conversion; convert them before landing.",
                shown=(*shown, "revenue", "currency"),
                column="currency",
                severity="warn",
            ),
            no_row_where(
                "orders_bring_money_and_refunds_take_it",
                "(event_name = 'order_completed' and revenue < 0)"
                " or (event_name = 'order_refunded' and revenue > 0)",
                "Revenue is the sum of both, so a wrong sign is wrong twice; single corrections are honest.",
                shown=(*shown, "revenue"),
                column="revenue",
                severity="warn",
            ),
            _readable_json("properties"),
            _readable_json("traits"),
        ),
    )


def reviewed_week(
    week_starts_at: datetime, week_ends_at: datetime, *, customer: Literal["user", "account"]
) -> TablePromises:
    """raw.events from the reviewed week on: there is something to review.

    week_starts_at, week_ends_at: Monday 00:00 business time, and that of the Monday after, as UTC without a
    zone. Cost follows the events since then.
    """
    end = sql_timestamp(week_ends_at)
    return TablePromises(
        table="raw.events",
        keys=("event_id", "source"),
        where=f"occurred_at >= {sql_timestamp(week_starts_at)}",
        promises=(
            no_result_of(
                "the_week_has_events",
                "select min(occurred_at) as next_event_at from {batch}"
                f" having count(*) filter (where occurred_at < {end}) = 0",
                "A review of an empty week calls everybody quiet; load the week's files, or pass --week.",
            ),
            no_result_of(
                "the_week_has_customers",
                f"select count(*) as events from {{batch}} where occurred_at < {end}"
                f" having count(*) > 0 and count({customer}_id) = 0",
                f"No event of the week carries the id of a {customer}; the mapping in review.toml misses it.",
                column=f"{customer}_id",
            ),
            no_result_of(
                "the_week_is_complete",
                "select max(occurred_at) as newest_event_at from {batch}"
                f" having max(occurred_at) < {end} - interval 1 day",
                "Nothing is loaded from the week's last day on: if it is not over, customers look quiet.",
                column="occurred_at",
                severity="warn",
            ),
        ),
    )


def loads(load_ids: LoadIds = None) -> TablePromises:
    """raw.loads, the ledger: the lines of the given loads."""
    counts = (
        "rows_read",
        "rows_duplicate",
        "rows_rejected",
        "rows_grouped",
        "events_loaded",
        "events_late",
        "bytes",
    )
    return TablePromises(
        table="raw.loads",
        keys=("file_name",),
        where=_of_loads(load_ids),
        promises=(
            never_null("file_name", "A line of the ledger without a file cannot be traced back."),
            never_null("loaded_at", "Without the time of loading the ledger cannot say what is new."),
            no_row_where(
                "files_have_a_fingerprint",
                "sha256 is null or not regexp_full_match(sha256, '[0-9a-f]+') or length(sha256) <> 64",
                "The fingerprint is how a file that changed under the same name is found.",
                shown=("file_name", "sha256"),
                column="sha256",
            ),
            *(
                between(count, 0, None, "A count below zero means that the ledger was written wrongly.")
                for count in counts
            ),
            no_row_where(
                "every_row_is_accounted_for",
                "rows_read is null or rows_read is distinct from"
                " rows_duplicate + rows_rejected + rows_grouped + events_loaded",
                "Every row is a duplicate, rejected, grouped or loaded; here rows were lost or made up.",
                shown=(
                    "file_name",
                    "rows_read",
                    "rows_duplicate",
                    "rows_rejected",
                    "rows_grouped",
                    "events_loaded",
                ),
            ),
            no_row_where(
                "late_events_are_among_the_loaded",
                "coalesce(events_late > events_loaded, true)",
                "Late events are loaded events, only left out downstream; the ledger counts them wrongly.",
                shown=("file_name", "events_late", "events_loaded"),
                column="events_late",
            ),
            no_row_where(
                "files_are_not_empty",
                "rows_read = 0",
                "An empty file often is a failed export; if the day was empty, nothing is wrong.",
                shown=("file_name", "bytes", "rows_read"),
                column="rows_read",
                severity="warn",
            ),
            no_row_where(
                "few_rows_of_a_file_are_rejected",
                f"rows_rejected > {REJECTED_SHARE_WARNING} * rows_read",
                "More than one row in twenty is unreadable; ops.rejected_events_daily counts the reasons.",
                shown=("file_name", "rows_read", "rows_rejected"),
                column="rows_rejected",
                severity="warn",
            ),
            no_result_of(
                "most_rows_are_readable",
                "select count(*) as files, sum(rows_read) as rows_read, sum(rows_rejected) as rows_rejected"
                f" from {{batch}} having sum(rows_rejected) > {REJECTED_SHARE_STOP} * sum(rows_read)",
                "Most rows could not be read: the source or its mapping has changed.",
                column="rows_rejected",
            ),
            no_result_of(
                "few_events_are_late",
                "select sum(events_loaded) as events_loaded, sum(events_late) as events_late"
                f" from {{batch}} having sum(events_late) > {LATE_SHARE_WARNING} * sum(events_loaded)",
                "Events beyond the lateness limit are left out; ops.late_events_daily says of which days.",
                column="events_late",
                severity="warn",
            ),
        ),
    )


def rejected_events(load_ids: LoadIds = None) -> TablePromises:
    """raw.rejected_events: the rows of the given loads that could not be read, each with its reason."""
    of_loads = _of_loads(load_ids)
    return TablePromises(
        table="raw.rejected_events",
        keys=("file_name", "line_number"),
        where=of_loads,
        promises=(
            never_null("file_name", "A rejected row has to name its file, or nobody can repair it."),
            no_row_where(
                "rejections_have_a_reason",
                "reason is null or trim(reason) = ''",
                "A row that was rejected without a reason cannot be repaired by those who sent it.",
                shown=("file_name", "line_number", "reason"),
                column="reason",
            ),
            no_result_of(
                "rejected_rows_are_all_kept",
                "select ledger.file_name, ledger.rows_rejected, count(rejected.load_id) as rows_kept"
                " from raw.loads as ledger left join {batch} as rejected on rejected.load_id = ledger.load_id"
                f" where {f'ledger.{of_loads}' if of_loads else 'true'}"
                " group by ledger.load_id, ledger.file_name, ledger.rows_rejected"
                " having ledger.rows_rejected is distinct from count(rejected.load_id)"
                " order by ledger.file_name",
                "The ledger counts other rejected rows than are kept: some were dropped without a trace.",
            ),
        ),
    )


def _of_loads(load_ids: LoadIds) -> str | None:
    return None if load_ids is None else f"load_id in ({sql_values(load_ids)})"


def _readable_json(column: str) -> Promise:
    return no_row_where(
        "texts_are_json",
        f"{column} is not null and not json_valid({column})",
        "The models read inside this column and would fail on a text that is not JSON.",
        shown=("event_id", "event_name", column),
        column=column,
    )
