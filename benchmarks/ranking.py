"""How far two ways to score recipes agree: Kendall's τ, winners and changes, over bootstraps of the recipes."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

PRECISIONS = ("fp32", "bf16")

Floats = npt.NDArray[np.float64]
Draws = Mapping[tuple[str, str], Floats]
"""Scores (recipes,) by precision and set of seeds; lower is better, inf where a member diverged."""

SEEDS = ("A", "B")
RESAMPLES = 2_000
YARDSTICK, SAME, OTHER, OWN = "fp32 – fp32", "fp32 – bf16, same seeds", "fp32 – bf16", "bf16 – bf16"
ALL, BEST = "all recipes", "best third"
RULE = (
    "The rule: the ranking holds unless τ(fp32 – bf16, same seeds) − τ(fp32 – fp32) has its whole interval below 0, "
    "for a data set or for their mean, over all recipes or the best third."
)


def resamples(recipes: int) -> Floats:
    """How often each recipe is in each bootstrap (1 + RESAMPLES, recipes); the first row is the sample itself."""
    drawn = np.random.default_rng(0).multinomial(recipes, [1 / recipes] * recipes, RESAMPLES)
    return np.vstack([np.ones(recipes), drawn])


def taus(a: Floats, b: Floats, weights: Floats) -> Floats:
    """Kendall's τ-b of two rankings (n,) for each row of weights (R, n): how often each pair of values is there.

    inf is a tie with inf and after all else.

    >>> taus(np.array([1.0, 2.0, np.inf]), np.array([1.0, 3.0, 2.0]), np.ones((1, 3))).round(3).tolist()
    [0.333]
    """
    above, below = (np.sign(np.subtract.outer(r, r)) for r in (rankdata(a), rankdata(b)))

    def pairs(signs: Floats) -> Floats:
        counted: Floats = ((weights @ signs) * weights).sum(1)
        return counted

    return pairs(above * below) / np.sqrt(pairs(np.abs(above)) * pairs(np.abs(below)))


def agreements(draws: Draws, weights: Floats) -> dict[str, Floats]:
    """τ between draws by kind of pair, for each row of weights."""

    def between(first: str, other: str, same: bool) -> Floats:
        pairs = [(s, t) for s, t in itertools.product(SEEDS, SEEDS) if (s == t) == same]
        found: Floats = np.mean([taus(draws[first, s], draws[other, t], weights) for s, t in pairs], axis=0)
        return found

    return {
        YARDSTICK: between("fp32", "fp32", False),
        SAME: between("fp32", "bf16", True),
        OTHER: between("fp32", "bf16", False),
        OWN: between("bf16", "bf16", False),
    }


def best_third(draws: Draws) -> npt.NDArray[np.intp]:
    """The recipes of the lowest mean rank over all draws, so that no draw's own luck chooses them."""
    ranks = np.mean([rankdata(own) for own in draws.values()], axis=0)
    return np.argsort(ranks, kind="stable")[: len(ranks) // 3]


def winners(draws: Draws, weights: Floats) -> dict[str, float]:
    """`another`: share of rows where the precisions' winners differ; mean regret of each precision's winner."""
    best = {key: np.where(weights > 0, own, np.inf).argmin(1) for key, own in draws.items()}
    regret: dict[str, list[Floats]] = {p: [] for p in PRECISIONS}
    for p, (seeds, judge) in itertools.product(PRECISIONS, itertools.permutations(SEEDS)):
        fair = draws["fp32", judge]
        lowest = np.where(weights > 0, fair, np.inf).min(1)
        regret[p].append((fair[best[p, seeds]] - lowest) / (np.median(fair) - fair.min()))
    another = float(np.mean([best["fp32", s] != best["bf16", s] for s in SEEDS]))
    return {"another": another, **{p: float(np.mean(own)) for p, own in regret.items()}}


def changes(draws: Draws, weights: Floats) -> dict[str, Any]:
    """Relative to the median recipe's score: mean of bf16 − fp32 by row, median change by precision and by seed.

    Recipes that diverged in any draw are left out.
    """
    healthy = np.isfinite(list(draws.values())).all(0)
    own = {key: values[healthy] for key, values in draws.items()}
    unit = np.median(own["fp32", "A"])
    moved = {s: (own["bf16", s] - own["fp32", s]) / unit for s in SEEDS}
    counts = weights[:, healthy]
    return {
        "mean": counts @ np.mean(list(moved.values()), axis=0) / counts.sum(1),
        "precision": float(np.median(np.abs(list(moved.values())))),
        "seed": float(np.median(np.abs(own["fp32", "A"] - own["fp32", "B"])) / unit),
    }


def interval(rows: Floats) -> tuple[float, float, float]:
    """The sample's own value, and the 95 % interval of its bootstraps."""
    low, high = np.quantile(rows[1:], [0.025, 0.975])
    return float(rows[0]), float(low), float(high)


def told(rows: Floats, form: str = "{:.3f}") -> str:
    """A value with its interval."""
    value, low, high = map(form.format, interval(rows))
    return f"{value} ({low} to {high})"


def rankings(found: Mapping[str, Draws]) -> dict[str, dict[str, dict[str, Floats]]]:
    """τ by set of recipes (all, best third), data set and kind of pair; last the mean of the data sets."""
    chosen: dict[str, Callable[[Draws], Any]] = {ALL: lambda _: slice(None), BEST: best_third}
    result: dict[str, dict[str, dict[str, Floats]]] = {}
    for name, choose in chosen.items():
        own = {}
        for data, draws in found.items():
            subset = {key: values[choose(draws)] for key, values in draws.items()}
            own[data] = agreements(subset, resamples(len(subset["fp32", "A"])))
        mean = {kind: np.mean([one[kind] for one in own.values()], axis=0) for kind in (YARDSTICK, SAME, OTHER, OWN)}
        result[name] = {**own, "mean": mean}
    return result


def verdict(ranked: Mapping[str, Mapping[str, Mapping[str, Floats]]]) -> str:
    """Whether the ranking holds, by the rule."""
    differences = {
        f"{data}, {name}": kinds[SAME] - kinds[YARDSTICK] for name, own in ranked.items() for data, kinds in own.items()
    }
    below = [name for name, rows in differences.items() if interval(rows)[2] < 0]
    if below:
        return f"{RULE} It does not hold: {'; '.join(below)}."
    smallest = min(differences, key=lambda name: differences[name][0])
    return f"{RULE} It holds: the smallest difference is {told(differences[smallest], '{:+.3f}')}, {smallest}."
