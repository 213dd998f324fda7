"""Is one arm better than another? Paired intervals over examples and seeds at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tauten.errors import DataError
from tauten.evidence.record import Record
from tauten.evidence.student import Floats, check_level, finite, half_width, upper_p

FEWEST_EXAMPLES = 50
FEWEST_OF_A_CLASS = 10


@dataclass(frozen=True)
class Components(Record):
    """Variance of one score, split; and what follows for the mean of all of them."""

    examples: float
    seeds: float
    residual: float
    standard_error: float
    df: float


@dataclass(frozen=True)
class Estimate(Record):
    """The metric of one arm with its interval. `note` is empty or says what the interval leaves out."""

    mean: float
    low: float
    high: float
    df: float
    standard_error: float
    n_examples: int
    n_seeds: int
    level: float
    note: str


@dataclass(frozen=True)
class Difference(Record):
    """The improvement of arm b over arm a (positive: b is better) with its two-sided interval.

    `p` is one-sided, for "b is better than a". `note` is empty or says what the interval leaves out.
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


def compare(
    scores_a: ArrayLike, scores_b: ArrayLike, *, greater_is_better: bool = False, level: float = 0.95
) -> Difference:
    """Return how much better arm b is than arm a, with an interval over examples and seeds.

    Both arrays are (n_examples, n_seeds), or (n_examples,) for one seed: each example's contribution to an additive
    metric, one whose mean over examples is the metric (log loss, 0/1 error, squared error). Cell (i, j) of both comes
    from the same example, seed and folds. Unit: the metric's own.

    Estimand: the expected improvement over new seeds and new examples of the same kind, *for this training set*. The
    scores may be out-of-fold ones, each seed covering every example once; then it is the improvement of training on
    one fold's share of these rows. Not covered in either case: another training set, choosing the arms on these very
    scores, examples that depend on each other (groups, time), and, with folds that all seeds share, what the examples
    of one fold have in common.

    Measured with 10 seeds (`simulate`, 4,000 runs a case): the 95 % interval covers 94–98 % for normal and for
    heavy-tailed examples. Known weakness, as of every t interval: where the gain's spread is due to a few examples
    that lose much (a lognormal turned round), it covers 90 % at 50 examples, 94 % at 200, and `p` falls to 0.05 in
    14 %, 10 % and, at 2,000 examples, 7 % of runs without a gain.

    Raises DataError where shapes differ, a value is not finite, or there are fewer than 2 examples; OptionError for a
    level outside (0, 1). The interval: see `variance_components`.

    >>> plain = [[0.9, 0.8, 0.8], [0.4, 0.6, 0.5], [0.7, 0.7, 0.8]]
    >>> chosen = [[0.7, 0.7, 0.7], [0.3, 0.5, 0.4], [0.6, 0.6, 0.7]]
    >>> found = compare(plain, chosen)
    >>> f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"
    '0.111 [0.063, 0.159]'
    """
    a = _scores(scores_a, "scores_a")
    b = _scores(scores_b, "scores_b")
    if a.shape != b.shape:
        raise DataError(
            f"scores_a has shape {a.shape} and scores_b {b.shape}; pass the same examples and seeds in both"
        )
    found = interval(b - a if greater_is_better else a - b, level=level)
    return Difference(
        mean=found.mean,
        low=found.low,
        high=found.high,
        p=upper_p(found.mean, found.standard_error, found.df),
        df=found.df,
        standard_error=found.standard_error,
        n_examples=found.n_examples,
        n_seeds=found.n_seeds,
        level=found.level,
        note=found.note,
    )


