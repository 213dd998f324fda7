"""Tree-structured Parzen estimators: where is a point likely that is near the good ones and away from the rest?

Bergstra, Bardenet, Bengio & Kégl 2011, "Algorithms for hyper-parameter optimization", in the multivariate form of
Falkner, Klein & Hutter 2018, arXiv:1807.01774; bandwidths as in Optuna. A point has a column for each dimension: a
number on [0, 1], or a code 0, 1, … of so many choices.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

Floats = npt.NDArray[np.float64]

CANDIDATES = 24
"""Points drawn near the good ones, of which the best is proposed."""
FULL_WEIGHT = 25
"""The last so many points weigh fully, older ones less and less."""


def propose(rng: np.random.Generator, good: Floats, rest: Floats, choices: Sequence[int]) -> Floats:
    """A point (d,) by good ones (a, d) and the rest (b, d), each in order of age; a and b may be 0.

    `choices` says for each column how many codes it has; 0 is a number.

    >>> good, rest = np.full((9, 1), 0.2), np.full((9, 1), 0.8)
    >>> bool(propose(np.random.default_rng(0), good, rest, [0])[0] < 0.5)
    True
    """
    near, far = Parzen(good, choices), Parzen(rest, choices)
    candidates = near.sample(rng, CANDIDATES)
    best: Floats = candidates[np.argmax(near.log_density(candidates) - far.log_density(candidates))]
    return best


class Parzen:
    """A kernel at each point, and one as wide as the cube: a density that is nowhere zero."""

    def __init__(self, points: Floats, choices: Sequence[int]) -> None:
        n, d = points.shape
        self._coded = [(j, k) for j, k in enumerate(choices) if k]
        self._numbers = [j for j, k in enumerate(choices) if not k]
        self._log_weights = np.log(_weights(n))
        width = np.clip(0.2 * max(n, 1) ** (-1 / (d + 4)), 1 / min(100, n + 2), 1.0)
        self._width = np.append(np.full(n, width), 1.0)[:, None]
        self._middle = np.vstack([points[:, self._numbers], np.full((1, len(self._numbers)), 0.5)])
        self._low = ndtr((0.0 - self._middle) / self._width)
        self._inside = ndtr((1.0 - self._middle) / self._width) - self._low
        self._tables = {j: _table(points[:, j].astype(int), k) for j, k in self._coded}

    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        """Points (count, d)."""
        kernel = rng.choice(len(self._log_weights), count, p=np.exp(self._log_weights))
        points = np.empty((count, len(self._numbers) + len(self._coded)))
        share = self._low[kernel] + rng.random((count, len(self._numbers))) * self._inside[kernel]
        points[:, self._numbers] = np.clip(self._middle[kernel] + self._width[kernel] * ndtri(share), 0.0, 1.0)
        for j, table in self._tables.items():
            points[:, j] = (rng.random((count, 1)) >= np.cumsum(table[kernel], 1)[:, :-1]).sum(1)
        return points

    def log_density(self, points: Floats) -> Floats:
        """At points (c, d), the logarithm of the density (c,)."""
        # (c, kernels): all number columns of a kernel share its width.
        z = (points[:, None, self._numbers] - self._middle) / self._width
        scale = np.log(self._inside).sum(1) + len(self._numbers) * np.log(self._width[:, 0] * np.sqrt(2 * np.pi))
        kernels = self._log_weights - scale - 0.5 * (z * z).sum(-1)
        for j, table in self._tables.items():
            kernels += np.log(table[:, points[:, j].astype(int)]).T
        top = kernels.max(1, keepdims=True)
        density: Floats = top[:, 0] + np.log(np.exp(kernels - top).sum(1))
        return density


def _weights(n: int) -> Floats:
    """Of n kernels in order of age, and of the wide one: 1, and less for those older than the last 25."""
    old = np.linspace(1 / n, 1, n - FULL_WEIGHT) if n > FULL_WEIGHT else np.empty(0)
    weights = np.concatenate([old, np.ones(min(n, FULL_WEIGHT) + 1)])
    normalized: Floats = weights / weights.sum()
    return normalized


def _table(codes: npt.NDArray[np.int64], choices: int) -> Floats:
    """Each kernel's probabilities (kernels, choices): nearly all on its own code, and the wide one's even."""
    table = np.full((len(codes) + 1, choices), 1 / (len(codes) + 1))
    table[np.arange(len(codes)), codes] += 1
    normalized: Floats = table / table.sum(1, keepdims=True)
    return normalized
