"""Cells: (arm, fold, seed) trainings whose scores evidence is made of, recorded in the journal as they finish."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter

import numpy as np

from tauten.builder import Builder
from tauten.folds import Fold
from tauten.journal import decode_array, encode_array
from tauten.member import Member
from tauten.metrics import Metric
from tauten.population import Population
from tauten.recipe import Recipe
from tauten.unrecorded import Recorder

CHUNK = 192
"""Cells trained between two entries of the journal: what a crash can cost."""


@dataclasses.dataclass(frozen=True)
class Arm:
    """One side of a comparison: a recipe, and for how many epochs it trains (early stopping has decided before)."""

    name: str
    recipe: Recipe
    epochs: int


@dataclasses.dataclass(frozen=True)
class Cell:
    """One training of an arm on a fold (by its number) with a seed."""

    arm: Arm
    fold: int
    seed: int


Ticker = Callable[[int], None]


class Trainer:
    """Trains cells to their end; the same cells give the same figures, trained or replayed.

    `gradient_evaluations` sums up what was trained so far; `pace` is the work of a second of the latest `scores`.
    """

    def __init__(
        self, builder: Builder, journal: Recorder, metrics: Sequence[Metric], threads: int, tick: Ticker
    ) -> None:
        self._builder, self._journal, self._metrics = builder, journal, metrics
        self._threads, self._tick = threads, tick
        self.gradient_evaluations, self.pace = 0, 1.0

    def scores(
        self, phase: str, folds: Sequence[Fold], cells: Sequence[Cell], means: bool = False
    ) -> list[dict[str, np.ndarray]]:
        """For each cell, by metric: the contributions of its fold's score rows; all NaN where it diverged.

        With `means` every row stands for all: where only means are read, no rows' shares need be worked out.
        """
        result: list[dict[str, np.ndarray]] = []
        work, seconds = 0, 1e-9
        for begin in range(0, len(cells), CHUNK):
            train = partial(self._train, folds, cells[begin : begin + CHUNK], means)
            recorded = self._journal.once("cells", train, key=[phase, begin])
            self.gradient_evaluations += recorded["gradient_evaluations"]
            work += recorded["work"]
            seconds += recorded["seconds"]
            result += [{k: decode_array(v) for k, v in scores.items()} for scores in recorded["scores"]]
        self.pace = work / seconds
        return result

    def _train(self, folds: Sequence[Fold], cells: Sequence[Cell], means: bool) -> dict[str, object]:
        begin = perf_counter()
        used = sorted({cell.fold for cell in cells})
        where = {fold: i for i, fold in enumerate(used)}
        members = [
            Member(i, c.arm.recipe, c.seed, where[c.fold], min(c.arm.epochs, c.arm.recipe.setting.epochs))
            for i, c in enumerate(cells)
        ]
        sources = [folds[i].source for i in used]
        with Population(self._builder, sources, self._threads) as population:
            population.enter(members)
            done = population.complete({i: folds[c.fold].score for i, c in enumerate(cells)}, tick=self._tick)
            spent = population.gradient_evaluations
        work = sum(self._builder.work(m.recipe, sources[m.source], m.epochs) for m in members)
        scores = []
        for i, cell in enumerate(cells):
            fold, outputs = folds[cell.fold], done[i].outputs
            assert outputs is not None
            score = fold.losses if means else fold.contributions
            own = {m.name: score(m, outputs, fold.score) for m in self._metrics}
            scores.append({k: encode_array(v.astype(np.float32)) for k, v in own.items()})
        seconds = round(perf_counter() - begin, 6)
        return {"scores": scores, "gradient_evaluations": spent, "work": work, "seconds": seconds}
