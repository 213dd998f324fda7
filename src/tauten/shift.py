"""A shift: half of the race's slots, in training while the results of the other half are digested."""

import dataclasses
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future

import numpy as np
import torch
from torch import Tensor

from tauten.folds import Fold
from tauten.member import Member
from tauten.metrics import Metric, wide
from tauten.population import Population
from tauten.trial import Trial


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """A round of a shift: mean training loss and outputs by member, and when it began and ended on the clock."""

    losses: dict[int, float]
    outputs: dict[int, Tensor]
    begin: float
    end: float


class Shift:
    """A population, who of it is in training, and the round that is under way.

    It has room for `slots` members. `training` (member to trial and fold) and `going` (trials on their way to a rung)
    may be changed at any time; the population follows when the next round begins, so that nobody touches it while it
    trains.
    """

    def __init__(self, population: Population, folds: Sequence[Fold], slots: int) -> None:
        self.slots = slots
        self.training: dict[int, tuple[Trial, int]] = {}
        self.going: set[int] = set()
        self._population, self._folds = population, folds
        self._rows = [f.score if f.stop is None else torch.cat([f.score, f.stop]) for f in folds]
        self._targets = [wide(f.source.targets[rows]) for f, rows in zip(folds, self._rows, strict=True)]
        self._inside: set[int] = set()
        self._round: Future[Trained] | None = None

    @property
    def ready(self) -> bool:
        """Whether the round under way has ended."""
        return self._round is not None and self._round.done()

    def start(self, driver: Executor) -> None:
        """Begin a round on the driver's thread, unless one is under way or nobody is in training."""
        if self._round is None and self.training:
            self._follow()
            rows = {id: self._rows[fold] for id, (_, fold) in self.training.items()}
            self._round = driver.submit(self._train, rows)

    def finish(self) -> Trained:
        """Wait for the round under way."""
        assert self._round is not None
        trained = self._round.result()
        self._round = None
        return trained

    def scores(self, outputs: dict[int, Tensor], metric: Metric) -> dict[int, tuple[float, float | None]]:
        """Each member's mean contribution on its fold's score rows, and on its stop rows where there are some."""
        found: dict[int, tuple[float, float | None]] = {}
        members: dict[int, list[int]] = {}
        for id, (_, number) in sorted(self.training.items()):
            members.setdefault(number, []).append(id)
        for number, ids in members.items():
            fold, cut = self._folds[number], len(self._folds[number].score)
            # NumPy keeps Python's lock over so short operations; torch would hand it to the engine's thread each time.
            stack = np.stack([outputs[id].numpy() for id in ids])
            parts = [slice(cut)] if fold.stop is None else [slice(cut), slice(cut, None)]
            own = [self._means(metric, number, stack, part) for part in parts]
            stops = own[1] if fold.stop is not None else [None] * len(ids)
            found |= dict(zip(ids, zip(own[0], stops, strict=True), strict=True))
        return found

    def _means(self, metric: Metric, number: int, stack: np.ndarray, part: slice) -> list[float]:
        """Each member's loss over one part of a fold's rows; stack (M, R, K)."""
        fold = self._folds[number]
        weights = fold.weights_of(self._rows[number][part])
        means: list[float] = metric.losses(stack[:, part], self._targets[number][part], fold.unit, weights).tolist()
        return means

    def _follow(self) -> None:
        """Let go who has left, and take in newcomers; after a resume all of them, who first catch up."""
        gone = self._inside - self.training.keys()
        if gone:
            self._population.leave(gone)
        missing: dict[int, list[Member]] = {}
        for id in sorted(self.training.keys() - self._inside):
            trial, fold = self.training[id]
            missing.setdefault(len(trial.scores.get(fold, [])), []).append(trial.members[fold])
        for age in range(max(missing, default=0), -1, -1):
            self._population.enter(missing.get(age, []))
            if age:
                self._population.advance()
        self._inside = set(self.training)

    def _train(self, rows: dict[int, Tensor]) -> Trained:
        begin = time.perf_counter()
        progress = self._population.advance()
        outputs = self._population.evaluate(rows)
        return Trained({id: own.loss for id, own in progress.items()}, outputs, begin, time.perf_counter())
