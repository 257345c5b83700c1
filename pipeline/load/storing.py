"""One batch of files into raw: its temporary tables, its one transaction, its rows of the ledger.

A batch is held in temporary tables of the engine until every row has been decided on. Where the keys of all
rows could be read first (pipeline.load.mapping.keys_statement), only rows on which there is something to
decide are held, and the others go into raw.events as they are read. Whatever fails before or during the
transaction leaves raw as it was.

    load_rows      candidate event (a row of a file, or a group of lines): reason (it is no event, and why),
                   lines (rows of the file that it stands for)
    load_lines     line of a source whose lines are grouped: is_repeat (equal to an earlier line of its file)
    load_keys      key (mapping.EVENT_KEY) of a row of the batch that may be an event
    load_contested key that comes up again, in the batch or in raw.events
    load_verdicts  candidate that is not simply loaded: outcome (duplicate; replaces = takes the place of a
                   stored event; rejected, with its reason)
    load_decided   candidate, with its outcome and reason
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow

from pipeline.load.deciding import (
    collect_keys,
    find_contested_keys,
    find_duplicates,
    group_lines,
    judge_events_that_came_before,
    number_equal_rows,
)
from pipeline.load.mapping import OBJECT_COLUMNS, TIME_COLUMNS
from pipeline.settings import EVENT_COLUMNS, Source
from pipeline.warehouse import Warehouse

TYPE_OF_COLUMN = {
    **dict.fromkeys(EVENT_COLUMNS, "varchar"),
    **dict.fromkeys(TIME_COLUMNS, "timestamp"),
    **dict.fromkeys(OBJECT_COLUMNS, "json"),
    "revenue": "decimal(18, 4)",
}
EVENT_DEFINITIONS = ", ".join(f"{column} {type_}" for column, type_ in TYPE_OF_COLUMN.items())
# Ids of events have nothing in common: looking for a dictionary of them took a third of the time of storing.
STORED_EVENT_DEFINITIONS = EVENT_DEFINITIONS.replace(
    "event_id varchar", "event_id varchar using compression zstd"
)
LEDGER_COUNTS = (
    "rows_read",
    "rows_duplicate",
    "rows_rejected",
    "rows_grouped",
    "events_loaded",
    "events_late",
)


def create_tables(warehouse: Warehouse) -> None:
    """The tables of raw, where they do not exist yet.

    `replaced_events` keeps what a load took out of `events` (deciding.find_duplicates), so that a load can be
    undone.
    """
    warehouse.run(f"""
        create table if not exists raw.events (
            {STORED_EVENT_DEFINITIONS}, source varchar, load_id bigint, is_late boolean
        );
        create table if not exists raw.replaced_events (
            {EVENT_DEFINITIONS}, source varchar, load_id bigint, is_late boolean, replaced_by_load_id bigint
        );
        create table if not exists raw.rejected_events (
            load_id bigint, file_name varchar, line_number bigint, reason varchar, content varchar
        );
        create table if not exists raw.loads (
            load_id bigint, source varchar, file_name varchar, sha256 varchar, bytes bigint,
            modified_at timestamp, {" bigint, ".join(LEDGER_COUNTS)} bigint, seconds double,
            loaded_at timestamp
        );
    """)


def begin_batch(warehouse: Warehouse) -> None:
    """Empty tables for the rows of the next batch."""
    warehouse.run(f"""
        create or replace temp table load_rows (
            file_number integer, line_number bigint, source varchar, {EVENT_DEFINITIONS}, lines bigint,
            group_key varchar, reason varchar, content varchar
        );
        create or replace temp table load_lines (
            file_number integer, line_number bigint, source varchar, {EVENT_DEFINITIONS},
            amount decimal(38, 12), group_key varchar, item varchar, sums decimal(38, 12)[], reason varchar,
            content varchar, content_hash uhugeint, is_repeat boolean default false
        );
        create or replace temp table load_keys (event_key ubigint, occurred_date date);
        create or replace temp table load_contested (event_key ubigint);
        create or replace temp table load_verdicts (row_id bigint, outcome varchar, reason varchar);
        create or replace temp view load_decided as
        select
            load_rows.* exclude (reason),
            coalesce(load_rows.reason, load_verdicts.reason) as reason,
            case when load_rows.reason is not null then 'rejected' else coalesce(outcome, 'loaded') end
                as outcome
        from load_rows
        left join load_verdicts on load_verdicts.row_id = load_rows.rowid;
    """)


def end_batches(warehouse: Warehouse) -> None:
    """Give the room of the temporary tables back, also of those that deciding makes."""
    warehouse.run("drop view if exists temp.load_decided")
    for name in ("rows", "lines", "keys", "contested", "verdicts", "known", "stored", "ranked", "replaced"):
        warehouse.run(f"drop table if exists temp.load_{name}")


def undo_loads(warehouse: Warehouse, load_ids: Sequence[int]) -> None:
    """Take the newest loads back as if they had not been: their files count as new again.

    What their events had replaced returns. In one transaction.
    """
    undone = "(select unnest(cast(? as bigint[])))"
    with warehouse.transaction():
        warehouse.run(f"delete from raw.events where load_id in {undone}", [list(load_ids)])
        warehouse.run(
            f"""
            insert into raw.events by name
            select * exclude (replaced_by_load_id)
            from raw.replaced_events
            where replaced_by_load_id in {undone} and load_id not in {undone}
            """,
            [list(load_ids), list(load_ids)],
        )
        warehouse.run(
            f"delete from raw.replaced_events where replaced_by_load_id in {undone}", [list(load_ids)]
        )
        warehouse.run(f"delete from raw.rejected_events where load_id in {undone}", [list(load_ids)])
        warehouse.run(f"delete from raw.loads where load_id in {undone}", [list(load_ids)])


def store_batch(
    warehouse: Warehouse,
    files: list[dict[str, Any]],
    sources: list[Source],
    lateness_limit_days: int,
    started: float,
) -> list[dict[str, int]]:
    """Decide on the rows of a batch and store it: events, rejected rows and ledger, all or nothing.

    `files` are the ledger rows without counts, in the order of file_number (0, 1, …), their load_ids without
    gaps; `started` is when the batch was (time.perf_counter). Returns the counts of every file.
    """
    first_load_id = files[0]["load_id"]
    with warehouse.registered("load_files", pyarrow.Table.from_pylist(files)):
        for source in sources:
            if source.group is not None:
                group_lines(warehouse, source)
            elif source.id_columns and not source.equal_rows_are_duplicates:
                number_equal_rows(warehouse, source)
        if any(source.group is not None for source in sources):
            judge_events_that_came_before(warehouse, first_load_id)
    collect_keys(warehouse)
    find_contested_keys(warehouse)
    with warehouse.transaction():
        return store_uncertain_rows(warehouse, files, lateness_limit_days, started)


def store_uncertain_rows(
    warehouse: Warehouse, files: list[dict[str, Any]], lateness_limit_days: int, started: float
) -> list[dict[str, int]]:
    """Store what `load_rows` and `load_lines` hold, and the ledger, within a transaction of the caller.

    Certain rows of the batch are in raw.events already. Otherwise like `store_batch`.
    """
    first_load_id = files[0]["load_id"]
    late = is_late(lateness_limit_days)
    find_duplicates(warehouse)
    counts = _counts(warehouse, late, first_load_id, len(files))
    with warehouse.registered("load_files", pyarrow.Table.from_pylist(files)):
        warehouse.run(f"""
            insert into raw.replaced_events by name
            select events.*, load_rows.file_number + {first_load_id} as replaced_by_load_id
            from raw.events
            inner join load_replaced on load_replaced.stored_row = events.rowid
            inner join load_rows on load_rows.rowid = load_replaced.row_id
        """)
        warehouse.run("delete from raw.events where rowid in (select stored_row from load_replaced)")
        warehouse.run(f"""
            insert into raw.events by name
            select
                {", ".join(EVENT_COLUMNS)}, source, file_number + {first_load_id} as load_id,
                {late} as is_late
            from load_decided
            where outcome = 'loaded' or outcome = 'replaces'
        """)
        warehouse.run(f"""
            insert into raw.rejected_events by name
            select load_id, file_name, line_number, reason, content
            from ({REJECTED_ROWS}) as rejected_rows
            inner join load_files on load_files.load_id = rejected_rows.file_number + {first_load_id}
            order by load_id, line_number
        """)
    warehouse.append("raw.loads", _ledger(files, counts, started))
    return counts


def is_late(lateness_limit_days: int) -> str:
    """SQL for: the event came in after the lateness limit."""
    return f"received_at > occurred_at + to_days({lateness_limit_days})"


def _ledger(files: list[dict[str, Any]], counts: list[dict[str, int]], started: float) -> pyarrow.Table:
    """The ledger rows of a batch. It is timed as a whole; a file's seconds are its share of the bytes."""
    seconds_per_byte = (time.perf_counter() - started) / max(sum(file["bytes"] for file in files), 1)
    loaded_at = datetime.now(UTC).replace(tzinfo=None)
    return pyarrow.Table.from_pylist(
        [
            {**file, **count, "seconds": file["bytes"] * seconds_per_byte, "loaded_at": loaded_at}
            for file, count in zip(files, counts, strict=True)
        ]
    )


