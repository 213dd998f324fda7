"""Means over rows that need not count alike: a row of weight 2 counts as the same row twice."""

import numpy as np
from numpy.typing import ArrayLike

from tauten.errors import DataError
from tauten.evidence.student import Floats, finite


def row_shares(weights: ArrayLike | None, rows: int) -> Floats | None:
    """Return each row's share (n,) of a mean, from what the rows count; None where nothing is said of it.

    Raises DataError where `weights` are not one number of 0 or more for each of the rows, or all are 0.

    >>> row_shares([1, 3], 2).tolist()
    [0.25, 0.75]
    """
    if weights is None:
        return None
    w = finite(weights, "weights", (1,))
    if len(w) != rows or w.min(initial=0.0) < 0 or not w.sum() > 0:
        raise DataError(
            f"weights hold {len(w)} number(s) from {w.min(initial=0.0):g} to {w.max(initial=0.0):g} for {rows} row(s); "
            "pass one of 0 or more for each row, and not all 0"
        )
    return np.asarray(w / w.sum())


def row_mean(values: ArrayLike, shares: Floats | None) -> Floats:
    """Return the mean over the last axis, which are rows; `shares` as `row_shares` gives them.

    >>> float(row_mean([1.0, 2.0], row_shares([1, 3], 2)))
    1.75
    """
    v = np.asarray(values, dtype=np.float64)
    return np.asarray(v.mean(axis=-1) if shares is None else v @ shares)
