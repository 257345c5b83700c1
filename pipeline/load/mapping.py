"""The mapping of a source as SQL: rows of a file become rows shaped like raw.events, each judged.

One statement per source and layout of its files reads a block as `given_rows` (see
pipeline.load.reading) and fills `load_rows`, or `load_lines` where lines are grouped into events. `reason`
says why a row is no event; the first that applies is kept. Every text from review.toml or a file that gets
into SQL is a quoted literal.
"""

from __future__ import annotations

import duckdb

from pipeline.errors import UsageError, VitalsError
from pipeline.load.expressions import (
    BEYOND_AMOUNTS,
    TRIMMED_KINDS,
    amount_of_cell,
    comma_separated,
    decimal_text,
    given_cell,
    is_beyond_amounts,
    json_object,
    json_text,
    literal,
    number,
    pointer,
    snake_case,
    text_list,
    text_of_cell,
    trimmed,
    utc_time,
    utc_time_of_cell,
)
from pipeline.load.reading import Layout
from pipeline.settings import EVENT_COLUMNS, ColumnMapping, Source
from pipeline.warehouse import Warehouse

# spec: https://segment.com/docs/connections/spec/
NAME_OF_CALL = {
    "track": None,
    "page": "page_viewed",
    "screen": "screen_viewed",
    "identify": "identify",
    "group": "group",
    "alias": "alias",
}
TEXT_COLUMNS = (
    "event_id",
    "user_id",
    "anonymous_id",
    "account_id",
    "session_id",
    "channel",
    "platform",
    "device",
    "page_path",
    "referrer",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "feature",
    "currency",
)
OBJECT_COLUMNS = ("properties", "traits")
TIME_COLUMNS = ("occurred_at", "received_at")
# Of whose values there are many fewer than events.
REPEATING_COLUMNS = (
    "event_type",
    "event_name",
    "user_id",
    "account_id",
    "channel",
    "platform",
    "device",
    "page_path",
    "referrer",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "currency",
)
MOST_FACTORS = 4
# Eighteen digits before the point: sums over a hundred million rows stay exact within 38.
NUMBER_TYPE = "decimal(30, 12)"

CONSTANTS_OF_JSON = ("true", "false", "NaN", "Infinity", "-Infinity")
# What tells events apart, as a number: two events may share it, one event never has two.
EVENT_KEY = "hash(event_id, cast(occurred_at as date))"
JOIN_WITH_CONTESTED_KEYS = f"left join load_contested on load_contested.event_key = {EVENT_KEY}"
# In one expression, so that the engine does not judge the rows a second time to filter them before the join.
IS_UNCERTAIN = "case when load_contested.event_key is not null then true else reason is not null end"
# How JSON text begins that is neither a text, a finite number nor null.
WRONG_JSON = r"^([\[{tfNI]|-I)"


def check_mapping(warehouse: Warehouse, source: Source) -> None:
    """Raises UsageError where review.toml maps a column in a way that has no meaning for it."""
    for column, mapping in source.columns.items():
        key = f"review.toml: sources.{source.name}.columns.{column}"
        if mapping.fields is not None and column not in OBJECT_COLUMNS:
            raise UsageError(f"{key}: `fields` make an object; only properties and traits are objects.")
        if mapping.product_of is not None:
            if column != "revenue":
                raise UsageError(f"{key}: `product_of` is understood for revenue only.")
            if not 1 <= len(mapping.product_of) <= MOST_FACTORS:
                raise UsageError(f"{key}: `product_of` takes 1 to {MOST_FACTORS} columns.")
        if mapping.format is not None:
            if column not in TIME_COLUMNS:
                raise UsageError(f"{key}: `format` is understood for {' and '.join(TIME_COLUMNS)} only.")
            try:
                warehouse.run(f"select try_strptime('', {literal(mapping.format)})")
            except duckdb.Error:
                raise UsageError(
                    f"{key}: format {mapping.format!r} is no format of strptime, such as %d/%m/%Y %H:%M."
                ) from None