def interval(scores: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Return the metric of one arm with its interval; input, estimand and errors as for `compare`.

    >>> interval([[0.0, 0.0], [0.0, 0.0]]).high
    0.0
    """
    check_level(level)
    x = _scores(scores, "scores")
    n, seeds = x.shape
    parts = variance_components(x)
    mean = float(x.mean())
    half = half_width(parts.standard_error, parts.df, level)
    notes = [
        too_small(n),
        "one seed: the interval covers examples only, not the spread between seeds" if seeds == 1 else "",
    ]
    return Estimate(
        mean=mean,
        low=mean - half,
        high=mean + half,
        df=parts.df,
        standard_error=parts.standard_error,
        n_examples=n,
        n_seeds=seeds,
        level=level,
        note="; ".join(note for note in notes if note),
    )


def variance_components(scores: ArrayLike) -> Components:
    """Split the variance of (n_examples, n_seeds) scores by the method of moments.

    Two-way random effects without replication, x_ij = μ + e_i + s_j + r_ij, from the three mean squares E, S and R:
    σ²_r = R, σ²_e = max(E − R, 0) / n_seeds, σ²_s = max(S − R, 0) / n_examples, and
    Var(mean) = σ²_e / n_examples + σ²_s / n_seeds + σ²_r / (n_examples · n_seeds).
    A component cut at 0 leaves the residual as it is, so cutting can only lengthen the interval. Degrees of freedom
    after Satterthwaite (1946), as Var(mean) is a sum of c·MS: (Σ c·MS)² / Σ ((c·MS)² / df), where a cut component's
    mean square has left the sum. With one seed, the variance over examples and n − 1 degrees of freedom.
    """
    x = _scores(scores, "scores")
    n, seeds = x.shape
    # Squares of very small or large scores would leave float64's range.
    scale = float(np.abs(x).max()) or 1.0
    x = x / scale
    centred = x - x.mean()
    of_examples = centred.mean(axis=1, keepdims=True)
    if seeds == 1:
        variance = float((of_examples**2).sum() / (n - 1))
        return Components(variance * scale * scale, 0.0, 0.0, (variance / n) ** 0.5 * scale, float(n - 1))
    of_seeds = centred.mean(axis=0, keepdims=True)
    df_e, df_s = n - 1, seeds - 1
    df_r = df_e * df_s
    ms_e = float((of_examples**2).sum()) * seeds / df_e
    ms_s = float((of_seeds**2).sum()) * n / df_s
    ms_r = float(((centred - of_examples - of_seeds) ** 2).sum()) / df_r
    keep_e, keep_s = ms_e > ms_r, ms_s > ms_r
    terms = (ms_e * keep_e, ms_s * keep_s, ms_r * (1 - keep_e - keep_s))
    total = sum(terms)
    # Satterthwaite's number lies above the smallest df for a sum of positive terms; here one can be negative.
    df = float(min(df_e, df_s))
    if total > 0:
        df = max(df, 1 / sum((t / total) ** 2 / d for t, d in zip(terms, (df_e, df_s, df_r), strict=True)))
    return Components(
        examples=max(ms_e - ms_r, 0.0) / seeds * scale * scale,
        seeds=max(ms_s - ms_r, 0.0) / n * scale * scale,
        residual=ms_r * scale * scale,
        standard_error=(total / (n * seeds)) ** 0.5 * scale,
        df=df,
    )


def too_small(n: int, smallest_class: int | None = None) -> str:
    """Return "" or why `n` rows, `smallest_class` of them in the rarest class, give point estimates only.

    >>> too_small(37)
    'too small: 37 examples, at least 50 are needed'
    >>> too_small(300, smallest_class=4)
    'too small: 4 examples of the rarest class, at least 10 are needed'
    """
    if n < FEWEST_EXAMPLES:
        return f"too small: {n} examples, at least {FEWEST_EXAMPLES} are needed"
    if smallest_class is not None and smallest_class < FEWEST_OF_A_CLASS:
        return f"too small: {smallest_class} examples of the rarest class, at least {FEWEST_OF_A_CLASS} are needed"
    return ""


def _scores(values: ArrayLike, name: str) -> Floats:
    x = finite(values, name, (1, 2))
    x = x.reshape(len(x), -1) if x.size else x
    if len(x) < 2 or x.size == 0:
        raise DataError(f"{name} has shape {np.shape(values)}; an interval needs at least 2 examples and 1 seed")
    return x
