"""Strata: rows alike in their target, whose shares a split keeps in every part."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Task = Literal["classification", "multilabel", "regression"]
Ints = npt.NDArray[np.int64]


def strata(y: npt.NDArray[Any], task: Task) -> Ints:
    """The stratum (n,) of each row: its class, or a quantile bin of the target, never of fewer than ten rows without
    ties. Several targets: the rarest label that a row has, or a bin of the mean of standardized targets."""
    if task == "regression":
        values = y if y.ndim == 1 else ((y - y.mean(0)) / y.std(0)).mean(1)
        count = max(1, min(10, len(values) // 10))
        edges = np.sort(values)[np.arange(1, count) * len(values) // count]
        bins = np.searchsorted(edges, values, side="right")
    elif task == "multilabel":
        bins = np.where(y > 0, y.sum(0), np.inf).argmin(1)
        bins[~(y > 0).any(1)] = y.shape[1]
    else:
        bins = y
    return np.unique(bins, return_inverse=True)[1].astype(np.int64)


def rows_of(each: Ints) -> list[Ints]:
    """The rows of each stratum."""
    by_stratum = np.argsort(each, kind="stable")
    return np.split(by_stratum, np.flatnonzero(np.diff(each[by_stratum])) + 1)


def allot(sizes: Sequence[int], fraction: float, spare: int | Sequence[int]) -> list[int]:
    """Whole shares of each stratum by largest remainder; each leaves `spare` rows, and all sum to the rounded fraction
    of all rows where that allows."""
    exact = fraction * np.asarray(sizes)
    most = np.clip(np.asarray(sizes) - np.asarray(spare), 0, np.ceil(exact).astype(np.int64))
    shares = np.minimum(np.floor(exact).astype(np.int64), most)
    for stratum in np.argsort(shares - exact, kind="stable"):
        if shares.sum() < round(fraction * sum(sizes)) and shares[stratum] < most[stratum]:
            shares[stratum] += 1
    return [int(share) for share in shares]