def wanted_columns(source: Source) -> dict[str, str]:
    """The columns of the source that are read, each with the key of review.toml that names it first."""
    prefix = f"sources.{source.name}"
    named = [
        (column, f"{prefix}.columns.{target}")
        for target, mapping in source.columns.items()
        for column in mapping.source_columns()
    ]
    named += [(column, f"{prefix}.id_columns") for column in source.id_columns]
    named += [(column, f"{prefix}.number_columns") for column in source.number_columns]
    if source.group is not None:
        named += [(column, f"{prefix}.group.by") for column in source.group.by]
        named += [(column, f"{prefix}.group.items.{item}") for item, column in source.group.items.items()]
        named += [
            (column, f"{prefix}.group.sums.{name}")
            for name, columns in source.group.sums.items()
            for column in columns
        ]
    wanted: dict[str, str] = {}
    for column, key in named:
        wanted.setdefault(column, key)
    return wanted


def check_columns(file_name: str, source: Source, layout: Layout) -> list[str]:
    """Hold the columns of a table against the mapping. Returns what is to be said of columns left out.

    Raises VitalsError where a mapped column is missing, or one is there that review.toml does not know.
    """
    wanted = wanted_columns(source)
    for column, key in wanted.items():
        if column not in layout.columns:
            raise VitalsError(
                f"{file_name} in landing has no column {column!r}, which review.toml maps ({key}); it has: "
                f"{', '.join(layout.columns)}. Correct the mapping or the file."
            )
    unknown = [column for column in layout.columns if column not in {*wanted, *source.ignored_columns}]
    if unknown and source.unknown_columns == "error":
        raise VitalsError(
            f"{file_name} in landing has columns that review.toml does not map: {', '.join(unknown)}. Map "
            f"them, or list them in ignored_columns of source {source.name}."
        )
    return [f"columns not mapped and left out ({', '.join(unknown)})"] if unknown else []


def key_columns(source: Source) -> frozenset[str]:
    """The columns of the source that say which event a row is: its id and its date."""
    mappings = [source.columns[target] for target in ("event_id", "occurred_at") if target in source.columns]
    return frozenset(
        {*source.id_columns, *(column for mapping in mappings for column in mapping.source_columns())}
    )


def repeating_columns(source: Source) -> frozenset[str]:
    """The columns of the source that hold few different texts."""
    mappings = [source.columns[target] for target in REPEATING_COLUMNS if target in source.columns]
    return frozenset(column for mapping in mappings for column in mapping.source_columns())


def rows_statement(source: Source, layout: Layout) -> str:
    """The statement that maps the rows of a block and inserts them into `load_rows` or `load_lines`."""
    return _Statement(source, layout).text()


def keys_statement(source: Source, layout: Layout) -> str:
    """The statement that inserts the keys of a block into `load_keys`; it needs the key columns only."""
    return _Statement(source, layout).keys_text()


def certain_rows_statement(source: Source, layout: Layout, first_load_id: int, is_late: str) -> str:
    """The statement that inserts the rows on which nothing is left to decide into raw.events."""
    return _Statement(source, layout).certain_text(first_load_id, is_late)


def uncertain_rows_statement(source: Source, layout: Layout) -> str:
    """The statement that inserts the other rows into `load_rows`: no events, or ids that come up again."""
    return _Statement(source, layout).uncertain_text()


