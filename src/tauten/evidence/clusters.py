"""Examples that depend on each other: groups, and blocks of time, each counted as one."""

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from tauten.errors import DataError, OptionError
from tauten.evidence.student import Floats

Codes = npt.NDArray[np.intp]


def totals(scores: Floats, clusters: ArrayLike) -> Floats:
    """Return each cluster's share in the mean, (n_clusters, seeds): their mean is that of the scores (n, seeds).

    A cluster g gives m + (G / n) · Σ (x_i − m) over its examples, m being the mean of all and G the number of clusters:
    the linearized ratio of two totals, so that large clusters weigh more and their sizes count as random (Cochran 1977,
    Sampling Techniques, section 9A). What examples of one cluster have in common is then inside one unit.

    Raises DataError where `clusters` has another length than the scores, or fewer than 2 values.

    >>> totals(np.array([[1.0], [2.0], [6.0]]), ["a", "a", "b"]).ravel().tolist()
    [1.0, 5.0]
    """
    codes = cluster_codes(clusters, len(scores))
    groups = int(codes.max()) + 1
    mean = float(scores.mean())
    sums = np.zeros((groups, scores.shape[1]))
    np.add.at(sums, codes, scores - mean)
    return np.asarray(mean + sums * (groups / len(scores)))


def cluster_codes(clusters: ArrayLike, n: int) -> Codes:
    """Return the cluster of each of n examples as a number from 0; errors as for `totals`."""
    names = np.asarray(clusters)
    if names.shape != (n,):
        raise DataError(f"clusters has shape {names.shape} for {n} examples; pass one name for each example")
    values, codes = np.unique(names, return_inverse=True)
    if len(values) < 2:
        raise DataError(f"clusters holds {len(values)} value(s); an interval needs at least 2 groups of examples")
    return np.asarray(codes, dtype=np.intp)


def time_blocks(n: int, length: int | None = None) -> Codes:
    """Return `clusters` for n examples in order of time: consecutive blocks, of `length` examples or one more.

    The default length is the cube root of n, rounded up, which lets the blocks grow with their number (Künsch 1989). It
    should be longer than what happens now has an effect.

    Raises OptionError for a length that leaves fewer than 2 blocks.

    >>> time_blocks(7, 3).tolist()
    [0, 0, 0, 0, 1, 1, 1]
    """
    size = int(np.ceil(round(n ** (1 / 3), 9))) if length is None else length
    if not 1 <= size <= n // 2:
        raise OptionError(f"the length of a block is {size}: expected 1 to {n // 2}, half of the {n} examples")
    return np.asarray(np.arange(n) * (n // size) // n, dtype=np.intp)
