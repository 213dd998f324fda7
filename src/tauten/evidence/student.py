"""Student's t, and the checks that every interval makes of its input."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from tauten.errors import DataError, OptionError

Floats = NDArray[np.float64]


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


def upper_p(mean: float, standard_error: float, df: float) -> float:
    """Return the one-sided p-value for "the expectation is above 0".

    Without any spread the answer is certain: 0 for a positive mean, 1 for zero or a negative one.
    """
    if standard_error == 0:
        return 0.0 if mean > 0 else 1.0
    return float(special.stdtr(df, -mean / standard_error))


def two_sided_p(mean: float, standard_error: float, df: float) -> float:
    """Return the p-value for "the expectation is not 0"."""
    return min(1.0, 2 * upper_p(abs(mean), standard_error, df))
