"""SQL expressions for the values of foreign files: texts in, typed values or NULL out.

Every function takes SQL and returns SQL; texts from review.toml or a file get in as quoted literals only.
"""

from __future__ import annotations

import json

NUMBER = r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"
DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
CLOCK = r"[T ][0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
OFFSET = "[-+](0[0-9]|1[0-4])(:?[0-5][0-9])?"
ZONE = "[A-Za-z][A-Za-z0-9_+/-]*"
SNAKE_CASE = "[a-z0-9]+(_[a-z0-9]+)*"
DIGITS_OF_AMOUNTS = 11
BEYOND_AMOUNTS = f"has more than {DIGITS_OF_AMOUNTS} digits before the point"
# Kinds of columns (see pipeline.load.reading) whose texts have no white space around them and are not empty.
TIME_KINDS = ("time", "instant", "nanosecond time", "nanosecond instant")
FLOAT_KINDS = ("float", "double")
TRIMMED_KINDS = ("clean", "names", "date", "decimal", "integer", *TIME_KINDS, *FLOAT_KINDS)


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def pointer(column: str) -> str:
    """A dotted path as a JSON pointer (RFC 6901), in which no character is a wildcard."""
    parts = column.split(".")
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def text_of_cell(column: str, kind: str) -> str:
    """A column of a table as text, the same for a value whatever the format of the file."""
    if kind in ("clean", "names", "text"):
        return f"nullif({column}, '')" if kind == "text" else column
    if kind in TIME_KINDS:
        return f"replace(cast({column} as varchar), ' ', 'T')"
    if kind == "date":
        return f"cast({column} as varchar) || 'T00:00:00'"
    if kind in FLOAT_KINDS:
        return f"""case
            when isnan({column}) then null
            when abs({column}) < 1e15 and trunc({column}) = {column}
                then cast(cast({column} as bigint) as varchar)
            else cast({column} as varchar)
        end"""
    if kind == "nested":
        return f"cast(to_json({column}) as varchar)"
    return f"cast({column} as varchar)"


def given_cell(column: str, kind: str) -> str:
    """A column of a table that is no text, NULL where its text would be."""
    return f"case when not isnan({column}) then {column} end" if kind in FLOAT_KINDS else column


def trimmed(value: str) -> str:
    """A text without white space around it, NULL where nothing is left."""
    # Most texts have none, and `trim` of several characters is slow: a cheap look first.
    return (
        f"case when {value} < '!' or right({value}, 1) < '!' then nullif(trim({value}, e' \\t\\r\\n'), '') "
        f"else {value} end"
    )


def number(text: str, type_: str) -> str:
    """A text as a number of a decimal type, NULL where it is none or too large."""
    return f"case when regexp_full_match({text}, {literal(NUMBER)}) then try_cast({text} as {type_}) end"


def is_beyond_amounts(amount: str) -> str:
    """Whether an amount is so large that a thousand of them would not fit into the type of their sum."""
    return f"abs({amount}) >= {10**DIGITS_OF_AMOUNTS}"


def decimal_text(value: str) -> str:
    """A decimal number as text, without the zeros that its type adds."""
    text = f"cast({value} as varchar)"
    return f"case when contains({text}, '.') then rtrim(rtrim({text}, '0'), '.') else {text} end"


def utc_time(text: str, zone: str, format_: str | None) -> str:
    """A text as a UTC timestamp, NULL where it is not readable.

    ISO 8601 with seconds and fractions optional; a time without an offset or zone of its own is local time of
    `zone`. A local time that occurs twice is taken as the later one (standard time), one that the clocks
    skip as if they had not been put forward yet: the rules of DuckDB's icu functions.
    """
    local = f"try_cast({text} as timestamp)"
    if zone != "UTC":
        local = f"{local} at time zone {literal(zone)} at time zone 'UTC'"
    offset_without_space = f"regexp_replace({text}, ' ?({OFFSET})$', '\\1')"
    iso = f"""case
        when regexp_full_match({text}, {literal(f"{DAY}{CLOCK} ?Z")})
            then try_cast(rtrim(left({text}, -1)) as timestamp)
        when regexp_full_match({text}, {literal(f"{DAY}({CLOCK})?")})
            then {local}
        when regexp_full_match({text}, {literal(f"{DAY}{CLOCK}( ?{OFFSET}| {ZONE})")})
            then try_cast({offset_without_space} as timestamptz) at time zone 'UTC'
    end"""
    if format_ is None:
        return iso
    # A format is for text; cells that are times already come as ISO 8601 with a T.
    has_zone = "%z" in format_ or "%Z" in format_
    parsed = f"try_strptime({text}, {literal(format_)})"
    if has_zone:
        parsed = f"{parsed} at time zone 'UTC'"
    elif zone != "UTC":
        parsed = f"{parsed} at time zone {literal(zone)} at time zone 'UTC'"
    return f"coalesce({parsed}, case when {text}[11] = 'T' then {iso} end)"


