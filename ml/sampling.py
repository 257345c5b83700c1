"""Which rows a bounded sample holds: a hash of customer and week decides, never the order of rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

# The constants of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
_SECOND_FACTOR = np.uint64(0x94D049BB133111EB)


def customer_hashes(customer_ids: pd.Series) -> npt.NDArray[np.uint64]:
    """A well-mixed number per row that depends on the customer's id alone."""
    codes, customers = pd.factorize(customer_ids.astype(object))
    hashes = pd.util.hash_array(np.asarray(customers, dtype=object), categorize=False)
    return hashes[codes]


def sampling_keys(
    customers: npt.NDArray[np.uint64], weeks: npt.NDArray[np.datetime64], seed: int
) -> npt.NDArray[np.uint64]:
    """A well-mixed number per row that depends on customer, week and seed alone.

    The rows with the smallest keys are a random sample. `customers` from `customer_hashes`, `weeks` as
    datetime64[D], both a value per row.
    """
    weeks_passed = weeks.astype("datetime64[D]").astype(np.int64).astype(np.uint64)
    with np.errstate(over="ignore"):
        mixed = customers + _STEP * (weeks_passed + _STEP * np.uint64(seed + 1))
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST_FACTOR
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND_FACTOR
    return mixed ^ (mixed >> np.uint64(31))


def smallest(keys: npt.NDArray[np.uint64], count: int) -> npt.NDArray[np.intp]:
    """The positions of the `count` smallest keys (of all, if there are fewer), in rising position."""
    if len(keys) <= count:
        return np.arange(len(keys))
    return np.sort(np.argsort(keys, kind="stable")[:count])