# Rows that are no event: unreadable themselves, or lines of an event that is rejected as a whole.
REJECTED_ROWS = """
    select file_number, line_number, reason, content
    from load_decided
    where outcome = 'rejected' and group_key is null
    union all
    select
        load_lines.file_number,
        load_lines.line_number,
        coalesce(load_lines.reason, load_decided.reason) as reason,
        load_lines.content
    from load_lines
    left join load_decided
        on load_decided.group_key = load_lines.group_key
        and load_decided.file_number = load_lines.file_number
        and load_decided.source = load_lines.source
    where not load_lines.is_repeat and coalesce(load_lines.reason, load_decided.reason) is not null
"""


def _counts(warehouse: Warehouse, late: str, first_load_id: int, file_count: int) -> list[dict[str, int]]:
    """Per file what became of its rows."""
    counted = warehouse.rows(f"""
        with
        events as (
            select
                file_number,
                sum(lines) filter (where group_key is null) as rows_read,
                sum(lines) filter (where outcome in ('duplicate', 'replaces')) as rows_duplicate,
                sum(lines) filter (where outcome = 'rejected') as rows_rejected,
                sum(lines - 1) filter (where outcome = 'loaded') as rows_grouped,
                count(*) filter (where outcome = 'loaded') as events_loaded,
                count(*) filter (where outcome = 'loaded' and {late}) as events_late
            from load_decided
            group by file_number
        ),
        lines as (
            select
                file_number,
                count(*) as rows_read,
                count(*) filter (where is_repeat) as rows_duplicate,
                count(*) filter (where not is_repeat and reason is not null) as rows_rejected,
                0 as rows_grouped,
                0 as events_loaded,
                0 as events_late
            from load_lines
            group by file_number
        ),
        certain_events as (
            select
                load_id - {first_load_id} as file_number,
                count(*) as rows_read,
                0 as rows_duplicate,
                0 as rows_rejected,
                0 as rows_grouped,
                count(*) as events_loaded,
                count(*) filter (where is_late) as events_late
            from raw.events
            where load_id >= {first_load_id}
            group by file_number
        )
        select file_number, {", ".join(f"cast(coalesce(sum({name}), 0) as bigint)" for name in LEDGER_COUNTS)}
        from (
            select * from events
            union all by name
            select * from lines
            union all by name
            select * from certain_events
        ) as counted
        group by file_number
    """)
    by_file = {number: dict(zip(LEDGER_COUNTS, counts, strict=True)) for number, *counts in counted}
    return [by_file.get(number, dict.fromkeys(LEDGER_COUNTS, 0)) for number in range(file_count)]
