"""Prediction intervals from residuals: how far predictions of rows that a network never saw were off.

A row's residual is |y − ŷ| where ŷ comes from networks trained on other folds. As in split-conformal prediction (Lei et
al. 2018, doi:10.1080/01621459.2017.1307116) the interval is ŷ ± the ⌈(m + 1) · level⌉-th of m residuals. They come from
cross-validation and the delivered network trains on more rows, so the guarantee is that of rows and networks alike in
kind, not exact; it doesn't hold for rows of another kind, such as later ones.
"""

import math

import numpy as np
import numpy.typing as npt

from tauten.errors import OptionError

Floats = npt.NDArray[np.float64]
MOST = 1000


def quantiles(residuals: Floats) -> Floats:
    """The residuals (n, replicates) of n rows as m = min(n, 1000) numbers (m,) in ascending order: of all of them, the
    i-th is the (i / m)-quantile.

    >>> quantiles(np.array([[3.0, 5.0], [1.0, 2.0]])).tolist()
    [2.0, 5.0]
    """
    m = min(len(residuals), MOST)
    ranks = -(-np.arange(1, m + 1) * residuals.size // m)
    result: Floats = np.sort(residuals, axis=None)[ranks - 1]
    return result


def half_width(residuals: Floats, level: float) -> float:
    """Half the width of an interval that holds a share `level` of new rows, from what `quantiles` gave.

    OptionError for a level outside (0, 1), or so near to 1 that the rows are too few for it.

    >>> half_width(np.array([1.0, 2.0, 3.0, 4.0]), 0.8)
    4.0
    """
    if not 0 < level < 1:
        raise OptionError(f"interval is {level:g}; it must be a share between 0 and 1, such as 0.9.")
    m = len(residuals)
    # Rounding in (m + 1) · level must not ask for one residual more.
    rank = math.ceil(round((m + 1) * level, 9))
    if rank > m:
        raise OptionError(
            f"interval is {level:g}; {m} residuals are kept of this run, which allow at most {m / (m + 1):.4g}."
        )
    return float(residuals[rank - 1])
