"""From columns of the feature row to arrays that a learner reads; what is missing stays missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd


def require_columns(rows: pd.DataFrame, columns: Sequence[str], reader: str) -> None:
    """Raise ValueError naming the first of `columns` that `rows` lacks and who wanted to read it."""
    for column in columns:
        if column not in rows.columns:
            raise ValueError(f"{reader} needs the column {column}, which the rows do not have")


def numbers(rows: pd.DataFrame, column: str) -> npt.NDArray[np.float64]:
    """One column as floats, a value per row: booleans as 0 and 1, decimals as floats, missing as NaN.

    Raises ValueError where the column holds text, dates or an infinite value.
    """
    values = rows[column]
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        raise ValueError(f"column {column} holds dates where numbers are needed")
    try:
        floats = values.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        example = next(value for value in values.dropna() if not isinstance(value, (bool, int, float)))
        raise ValueError(f"column {column} holds {str(example)!r} where numbers are needed") from None
    if np.isinf(floats).any():
        raise ValueError(f"column {column} holds an infinite value in {int(np.isinf(floats).sum())} rows")
    return floats


def days(rows: pd.DataFrame, column: str) -> npt.NDArray[np.datetime64]:
    """One column of dates as whole days (datetime64[D]), a value per row, missing as NaT."""
    return pd.to_datetime(rows[column]).to_numpy().astype("datetime64[D]")


def feature_matrix(
    rows: pd.DataFrame,
    numeric_columns: Sequence[str],
    categorical_columns: Sequence[str] = (),
) -> pd.DataFrame:
    """The given columns and no others: numbers as floats, categories as text, missing as NaN; a row per row.

    A column that the rows do not have is missing in every row, as for a workspace that lacks a kind of data.
    Raises ValueError where a numeric column does not hold numbers.
    """
    columns: dict[str, npt.NDArray] = {}
    for column in numeric_columns:
        columns[column] = numbers(rows, column) if column in rows.columns else np.full(len(rows), np.nan)
    for column in categorical_columns:
        texts = np.full(len(rows), np.nan, dtype=object)
        if column in rows.columns:
            known = rows[column].notna().to_numpy()
            texts[known] = rows[column].to_numpy(dtype=object)[known].astype(str)
        columns[column] = texts
    matrix = pd.DataFrame(columns, index=pd.RangeIndex(len(rows)))
    return matrix.astype(dict.fromkeys(categorical_columns, object))
