"""Ids of accounts, people, devices and things: stable texts that say nothing about behaviour."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulation.chance import scatter

MEMBERS_PER_ACCOUNT = 1024  # room for member numbers in a machine's number
KINDS_PER_MEMBER = 4
GENERATIONS = 64  # of the id that a browser keeps: it begins anew when its cookies are deleted
STRANGERS = 2**60  # machines of visitors who never sign up are numbered from here
NUMBERS_PER_WEEK = 2**40  # room for things numbered within a week

# Each kind of thing is scattered with its own salt, so that equal numbers get different texts.
MESSAGE, DEVICE, ORDER, TICKET, CART, CAMPAIGN_MESSAGE = range(6)
# … and so is each of the chances that stay with a machine or a person.
PLATFORM, MEMORY, CLOCK, CLOCK_ERROR, HOME_COMPUTER_OWNED, COMPUTER_SHARED = range(6, 12)
_KINDS = 16

_HEXADECIMAL = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def account_ids(accounts: np.ndarray, customers: int) -> pa.Array:
    """Texts like a_000123: the account's position, padded to the size of the world; null below 0."""
    texts = _padded_numbers("a_", np.maximum(accounts, 0), max(6, len(str(customers - 1))))
    return _only_where(accounts >= 0, texts)


def user_ids(accounts: np.ndarray, members: np.ndarray, customers: int) -> pa.Array:
    """Texts like u_000123_2: the second person of account 123; null for member 0, which is nobody."""
    padded = _padded_numbers("u_", np.maximum(accounts, 0), max(6, len(str(customers - 1))))
    numbers = pa.array(members, mask=members == 0).cast(pa.string())
    return pc.binary_join_element_wise(padded, numbers, "_")


def later_user_ids(accounts: np.ndarray, customers: int) -> pa.Array:
    """The other user ids of owners whose id has changed, such as u_000123_1_b."""
    return pc.binary_join_element_wise(user_ids(accounts, np.ones_like(accounts), customers), "b", "_")


def machines(
    accounts: np.ndarray, members: np.ndarray, kinds: np.ndarray | int, generations: np.ndarray | int = 0
) -> np.ndarray:
    """The numbers of browsers and phones: of a person, a kind of device, and the age of its cookies."""
    people = accounts.astype(np.int64) * MEMBERS_PER_ACCOUNT + members
    return (people * KINDS_PER_MEMBER + kinds) * GENERATIONS + np.minimum(generations, GENERATIONS - 1)


def machine_ids(machines: np.ndarray, seed: int) -> pa.Array:
    """Texts like d_5f0c…: the anonymous id of a browser or phone; null for machine 0, a server."""
    return _only_where(machines != 0, _hexadecimal_texts("d_", scatter(machines, _salt(seed, DEVICE))))


def machine_scatter(machines: np.ndarray, purpose: int, seed: int) -> np.ndarray:
    """A number from 0 to 1 that stays with a machine, whatever its cookies; another one for each purpose."""
    return scatter(machines // GENERATIONS, _salt(seed, purpose)) / 2.0**64


def person_scatter(accounts: np.ndarray, members: np.ndarray, purpose: int, seed: int) -> np.ndarray:
    """A number from 0 to 1 that stays with a person; another one for each purpose."""
    people = accounts.astype(np.int64) * MEMBERS_PER_ACCOUNT + members
    return scatter(people, _salt(seed, purpose)) / 2.0**64


def numbers_in_week(kind: int, week_number: int, count: int, seed: int) -> np.ndarray:
    """`count` numbers (uint64), unique among the things of this kind in this world."""
    positions = np.arange(count, dtype=np.int64) + week_number * NUMBERS_PER_WEEK
    return scatter(positions, _salt(seed, kind))


def thing_ids(prefix: str, numbers: np.ndarray) -> pa.Array:
    """Texts of a prefix and 16 hexadecimal digits; they sort as their numbers do."""
    return _hexadecimal_texts(prefix, numbers)


def _salt(seed: int, kind: int) -> int:
    return (seed * _KINDS + kind) % 2**64


def _only_where(holds: np.ndarray, texts: pa.Array) -> pa.Array:
    return texts if holds.all() else pc.if_else(pa.array(holds), texts, pa.scalar(None, pa.string()))


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