def utc_time_of_cell(column: str, kind: str, zone: str) -> str | None:
    """A column of times as a UTC timestamp, as `utc_time` of its text gives it; None where only that does.

    Of years that ISO 8601 does not write with four digits no text is readable.
    """
    if kind not in TIME_KINDS:
        return None
    has_zone, has_nanoseconds = kind.endswith("instant"), kind.startswith("nanosecond")
    moment = f"({column} at time zone 'UTC')" if has_zone else column
    if has_nanoseconds:
        # Cut as of a text, where a cast would round; `//` cuts the same way from 1970 on only.
        moment = f"""case
            when {moment} between timestamp_ns '1970-01-01' and timestamp_ns '2261-12-31'
                then make_timestamp(epoch_ns({moment}) // 1000)
            else try_cast(cast({moment} as varchar) as timestamp)
        end"""
    else:
        moment = f"try_cast({moment} as timestamp)"
    is_readable = f"{moment} between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999999'"
    if zone != "UTC" and not has_zone:
        moment = f"{moment} at time zone {literal(zone)} at time zone 'UTC'"
    return f"case when {is_readable} then {moment} end"


def amount_of_cell(column: str, kind: str) -> str | None:
    """A column of numbers as raw.events keeps amounts, as its text gives them; None where only that does."""
    if kind in ("integer", "decimal"):
        return f"try_cast({column} as decimal(18, 4))"
    if kind == "double":
        # A float is written as the shortest text that gives it: of at most four decimals and fifteen digits
        # that is exactly the number of ten-thousandths.
        parts = f"round({column} * 10000)"
        exact = f"cast(cast({parts} as bigint) as decimal(15, 0)) * 0.0001"
        text = number(text_of_cell(column, kind), "decimal(38, 12)")
        return f"""case
            when {column} is null or isnan({column}) then null
            when abs({column}) < 1e11 and {parts} / 10000 = {column} then {exact}
            else try_cast({text} as decimal(18, 4))
        end"""
    return None


def snake_case(text: str) -> str:
    """`Order Completed`, `orderCompleted`, `order-completed` as order_completed; NULL where none is left."""
    parted = f"regexp_replace({text}, '([\\p{{Lu}}]+)([\\p{{Lu}}][\\p{{Ll}}])', '\\1_\\2', 'g')"
    parted = f"regexp_replace({parted}, '([\\p{{Ll}}\\p{{N}}])([\\p{{Lu}}])', '\\1_\\2', 'g')"
    joined = f"regexp_replace(lower({parted}), '[^\\p{{L}}\\p{{N}}]+', '_', 'g')"
    return (
        f"case when regexp_full_match({text}, {literal(SNAKE_CASE)}) then {text} "
        f"else nullif(trim({joined}, '_'), '') end"
    )


def json_object(text: str) -> str:
    """A text as JSON where it is an object without NaN or Infinity, which DuckDB reads and others do not."""
    without_texts = f"""regexp_replace({text}, '"(\\\\.|[^"\\\\])*"', '', 'g')"""
    return f"""case
        when not starts_with({text}, '{{') then null
        when (contains({text}, 'NaN') or contains({text}, 'Inf'))
            and regexp_matches({without_texts}, 'NaN|Inf')
            then null
        else try_cast({text} as json)
    end"""


def json_text(text: str) -> str:
    """A text as JSON."""
    return json.dumps(text, ensure_ascii=False)


def text_list(texts: tuple[str, ...]) -> str:
    """Texts as an SQL list, for `list_contains`: of `in` with several values DuckDB makes a join."""
    return f"[{', '.join(map(literal, texts))}]"


def comma_separated(expressions: list[str]) -> str:
    """Expressions as they stand after `select`."""
    return ", ".join(expressions)
