"""Paired differences of models from overlapping training sets: the corrected resampled t."""

from dataclasses import dataclass

from numpy.typing import ArrayLike

from tauten.errors import DataError
from tauten.evidence.record import Record
from tauten.evidence.student import check_level, check_ratio, finite, half_width, upper_p


@dataclass(frozen=True)
class CorrectedDifference(Record):
    """The mean of paired differences (positive: better) with its two-sided interval; `p` is one-sided, for "better"."""

    mean: float
    low: float
    high: float
    p: float
    df: float
    standard_error: float
    n_models: int
    test_train_ratio: float
    level: float


def corrected_difference(d: ArrayLike, test_train_ratio: float, level: float = 0.95) -> CorrectedDifference:
    """Return the Nadeau–Bengio corrected interval of per-model improvements.

    `d` is (J,): for each fold and seed the metric's improvement of one arm over the other on that fold's test part.
    `test_train_ratio` is n_test / n_train of a fold: 1 / (k − 1) for k folds, repeated or not. Training sets overlap,
    so the models' differences depend on each other: Var(mean) = (1/J + n_test/n_train) · s² with J − 1 degrees of
    freedom (Nadeau and Bengio 2003, Machine Learning 52, eq. 9; repeated k-fold: Bouckaert and Frank 2004).

    Estimand: the expected improvement over training sets of a fold's size and over seeds. A heuristic that errs to the
    long side when seeds, not training sets, make the spread.

    Raises DataError for fewer than 2 models or values that are not finite; OptionError for a level or ratio out of
    range.

    >>> found = corrected_difference([0.1, 0.2, 0.3], test_train_ratio=0.5)
    >>> f"{found.mean:.2f} {found.standard_error:.4f}"
    '0.20 0.0913'
    """
    check_level(level)
    check_ratio(test_train_ratio)
    x = finite(d, "d", (1,))
    if len(x) < 2:
        raise DataError(f"d holds {len(x)} difference(s); an interval needs at least 2 models per arm")
    mean = float(x.mean())
    standard_error = (1 / len(x) + test_train_ratio) ** 0.5 * float(x.std(ddof=1))
    df = float(len(x) - 1)
    half = half_width(standard_error, df, level)
    return CorrectedDifference(
        mean=mean,
        low=mean - half,
        high=mean + half,
        p=upper_p(mean, standard_error, df),
        df=df,
        standard_error=standard_error,
        n_models=len(x),
        test_train_ratio=test_train_ratio,
        level=level,
    )
