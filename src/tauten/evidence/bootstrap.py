"""Differences of any metric, one that is no mean over examples included: a crossed bootstrap, class by class."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from tauten.errors import DataError, OptionError
from tauten.evidence.clusters import cluster_codes
from tauten.evidence.intervals import Difference, too_small
from tauten.evidence.student import Floats, added_up, bounds, check_level, skewness_of, upper_p

Values = npt.NDArray[np.generic]
Rows = npt.NDArray[np.intp]
Metric = Callable[[Values, Values], float]
DRAWS, FEWEST_DRAWS, TRIES = 999, 99, 100


def bootstrap_compare(
    metric: Metric,
    outputs_a: ArrayLike,
    outputs_b: ArrayLike,
    labels: ArrayLike,
    *,
    stratify: bool = True,
    clusters: ArrayLike | None = None,
    greater_is_better: bool = True,
    draws: int = DRAWS,
    level: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Return how much better arm b is than arm a by any metric, with an interval over examples and seeds.

    `metric(labels, outputs)` scores one seed: labels (n,) and outputs (n, …) of the same rows, such as scikit-learn's
    `roc_auc_score`. `outputs_a` and `outputs_b` are (n, seeds) or (n, seeds, K), `labels` (n,). Estimand: the expected
    improvement over seeds and examples of the metric of one seed, for this training set.

    Every draw takes examples with replacement, within each class where `stratify` (leave it off for a target of
    numbers), or else whole `clusters`; and scores every seed of both arms on them. From the (draws, seeds) differences
    and the seeds' own, Var(mean) is put together as `variance_components` does: the draws' variance holds examples and
    residual, the seeds' holds seeds and residual, and the interaction, which is in both, is taken out once. (Drawing
    seeds as well would count it three times, McCullagh 2000, Bernoulli 6:285-301, and draw from ten seeds a spread
    that is a tenth too small.) t by Satterthwaite with the draws' skewness, as for `compare`.

    Raises DataError where shapes differ, the metric is not finite, or clusters lack a class 100 draws in a row;
    OptionError for a level outside (0, 1) or fewer than 99 draws.

    >>> labels = np.arange(60) % 2
    >>> found = bootstrap_compare(lambda y, p: (y == p).mean(), 0 * labels, labels, labels, draws=99)
    >>> f"{found.mean:.1f} {found.p:.0f}"
    '0.5 0'
    """
    check_level(level)
    if draws < FEWEST_DRAWS:
        raise OptionError(f"draws is {draws}, expected at least {FEWEST_DRAWS} to tell a variance and a skewness")
    y = np.asarray(labels)
    a, b = _outputs(outputs_a, "outputs_a", y), _outputs(outputs_b, "outputs_b", y)
    if a.shape[1] != b.shape[1]:
        raise DataError(f"outputs_a holds {a.shape[1]} seeds and outputs_b {b.shape[1]}; pass the same seeds in both")
    codes = None if clusters is None else cluster_codes(clusters, len(y))
    sign = 1 if greater_is_better else -1

    def improvements(rows: Rows) -> Floats:
        """Each seed's, (seeds,)."""
        own = y[rows]
        return np.array([sign * (metric(own, b[rows, j]) - metric(own, a[rows, j])) for j in range(a.shape[1])])

    seen = improvements(np.arange(len(y)))
    samples = _samples(y, codes, stratify, np.random.default_rng(seed))
    drawn = np.stack([improvements(next(samples)) for _ in range(draws)])
    if not np.isfinite(drawn).all():
        raise DataError(
            f"the metric is not finite on {int((~np.isfinite(drawn)).any(1).sum())} of {draws} draws; "
            "pass finite outputs and a metric that every class allows"
        )
    n_clusters = None if codes is None else int(codes.max()) + 1
    mean, units = float(seen.mean()), n_clusters or len(y)
    error, df, skewness = _spread(seen, drawn, units)
    low, high = bounds(mean, error, df, skewness, level)
    smallest = int(np.unique(y, return_counts=True)[1].min()) if stratify else None
    notes = [
        too_small(len(y), smallest, n_clusters),
        "one seed: the interval covers examples only, not the spread between seeds" if len(seen) == 1 else "",
    ]
    return Difference(
        mean=mean,
        low=low,
        high=high,
        p=upper_p(mean, error, df, skewness),
        df=df,
        standard_error=error,
        n_examples=len(y),
        n_seeds=len(seen),
        level=level,
        note="; ".join(note for note in notes if note),
        n_clusters=n_clusters,
    )


def _outputs(values: ArrayLike, name: str, labels: Values) -> Values:
    x = np.asarray(values)
    if labels.ndim != 1 or x.ndim not in (1, 2, 3) or len(x) != len(labels) or len(x) < 2:
        raise DataError(
            f"{name} has shape {x.shape} for labels of shape {labels.shape}; pass (n, seeds) or (n, seeds, K) for "
            "labels (n,), with at least 2 examples"
        )
    return x.reshape(len(x), -1) if x.ndim == 1 else x


def _samples(y: Values, codes: Rows | None, stratify: bool, random: np.random.Generator) -> Iterator[Rows]:
    """Rows of one draw after the other; one of clusters that lacks a class is drawn again."""
    if codes is None:
        strata = [np.flatnonzero(y == value) for value in np.unique(y)] if stratify else [np.arange(len(y))]
        while True:
            yield np.concatenate([rows[random.integers(len(rows), size=len(rows))] for rows in strata])
    members = [np.flatnonzero(codes == g) for g in range(int(codes.max()) + 1)]
    lacking = 0
    while lacking < TRIES:
        rows = np.concatenate([members[g] for g in random.integers(len(members), size=len(members))])
        lacking = lacking + 1 if stratify and len(np.unique(y[rows])) < len(np.unique(y)) else 0
        if not lacking:
            yield rows
    raise DataError(f"{TRIES} draws of {len(members)} clusters in a row lack a class; give more clusters of each class")


def _spread(seen: Floats, drawn: Floats, units: int) -> tuple[float, float, float]:
    """Standard error, degrees of freedom and skewness of the mean over seeds."""
    seeds = len(seen)
    centred = drawn.mean(axis=1) - drawn.mean()
    examples, third = float((centred**2).mean()), float((centred**3).mean())
    if seeds == 1:
        return examples**0.5, float(units - 1), skewness_of(third, examples)
    # How each seed moves under resampling of its own accord, beside what all seeds do.
    apart = drawn - drawn.mean(axis=0) - centred[:, None]
    residual = float((apart**2).sum()) / (len(drawn) * (seeds - 1) * seeds)
    of_seeds = float(seen.var(ddof=1)) / seeds
    dfs = (units - 1, seeds - 1, (units - 1) * (seeds - 1))
    variance, df = added_up((examples, of_seeds, residual), dfs)
    return variance**0.5, df, skewness_of(third, variance)
