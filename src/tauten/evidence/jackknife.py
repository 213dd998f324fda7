"""Intervals for means and for statistics of pairs, over seeds or resamples: the jackknife."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tauten.errors import DataError
from tauten.evidence.record import Record
from tauten.evidence.student import Floats, check_level, finite, half_width


@dataclass(frozen=True)
class Spread(Record):
    """A mean over n members of one kind (seeds, resamples), and its two-sided t interval over them.

    With one member the interval is not known: `low` and `high` are None.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


def spread(pseudo: ArrayLike, level: float = 0.95) -> Spread:
    """Return the mean of pseudo-values (n,) with its t interval on n − 1 degrees of freedom.

    Plain values of n members are their own pseudo-values. Raises DataError for what is not finite or empty.

    >>> found = spread([1.0, 2.0, 3.0])
    >>> f"{found.mean:.1f} [{found.low:.2f}, {found.high:.2f}]"
    '2.0 [-0.48, 4.48]'
    """
    check_level(level)
    values = finite(pseudo, "values", (1,))
    n = len(values)
    if n == 0:
        raise DataError("values is empty; pass one number for each seed or resample, at least one")
    mean = float(values.mean())
    if n == 1:
        return Spread(mean, None, None, 1)
    half = half_width(float(values.std(ddof=1)) / n**0.5, n - 1, level)
    return Spread(mean, mean - half, mean + half, n)


def jackknife(whole: ArrayLike, without: ArrayLike) -> Floats:
    """Return Tukey's pseudo-values n θ − (n − 1) θ_(−i), shape (n,).

    `whole` is θ of all n members, `without` (n,) the same statistic without each member in turn (Tukey 1958). Their
    mean corrects θ's bias of order 1/n (Quenouille 1956).

    >>> jackknife(2.0, [2.5, 2.0, 1.5]).tolist()
    [1.0, 2.0, 3.0]
    """
    left_out = finite(without, "without", (1,))
    n = len(left_out)
    return np.asarray(n * float(np.asarray(whole)) - (n - 1) * left_out)


def pairs(distances: ArrayLike) -> Floats:
    """Return pseudo-values (n,) of the mean distance between two of n ≥ 3 members, from their distances (n, n).

    The matrix is symmetric with zeros on its diagonal. The mean of the pseudo-values is the mean over all pairs; their
    spread tells what other members would have given (the jackknife of a U-statistic, Arvesen 1969).

    >>> pairs([[0, 1, 3], [1, 0, 2], [3, 2, 0]]).tolist()
    [2.0, 0.0, 4.0]
    """
    d = finite(distances, "distances", (2,))
    n = len(d)
    if d.shape != (n, n) or n < 3:
        raise DataError(f"distances has shape {d.shape}; pass a square one of at least 3 members")
    total, own = d.sum() / 2, d.sum(axis=1)
    return jackknife(total / (n * (n - 1) / 2), (total - own) / ((n - 1) * (n - 2) / 2))
