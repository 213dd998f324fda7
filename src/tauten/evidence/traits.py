"""What regularization changes beside the score: formulas for stability, spread of weights, co-adaptation, sparsity.

`row_weights` (n,) say how much each row counts in a mean over rows; without them all count alike.
"""

import numpy as np
from numpy.typing import ArrayLike

from tauten.errors import DataError
from tauten.evidence.student import Floats, finite
from tauten.evidence.weighted import row_mean, row_shares


def disagreements(labels: ArrayLike, row_weights: ArrayLike | None = None) -> Floats:
    """Return the share of rows on which two members predict unlike classes, for every two of them, shape (M, M).

    `labels` is (M, n), one member's predicted classes in a row. d_ab = mean_i [label_ai ≠ label_bi]: the *churn* of
    Milani Fard et al. 2016 (NIPS 29:3179-3187).

    >>> disagreements([[0, 1, 1, 0], [0, 1, 0, 1]]).tolist()
    [[0.0, 0.5], [0.5, 0.0]]
    """
    codes = _members(labels, "labels", (2,))
    shares = row_shares(row_weights, codes.shape[1])
    return np.array([row_mean(codes != own, shares) for own in codes])


def distances(predictions: ArrayLike, row_weights: ArrayLike | None = None) -> Floats:
    """Return how far two members' predictions lie apart on average, for every two of them, shape (M, M).

    `predictions` is (M, n): numbers, and d_ab = mean_i |f_ai − f_bi| in their unit; or (M, n, K): probabilities of
    classes, and d_ab = mean_i ½ Σ_k |p_aik − p_bik|, the total variation distance, from 0 to 1 (Levin, Peres & Wilmer
    2009, "Markov chains and mixing times", proposition 4.2).

    >>> distances([[[0.9, 0.1]], [[0.7, 0.3]]]).round(3).tolist()
    [[0.0, 0.2], [0.2, 0.0]]
    """
    p = _members(predictions, "predictions", (2, 3))
    shares, result = row_shares(row_weights, p.shape[1]), np.zeros((len(p), len(p)))
    for a in range(len(p)):
        for b in range(a):
            apart = np.abs(p[a] - p[b])
            result[a, b] = result[b, a] = row_mean(apart if p.ndim == 2 else apart.sum(axis=-1) / 2, shares)
    return result


def gini(weights: ArrayLike) -> float:
    """Return the Gini index of |w|, from 0 (all alike) to 1 − 1/N (one holds everything); 0 where all are 0.

    With |w| sorted upwards, N of them: G = Σ_i (2i − N − 1) |w|_(i) / (N Σ |w|). As a measure of sparsity: Hurley &
    Rickard 2009 (IEEE Trans. Inf. Theory 55:4723-4741). Scaling all weights changes nothing.

    >>> gini([1, 1, 1, 1]), gini([0, 0, 0, 1])
    (0.0, 0.75)
    """
    w = np.sort(np.abs(_flat(weights)))
    total, n = float(w.sum()), len(w)
    if total == 0:
        return 0.0
    return float(((2 * np.arange(1, n + 1) - n - 1) * (w / total)).sum() / n)


def participation(weights: ArrayLike) -> float:
    """Return the share of the N weights that carry the L2 norm: (Σ w²)² / (N Σ w⁴), from 1/N to 1; 0 where all are 0.

    1 where all |w| are alike, k/N where k of them are alike and the others 0: the participation ratio of Bell & Dean
    1970 (Discuss. Faraday Soc. 50:55-61) over N. Normal weights give 1/3.

    >>> participation([2, -2, 0, 0]), participation([0.5, 0.5])
    (0.5, 1.0)
    """
    w = _flat(weights)
    largest = float(np.abs(w).max())
    if largest == 0:
        return 0.0
    squares = (w / largest) ** 2
    return float(squares.sum() ** 2 / (len(w) * (squares**2).sum()))


def zeros(weights: ArrayLike) -> float:
    """Return the share of weights that are exactly 0.

    >>> zeros([0.0, 1e-30, 2.0, 0.0])
    0.5
    """
    return float((_flat(weights) == 0).mean())


def co_adaptation(activations: ArrayLike, row_weights: ArrayLike | None = None) -> float | None:
    """Return the mean absolute Pearson correlation between two units of a layer, over all pairs; from 0 to 1.

    `activations` is (n, H): rows and units. Units that don't vary on these rows have no correlation and are left out;
    None where fewer than two are left. Independent units give about √(2 / (π n)), so figures compare at equal n only.
    The quantity that Cogswell et al. 2016 (arXiv:1511.06068) penalize as covariance, and that dropout is meant to lower
    (Hinton et al. 2012, arXiv:1207.0580).

    >>> round(co_adaptation([[0, 1, 5], [1, 0, 5], [2, -1, 5]]), 6)
    1.0
    """
    h = finite(activations, "activations", (2,))
    shares = row_shares(row_weights, len(h))
    root = 1.0 if shares is None else np.sqrt(shares)[:, None]
    centred = (h - row_mean(h.T, shares)) * root
    norms = np.sqrt((centred**2).sum(axis=0))
    # What is left of a constant by rounding is no variation.
    vary = norms > 1e-10 * np.sqrt(((h * root) ** 2).sum(axis=0))
    if vary.sum() < 2:
        return None
    unit = centred[:, vary] / norms[vary]
    r = np.abs(unit.T @ unit)
    k = len(r)
    return min(1.0, float((r.sum() - np.trace(r)) / (k * (k - 1))))


def _members(values: ArrayLike, name: str, dimensions: tuple[int, ...]) -> Floats:
    x = finite(values, name, dimensions)
    if x.size == 0:
        raise DataError(f"{name} has shape {x.shape}; pass at least one member and one row")
    return x


def _flat(weights: ArrayLike) -> Floats:
    w = np.ravel(np.asarray(weights, dtype=np.float64))
    w = finite(w, "weights", (1,))
    if not w.size:
        raise DataError("weights is empty; pass at least one")
    return w
