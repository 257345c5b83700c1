"""Seeded randomness: one independent stream per seed, purpose and week.

A stream of its own for each purpose keeps subjects apart: a new random number in the shop does not
change who signs in.
"""

from __future__ import annotations

import zlib

import numpy as np

WHOLE_WORLD = 0


def stream(seed: int, purpose: str, week_number: int = WHOLE_WORLD) -> np.random.Generator:
    """The generator for a purpose in a week; weeks count from 1, 0 stands for the whole world."""
    return np.random.default_rng([seed, week_number, zlib.crc32(purpose.encode())])


def choose(random: np.random.Generator, shares: tuple[float, ...], count: int) -> np.ndarray:
    """`count` positions in `shares`, each drawn with its share (the shares need not sum to 1)."""
    limits = np.cumsum(shares)
    return np.searchsorted(limits / limits[-1], random.random(count), side="right")


def scatter(numbers: np.ndarray, salt: int) -> np.ndarray:
    """Different numbers into different, random-looking ones (uint64), by a bijection.

    The mixing function of SplitMix64 (Steele, Lea, Flood 2014); being one-to-one it makes ids that
    are unique by construction.
    """
    with np.errstate(over="ignore"):
        mixed = numbers.astype(np.uint64) + np.uint64(salt) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))
