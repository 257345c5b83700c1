"""Ids of accounts, people, devices and things: stable texts that say nothing about behaviour."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulation.chance import scatter

MEMBERS_PER_ACCOUNT = 1024  # room for member numbers in a device's number
DEVICES_PER_MEMBER = 4
NUMBERS_PER_WEEK = 2**40  # room for things numbered within a week

# Each kind of thing is scattered with its own salt, so that equal numbers get different texts.
MESSAGE, DEVICE, ORDER, TICKET, PLATFORM = range(5)
_KINDS = 16

_HEXADECIMAL = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def account_ids(accounts: np.ndarray, customers: int) -> pa.Array:
    """Texts like a_000123: the account's position, padded to the size of the world."""
    return _padded_numbers("a_", accounts, max(6, len(str(customers - 1))))


def user_ids(accounts: np.ndarray, members: np.ndarray, customers: int) -> pa.Array:
    """Texts like u_000123_2: the second person of account 123; null for member 0, which is nobody."""
    padded = _padded_numbers("u_", accounts, max(6, len(str(customers - 1))))
    numbers = pa.array(members, mask=members == 0).cast(pa.string())
    return pc.binary_join_element_wise(padded, numbers, "_")


def device_ids(accounts: np.ndarray, members: np.ndarray, devices: np.ndarray, seed: int) -> pa.Array:
    """Texts like d_5f0c…: a browser or phone of a person; null for device 0, which is a server."""
    numbers = (accounts.astype(np.int64) * MEMBERS_PER_ACCOUNT + members) * DEVICES_PER_MEMBER + devices
    texts = _hexadecimal_texts("d_", scatter(numbers, _salt(seed, DEVICE)))
    return pc.if_else(pa.array(devices != 0), texts, pa.scalar(None, pa.string()))


def user_scatter(accounts: np.ndarray, members: np.ndarray, seed: int) -> np.ndarray:
    """A number from 0 to 1 that stays with a person."""
    numbers = accounts.astype(np.int64) * MEMBERS_PER_ACCOUNT + members
    return scatter(numbers, _salt(seed, PLATFORM)) / 2.0**64


def numbers_in_week(kind: int, week_number: int, count: int, seed: int) -> np.ndarray:
    """`count` numbers (uint64), unique among the things of this kind in this world."""
    positions = np.arange(count, dtype=np.int64) + week_number * NUMBERS_PER_WEEK
    return scatter(positions, _salt(seed, kind))


def thing_ids(prefix: str, numbers: np.ndarray) -> pa.Array:
    """Texts of a prefix and 16 hexadecimal digits; they sort as their numbers do."""
    return _hexadecimal_texts(prefix, numbers)


def _salt(seed: int, kind: int) -> int:
    return (seed * _KINDS + kind) % 2**64


def _padded_numbers(prefix: str, numbers: np.ndarray, digits: int) -> pa.Array:
    powers = 10 ** np.arange(digits - 1, -1, -1, dtype=np.int64)
    characters = (numbers.astype(np.int64)[:, None] // powers % 10 + ord("0")).astype(np.uint8)
    return _fixed_width_texts(prefix, characters)


def _hexadecimal_texts(prefix: str, numbers: np.ndarray) -> pa.Array:
    octets = numbers.astype(">u8").view(np.uint8).reshape(-1, 8)
    characters = np.empty((len(numbers), 16), dtype=np.uint8)
    characters[:, 0::2] = _HEXADECIMAL[octets >> 4]
    characters[:, 1::2] = _HEXADECIMAL[octets & 15]
    return _fixed_width_texts(prefix, characters)


def _fixed_width_texts(prefix: str, characters: np.ndarray) -> pa.Array:
    """Rows of ASCII characters (rows × width, uint8) as texts, each with the prefix."""
    start = np.frombuffer(prefix.encode(), dtype=np.uint8)
    width = len(start) + characters.shape[1]
    octets = np.empty((len(characters), width), dtype=np.uint8)
    octets[:, : len(start)] = start
    octets[:, len(start) :] = characters
    offsets = np.arange(len(characters) + 1, dtype=np.int32) * np.int32(width)
    return pa.StringArray.from_buffers(len(characters), pa.py_buffer(offsets), pa.py_buffer(octets))
