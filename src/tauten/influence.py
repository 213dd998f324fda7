"""Metrics that are no mean over rows, made one: the metric of all rows plus each row's influence on it.

A row's value is θ + IF(row), the first-order (Hampel 1974) share that it has in the metric θ of the rows scored
together: the weighted mean of the values is θ exactly, their spread is that of θ (the infinitesimal jackknife, Efron
1982), and a difference of two arms is a difference row by row. For AUC these are DeLong, DeLong & Clarke-Pearson's
(1988) placements. Everything is stated as a loss, 1 − metric where greater is better.

Shapes: outputs (…, R, K) of any number of members, targets (R, K), weights (R,) of mean 1; values (…, R). Every sum
runs along a member's own rows, so its bits don't depend on who else is in the stack.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def softmax(out: Floats) -> Floats:
    """Class probabilities."""
    powers = np.exp(out - out.max(-1, keepdims=True))
    result: Floats = powers / powers.sum(-1, keepdims=True)
    return result


def balanced_error(out: Floats, y: Floats, w: Floats) -> Floats:
    """One minus the mean over the classes present of the share of a class's rows that are found."""
    wrong = (out.argmax(-1) != y.argmax(-1)).astype(np.float64)
    total, present = np.zeros_like(wrong), 0
    for own in y.T:
        share = (own * w).mean()
        if share > 0:
            error = (wrong * own * w).mean(-1, keepdims=True) / share
            total += error + own * (wrong - error) / share
            present += 1
    errors: Floats = total / max(present, 1)
    return errors


def one_minus_f1(out: Floats, y: Floats, w: Floats, positive: int = 1) -> Floats:
    """One minus F1 = 2 tp / (2 tp + fp + fn): of the positive one of two classes, else the mean over classes.

    A class that neither occurs nor is predicted is left out of the mean; of two classes the F1 is then 0.
    """
    guess, total, counted = out.argmax(-1), np.zeros(out.shape[:-1]), np.zeros((*out.shape[:-2], 1))
    for k in (positive,) if y.shape[-1] == 2 else range(y.shape[-1]):
        said, hit = (guess == k) + y[:, k], (guess == k) * y[:, k]
        size = (said * w).mean(-1, keepdims=True)
        there = size > 0
        size = np.where(there, size, 1.0)
        f1 = 2 * (hit * w).mean(-1, keepdims=True) / size
        total += f1 + (2 * hit - f1 * said) / size
        counted += there
    return 1 - total / np.maximum(counted, 1)


def one_minus_auc(out: Floats, y: Floats, w: Floats) -> Floats:
    """One minus the area under the ROC curve: of two classes, else the mean over each class against the rest.

    Classes without rows, or without rows of others, are left out; where none is left, the area is 1/2.
    """
    probability = softmax(out)
    areas = []
    for k in (1,) if y.shape[-1] == 2 else range(y.shape[-1]):
        if 0 < (y[:, k] * w).mean() < w.mean():
            scores = np.ascontiguousarray(probability[..., k]).reshape(-1, len(y))
            areas.append(np.stack([_area(own, y[:, k], w) for own in scores]))
    if not areas:
        return np.full(out.shape[:-1], 0.5)
    mean: Floats = np.mean(areas, 0)
    return 1 - mean.reshape(out.shape[:-1])


def _area(scores: Floats, positive: Floats, w: Floats) -> Floats:
    """Area under one member's ROC curve and each row's influence on it; scores, positive (R,)."""
    values, at = np.unique(scores, return_inverse=True)
    sizes = [np.bincount(at, part, len(values)) for part in (w * (1 - positive), w * positive)]
    # A row's placement: the share of the other class that it is on the right side of; a tie counts half.
    below, above = sizes[0].cumsum() - sizes[0] / 2, sizes[1].sum() - sizes[1].cumsum() + sizes[1] / 2
    placement = np.where(positive > 0, (below / sizes[0].sum())[at], (above / sizes[1].sum())[at])
    area = (placement * positive * w).sum() / sizes[1].sum()
    share = (positive * w).mean()
    own: Floats = area + (placement - area) * np.where(positive > 0, 1 / share, 1 / (w.mean() - share))
    return own


def root_mean_square(out: Floats, y: Floats, w: Floats) -> Floats:
    """The root of the mean squared error, mean over targets."""
    squares = np.square(out - y)
    root = np.sqrt(_over_rows(squares, w))
    # Without any error there is no influence either.
    own: Floats = root + (squares - root**2) / np.where(root > 0, 2 * root, 1.0)
    over_targets: Floats = own.mean(-1)
    return over_targets


def unexplained(out: Floats, y: Floats, w: Floats) -> Floats:
    """One minus R²: squared error over squared deviation from the mean of the rows scored, mean over targets.

    A target that is constant over these rows gives 0 where it is met exactly, else 1, as in scikit-learn.
    """
    squares, deviations = np.square(out - y), np.square(y - _over_rows(y, w))
    error, spread = _over_rows(squares, w), _over_rows(deviations, w)
    varies = spread > 0
    ratio = error / np.where(varies, spread, 1.0)
    own = ratio + (squares - ratio * deviations) / np.where(varies, spread, 1.0)
    result: Floats = np.where(varies, own, error > 0).mean(-1)
    return result


def _over_rows(values: Floats, w: Floats) -> Floats:
    """Weighted means (…, 1, K) over rows; each along memory of its own."""
    turned = np.ascontiguousarray(np.moveaxis(values, -2, -1))
    mean: Floats = np.moveaxis((turned * w).mean(-1, keepdims=True), -1, -2)
    return mean
