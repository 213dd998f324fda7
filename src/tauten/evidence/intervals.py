"""Is one arm better than another? Paired intervals over examples and seeds at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tauten.errors import DataError
from tauten.evidence.clusters import totals
from tauten.evidence.record import Record
from tauten.evidence.student import Floats, added_up, bounds, check_level, finite, skewness_of, upper_p

FEWEST_EXAMPLES = 50
FEWEST_OF_A_CLASS = 10
FEWEST_CLUSTERS = 20


@dataclass(frozen=True)
class Components(Record):
    """Variance of one score, split; and what follows for the mean of all of them.

    `skewness` is that of the mean: its third central moment over `standard_error` cubed, as far as examples make it.
    """

    examples: float
    seeds: float
    residual: float
    standard_error: float
    df: float
    skewness: float


@dataclass(frozen=True)
class Estimate(Record):
    """The metric of one arm with its interval. `note` is empty or says what the interval leaves out.

    `n_clusters` is None where every example stands for itself.
    """

    mean: float
    low: float
    high: float
    df: float
    standard_error: float
    n_examples: int
    n_seeds: int
    level: float
    note: str
    n_clusters: int | None = None


@dataclass(frozen=True)
class Difference(Record):
    """The improvement of arm b over arm a (positive: b is better) with its two-sided interval.

    `p` is one-sided, for "b is better than a". `note` is empty or says what the interval leaves out. `n_clusters` is
    None where every example stands for itself.
    """

    mean: float
    low: float
    high: float
    p: float
    df: float
    standard_error: float
    n_examples: int
    n_seeds: int
    level: float
    note: str
    n_clusters: int | None = None


def compare(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    *,
    greater_is_better: bool = False,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Difference:
    """Return how much better arm b is than arm a, with an interval over examples and seeds.

    Both arrays are (n_examples, n_seeds), or (n_examples,) for one seed: each example's contribution to an additive
    metric, one whose mean over examples is the metric (log loss, 0/1 error, squared error). Cell (i, j) of both comes
    from the same example, seed and folds. Unit: the metric's own. `clusters` (n_examples,) names the group that each
    example belongs to (a patient, a block of time: `time_blocks`); examples of one group may then depend on each other.

    Estimand: the expected improvement over new seeds and new examples of the same kind, *for this training set*. The
    scores may be out-of-fold ones, each seed covering every example once; then it is the improvement of training on
    one fold's share of these rows. Not covered in either case: another training set, choosing the arms on these very
    scores, examples that depend on each other without `clusters` to say so, and, with folds that all seeds share, what
    the examples of one fold have in common.

    Where few examples lose much, Student's t promises too much. So the interval holds both t's and the one corrected
    for skewness (`student.bounds`), and `p` is the less certain of the two, with a half more of the skewness than the
    sample shows. `docs/evidence.md` shows how often the promise is kept, and where it isn't: rare losses of which a
    sample may hold none, and a few lopsided seeds.

    Raises DataError where shapes differ, a value is not finite, or there are fewer than 2 examples or clusters;
    OptionError for a level outside (0, 1). The interval: see `variance_components`.

    >>> plain = [[0.9, 0.8, 0.8], [0.4, 0.6, 0.5], [0.7, 0.7, 0.8]]
    >>> chosen = [[0.7, 0.7, 0.7], [0.3, 0.5, 0.5], [0.6, 0.6, 0.7]]
    >>> found = compare(plain, chosen)
    >>> f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"
    '0.100 [0.004, 0.196]'
    """
    a = _scores(scores_a, "scores_a")
    b = _scores(scores_b, "scores_b")
    if a.shape != b.shape:
        raise DataError(
            f"scores_a has shape {a.shape} and scores_b {b.shape}; pass the same examples and seeds in both"
        )
    parts, found = _estimate(b - a if greater_is_better else a - b, clusters, level)
    return Difference(
        mean=found.mean,
        low=found.low,
        high=found.high,
        p=upper_p(found.mean, parts.standard_error, parts.df, parts.skewness),
        df=found.df,
        standard_error=found.standard_error,
        n_examples=found.n_examples,
        n_seeds=found.n_seeds,
        level=found.level,
        note=found.note,
        n_clusters=found.n_clusters,
    )


def interval(scores: ArrayLike, *, clusters: ArrayLike | None = None, level: float = 0.95) -> Estimate:
    """Return the metric of one arm with its interval; input, estimand and errors as for `compare`.

    >>> interval([[0.0, 0.0], [0.0, 0.0]]).high
    0.0
    """
    return _estimate(_scores(scores, "scores"), clusters, level)[1]


def variance_components(scores: ArrayLike) -> Components:
    """Split the variance of (n_examples, n_seeds) scores by the method of moments.

    Two-way random effects without replication, x_ij = μ + e_i + s_j + r_ij, from the three mean squares E, S and R:
    σ²_r = R, σ²_e = max(E − R, 0) / n_seeds, σ²_s = max(S − R, 0) / n_examples, and
    Var(mean) = σ²_e / n_examples + σ²_s / n_seeds + σ²_r / (n_examples · n_seeds).
    A component cut at 0 leaves the residual as it is, so cutting can only lengthen the interval (`student.added_up`,
    which also has Satterthwaite's degrees of freedom). With one seed, the variance over examples and n − 1 degrees of
    freedom. The skewness is that of the examples' means; ten seeds are too few to tell their own.
    """
    x = _scores(scores, "scores")
    n, seeds = x.shape
    # Squares of very small or large scores would leave float64's range.
    scale = float(np.abs(x).max()) or 1.0
    x = x / scale
    centred = x - x.mean()
    of_examples = centred.mean(axis=1, keepdims=True)
    third = float((of_examples**3).sum()) / n**3
    if seeds == 1:
        own = float((of_examples**2).sum() / (n - 1))
        error = (own / n) ** 0.5 * scale
        return Components(own * scale * scale, 0.0, 0.0, error, float(n - 1), skewness_of(third, own / n))
    of_seeds = centred.mean(axis=0, keepdims=True)
    df_e, df_s = n - 1, seeds - 1
    df_r = df_e * df_s
    ms_e = float((of_examples**2).sum()) * seeds / df_e
    ms_s = float((of_seeds**2).sum()) * n / df_s
    ms_r = float(((centred - of_examples - of_seeds) ** 2).sum()) / df_r
    total, df = added_up((ms_e, ms_s, ms_r), (df_e, df_s, df_r))
    variance = total / (n * seeds)
    return Components(
        examples=max(ms_e - ms_r, 0.0) / seeds * scale * scale,
        seeds=max(ms_s - ms_r, 0.0) / n * scale * scale,
        residual=ms_r * scale * scale,
        standard_error=variance**0.5 * scale,
        df=df,
        skewness=skewness_of(third, variance),
    )


def too_small(n: int, smallest_class: int | None = None, n_clusters: int | None = None) -> str:
    """Return "" or why `n` rows, `smallest_class` of them in the rarest class, give point estimates only.

    `n_clusters` is how many groups they come in, where they do.

    >>> too_small(37)
    'too small: 37 examples, at least 50 are needed'
    >>> too_small(300, smallest_class=4)
    'too small: 4 examples of the rarest class, at least 10 are needed'
    """
    if n < FEWEST_EXAMPLES:
        return f"too small: {n} examples, at least {FEWEST_EXAMPLES} are needed"
    if smallest_class is not None and smallest_class < FEWEST_OF_A_CLASS:
        return f"too small: {smallest_class} examples of the rarest class, at least {FEWEST_OF_A_CLASS} are needed"
    if n_clusters is not None and n_clusters < FEWEST_CLUSTERS:
        said = "1 cluster" if n_clusters == 1 else f"{n_clusters} clusters"
        return f"too small: {said}, at least {FEWEST_CLUSTERS} are needed"
    return ""


def _estimate(x: Floats, clusters: ArrayLike | None, level: float) -> tuple[Components, Estimate]:
    check_level(level)
    n, seeds = x.shape
    mean = float(x.mean())
    units = x if clusters is None else totals(x, clusters)
    parts = variance_components(units)
    low, high = bounds(mean, parts.standard_error, parts.df, parts.skewness, level)
    n_clusters = None if clusters is None else len(units)
    notes = [
        too_small(n, n_clusters=n_clusters),
        "one seed: the interval covers examples only, not the spread between seeds" if seeds == 1 else "",
    ]
    note = "; ".join(note for note in notes if note)
    return parts, Estimate(mean, low, high, parts.df, parts.standard_error, n, seeds, level, note, n_clusters)


def _scores(values: ArrayLike, name: str) -> Floats:
    x = finite(values, name, (1, 2))
    x = x.reshape(len(x), -1) if x.size else x
    if len(x) < 2 or x.size == 0:
        raise DataError(f"{name} has shape {np.shape(values)}; an interval needs at least 2 examples and 1 seed")
    return x
