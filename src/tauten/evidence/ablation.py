"""What each ingredient of a recipe gains, with intervals that hold for all ingredients at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tauten.errors import DataError
from tauten.evidence.record import Record
from tauten.evidence.resampled import CorrectedDifference, corrected_difference
from tauten.evidence.student import Floats, check_level, finite, two_sided_p


@dataclass(frozen=True)
class Gain(Record):
    """One gain (positive: the ingredient helps), its simultaneous interval and its Holm-adjusted two-sided `p`."""

    gain: float
    low: float
    high: float
    p: float
    standard_error: float
    n_models: int


@dataclass(frozen=True)
class Ingredient(Record):
    """`without`: the chosen recipe over itself less the technique. `alone`: plain with the technique over plain."""

    technique: str
    without: Gain
    alone: Gain


def ablation(
    rows: Sequence[tuple[str, ArrayLike, ArrayLike]], *, test_train_ratio: float, level: float = 0.95
) -> tuple[Ingredient, ...]:
    """Return each ingredient's gain in the recipe and alone, with simultaneous coverage.

    A row is (technique, without, alone); the last two are (J,) per-model improvements, one for each fold and seed, in
    the metric's unit: chosen over chosen-without, and plain-with-it over plain. Fold sets must be fresh, not those that
    chose the recipe. `test_train_ratio` as for `corrected_difference`.

    Every row makes two claims, so m = 2 · len(rows). Intervals are Nadeau–Bengio corrected t intervals with
    Bonferroni's level, 1 − (1 − level) / m: with probability `level` all m hold at once, however they depend on each
    other. `p` is two-sided, because an ingredient may hurt, and adjusted over all m claims by Holm's step-down (1979);
    an interval without 0 implies p ≤ 1 − level, while Holm may find a little more.

    Raises DataError for a technique named twice, and as `corrected_difference` does.

    >>> (row,) = ablation([("dropout", [0.3, 0.2, 0.4], [0.0, 0.0, 0.0])], test_train_ratio=0.5)
    >>> f"{row.without.gain:.2f} {row.without.p:.3f} {row.alone.p:.0f}"
    '0.30 0.163 1'
    """
    names = [name for name, _, _ in rows]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"technique {repeated[0]!r} is in the ablation twice; pass each one once")
    gains = simultaneous([d for _, *pair in rows for d in pair], test_train_ratio=test_train_ratio, level=level)
    return tuple(
        Ingredient(name, without, alone) for name, without, alone in zip(names, gains[::2], gains[1::2], strict=True)
    )


def simultaneous(claims: Sequence[ArrayLike], *, test_train_ratio: float, level: float = 0.95) -> tuple[Gain, ...]:
    """Return the gain that each of m claims (J,) states, with intervals that hold for all at once and Holm's p.

    Arguments, intervals and errors as for `ablation`.

    >>> [round(gain.gain, 2) for gain in simultaneous([[0.3, 0.2, 0.4], [0.0, 0.1, 0.2]], test_train_ratio=0.5)]
    [0.3, 0.1]
    """
    check_level(level)
    if not claims:
        return ()
    each = 1 - (1 - level) / len(claims)
    found = [corrected_difference(d, test_train_ratio, each) for d in claims]
    adjusted = holm([two_sided_p(c.mean, c.standard_error, c.df) for c in found])
    return tuple(_gain(claim, float(p)) for claim, p in zip(found, adjusted, strict=True))


def holm(p: ArrayLike) -> Floats:
    """Return Holm's step-down adjusted p-values of m claims (m,), in the order given.

    The i-th smallest, counted from 0, becomes the largest of min(1, (m − j) · p_(j)) over j ≤ i (Holm 1979).

    >>> holm([0.5, 0.25, 0.125]).tolist()
    [0.5, 0.5, 0.375]
    """
    raw = finite(p, "p", (1,))
    order = np.argsort(raw, kind="stable")
    steps = raw[order] * np.arange(len(raw), 0, -1)
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def _gain(claim: CorrectedDifference, p: float) -> Gain:
    return Gain(claim.mean, claim.low, claim.high, p, claim.standard_error, claim.n_models)
