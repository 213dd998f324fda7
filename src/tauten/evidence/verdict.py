"""Proved, likely or no evidence; and whether the holdout says the same."""

from dataclasses import dataclass
from typing import Literal

from tauten.evidence.intervals import Difference, too_small
from tauten.evidence.record import Record
from tauten.evidence.student import half_width

Name = Literal["proved", "likely", "no evidence"]

PROVED = 0.05
LIKELY = 0.20
FEWEST_SEEDS = 3
LEAST = 1e-4
"""The smallest p-value that is written out."""


@dataclass(frozen=True)
class Verdict(Record):
    """The verdict of finals B. `name` is the one against plain; `against_usual` stands beside it, never instead."""

    name: Name
    against_plain: Name
    against_usual: Name
    sentence: str


@dataclass(frozen=True)
class Agreement(Record):
    """Does the holdout say what finals B said? `residual` is finals − holdout, `low` to `high` its interval."""

    agrees: bool
    sentence: str
    residual: float
    low: float
    high: float


def grade(difference: Difference) -> Name:
    """Return the verdict on one difference: proved for p ≤ 0.05, likely for p ≤ 0.20, both one-sided.

    From fewer than 3 seeds, 50 examples or 20 clusters nothing is proved, only likely at most: the claim is about the
    expectation over seeds, and so little data gives no interval to rely on (false proofs with 2 seeds: up to 8 %).
    """
    provable = difference.n_seeds >= FEWEST_SEEDS and not too_small(
        difference.n_examples, n_clusters=difference.n_clusters
    )
    if difference.p <= PROVED and provable:
        return "proved"
    return "likely" if difference.p <= LIKELY else "no evidence"


def verdict(difference_vs_plain: Difference, difference_vs_usual: Difference, metric: str = "") -> Verdict:
    """Return what finals B show, from the chosen recipe's improvements over plain and over usual.

    The promise is "never worse than plain beyond chance", so the headline `name` is the verdict against plain, and it
    alone decides whether the recipe or plain is delivered. Usual is what a person might do instead: the sentence says
    how the recipe stands against it, also when it is clearly worse. The two are two claims at 95 % each, not one.
    `metric` is what the gains are in, for the sentence.

    >>> from tauten.evidence import compare
    >>> plain = [[0.50, 0.60, 0.55], [0.70, 0.65, 0.68]] * 30
    >>> chosen = [[0.40, 0.49, 0.46], [0.62, 0.58, 0.59]] * 30
    >>> verdict(compare(plain, chosen), compare(chosen, chosen)).name
    'proved'
    """
    plain, usual = grade(difference_vs_plain), grade(difference_vs_usual)
    against_plain = f"{plain}: {_standing(difference_vs_plain)} than plain ({_numbers(difference_vs_plain, metric)})"
    against_usual = f"{_standing(difference_vs_usual)} than usual ({_numbers(difference_vs_usual, metric)}; {usual})"
    if difference_vs_usual.low == difference_vs_usual.high == 0:
        against_usual = "the same as usual in every score"
    delivered = "; the answer is plain" if plain == "no evidence" else ""
    return Verdict(plain, plain, usual, f"{against_plain}{delivered}; {against_usual}.")


def holdout_agrees(finals: Difference, holdout: Difference, small: str = "") -> Agreement:
    """Return whether the holdout contradicts finals B, both being improvements of the same two arms.

    They disagree when the interval of the residual, finals − holdout, leaves out 0: Welch's t on the two standard
    errors at the finals' level, taken as independent because finals and holdout share no example. If nothing is wrong
    that happens by chance in 1 − level of all runs. A holdout too small for an interval contradicts nothing, and the
    sentence says so: one of fewer than 50 examples or 20 clusters, or for the reason `small` of `too_small`.

    >>> from tauten.evidence import compare
    >>> same = compare([0.5, 0.6] * 30, [0.4, 0.3] * 30)
    >>> holdout_agrees(same, same).agrees
    True
    """
    residual = finals.mean - holdout.mean
    variances = (finals.standard_error**2, holdout.standard_error**2)
    total = sum(variances)
    df = min(finals.df, holdout.df)
    if total > 0:
        df = 1 / sum((v / total) ** 2 / d for v, d in zip(variances, (finals.df, holdout.df), strict=True))
    half = half_width(total**0.5, df, finals.level)
    small = small or too_small(holdout.n_examples, n_clusters=holdout.n_clusters)
    agrees = bool(small) or abs(residual) <= half
    if small:
        words = f"The holdout can neither confirm nor contradict finals B ({small})"
    else:
        words = f"The holdout {'agrees' if agrees else 'disagrees'} with finals B"
    sentence = (
        f"{words}: gain {holdout.mean:+.3g} on the holdout, {finals.mean:+.3g} in finals B, residual {residual:+.3g} "
        f"({finals.level:.0%} interval {residual - half:+.3g} to {residual + half:+.3g})."
    )
    return Agreement(agrees, sentence, residual, residual - half, residual + half)


def chance(mean: float, p: float) -> str:
    """A difference's one-sided p-value in words: that for "worse" where its `p`, that for "better", says so.

    >>> chance(0.02, 0.031), chance(-0.01, 0.97), chance(-0.3, 1.0)
    ('one-sided p = 0.031', 'one-sided p = 0.03 for worse', 'one-sided p < 0.0001 for worse')
    """
    worse = _is_worse(mean, p)
    own, side = (1 - p, " for worse") if worse else (p, "")
    return f"one-sided p {f'= {own:.2g}' if own >= LEAST else f'< {LEAST:g}'}{side}"


def _is_worse(mean: float, p: float) -> bool:
    return mean < 0 and p >= 1 - LIKELY


def _standing(difference: Difference) -> str:
    if difference.p <= LIKELY:
        return "better"
    if _is_worse(difference.mean, difference.p):
        return "clearly worse" if difference.p >= 1 - PROVED else "probably worse"
    return "not distinguishably better or worse"


def _numbers(difference: Difference, metric: str) -> str:
    d = difference
    gain = f"gain in {metric}" if metric else "gain"
    size = f"n = {d.n_examples:,}" + (f" in {d.n_clusters:,} clusters" if d.n_clusters else "")
    repeats = f"{d.n_seeds} repeat{'' if d.n_seeds == 1 else 's'}"
    note = f"; {d.note}" if d.note else ""
    return (
        f"{gain} {d.mean:+.3g}, {d.level:.0%} interval {d.low:+.3g} to {d.high:+.3g}, {chance(d.mean, d.p)}, {size}, "
        f"{repeats}{note}"
    )
