"""How corrections for skewness compare, and intervals on gains of a real network, in clusters, and of AUC.

The pieces that `evidence_simulated.py` puts together, each a function of a seed; nothing here reads a clock.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special, stats

import tauten
from tauten.evidence import bootstrap_compare, compare, grade, time_blocks, variance_components
from tauten.evidence.student import CAUTION

Floats = npt.NDArray[np.float64]
Rng = np.random.Generator
GAINS = (0.0, 1.0, 2.0, 3.0)


def _lognormal(rng: Rng, size: tuple[int, int]) -> Floats:
    return (rng.lognormal(size=size) - np.exp(0.5)) / (np.exp(2.0) - np.exp(1.0)) ** 0.5


def _rare(share: float) -> Callable[[Rng, tuple[int, int]], Floats]:
    """A share of examples loses much, the others gain little and differ a bit: mean 0, variance 1."""
    apart, own = (1 / share - 1) ** 0.5, 0.2

    def draw(rng: Rng, size: tuple[int, int]) -> Floats:
        rare = np.where(rng.random(size) < share, -apart, 1 / apart)
        return (rare + own * rng.standard_normal(size)) / (1 + own**2) ** 0.5

    return draw


SHAPES: Mapping[str, Callable[[Rng, tuple[int, int]], Floats]] = {
    "normal": lambda rng, size: rng.standard_normal(size),
    "Student's t, 3 degrees of freedom": lambda rng, size: rng.standard_t(3, size) / 3**0.5,
    "exponential, left (skewness −2)": lambda rng, size: 1 - rng.exponential(size=size),
    "gamma ¼, left (−4)": lambda rng, size: (0.25 - rng.gamma(0.25, size=size)) / 0.5,
    "lognormal, left (−6.2)": lambda rng, size: -_lognormal(rng, size),
    "lognormal, right (+6.2)": _lognormal,
    "5 % lose much (−3.9)": _rare(0.05),
    "1 % lose much (−9.3)": _rare(0.01),
}
"""Gains of examples, mean 0 and variance 1."""
BOTH = ("covered", "p ≤ 5 %", "covered, rows alone", "p ≤ 5 %, rows alone")
"""With clusters, and without."""


def hall(t: Floats, a: Floats) -> Floats:
    """Hall's (1992) transformation of t for data whose mean has skewness a."""
    return t + a * t * t / 3 + a * a * t**3 / 27 + a / 6


def corrections(x: Floats, rng: Rng | None = None, draws: int = 499) -> dict[str, Floats]:
    """One-sided p-values, (runs,), of every candidate for samples (runs, n); the bootstrap only with its `rng`."""
    n = x.shape[1]
    t = x.mean(1) / x.std(1, ddof=1) * n**0.5
    a = stats.skew(x, axis=1) / n**0.5
    student = special.stdtr(n - 1, -t)

    def held(factor: float) -> Floats:
        return np.maximum(student, special.stdtr(n - 1, -hall(t, factor * a)))

    found = {
        "Student's t": student,
        "Johnson": special.stdtr(n - 1, -(t + a * t * t / 3 + a / 6)),
        "Hall": special.stdtr(n - 1, -hall(t, a)),
        "t and Hall": held(1.0),
        f"t and Hall × {CAUTION:g}": held(CAUTION),
        "t and Hall × 2": held(2.0),
        "empirical likelihood": special.stdtr(n - 1, -_likelihood(x)),
    }
    return found if rng is None else {**found, "bootstrap-t": _bootstrap_t(x, t, rng, draws)}


def lengths(x: Floats) -> dict[str, dict[str, float]]:
    """Coverage of 0 and mean width in true standard errors of 95 % intervals of samples (runs, n) of variance 1."""
    n = x.shape[1]
    mean, error = x.mean(1), x.std(1, ddof=1) / n**0.5
    a, q = stats.skew(x, axis=1) / n**0.5, special.stdtrit(n - 1, 0.975)
    found = {}
    for factor in (0.0, 1.0, CAUTION):
        skewness = np.where(np.abs(factor * a) < 1e-9, 1e-9, factor * a)
        down, up = (3 / skewness * (np.cbrt(1 + skewness * (end - skewness / 6)) - 1) for end in (q, -q))
        low, high = mean - np.maximum(q, down) * error, mean + np.maximum(q, -up) * error
        name = f"t and Hall × {factor:g}" if factor else "Student's t"
        found[name] = {
            "coverage": float(((low <= 0) & (high >= 0)).mean()),
            "width": float((high - low).mean() * n**0.5),
        }
    return found