class _Statement:
    """The parts of one statement; every method returns SQL that reads the columns of the step before."""

    def __init__(self, source: Source, layout: Layout) -> None:
        self.source = source
        self.layout = layout
        self.is_json = not layout.columns
        # A block of keys has not all of them.
        self.wanted = tuple(
            column for column in wanted_columns(source) if self.is_json or column in layout.columns
        )
        revenue = source.columns.get("revenue")
        self.factors = tuple(dict.fromkeys(revenue.product_of or ())) if revenue else ()
        self.sums = source.group.sums if source.group else {}
        summed = tuple(column for columns in self.sums.values() for column in columns)
        self.numbers = tuple(dict.fromkeys(summed + source.number_columns))
        members = [
            *(column for mapping in source.columns.values() for column in (mapping.fields or {}).values()),
            *(source.group.items.values() if source.group else ()),
        ]
        # Members of objects that keep their JSON type; of tables every value is text.
        self.typed_members = tuple(
            column
            for column in dict.fromkeys(members)
            if self.is_json and column not in (*self.factors, *self.numbers)
        )

    def text(self) -> str:
        target = "load_lines" if self.source.group else "load_rows"
        return f"""
            insert into {target} by name
            {self.judged_rows()}
            select {comma_separated(self.results())}
            from judged_rows
        """

    def keys_text(self) -> str:
        mapping = self.source.columns.get("event_id")
        event_id = self.hashed_id() if self.source.id_columns else self.text_of(mapping)
        occurred_at_given, occurred_at = self.time("occurred_at")
        return f"""
            insert into load_keys by name
            with
            valued_rows as (
                select *, {comma_separated(self.values())}
                from given_rows
            ),
            trimmed_rows as (
                select *, {comma_separated([self.text_and_name(column) for column in self.wanted])}
                from valued_rows
            ),
            mapped_rows as (
                select
                    {event_id} as event_id, {occurred_at_given} as occurred_at_given,
                    {occurred_at} as occurred_at
                from trimmed_rows
            )
            select {EVENT_KEY} as event_key, cast(occurred_at as date) as occurred_date
            from mapped_rows
            where event_id is not null and not ({outside_the_calendar("occurred_at")})
        """

    def certain_text(self, first_load_id: int, is_late: str) -> str:
        columns = ", ".join(EVENT_COLUMNS)
        return f"""
            insert into raw.events by name
            {self.judged_rows()}
            select
                {columns}, {literal(self.source.name)} as source, file_number + {first_load_id} as load_id,
                {is_late} as is_late
            from judged_rows
            {JOIN_WITH_CONTESTED_KEYS}
            where not {IS_UNCERTAIN}
        """

    def uncertain_text(self) -> str:
        return f"""
            insert into load_rows by name
            {self.judged_rows()}
            select {comma_separated(self.results())}
            from judged_rows
            {JOIN_WITH_CONTESTED_KEYS}
            where {IS_UNCERTAIN}
        """

    def judged_rows(self) -> str:
        return f"""
            with
            read_rows as (
                {self.read_rows()}
            ),
            valued_rows as (
                select *, {comma_separated(self.values())}
                from read_rows
            ),
            trimmed_rows as (
                select *, {comma_separated(self.texts())}
                from valued_rows
            ),
            mapped_rows as (
                select
                    file_number, line_number, problem, line, {comma_separated(self.kept_columns())},
                    {comma_separated(self.mapped_columns())}
                from trimmed_rows
            ),
            timed_rows as (
                select
                    * exclude (received_at),
                    coalesce(received_at, case when received_at_given is null then occurred_at end)
                        as received_at
                from mapped_rows
            ),
            judged_rows as (
                select *, case {" ".join(self.reasons())} end as reason
                from timed_rows
            )
        """

    # -- reading -----------------------------------------------------------------------------------------

    def read_rows(self) -> str:
        if not self.is_json:
            return "select *, null as found from given_rows"
        paths = ", ".join(literal(pointer(column)) for column in self.wanted)
        return f"""
                select
                    *,
                    problem is null and json_valid(line) as is_json,
                    case
                        when is_json and (starts_with(line, '{{') or json_type(line) = 'OBJECT')
                            then json_extract_string(line, [{paths}])
                    end as found
                from given_rows
                where is_json or not regexp_full_match(line, '\\s*')
        """

    def values(self) -> list[str]:
        """Per wanted column its text as the file has it; per typed member its JSON."""
        values = [f"{self.text_in_file(column)} as {self.value(column)}" for column in self.wanted]
        if self.is_json:
            values += [
                f"case when found is not null then json_extract(line, {literal(pointer(column))}) end "
                f"as member_{place}"
                for place, column in enumerate(self.typed_members)
            ]
            values.append("found is not null as is_object")
        return values

    def text_in_file(self, column: str) -> str:
        if self.is_json:
            return f"found[{self.wanted.index(column) + 1}]"
        return text_of_cell(*self.cell(column))

    def cell(self, column: str) -> tuple[str, str]:
        """The name of a table's column in the block, and its kind."""
        place = self.layout.columns.index(column)
        return f"column_{place}", self.layout.kinds[place]

    def value(self, column: str) -> str:
        return f"value_{self.wanted.index(column)}"

    def texts(self) -> list[str]:
        """Per wanted column its text without white space around it; per factor and number its number."""
        width, scale = self.factor_type()
        texts = [self.text_and_name(column) for column in self.wanted]
        texts += [
            f"{number(self.trimmed(column), f'decimal({width}, {scale})')} as factor_{place}"
            for place, column in enumerate(self.factors)
        ]
        return texts + [
            f"{number(self.trimmed(column), NUMBER_TYPE)} as number_{place}"
            for place, column in enumerate(self.numbers)
        ]

    def text_and_name(self, column: str) -> str:
        value = self.value(column)
        is_trimmed = not self.is_json and self.cell(column)[1] in TRIMMED_KINDS
        return f"{value if is_trimmed else trimmed(value)} as {self.trimmed(column)}"

    def trimmed(self, column: str) -> str:
        return f"text_{self.wanted.index(column)}"

    def factor_type(self) -> tuple[int, int]:
        """Width and scale under which the product of all factors is exact: at most 38 digits, 12 decimals."""
        count = max(len(self.revenue_factors()), 1)
        return 38 // count, 12 // count

    def revenue_factors(self) -> tuple[str, ...]:
        mapping = self.source.columns.get("revenue")
        return mapping.product_of or () if mapping else ()

    # -- mapping -----------------------------------------------------------------------------------------

    def kept_columns(self) -> list[str]:
        kept = [f"column_{place}" for place in range(len(self.layout.columns))]
        if self.is_json:
            kept += ["is_json", "is_object", f"{self.wrong_type()} as wrong_type_in"]
        if self.numbers:
            kept.append(f"{self.no_number()} as no_number_in")
        return kept

    def mapped_columns(self) -> list[str]:
        columns = self.source.columns
        mapped = {column: self.text_of(columns.get(column)) for column in TEXT_COLUMNS}
        if self.source.id_columns:
            mapped["event_id"] = self.hashed_id()
        mapped["call"] = f"coalesce(lower({self.text_of(columns.get('event_type'))}), 'track')"
        # A screen is the page of an app.
        mapped["event_type"] = "case when call = 'screen' then 'page' else call end"
        mapped["name_given"] = self.text_of(columns.get("event_name"))
        default = " ".join(
            f"when {literal(call)} then {literal(name)}" for call, name in NAME_OF_CALL.items() if name
        )
        name_cell = self.typed_cell(columns.get("event_name"))
        is_name = name_cell is not None and name_cell[1] == "names"
        name = "name_given" if is_name else snake_case("name_given")
        mapped["event_name"] = f"coalesce({name}, case call {default} end)"
        for column in TIME_COLUMNS:
            mapped[f"{column}_given"], mapped[column] = self.time(column)
        mapped["revenue_given"], mapped["amount"] = self.amount()
        mapped["revenue"] = "try_cast(amount as decimal(18, 4))"
        for column in OBJECT_COLUMNS:
            mapping = columns.get(column)
            if mapping is not None and mapping.fields is not None:
                mapped[f"{column}_text"] = self.object_of(mapping.fields, mapping.constants)
                mapped[column] = f"cast({column}_text as json)"
            else:
                mapped[f"{column}_text"] = self.text_of(mapping)
                mapped[column] = json_object(f"{column}_text")
        if self.source.group:
            keys = ", ".join(map(self.trimmed, self.source.group.by))
            mapped["group_values"] = f"[{keys}]"
            mapped["item"] = (
                self.object_of(self.source.group.items, {}) if self.source.group.items else "null"
            )
            mapped["sums"] = f"[{comma_separated([self.sum_of(columns) for columns in self.sums.values()])}]"
        return [f"{expression} as {name}" for name, expression in mapped.items()]

    def text_of(self, mapping: ColumnMapping | None) -> str:
        """The text that a mapping gives; an empty one is NULL."""
        if mapping is None:
            return "cast(null as varchar)"
        if mapping.value is not None:
            return literal(mapping.value)
        text = self.trimmed(mapping.from_ or "")
        if mapping.remove_suffix:
            suffix = literal(mapping.remove_suffix)
            text = (
                f"case when ends_with({text}, {suffix}) then left({text}, -length({suffix})) else {text} end"
            )
        if mapping.when_prefix is not None:
            # The longest prefix that fits decides, whatever the order in the file.
            cases = " ".join(
                f"when starts_with({text}, {literal(prefix)}) then {literal(mapping.when_prefix[prefix])}"
                for prefix in sorted(mapping.when_prefix, key=lambda prefix: (-len(prefix), prefix))
            )
            text = f"case when {text} is null then null {cases} else {literal(mapping.otherwise or '')} end"
        is_changed = mapping.remove_suffix or mapping.when_prefix is not None
        return f"nullif({text}, '')" if is_changed else text

    def typed_cell(self, mapping: ColumnMapping | None) -> tuple[str, str] | None:
        """The column and kind of a table that a mapping takes as it is; None where it is changed as text."""
        if self.is_json or mapping is None or mapping.from_ is None:
            return None
        is_changed = mapping.remove_suffix or mapping.when_prefix is not None or mapping.format is not None
        return None if is_changed else self.cell(mapping.from_)

    def time(self, column: str) -> tuple[str, str]:
        """What is given for a time, NULL where nothing is; and, in its words, the time in UTC or NULL."""
        mapping = self.source.columns.get(column)
        cell = self.typed_cell(mapping)
        typed = utc_time_of_cell(*cell, self.source.time_zone) if cell else None
        if cell and typed:
            return cell[0], typed
        format_ = mapping.format if mapping else None
        return self.text_of(mapping), utc_time(f"{column}_given", self.source.time_zone, format_)

    def hashed_id(self) -> str:
        values = ", ".join(map(self.trimmed, self.source.id_columns))
        return (
            f"case when coalesce({values}) is not null "
            f"then md5(cast(to_json([{literal(self.source.name)}, {values}]) as varchar)) end"
        )

    def amount(self) -> tuple[str, str]:
        """What is given for revenue, NULL where nothing is, and it as an exact number that may be NULL."""
        mapping = self.source.columns.get("revenue")
        if mapping is None or mapping.product_of is None:
            cell = self.typed_cell(mapping) if self.source.group is None else None
            typed = amount_of_cell(*cell) if cell else None
            if cell and typed:
                return given_cell(*cell), typed
            return self.text_of(mapping), number("revenue_given", "decimal(38, 12)")
        given = ", ".join(map(self.trimmed, mapping.product_of))
        product = " * ".join(f"factor_{self.factors.index(column)}" for column in mapping.product_of)
        return f"coalesce({given})", f"cast({product} as decimal(38, 12))"

    def object_of(self, fields: dict[str, str], constants: dict[str, str]) -> str:
        """JSON text of an object; members without a value are left out."""
        members = [
            f"{literal(json_text(name) + ':')} || {self.member(column)}" for name, column in fields.items()
        ]
        members += [
            literal(f"{json_text(name)}:{json_text(constant)}") for name, constant in constants.items()
        ]
        return f"'{{' || concat_ws(',', {', '.join(members)}) || '}}'"

    def member(self, column: str) -> str:
        """JSON text of a value: what is multiplied or summed is a number, as are number columns; what JSON
        lines hold keeps its type."""
        if column in self.factors:
            return decimal_text(f"factor_{self.factors.index(column)}")
        if column in self.numbers:
            return decimal_text(f"number_{self.numbers.index(column)}")
        if column in self.typed_members:
            return f"nullif(cast(member_{self.typed_members.index(column)} as varchar), 'null')"
        return f"cast(to_json({self.value(column)}) as varchar)"

    def sum_of(self, columns: tuple[str, ...]) -> str:
        """What a row adds to a sum; NULL where it gives none of the columns."""
        given = ", ".join(map(self.trimmed, columns))
        numbers = " + ".join(f"coalesce(number_{self.numbers.index(column)}, 0)" for column in columns)
        return f"case when coalesce({given}) is not null then cast({numbers} as decimal(38, 12)) end"

    # -- judging -----------------------------------------------------------------------------------------

    def wrong_type(self) -> str:
        """The first column of JSON lines that holds a boolean, NaN, an object or a list: no text, no number.

        Texts that look like one of these are rare; only where there is one is the JSON itself looked at.
        """
        columns = tuple(
            dict.fromkeys(
                mapping.from_
                for target, mapping in self.source.columns.items()
                if mapping.from_ is not None and target not in OBJECT_COLUMNS
            )
        )
        if not columns:
            return "cast(null as varchar)"
        looks = [f"list_has_any(found, {text_list(CONSTANTS_OF_JSON)})"]
        for value in map(self.value, columns):
            looks.append(f"({value} >= '[' and {value} < '\\') or ({value} >= '{{' and {value} < '|')")
        paths = text_list(tuple(map(pointer, columns)))
        are_wrong = f"""[
            regexp_matches(cast(value as varchar), '{WRONG_JSON}') for value in json_extract(line, {paths})
        ]"""
        first = f"{text_list(columns)}[list_position({are_wrong}, true)]"
        return f"case when {' or '.join(looks)} then {first} end"

    def no_number(self) -> str:
        """The first column that has to be a number, has a value, and is none."""
        cases = " ".join(
            f"when {self.trimmed(column)} is not null and number_{place} is null then {literal(column)}"
            for place, column in enumerate(self.numbers)
        )
        return f"case {cases} end"

    def reasons(self) -> list[str]:
        columns = self.source.columns
        when: list[tuple[str, str]] = []
        if self.is_json:
            when.append(("problem is null and not is_json", "malformed JSON"))
            when.append(("problem is null and not is_object", "JSON, but not an object"))
        if self.source.id_columns:
            when.append(("event_id is null", f"{' and '.join(self.source.id_columns)} empty: no event_id"))
        else:
            when.append(("event_id is null", f"{_origin(columns, 'event_id')} empty: no event_id"))
        if self.source.group:
            by = " or ".join(self.source.group.by)
            when.append(
                ("list_count(group_values) < len(group_values)", f"{by} empty: the line belongs to no event")
            )
        when.append(
            (
                f"not list_contains({text_list(tuple(NAME_OF_CALL))}, call)",
                f"{_origin(columns, 'event_type')} is none of {', '.join(NAME_OF_CALL)}",
            )
        )
        when.append(("event_name is null", f"{_origin(columns, 'event_name')} empty: no event name"))
        when.append(("occurred_at_given is null", f"{_origin(columns, 'occurred_at')} empty: no time"))
        for column in TIME_COLUMNS:
            origin = _origin(columns, column)
            when.append(
                (f"{column}_given is not null and {column} is null", f"{origin} is not a readable time")
            )
            when.append(
                (
                    outside_the_calendar(column),
                    f"{origin} lies outside the years 1970 to 2200",
                )
            )
        when.append(
            (
                "occurred_at > received_at + interval 1 day",
                "occurred more than a day after it was received",
            )
        )
        when.append(
            (
                "revenue_given is not null and revenue is null",
                f"{_origin(columns, 'revenue')} is not a number",
            )
        )
        # Of lines that are parts of an event the sum is looked at, and all of them are rejected.
        if self.source.group is None:
            when.append((is_beyond_amounts("revenue"), f"{_origin(columns, 'revenue')} {BEYOND_AMOUNTS}"))
        for column in OBJECT_COLUMNS:
            when.append(
                (
                    f"{column}_text is not null and {column} is null",
                    f"{_origin(columns, column)} is not a JSON object",
                )
            )
        said = [f"when {condition} then {literal(reason)}" for condition, reason in when]
        if self.numbers:
            said.append("when no_number_in is not null then no_number_in || ' is not a number'")
        if self.is_json:
            said.append(
                "when wrong_type_in is not null then wrong_type_in || ' is neither text nor a number'"
            )
        return ["when problem is not null then problem", *said]

    # -- results -----------------------------------------------------------------------------------------

    def results(self) -> list[str]:
        names = [*TEXT_COLUMNS, "event_type", "event_name", *TIME_COLUMNS, *OBJECT_COLUMNS]
        results = ["file_number", "line_number", f"{literal(self.source.name)} as source", "reason", *names]
        if self.source.group is None:
            return [
                *results,
                "revenue",
                "1 as lines",
                f"case when reason is not null then {self.content()} end as content",
            ]
        return [
            *results,
            "amount",
            "cast(to_json(group_values) as varchar) as group_key",
            "item",
            "sums",
            f"{self.content()} as content",
            "md5_number(content) as content_hash",
        ]

    def content(self) -> str:
        """The whole row as text: a line as it stands, a row of a table as an object of all its columns."""
        if self.is_json:
            return "rtrim(line, e'\\r\\n')"
        members = ", ".join(
            f"{literal(column)}, {text_of_cell(f'column_{place}', kind)}"
            for place, (column, kind) in enumerate(zip(self.layout.columns, self.layout.kinds, strict=True))
        )
        return f"coalesce(line, cast(json_object({members}) as varchar))"


def outside_the_calendar(column: str) -> str:
    """SQL for: a time that is given lies outside the years of any event."""
    return f"{column} < timestamp '1970-01-01' or {column} >= timestamp '2201-01-01'"


def _origin(columns: dict[str, ColumnMapping], column: str) -> str:
    """What a person is told of where a value came from."""
    mapping = columns.get(column)
    if mapping is None or not mapping.source_columns():
        return column
    return " × ".join(mapping.source_columns()) if mapping.product_of else mapping.source_columns()[0]
