"""Which candidates of a batch become events: grouping, ids of equal rows, what came before, duplicates.

Works on the temporary tables of pipeline.load.storing. Nothing here depends on the order of rows in a file;
the order of files decides only what the rules leave open.
"""

from __future__ import annotations

from datetime import date, timedelta

from pipeline.load.expressions import BEYOND_AMOUNTS, decimal_text, is_beyond_amounts, json_text, literal
from pipeline.load.mapping import EVENT_KEY
from pipeline.settings import EVENT_COLUMNS, Source
from pipeline.warehouse import Warehouse

# Two deliveries of an event have equal content when all of this is equal.
CONTENT_COLUMNS = tuple(column for column in EVENT_COLUMNS if column not in ("event_id", "received_at"))
COPIED_COLUMNS = tuple(column for column in EVENT_COLUMNS if column not in ("revenue", "properties"))
# Stored events are looked up by ranges of dates; nearer dates than this share a range.
DAYS_BETWEEN_RANGES = 7
MOST_RANGES = 16


def group_lines(warehouse: Warehouse, source: Source) -> None:
    """Make one candidate event of the lines of a file that share their `by` columns.

    It has the time and the columns of its earliest line (of equal times the one whose content has the
    smallest hash, so that the order in the file does not matter), the sum of the revenue and of what else is
    to be summed, and the lines as items, ordered by their text for the same reason.
    """
    name = literal(source.name)
    if source.equal_rows_are_duplicates:
        warehouse.run(f"""
            update load_lines
            set is_repeat = true
            from (
                select file_number, content_hash, min(line_number) as line_number
                from load_lines
                where source = {name}
                group by all
                having count(*) > 1
            ) as first_lines
            where source = {name}
                and first_lines.file_number = load_lines.file_number
                and first_lines.content_hash = load_lines.content_hash
                and first_lines.line_number <> load_lines.line_number
        """)
    copied = ", ".join(f"load_lines.{column}" for column in COPIED_COLUMNS)
    properties = "load_lines.properties"
    if source.group is not None and source.group.items_property is not None:
        items = f"json_object({literal(source.group.items_property)}, cast(groups.items as json))"
        properties = f"json_merge_patch(coalesce({properties}, '{{}}'), {items})"
    sums = tuple(source.group.sums) if source.group is not None else ()
    if sums:
        members = ", ".join(
            f"{literal(json_text(property_) + ':')} || {decimal_text(f'groups.sums[{place}]')}"
            for place, property_ in enumerate(sums, start=1)
        )
        summed = f"cast('{{' || concat_ws(',', {members}) || '}}' as json)"
        properties = f"json_merge_patch(coalesce({properties}, '{{}}'), {summed})"
    sums_of_lines = ", ".join(f"sum(sums[{place}])" for place in range(1, len(sums) + 1))
    warehouse.run(f"""
        insert into load_rows by name
        with
        groups as (
            select
                count(*) as lines,
                sum(amount) as amount,
                try_cast(sum(amount) as decimal(18, 4)) as revenue,
                '[' || string_agg(item, ',' order by item) || ']' as items,
                [{sums_of_lines}] as sums,
                min({{
                    'occurred_at': occurred_at, 'content_hash': content_hash, 'row_id': rowid
                }}).row_id as first_row
            from load_lines
            where source = {name} and reason is null and not is_repeat
            group by file_number, group_key
        )
        select
            load_lines.file_number, load_lines.line_number, load_lines.source, load_lines.group_key,
            {copied}, {properties} as properties, groups.lines, groups.revenue,
            case
                when {is_beyond_amounts("groups.amount")}
                    then {literal(f"the revenue of the event {BEYOND_AMOUNTS}")}
            end as reason
        from groups
        inner join load_lines on load_lines.rowid = groups.first_row
        order by load_lines.occurred_at, load_lines.event_id
    """)


def number_equal_rows(warehouse: Warehouse, source: Source) -> None:
    """Give rows of a file that share their identifying columns ids of their own.

    The first keeps the hash of the identifying columns; the next hash that and their number, counted in the
    order of their content, so that the same rows get the same ids in whatever order a file has them.
    """
    content = ", ".join(f"cast({column} as varchar)" for column in EVENT_COLUMNS)
    warehouse.run(f"""
        update load_rows
        set event_id = md5(event_id || ':' || numbered_rows.occurrence)
        from (
            select
                rowid as row_id,
                row_number() over (
                    partition by file_number, event_id
                    order by {content}, line_number
                ) as occurrence
            from load_rows
            inner join (
                select file_number, event_id
                from load_rows
                where source = {literal(source.name)} and reason is null
                group by all
                having count(*) > 1
            ) as shared_ids using (file_number, event_id)
            where reason is null
        ) as numbered_rows
        where numbered_rows.row_id = load_rows.rowid and numbered_rows.occurrence > 1
    """)


