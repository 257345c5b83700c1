"""JSON objects as texts, a whole column at a time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_NEEDS_ESCAPING = r'["\\\x00-\x1f]'


def json_objects(fields: dict[str, pa.Array], nested: frozenset[str] = frozenset()) -> pa.Array:
    """One JSON object per row, with the fields in the given order.

    Texts are quoted, numbers written as they are, fields in `nested` are JSON already. A null leaves its
    field out; the first field has to be there in every row. Texts with characters that JSON escapes
    (quotes, backslashes, control characters) raise ValueError: this world has none.
    """
    pieces = [
        _field(name, values, name in nested, is_first=position == 0)
        for position, (name, values) in enumerate(fields.items())
    ]
    return pc.binary_join_element_wise("{", *pieces, "}", "", null_handling="skip")


def json_lists(objects: pa.Array, counts: np.ndarray) -> pa.Array:
    """JSON lists of consecutive objects: the first counts[0] of them, the next counts[1] and so on."""
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), objects), ",")
    return pc.binary_join_element_wise("[", joined, "]", "")


def hundredths(numbers: np.ndarray, mask: np.ndarray | None = None) -> pa.Array:
    """Whole hundredths (cents) as decimals with two places, exactly; null where the mask is true."""
    halves = np.empty((len(numbers), 2), dtype=np.int64)  # 128 bits, the low half first
    halves[:, 0] = numbers
    halves[:, 1] = halves[:, 0] >> 63
    values = pa.Decimal128Array.from_buffers(pa.decimal128(18, 2), len(numbers), [None, pa.py_buffer(halves)])
    return values if mask is None else pc.if_else(pa.array(~mask), values, pa.scalar(None, values.type))


def _field(name: str, values: pa.Array, is_nested: bool, is_first: bool) -> pa.Array:
    key = f'"{name}":' if is_first else f',"{name}":'
    if is_nested:
        return pc.binary_join_element_wise(key, values, "")
    if not pa.types.is_string(values.type):
        return pc.binary_join_element_wise(key, values.cast(pa.string()), "")
    if pc.any(pc.match_substring_regex(values, _NEEDS_ESCAPING)).as_py():
        raise ValueError(f"a text of the field {name} holds a character that JSON has to escape")
    return pc.binary_join_element_wise(key + '"', values, '"', "")
