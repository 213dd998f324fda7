"""A recipe on its way through the race, and how it is scored without a leak through early stopping."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean

from tauten.member import Member
from tauten.recipe import Recipe
from tauten.technique import Stop


@dataclasses.dataclass(eq=False)
class Trial:
    """A recipe in the race: its members by fold, and their curves, one value an epoch.

    `asked` is the sampler's number for it, None where nobody asked; `costs` gradient evaluations an epoch,
    `size` the weights that each of them is for.
    """

    id: int
    lane: str
    recipe: Recipe
    asked: int | None = None
    protected: bool = False
    size: int = 1
    members: dict[int, Member] = dataclasses.field(default_factory=dict)
    costs: dict[int, int] = dataclasses.field(default_factory=dict)
    scores: dict[int, list[float]] = dataclasses.field(default_factory=dict)
    stops: dict[int, list[float]] = dataclasses.field(default_factory=dict)
    losses: dict[int, list[float]] = dataclasses.field(default_factory=dict)
    until: int = 0

    def score(self, folds: Iterable[int]) -> float:
        """Mean over folds, each at the epoch that the other folds (or the stopping part) choose; inf where sick.

        A fold that is alone so far is scored at its last epoch: its own minimum would be a leak.
        """
        values = [self.scores[f][self._epoch(f) - 1] for f in folds]
        return fmean(values) if all(map(math.isfinite, values)) else math.inf

    def duration(self) -> int:
        """Epochs that the recipe's own stop rule takes, by the mean curve over all folds trained furthest."""
        if self._rule is None:
            return self.recipe.setting.epochs
        longest = max(map(len, self._watched.values()))
        return self._stop([c for c in self._watched.values() if len(c) == longest]).best_epoch

    @property
    def _rule(self) -> Callable[[Sequence[float]], Stop] | None:
        return next((t.stop for t in self.recipe.techniques if "stop" in t.hooks), None)

    @property
    def _watched(self) -> dict[int, list[float]]:
        return self.stops or self.scores

    def _epoch(self, fold: int) -> int:
        if self._rule is None:
            return len(self.scores[fold])
        reached = len(self.scores[fold])
        others = [c[:reached] for f, c in self._watched.items() if f != fold or self.stops]
        curves = [c for c in others if len(c) == reached]
        return self._stop(curves).best_epoch if curves else reached

    def _stop(self, curves: Sequence[Sequence[float]]) -> Stop:
        rule = self._rule
        assert rule is not None
        history = [fmean(values) for values in zip(*curves, strict=True)]
        for epoch in range(1, len(history) + 1):
            answer = rule(history[:epoch])
            if answer.now:
                return answer
        return rule(history)


def alike(trials: Sequence[Trial]) -> list[Trial]:
    """The first trial, and of the others those whose recipes differ from its in length only."""
    first, *others = trials
    epochs = first.recipe.setting.epochs
    return [first, *(t for t in others if t.recipe.with_setting(epochs=epochs) == first.recipe)]