def _likelihood(x: Floats) -> Floats:
    """Signed root of Owen's (1988) empirical likelihood ratio for a mean of 0, by bisection for its multiplier."""
    low, high = -1 / np.maximum(x.max(1), 1e-12), 1 / np.maximum(-x.min(1), 1e-12)
    for _ in range(50):
        middle = (low + high) / 2
        rising = (x / (1 + middle[:, None] * x)).sum(1) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    ratio = np.maximum(2 * np.log1p((low + high)[:, None] / 2 * x).sum(1), 0.0)
    # A mean of 0 outside of all values has no likelihood at all.
    inside = (x.max(1) > 0) & (x.min(1) < 0)
    return np.where(inside, np.sign(low + high) * ratio**0.5, 99.0 * np.sign(x.mean(1)))


def _bootstrap_t(x: Floats, t: Floats, rng: Rng, draws: int) -> Floats:
    """Share of resampled t (about the sample's own mean) that reach the sample's t (Efron 1979)."""
    n, found = x.shape[1], np.empty(len(x))
    for i, own in enumerate(x - x.mean(1, keepdims=True)):
        counts = rng.multinomial(n, np.full(n, 1 / n), size=draws)
        mean = counts @ own / n
        spread = np.maximum(counts @ own**2 / n - mean**2, 1e-300) / (n - 1)
        found[i] = (1 + (mean / spread**0.5 >= t[i]).sum()) / (draws + 1)
    return found


def real_gains() -> dict[str, Floats]:
    """Out-of-fold gains of usual over plain, (rows, seeds), with mean 0: what the finals of a search look at.

    Losses are moved to mean 0. Gains in accuracy are mostly 0, which no shift may change, so each row stands there
    twice, once with its sign turned.
    """
    found = {}
    for table in ("breast_cancer", "wine", "digits"):
        measured = tauten.compare(table, recipes=["plain", "usual"], setting={"epochs": 20, "width": 64})
        losses, errors = (
            measured.scores["plain"].rows[name] - measured.scores["usual"].rows[name]
            for name in ("log_loss", "accuracy")
        )
        found[f"{table}, log loss"] = losses - losses.mean()
        found[f"{table}, accuracy"] = np.concatenate([errors, -errors])
    return found


def on_population(
    gains: Floats, n: int, seeds: int, runs: int, seed: int, planted: Sequence[float] = GAINS
) -> dict[str, Any]:
    """Coverage, width, false proofs and power where examples and seeds are drawn from those of `gains`."""
    rng, parts = np.random.default_rng(seed), variance_components(gains)
    error = (parts.examples / n + parts.seeds / seeds + parts.residual / (n * seeds)) ** 0.5
    proved, found = ({f"{g:g}": 0.0 for g in planted} for _ in range(2))
    covered = width = 0.0
    for _ in range(runs):
        own = gains[np.ix_(rng.integers(len(gains), size=n), rng.integers(gains.shape[1], size=seeds))]
        for gain in planted:
            result = compare(own + gain * error, np.zeros_like(own))
            name = grade(result)
            proved[f"{gain:g}"] += (name == "proved") / runs
            found[f"{gain:g}"] += (name != "no evidence") / runs
        covered += (result.low <= planted[-1] * error <= result.high) / runs
        width += (result.high - result.low) / error / runs
    skewness = float(stats.skew(gains.mean(1)))
    return {"skewness": skewness, "covered": covered, "width": width, "proved": proved, "found": found}


