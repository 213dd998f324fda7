"""The arithmetic of `time_to_quality`: scored incumbents in, seconds and ratios out."""

from collections.abc import Callable, Sequence
from itertools import product
from math import exp, inf, log, sqrt
from statistics import fmean, median_high, stdev
from typing import NamedTuple


class Scored(NamedTuple):
    """An incumbent: when it was taken, and its mean score in each replicate of the common folds (lower is better)."""

    seconds: float
    replicates: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The figure that decides; inf where the recipe diverged."""
        return fmean(self.replicates) if self.replicates else inf


def as_good(mine: Scored, theirs: Scored, errors: float = 0.0) -> bool:
    """Whether my mean is at most theirs, plus so many standard errors of the paired difference.

    >>> as_good(Scored(1, (0.1, 0.4)), Scored(9, (0.3, 0.3)))
    True
    """
    if not errors:
        return mine.mean <= theirs.mean < inf
    if mine.mean == inf or theirs.mean == inf:
        return False
    differences = [a - b for a, b in zip(mine.replicates, theirs.replicates, strict=True)]
    return fmean(differences) <= errors * stdev(differences) / sqrt(len(differences))


def first_time(incumbents: Sequence[Scored], target: Scored, errors: float = 0.0) -> float:
    """Seconds until the first incumbent that is as good as the target; inf where none is.

    >>> first_time([Scored(1, (0.5,)), Scored(2, (0.3,)), Scored(3, (0.4,))], Scored(120, (0.4,)))
    2
    """
    return min((i.seconds for i in incumbents if as_good(i, target, errors)), default=inf)


def lasting_time(incumbents: Sequence[Scored], target: Scored) -> float:
    """Seconds from which on every incumbent is as good as the target; inf where the last one is not.

    >>> lasting_time([Scored(1, (0.3,)), Scored(2, (0.5,)), Scored(3, (0.4,))], Scored(120, (0.4,)))
    3
    """
    seconds = inf
    for incumbent in sorted(incumbents, reverse=True):
        if not as_good(incumbent, target):
            break
        seconds = incumbent.seconds
    return seconds


TimeTo = Callable[[Sequence[Scored], Scored], float]


def typical(runs: Sequence[Sequence[Scored]], targets: Sequence[Scored], time_to: TimeTo) -> float:
    """The median of a time over all pairs of our repeats and the peer's; inf where that many never get there."""
    return median_high(time_to(run, target) for run, target in product(runs, targets))


def geometric_mean(ratios: Sequence[float]) -> float:
    """0 where one of them is 0: a quality never reached is infinitely long in coming.

    >>> round(geometric_mean([4.0, 16.0]), 9)
    8.0
    """
    return 0.0 if min(ratios) == 0 else exp(fmean(map(log, ratios)))
