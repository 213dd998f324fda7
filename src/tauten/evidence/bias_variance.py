"""Why models err: they differ from one another (variance), they all miss the truth (bias), or nobody can know (noise).

Every figure is a mean over rows (`weights` (n,) say how much each counts, all alike without), with an interval over
the M models of a row: what other training sets (and seeds) of the same kind would have given. Other rows are not
covered. Measured (normal errors, 1,500 runs a case): with 50 rows that err independently the 95 % intervals of the
squared error's parts cover 95 to 98 % with 3 to 20 models; with 5 such rows 92 to 98 %.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tauten.errors import DataError
from tauten.evidence.calibration import SUM_TOLERANCE
from tauten.evidence.jackknife import Spread, jackknife, spread
from tauten.evidence.record import Record
from tauten.evidence.student import Floats, finite
from tauten.evidence.weighted import row_mean, row_shares


@dataclass(frozen=True)
class Decomposition(Record):
    """`error` = `bias_and_noise` + `variance`; where the truth is known also `bias_and_noise` = `bias` + `noise`."""

    error: Spread
    variance: Spread
    bias_and_noise: Spread
    bias: Spread | None
    noise: float | None
    n_rows: int
    n_models: int


def squared_error(
    predictions: ArrayLike,
    targets: ArrayLike,
    *,
    noise: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> Decomposition:
    """Return bias² + noise and variance of the squared error (Geman, Bienenstock & Doursat 1992).

    `predictions` is (M, n), or (M, n, K) with a sum over K: in each row all of M models that did not train on it.
    `targets` (n,) or (n, K) are labels; or the truth, E[y | x], where `noise`, the variance of y around it (a number or
    (n,); summed over K), is given. Unit: that of the targets, squared.

    With f̄ the mean prediction: error = mean (f − y)², variance = Σ (f − f̄)² / (M − 1), and
    bias² + noise = (f̄ − y)² − variance / M, because f̄ of M models is off by variance / M itself; so they sum to the
    error exactly. With the truth in place of y the same is bias², and the error adds the noise.

    Raises DataError where shapes don't fit, a value is not finite, M < 3, or weights can't be.

    >>> found = squared_error([[1.0], [2.0], [3.0]], [0.0], noise=0.5)
    >>> [round(part, 3) for part in (found.error.mean, found.bias.mean, found.variance.mean, found.noise)]
    [5.167, 3.667, 1.0, 0.5]
    """
    f, y = _checked(predictions, targets)
    M, shares = len(f), row_shares(weights, len(y))
    error = row_mean(((f - y) ** 2).sum(axis=-1), shares)
    # Shifting all predictions of a row changes no variance and keeps digits where they are far from 0.
    f = f - f.mean(axis=0)
    total, squares = f.sum(axis=0), (f**2).sum(axis=0)

    def variance(left_out: int | None) -> float:
        k = M if left_out is None else M - 1
        s, q = (total, squares) if left_out is None else (total - f[left_out], squares - f[left_out] ** 2)
        return float(row_mean(((q - s**2 / k) / (k - 1)).sum(axis=-1), shares))

    known = None
    if noise is not None:
        given = finite(noise, "noise", (0, 1))
        if given.ndim and len(given) != len(y):
            raise DataError(f"noise has shape {given.shape} for {len(y)} row(s); pass one number, or one for each row")
        known = float(row_mean(given, shares) if given.ndim else given)
    return _decomposition(error, jackknife(variance(None), [variance(m) for m in range(M)]), known, y.shape[0], level)


def cross_entropy(
    log_probabilities: ArrayLike,
    targets: ArrayLike,
    *,
    truth: bool = False,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> Decomposition:
    """Return bias + noise and variance of the log loss, in nats (Heskes 1998, Neural Computation 10:1425-1433).

    `log_probabilities` is (M, n, K): in each row those of M models that did not train on it, natural logarithms of
    probabilities that sum to 1. `targets` (n, K) are labels as probabilities (one-hot), or with `truth` the true ones.

    The central prediction is the normalized geometric mean p̄ ∝ exp(mean_m log p_m), with normalizer Z. Then
    variance = mean_m KL(p̄ ‖ p_m) = −log Z, and error − variance = −Σ_k y_k log p̄_k = bias + noise; with the true
    probabilities q, noise is their entropy and bias = KL(q ‖ p̄). From M models −log Z is too small by about its M-th
    part; the jackknife takes that from the bias and gives it to the variance, and the sum stays exact.

    Raises DataError where shapes don't fit, a value is not finite, M < 3, or weights can't be.

    >>> found = cross_entropy(np.log([[[0.8, 0.2]], [[0.8, 0.2]], [[0.8, 0.2]]]), [[0.5, 0.5]], truth=True)
    >>> [round(part, 3) + 0.0 for part in (found.error.mean, found.bias.mean, found.variance.mean, found.noise)]
    [0.916, 0.223, 0.0, 0.693]
    """
    logs, y = _checked(log_probabilities, targets)
    if np.abs(np.exp(logs).sum(axis=-1) - 1).max() > SUM_TOLERANCE:
        raise DataError("log_probabilities are no logarithms of probabilities that sum to 1; apply log_softmax first")
    M, shares = len(logs), row_shares(weights, len(y))
    error = -row_mean((y * logs).sum(axis=-1), shares)
    total = logs.sum(axis=0)

    def variance(left_out: int | None) -> float:
        mean = total / M if left_out is None else (total - logs[left_out]) / (M - 1)
        largest = mean.max(axis=-1, keepdims=True)
        return -float(row_mean(largest[..., 0] + np.log(np.exp(mean - largest).sum(axis=-1)), shares))

    noise = None
    if truth:
        noise = -float(row_mean((y * np.log(np.where(y > 0, y, 1.0))).sum(axis=-1), shares))
        # What is measured against true probabilities holds their entropy already.
        error = error - noise
    return _decomposition(error, jackknife(variance(None), [variance(m) for m in range(M)]), noise, y.shape[0], level)


def _decomposition(error: Floats, variance: Floats, noise: float | None, rows: int, level: float) -> Decomposition:
    """From each model's error (M,), without the noise where that is known, and the variance's pseudo-values (M,)."""
    rest, known = error - variance, noise or 0.0
    return Decomposition(
        error=spread(error + known, level),
        variance=spread(variance, level),
        bias_and_noise=spread(rest + known, level),
        bias=None if noise is None else spread(rest, level),
        noise=noise,
        n_rows=rows,
        n_models=len(error),
    )


def _checked(predictions: ArrayLike, targets: ArrayLike) -> tuple[Floats, Floats]:
    f, y = finite(predictions, "predictions", (2, 3)), finite(targets, "targets", (1, 2))
    if f.shape[1:] != y.shape or y.size == 0:
        raise DataError(f"predictions has shape {f.shape} and targets {y.shape}; pass (M, n, …) and (n, …)")
    if len(f) < 3:
        raise DataError(f"predictions holds {len(f)} model(s) a row; a variance with an interval needs at least 3")
    return f.reshape(len(f), len(y), -1), y.reshape(len(y), -1)