def judge_events_that_came_before(warehouse: Warehouse, first_load_id: int) -> None:
    """Grouped events whose id an earlier file has brought: equal ones are duplicates, others are rejected.

    Looked up by id over all dates of the source: lines that come later may carry a later day.
    """
    warehouse.run(f"""
        create or replace temp table load_known as
        with
        grouped_events as (
            select file_number, source, event_id
            from load_rows
            where group_key is not null and reason is null
        ),
        stored_events as (
            select
                events.source, events.event_id, loads.file_name, {_content_hash("events")} as content_hash
            from raw.events
            inner join raw.loads on loads.load_id = events.load_id
            where exists (
                select 1
                from grouped_events
                where grouped_events.source = events.source and grouped_events.event_id = events.event_id
            )
        ),
        first_files as (
            select source, event_id, min(file_number) as file_number
            from grouped_events
            where not exists (
                select 1
                from stored_events
                where stored_events.source = grouped_events.source
                    and stored_events.event_id = grouped_events.event_id
            )
            group by all
            having count(distinct file_number) > 1
        )
        select source, event_id, -1 as file_number, file_name, content_hash
        from stored_events
        union all
        select
            load_rows.source, load_rows.event_id, load_rows.file_number, load_files.file_name,
            {_content_hash("load_rows")} as content_hash
        from load_rows
        inner join first_files
            on first_files.source = load_rows.source
            and first_files.event_id = load_rows.event_id
            and first_files.file_number = load_rows.file_number
        inner join load_files on load_files.load_id = load_rows.file_number + {first_load_id}
        where load_rows.group_key is not null and load_rows.reason is null
    """)
    warehouse.run(f"""
        insert into load_verdicts
        with
        compared_events as (
            select
                load_rows.rowid as row_id,
                load_rows.event_id,
                min(load_known.file_name) as file_name,
                bool_or(load_known.content_hash = {_content_hash("load_rows")}) as is_equal
            from load_rows
            inner join load_known
                on load_known.source = load_rows.source
                and load_known.event_id = load_rows.event_id
                and load_known.file_number < load_rows.file_number
            where load_rows.group_key is not null and load_rows.reason is null
            group by all
        )
        select
            row_id,
            case when is_equal then 'duplicate' else 'rejected' end as outcome,
            case
                when not is_equal
                    then 'event ' || event_id || ' was loaded from ' || file_name
                        || ' before; the lines of one event have to arrive in one file'
            end as reason
        from compared_events
    """)


def collect_keys(warehouse: Warehouse) -> None:
    """The keys of the candidates that are in `load_rows`."""
    warehouse.run(f"""
        insert into load_keys
        select {EVENT_KEY}, cast(occurred_at as date)
        from load_rows
        where reason is null and rowid not in (select row_id from load_verdicts)
    """)


def find_contested_keys(warehouse: Warehouse) -> None:
    """Of the keys in `load_keys`, those that come up twice or that a stored event has: `load_contested`.

    Stored events with such a key are put aside in `load_stored`. Only these and the candidates with these
    keys have to be compared: in clean input few.
    """
    warehouse.run("""
        create or replace temp table load_stored (
            stored_row bigint, event_id varchar, occurred_date date, received_at timestamp, source varchar,
            content_hash varchar
        )
    """)
    is_in_range = "occurred_at >= cast($first as timestamp) and occurred_at < cast($end as timestamp)"
    for first, last in _date_ranges(warehouse):
        bounds = {"first": first, "end": last + timedelta(days=1)}
        if not warehouse.value(f"select exists (from raw.events where {is_in_range})", bounds):
            continue
        warehouse.run(
            f"""
            insert into load_stored
            select
                rowid, event_id, cast(occurred_at as date), received_at, source, {_content_hash("events")}
            from raw.events
            where {is_in_range}
                and {EVENT_KEY} in (
                    select event_key
                    from load_keys
                    where occurred_date >= cast($first as date) and occurred_date < cast($end as date)
                )
            """,
            bounds,
        )
    warehouse.run("""
        insert into load_contested
        select event_key
        from load_keys
        group by event_key
        having count(*) > 1
        union
        select hash(event_id, occurred_date) as event_key
        from load_stored
    """)


def find_duplicates(warehouse: Warehouse) -> None:
    """Of candidates and stored events with one event_id and UTC date, let one stand.

    The earliest received_at wins, then the smallest content hash, then the source; only where all of these
    are equal does the order of files decide, and then it decides nothing but the load_id. Stored events that
    lose are listed in `load_replaced`.
    """
    warehouse.run(f"""
        create or replace temp table load_ranked as
        with
        contenders as (
            select
                rowid as row_id, cast(null as bigint) as stored_row, event_id,
                cast(occurred_at as date) as occurred_date, received_at,
                {_content_hash("load_rows")} as content_hash, source, file_number, line_number
            from load_rows
            where reason is null
                and {EVENT_KEY} in (select event_key from load_contested)
                and rowid not in (select row_id from load_verdicts)
            union all by name
            select *, -1 as file_number
            from load_stored
        )
        select
            row_id, stored_row, event_id, occurred_date,
            row_number() over (
                partition by event_id, occurred_date
                order by received_at, content_hash, source, file_number, line_number
            ) as place
        from contenders
    """)
    warehouse.run("""
        create or replace temp table load_replaced as
        select stored_events.stored_row, winners.row_id
        from load_ranked as winners
        inner join load_ranked as stored_events using (event_id, occurred_date)
        where winners.place = 1 and winners.row_id is not null and stored_events.stored_row is not null
    """)
    warehouse.run("""
        insert into load_verdicts
        select row_id, case when place > 1 then 'duplicate' else 'replaces' end as outcome, null as reason
        from load_ranked
        where row_id is not null and (place > 1 or row_id in (select row_id from load_replaced))
    """)


def _date_ranges(warehouse: Warehouse) -> list[tuple[date, date]]:
    """The dates that the candidates touch, as few ranges: only stored events of these dates are read."""
    dates = [
        row[0]
        for row in warehouse.rows("""
            select distinct occurred_date
            from load_keys
            order by occurred_date
        """)
    ]
    ranges: list[tuple[date, date]] = []
    for day in dates:
        if ranges and (day - ranges[-1][1]).days <= DAYS_BETWEEN_RANGES:
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges if len(ranges) <= MOST_RANGES else [(ranges[0][0], ranges[-1][1])]


def _content_hash(table: str) -> str:
    """Hash of what an event says, whenever and from wherever it was received."""
    values = ", ".join(f"cast({table}.{column} as varchar)" for column in CONTENT_COLUMNS)
    return f"md5(cast(to_json([{values}]) as varchar))"
