"""Student's t, and the checks that every interval makes of its input."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from tauten.errors import DataError, OptionError

Floats = NDArray[np.float64]
CAUTION = 1.5
"""By how much a proof takes the mean's skewness for larger than the sample's: where rare examples lose much, most
samples hold few of them. Intervals keep their level without it, and are shorter (`docs/evidence.md`)."""
SYMMETRIC = 1e-7
"""Below this the inverse of the transformation has no digits left, and nothing to correct."""


def finite(values: ArrayLike, name: str, dimensions: tuple[int, ...]) -> Floats:
    """Return `values` as float64 with one of the `dimensions`; DataError where it is not numeric and finite."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} can't be read as an array of numbers ({error}); pass a rectangular one") from error
    if array.ndim not in dimensions:
        wanted = " or ".join(str(d) for d in dimensions)
        raise DataError(f"{name} has shape {array.shape}, expected {wanted} dimension(s); reshape it")
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise DataError(f"{name} holds {bad} value(s) that are not finite; leave out the members that diverged")
    return array


def check_level(level: float) -> None:
    """OptionError unless `level` is a confidence level."""
    if not 0 < level < 1:
        raise OptionError(f"level is {level}, expected a number between 0 and 1, such as 0.95")


def check_ratio(test_train_ratio: float) -> None:
    """OptionError unless the ratio is one of two positive sizes (0 stands for independent test sets)."""
    if not 0 <= test_train_ratio < np.inf:
        raise OptionError(
            f"test_train_ratio is {test_train_ratio}, expected n_test / n_train of a fold, such as 0.25 for five folds"
        )


def half_width(standard_error: float, df: float, level: float) -> float:
    """Return half the length of the two-sided t interval."""
    return float(special.stdtrit(df, (1 + level) / 2)) * standard_error


def upper_p(mean: float, standard_error: float, df: float, skewness: float = 0.0) -> float:
    """Return the one-sided p-value for "the expectation is above 0"; `skewness` as for `bounds`, taken CAUTION times.

    Without any spread the answer is certain: 0 for a positive mean, 1 for zero or a negative one.
    """
    if standard_error == 0:
        return 0.0 if mean > 0 else 1.0
    t = mean / standard_error
    corrected = without_skewness(t, CAUTION * skewness)
    # The less certain of the two; nothing is known of the direction where they disagree about it.
    certain = 0.0 if t * corrected <= 0 else min(t, corrected, key=abs)
    return float(special.stdtr(df, -certain))


def bounds(mean: float, standard_error: float, df: float, skewness: float, level: float) -> tuple[float, float]:
    """Return the ends of the two-sided interval that holds Student's and the skewness-corrected one.

    `skewness` is that of the mean: its third central moment over its standard error cubed.
    """
    q = float(special.stdtrit(df, (1 + level) / 2))
    down, up = max(q, with_skewness(q, skewness)), max(q, -with_skewness(-q, skewness))
    return mean - down * standard_error, mean + up * standard_error


def added_up(terms: tuple[float, float, float], dfs: tuple[int, int, int]) -> tuple[float, float]:
    """Return the variance of a mean and its degrees of freedom, from what examples, seeds and residual show.

    The first two terms hold the residual too, so it is taken out once; a component below it is cut at 0, and its term
    leaves the sum. Degrees of freedom of a sum of terms after Satterthwaite (1946): (Σ t)² / Σ (t² / df).
    """
    examples, seeds, residual = terms
    keep_e, keep_s = examples > residual, seeds > residual
    parts = (examples * keep_e, seeds * keep_s, residual * (1 - keep_e - keep_s))
    total = sum(parts)
    # Satterthwaite's number lies above the smallest df for a sum of positive terms; here one can be negative.
    df = float(min(dfs))
    if total > 0:
        df = max(df, 1 / sum((t / total) ** 2 / d for t, d in zip(parts, dfs, strict=True)))
    return total, df


def skewness_of(third: float, variance: float) -> float:
    """Return a third central moment over the standard deviation cubed; 0 without spread."""
    return third / variance**1.5 if variance > 0 else 0.0


def without_skewness(t: float, skewness: float) -> float:
    """Return t transformed so that skewed data leave it nearly Student's.

    With the mean's skewness a: ((1 + a·t/3)³ − 1) / a + a/6, that is t + a·t²/3 + a²·t³/27 + a/6 (Hall 1992, Journal of
    the Royal Statistical Society B 54:221-228), monotone in t for every a.
    """
    a = skewness
    return t + a * t * t / 3 + a * a * t**3 / 27 + a / 6


def with_skewness(t: float, skewness: float) -> float:
    """Return what `without_skewness` turns into t."""
    a = skewness
    if abs(a) < SYMMETRIC:
        return t
    return 3 / a * (float(np.cbrt(1 + a * (t - a / 6))) - 1)


def two_sided_p(mean: float, standard_error: float, df: float) -> float:
    """Return the p-value for "the expectation is not 0"."""
    return min(1.0, 2 * upper_p(abs(mean), standard_error, df))
