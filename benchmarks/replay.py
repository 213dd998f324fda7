"""The race replayed offline, on recorded curves: the product's own decisions on other ladders, and their regret.

Recipes trained to the end, whatever the race would have said of them, are raced again by `tauten.race.Race`, in rounds
of one epoch with the product's number of slots; a member's score at an epoch is the recorded one.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from functools import cache
from math import ceil, inf, isfinite
from typing import NamedTuple

import numpy as np

from tauten.race import Entry, Race, Rung
from tauten.racing import SHIFTS, SLOTS
from tauten.recipe import Recipe
from tauten.trial import Trial

CANDIDATES = 6
"""How many the race hands to the finals."""


@dataclasses.dataclass(frozen=True, eq=False)
class Recorded:
    """A recipe trained undropped: one curve of scores a fold, what one epoch of a fold costs, and its true value.

    `truth` comes from other partitions and seeds, so that luck on the curves' own folds does not count.
    """

    recipe: Recipe
    curves: tuple[tuple[float, ...], ...]
    cost: int
    truth: float

    @property
    def epochs(self) -> int:
        """Its own full length."""
        return len(self.curves[0])

    def until(self, share: float) -> int:
        """Epochs to a rung at this share of the full length, as `tauten.racing` counts them."""
        return max(1, round(share * self.epochs))

    def score(self, share: float, folds: int) -> float:
        """The race's score at a rung: each fold at the epoch that the others choose; inf where it diverged."""
        curves = {f: list(self.curves[f][: self.until(share)]) for f in range(folds)}
        return Trial(0, "recipes", self.recipe, scores=curves).score(range(folds))


class Replayed(NamedTuple):
    """Who the race would hand to the finals, best first; gradient evaluations spent; recipes that entered."""

    leaders: tuple[int, ...]
    spent: int
    entered: int


def ladder(first: float, folds: tuple[int, ...], full: int, all_folds: int) -> tuple[Rung, ...]:
    """Rungs at `first`, twice that, … and full length with `folds[0]` folds, then at full length with more, then all.

    >>> ladder(0.5, (1,), 10, 5)
    (Rung(epochs=5, folds=1), Rung(epochs=10, folds=1), Rung(epochs=10, folds=5))
    """
    shares = [first]
    while shares[-1] < 1:
        shares.append(min(1.0, 2 * shares[-1]))
    rungs = [Rung(ceil(full * share), min(folds[0], all_folds)) for share in shares]
    rungs += [Rung(full, min(more, all_folds)) for more in (*folds[1:], all_folds)]
    return tuple(dict.fromkeys(rungs))


class Pool:
    """Recorded recipes, and the races over them."""

    def __init__(self, recorded: Sequence[Recorded], full: int) -> None:
        self.recorded, self.full = tuple(recorded), full
        self.folds = len(self.recorded[0].curves)
        self._score = cache(lambda i, share, folds: self.recorded[i].score(share, folds))

    @property
    def training(self) -> float:
        """Gradient evaluations of a mean recipe's full training on all folds."""
        return float(np.mean([r.cost * r.epochs for r in self.recorded])) * self.folds

    def regret(self, chosen: Sequence[int]) -> float:
        """How far the best of the chosen is from the best of all, in units of the way from the best to the median.

        1 where nobody was chosen: a median recipe is what one has without a race.
        """
        truth = np.array([r.truth for r in self.recorded])
        best, middle = truth.min(), float(np.median(truth[np.isfinite(truth)]))
        return float(min((truth[i] for i in chosen), default=middle) - best) / float(middle - best)

    def replay(self, order: Sequence[int], rungs: Sequence[Rung], reduction: int, budget: float) -> Replayed:
        """Race the recipes in this order until so many gradient evaluations are spent, or nobody is left."""
        race = Race(rungs, reduction=reduction, lanes=("recipes",))
        waiting, going = list(reversed(order)), dict[int, _Way]()
        spent = entered = 0
        while spent < budget:
            while waiting and sum(way.width for way in going.values()) + rungs[0].folds <= SHIFTS * SLOTS:
                trial = waiting.pop()
                going[trial] = _Way(self.recorded[trial], [0] * self.folds)
                going[trial].follow(race.enter(trial), self.full)
                entered += 1
            if not going:
                break
            spent += sum(way.advance() for way in going.values())
            while reached := {t: self._reached(t, way) for t, way in sorted(going.items()) if way.arrived}:
                for decision in race.report(reached):
                    if isinstance(decision, Entry):
                        going[decision.trial].follow(decision, self.full)
                    else:
                        del going[decision.trial]
        return Replayed(tuple(race.finalists(CANDIDATES)), spent, entered)

    def orders(self, count: int) -> Iterator[list[int]]:
        """Orders in which the sampler might have drawn them, always the same ones."""
        random = np.random.default_rng(0)
        for _ in range(count):
            yield random.permutation(len(self.recorded)).tolist()

    def _reached(self, trial: int, way: "_Way") -> float:
        return inf if way.sick else self._score(trial, way.share, len(way.folds))


@dataclasses.dataclass
class _Way:
    """A recipe on its way to a rung: how far each of its folds is."""

    recorded: Recorded
    ages: list[int]
    folds: tuple[int, ...] = ()
    share: float = 0.0

    def follow(self, entry: Entry, full: int) -> None:
        self.folds, self.share = entry.folds, entry.until / full

    @property
    def _training(self) -> list[int]:
        until = self.recorded.until(self.share)
        return [f for f in self.folds if self.ages[f] < until]

    @property
    def width(self) -> int:
        """Slots that it takes."""
        return len(self._training)

    @property
    def sick(self) -> bool:
        return not all(isfinite(self.recorded.curves[f][self.ages[f] - 1]) for f in self.folds if self.ages[f])

    @property
    def arrived(self) -> bool:
        return self.sick or not self._training

    def advance(self) -> int:
        """One epoch; returns its gradient evaluations."""
        training = self._training
        for f in training:
            self.ages[f] += 1
        return len(training) * self.recorded.cost
