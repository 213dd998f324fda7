"""Do probabilities mean what they say? Log loss, Brier score, calibration error, reliability table.

Wherever a function takes `weights` (n,), they say how much each row counts, and every mean over rows is a weighted one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tauten.errors import DataError, OptionError
from tauten.evidence.record import Record
from tauten.evidence.student import Floats, finite
from tauten.evidence.weighted import row_mean, row_shares

BINS = 15
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Bin(Record):
    """Rows whose confidence lies in (low, high]; `confidence` and `accuracy` are means over them, None without any."""

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration(Record):
    """All measures of this module on the same rows."""

    log_loss: float
    brier: float
    ece: float
    reliability: tuple[Bin, ...]
    n: int


def calibration(
    probabilities: ArrayLike, labels: ArrayLike, *, bins: int = BINS, weights: ArrayLike | None = None
) -> Calibration:
    """Return every measure of this module; arguments and errors as for `log_losses` and `reliability`."""
    n = len(np.asarray(labels))
    shares = row_shares(weights, n)
    return Calibration(
        log_loss=float(row_mean(log_losses(probabilities, labels), shares)),
        brier=float(row_mean(brier_scores(probabilities, labels), shares)),
        ece=expected_calibration_error(probabilities, labels, bins=bins, weights=weights),
        reliability=reliability(probabilities, labels, bins=bins, weights=weights),
        n=n,
    )


def log_losses(probabilities: ArrayLike, labels: ArrayLike) -> Floats:
    """Return each row's −log(probability of its label), in nats, shape (n,); the mean is the log loss.

    `probabilities` is (n, K), rows summing to 1 within 1e-3 (they are not renormalized); `labels` is (n,) of integers
    in 0 … K − 1. A probability is clipped from below at its own dtype's machine epsilon (2.2e-16 for float64, 1.2e-7
    for float32), as scikit-learn does, so that one impossible row costs 36 (16), not infinity.

    Raises DataError where shapes don't match, a value is no probability, or a label no class.

    >>> log_losses([[0.5, 0.5], [0.0, 1.0]], [0, 1]).round(3).tolist()
    [0.693, 0.0]
    """
    p, y = _checked(probabilities, labels)
    given = np.asarray(probabilities)
    epsilon = float(np.finfo(given.dtype).eps) if given.dtype.kind == "f" else float(np.finfo(np.float64).eps)
    # 0.0 − log: a certain and right row costs 0.0, not −0.0.
    return 0.0 - np.log(np.clip(p[np.arange(len(y)), y], epsilon, 1.0))


def brier_scores(probabilities: ArrayLike, labels: ArrayLike) -> Floats:
    """Return each row's Σ_k (p_k − [label = k])², from 0 to 2, shape (n,); the mean is Brier's (1950) score.

    Two classes give twice the score that counts one class only. Arguments and errors as for `log_losses`.

    >>> brier_scores([[0.5, 0.5], [0.0, 1.0]], [0, 0]).tolist()
    [0.5, 2.0]
    """
    p, y = _checked(probabilities, labels)
    return np.asarray(((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1))


def expected_calibration_error(
    probabilities: ArrayLike, labels: ArrayLike, *, bins: int = BINS, weights: ArrayLike | None = None
) -> float:
    """Return Σ_b n_b / n · |accuracy_b − confidence_b| over the bins of `reliability` (Guo et al. 2017).

    With weights, n_b / n is the bin's share of them.

    >>> round(expected_calibration_error([[0.9, 0.1], [0.9, 0.1]], [0, 1]), 3)
    0.4
    """
    confidence, right, where, _ = _binned(probabilities, labels, bins)
    shares = row_shares(weights, len(where))
    gaps = (right - confidence) * (1 / len(where) if shares is None else shares)
    return float(np.abs(np.bincount(where, gaps)).sum())


def reliability(
    probabilities: ArrayLike, labels: ArrayLike, *, bins: int = BINS, weights: ArrayLike | None = None
) -> tuple[Bin, ...]:
    """Return confidence and accuracy in `bins` equal-width bins of confidence, empty ones included.

    A row's confidence is its largest probability, its prediction the first class that has it. Arguments and errors as
    for `log_losses`; OptionError for fewer than 1 bin.

    >>> reliability([[0.9, 0.1], [0.3, 0.7]], [0, 0], bins=2)[1]
    Bin(low=0.5, high=1.0, n=2, confidence=0.8, accuracy=0.5)
    """
    confidence, right, where, edges = _binned(probabilities, labels, bins)
    shares = row_shares(weights, len(where))
    counted = np.ones(len(where)) if shares is None else shares
    table = []
    for b in range(bins):
        inside = where == b
        known = counted[inside].sum() > 0
        table.append(
            Bin(
                low=float(edges[b]),
                high=float(edges[b + 1]),
                n=int(inside.sum()),
                confidence=float(np.average(confidence[inside], weights=counted[inside])) if known else None,
                accuracy=float(np.average(right[inside], weights=counted[inside])) if known else None,
            )
        )
    return tuple(table)


def _binned(
    probabilities: ArrayLike, labels: ArrayLike, bins: int
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.intp], Floats]:
    """Each row's confidence, whether it is right, and its bin (n,); and the bins' edges."""
    if bins < 1:
        raise OptionError(f"bins is {bins}, expected 1 or more; the usual number is {BINS}")
    p, y = _checked(probabilities, labels)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    edges = np.linspace(0.0, 1.0, bins + 1)
    # Clipped because a float32 softmax may end a hair above 1.
    where = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    return confidence, right, where, edges


def _checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Floats, NDArray[np.intp]]:
    p = finite(probabilities, "probabilities", (2,))
    y = finite(labels, "labels", (1,))
    n, K = p.shape
    if n == 0 or K == 0 or len(y) != n:
        raise DataError(f"probabilities has shape {p.shape} and labels {y.shape}; pass (n, K) and (n,) with n ≥ 1")
    if p.min() < 0 or p.max() > 1 + SUM_TOLERANCE or np.abs(p.sum(axis=1) - 1).max() > SUM_TOLERANCE:
        raise DataError(
            f"probabilities range from {p.min():.4g} to {p.max():.4g} with row sums from {p.sum(axis=1).min():.4g} to "
            f"{p.sum(axis=1).max():.4g}, expected 0 to 1 and sums of 1; apply softmax to logits first"
        )
    classes = y.astype(np.intp)
    if (classes != y).any() or classes.min() < 0 or classes.max() >= K:
        raise DataError(f"labels range from {y.min():g} to {y.max():g}, expected integers 0 to {K - 1}; encode them")
    return p, classes
