"""Earlier and later: rows parted by time, so that what scores a network is never older than what it trained on.

Rows of one time stay on one side. A part's size is the nearest to the asked one that this allows.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tauten.errors import DataError
from tauten.strata import Ints

Times = npt.NDArray[np.float64] | npt.NDArray[np.int64]


def parts(time: Times, ends: Sequence[float]) -> Ints:
    """The part (n,) of each row, 0 the earliest: part i ends nearest to row number `ends[i]` in the order of time.

    No part is empty. Raises DataError where there are fewer distinct times than parts.

    >>> parts(np.array([5, 1, 4, 1, 2]), [2, 3]).tolist()
    [2, 0, 2, 0, 1]
    """
    moments, at, counts = np.unique(time, return_inverse=True, return_counts=True)
    if len(moments) <= len(ends):
        raise DataError(
            f"the time column holds {len(moments)} distinct {'time' if len(moments) == 1 else 'times'}: expected at "
            f"least {len(ends) + 1} to part earlier rows from later ones, so name another column"
        )
    cuts = np.cumsum(counts)[:-1]
    taken: list[int] = []
    for i, end in enumerate(ends):
        first = taken[-1] + 1 if taken else 0
        room = cuts[first : len(cuts) - (len(ends) - 1 - i)]
        taken.append(first + int(np.abs(room - end).argmin()))
    return np.searchsorted(taken, at, side="left").astype(np.int64)


def windows(time: Times, k: int, random: np.random.Generator) -> Ints:
    """Blocks (n,) 0 … k of about equal size for expanding windows: block i > 0 is scored by what earlier blocks taught.

    The first block's end is fixed, so that every partition scores the same rows; the ends after it are moved at random
    by up to a quarter of a block, so that partitions differ.
    """
    first = len(time) / (k + 1)
    inner = np.arange(2, k + 1) + random.uniform(-0.25, 0.25, k - 1)
    return parts(time, [first, *(first * inner)])
