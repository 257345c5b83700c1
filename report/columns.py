"""Columns of the published tables, read in one way whatever types the warehouse handed over.

DECIMAL may arrive as `Decimal` objects, dates as dates, timestamps or text, missing values as None, NaN,
NaT or NA. Every reader here accepts a frame without rows (or without columns) and never changes it.
"""

from __future__ import annotations

from datetime import date

import numpy
import pandas


def numbers(frame: pandas.DataFrame, column: str) -> pandas.Series:
    """The column as float64, NaN where a value is missing or infinite; all NaN where there is no column."""
    if column not in frame:
        return pandas.Series(numpy.nan, index=frame.index, dtype="float64")
    values = pandas.to_numeric(frame[column]).to_numpy(dtype="float64", na_value=numpy.nan)
    return pandas.Series(numpy.where(numpy.isfinite(values), values, numpy.nan), index=frame.index)


def texts(frame: pandas.DataFrame, column: str) -> pandas.Series:
    """The column as objects that are text, None where a value is missing."""
    if column not in frame:
        return pandas.Series(None, index=frame.index, dtype="object")
    given = frame[column].astype("object")
    return given.map(str).astype("object").where(given.notna(), None)


def is_true(frame: pandas.DataFrame, column: str) -> pandas.Series:
    """Whether the column holds true; a missing value is not true."""
    return numbers(frame, column).fillna(0.0).ne(0.0)


def dates(frame: pandas.DataFrame, column: str) -> pandas.Series:
    """The column as objects that are dates, None where a value is missing."""
    if column not in frame:
        return pandas.Series(None, index=frame.index, dtype="object")
    # A history of millions of rows holds few dates: convert each of them once.
    codes, days = pandas.factorize(frame[column])
    known = [pandas.Timestamp(day).date() for day in days]
    return pandas.Series(numpy.array([*known, None], dtype="object")[codes], index=frame.index)


def rows_of_week(frame: pandas.DataFrame, week: date) -> pandas.DataFrame:
    """The rows whose `review_week` is `week`."""
    return frame.loc[dates(frame, "review_week").eq(week).astype(bool)]


def rows_up_to_week(frame: pandas.DataFrame, week: date) -> pandas.DataFrame:
    """The rows whose `review_week` is not after `week`, oldest first."""
    weeks = dates(frame, "review_week")
    known = weeks[weeks.notna()]
    kept = known[[day <= week for day in known]]
    return frame.loc[kept.sort_values(kind="stable").index]


def is_observed(frame: pandas.DataFrame, column: str) -> bool:
    """Whether any row has a value in the column."""
    return column in frame and bool(frame[column].notna().any())