def in_clusters(groups: int, skewed: bool, runs: int, seed: int, seeds: int = 10) -> dict[str, float]:
    """Coverage and false proofs with groups of 2 to 9 examples that share most of their gain, with and without."""
    rng, found = np.random.default_rng(seed), np.zeros(4)
    for _ in range(runs):
        codes = np.repeat(np.arange(groups), rng.integers(2, 10, groups))
        shared = -_lognormal(rng, (groups, 1)) if skewed else rng.standard_normal((groups, 1))
        gains = shared[codes] + rng.standard_normal((len(codes), seeds))
        found += _both(gains, codes)
    return dict(zip(BOTH, found / runs, strict=True))


def in_time(n: int, correlation: float, runs: int, seed: int, seeds: int = 10) -> dict[str, float]:
    """The same where an example's gain depends on the one before (autoregressive), in blocks of the default length."""
    rng, found = np.random.default_rng(seed), np.zeros(4)
    for _ in range(runs):
        shocks = rng.standard_normal(n) * (1 - correlation**2) ** 0.5
        series = np.empty((n, 1))
        series[0] = rng.standard_normal()
        for i in range(1, n):
            series[i] = correlation * series[i - 1] + shocks[i]
        found += _both(series + rng.standard_normal((n, seeds)), time_blocks(n))
    return dict(zip(BOTH, found / runs, strict=True))


def _both(gains: Floats, clusters: npt.NDArray[np.intp]) -> Floats:
    own, rows = (compare(gains, np.zeros_like(gains), clusters=c) for c in (clusters, None))
    return np.array([own.low <= 0 <= own.high, own.p <= 0.05, rows.low <= 0 <= rows.high, rows.p <= 0.05], dtype=float)


def area(y: npt.NDArray[Any], score: npt.NDArray[Any]) -> float:
    """Area under the ROC curve of scores without ties between the classes."""
    positive = y[np.argsort(score)] == 1
    m = int(positive.sum())
    return float((np.flatnonzero(positive).sum() - m * (m - 1) / 2) / (m * (len(y) - m)))


def balanced(y: npt.NDArray[Any], score: npt.NDArray[Any]) -> float:
    """Balanced accuracy of the guess score > ½."""
    right = (score > 0.5) == (y == 1)
    return float((right[y == 1].mean() + right[y == 0].mean()) / 2)


def _truth(metric: str, strength: float, common: float) -> float:
    """Expected metric of the arm of `on_metric`, over its seeds by Gauss–Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    own = strength * (1 + common * nodes)
    spread = (own**2 + 1.25) ** 0.5
    if metric == "AUC":
        values = special.ndtr(own / (2**0.5 * spread))
    else:
        values = (special.ndtr(0.5 / spread) + special.ndtr((own - 0.5) / spread)) / 2
    return float((weights * values).sum() / weights.sum())


def on_metric(
    metric: str, n: int, gain: float, runs: int, seed: int, seeds: int = 5, draws: int = 199
) -> dict[str, float]:
    """The stratified crossed bootstrap on known truth: labels, 30 % of them positive, and scores in four parts.

    Score = strength · (1 + 0.3 · seed) · (label + example) + example of this arm + residual, all normal.
    """
    rng, common, covered, proved, width = np.random.default_rng(seed), 0.3, 0, 0, 0.0
    y = (np.arange(n) < 0.3 * n).astype(int)
    truth = _truth(metric, 1.0 + gain, common) - _truth(metric, 1.0, common)
    for run in range(runs):
        signal = y[:, None] + rng.standard_normal((n, 1))
        arms = [
            strength * (1 + common * rng.standard_normal((1, seeds))) * signal
            + 0.5 * rng.standard_normal((n, 1))
            + rng.standard_normal((n, seeds))
            for strength in (1.0, 1.0 + gain)
        ]
        found = bootstrap_compare(area if metric == "AUC" else balanced, *arms, y, draws=draws, seed=run)
        covered += found.low <= truth <= found.high
        proved += found.p <= 0.05
        width += (found.high - found.low) / runs
    return {"truth": truth, "covered": covered / runs, "proved": proved / runs, "width": width}
