"""Piecewise-linear maps given by anchors: pairs of (value, points)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def apply_anchors(values: npt.ArrayLike, anchors: Sequence[tuple[float, float]]) -> npt.NDArray[np.float64]:
    """Map values to points, linearly between the anchors and flat beyond the first and the last.

    `values`: any shape; missing values (NaN) stay missing. `anchors`: at least two pairs whose values rise
    strictly; the points may rise or fall. Returns an array of the shape of `values`.

    >>> apply_anchors([0.0, 2.0, 30.0], [(0, 0), (4, 40), (20, 100)]).tolist()
    [0.0, 20.0, 100.0]

    Raises ValueError where the anchors are no such pairs.
    """
    given = np.asarray(anchors, dtype=np.float64)
    if given.ndim != 2 or given.shape[1] != 2 or len(given) < 2:
        raise ValueError(f"anchors are two or more pairs of value and points, not {list(anchors)!r}")
    if not np.isfinite(given).all() or not (np.diff(given[:, 0]) > 0).all():
        raise ValueError(
            f"the values of anchors are finite and rise from pair to pair, unlike {list(anchors)!r}"
        )
    return np.interp(np.asarray(values, dtype=np.float64), given[:, 0], given[:, 1])
