"""Which strengths lost the race: for each technique, the range of its values whose recipes did badly beyond chance.

A recipe is *in the better half* where at least half of all recipes of the race ended behind it. For every technique
the values that were tried are cut at every twentieth part, and the share of the better half among the recipes below or
above a cut is held against that among the other recipes with the technique; and the recipes with the technique against
those without. So many looks find something by chance, therefore the most striking one is compared with the most
striking of the same looks on shuffled outcomes (Westfall & Young 1993, max-T by permutation).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tauten.evidence.record import Record

LEVEL = 0.05
"""Of races in which no value matters, so many name one."""
LEAST = 5
"""Recipes on either side of a cut."""
SHUFFLES, PARTS = 2_000, 20
Values = Mapping[str, Mapping[str, float]]
"""The techniques of a recipe with their numbers."""
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Lost(Record):
    """Of `tried` recipes with `technique` at `low` ≤ `key` ≤ `high`, `better` ended in the better half; of `others`,
    `others_better`. Without a key it is the technique at any value, and the others are the recipes without it.

    `p` is corrected for all looks at the race.
    """

    technique: str
    key: str | None
    low: float | None
    high: float | None
    tried: int
    better: int
    others: int
    others_better: int
    p: float


@dataclass(frozen=True)
class _Look:
    technique: str
    key: str | None
    low: float | None
    high: float | None
    inside: Mask
    against: Mask


def lost(recipes: Sequence[Values], better: Sequence[bool], seed: int = 0) -> list[Lost]:
    """One range for each technique that lost, the most striking first; recipes and outcomes in the same order.

    >>> turned = [{"rotation": {"degrees": float(d)}} for d in range(0, 168, 8)]
    >>> (found,) = lost(turned, [own["rotation"]["degrees"] < 80 for own in turned])
    >>> found.low, found.high, found.tried, found.better, found.others_better
    (80.0, 160.0, 11, 0, 10)
    """
    looks = _looks(recipes)
    if not looks:
        return []
    good, outcome = np.asarray(better, bool), np.asarray(better, np.float64)
    shuffle = np.random.default_rng(seed)
    shuffled = np.array([shuffle.permutation(outcome) for _ in range(SHUFFLES)])
    inside, against = (np.array([getattr(k, side) for k in looks], np.float64) for side in ("inside", "against"))
    found = _deviations(outcome[None], inside, against)[0]
    worst = _deviations(shuffled, inside, against).min(1)
    named: dict[str, Lost] = {}
    for i in np.argsort(found, kind="stable"):
        look, p = looks[i], (1 + int((worst <= found[i] + 1e-9).sum())) / (1 + SHUFFLES)
        if p <= LEVEL and look.technique not in named:
            sides = [(int(mask.sum()), int((mask & good).sum())) for mask in (look.inside, look.against)]
            named[look.technique] = Lost(look.technique, look.key, look.low, look.high, *sides[0], *sides[1], p)
    return list(named.values())


def _looks(recipes: Sequence[Values]) -> list[_Look]:
    """Every comparison with enough recipes on both sides."""
    looks = []
    for name in sorted({name for own in recipes for name in own}):
        on = np.array([name in own for own in recipes])
        looks.append(_Look(name, None, None, None, on, ~on))
        for key in sorted({key for own in recipes for key in own.get(name, {})}):
            value = np.array([own.get(name, {}).get(key, np.nan) for own in recipes])
            ends = np.unique(np.quantile(value[on], np.linspace(0, 1, PARTS + 1), method="nearest"))
            for low, high in [(ends[0], v) for v in ends[:-1]] + [(v, ends[-1]) for v in ends[1:]]:
                inside = (value >= low) & (value <= high)
                looks.append(_Look(name, key, float(low), float(high), inside, on & ~inside))
    return [look for look in looks if min(look.inside.sum(), look.against.sum()) >= LEAST]


def _deviations(
    outcomes: npt.NDArray[np.float64], inside: npt.NDArray[np.float64], against: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(outcomes, looks): how far the better ones inside are from their expected number, in standard deviations.

    Both by the hypergeometric distribution: so many of the better half among so many recipes, drawn without looking.
    """
    n, total = inside.sum(1), inside.sum(1) + against.sum(1)
    found = outcomes @ inside.T
    better = found + outcomes @ against.T
    variance = n * better * (total - better) * (total - n) / (total**2 * (total - 1))
    return np.where(variance > 0, found - n * better / total, 0.0) / np.sqrt(np.where(variance > 0, variance, 1.0))
