"""After the race: finals A choose, finals B prove, the ablation explains. All on fresh folds and fresh seeds.

A **replicate** is one partition of the development rows with a training for each fold, so that it scores every row
once; its trainings share neither partition nor seed with another replicate. A table with one split has no partitions:
its replicates differ by seed only, and score the same rows.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tauten.cells import Arm, Cell, Trainer
from tauten.conformal import quantiles
from tauten.data import Table
from tauten.draws import derive_seed
from tauten.evidence import Choice, Estimate, Ingredient, ablation, interval, one_standard_error
from tauten.evidence.verdict import FEWEST_SEEDS
from tauten.folds import Development, Fold, clusters
from tauten.metrics import Metric

Floats = npt.NDArray[np.float64]
MEMORY = 400e6
"""Bytes of preprocessed copies (one a fold) held at once."""
LONGEST, FEW = 30, 4
"""Replicates of finals B, at most, where time is left over; and between two corrections by the clock."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """How many replicates the finals take. A small budget gets fewer than the full plan, and the result says so."""

    name: str
    finals_a: int
    finals_b: int
    ablation: int
    holdout_seeds: int = 10


def ladder(folds: int, few: bool = False) -> tuple[Plan, ...]:
    """Plans from the shortest to the longest, all with at least ten trainings (seeds) an arm in finals B.

    With `few` affordable trainings shorter ones come first: the least replicates from which a verdict may say *proved*;
    no ablation; and few trainings on all rows, the least that tell how models of unlike seeds differ; where there is no
    time for finals A either, the race's best recipe goes straight to finals B, which are fresh anyway.

    >>> [(p.name, p.finals_a, p.finals_b, p.ablation) for p in ladder(5)][:7:3]
    [('short', 1, 4, 1), ('between', 2, 7, 2), ('full', 3, 10, 2)]
    >>> [(p.name, p.finals_a, p.finals_b, p.ablation, p.holdout_seeds) for p in ladder(5, few=True)][:4]
    [('short', 0, 3, 0, 3), ('between', 1, 3, 0, 3), ('between', 1, 4, 0, 3), ('between', 1, 4, 1, 3)]
    """
    if folds == 1:
        # One split's replicates cost one training each, and ten seeds are the least.
        short, full = Plan("short", 3, 10, 5), Plan("full", 6, 10, 10)
    else:
        short, full = Plan("short", 1, max(4, -(-10 // folds)), -(-5 // folds)), Plan("full", 3, 10, -(-10 // folds))
    steps = max(full.finals_b - short.finals_b, full.finals_a - short.finals_a)

    def between(step: int, a: int, b: int) -> int:
        return round(a + (b - a) * step / steps)

    middle = [
        Plan(
            "between",
            between(i, short.finals_a, full.finals_a),
            between(i, short.finals_b, full.finals_b),
            between(i, short.ablation, full.ablation),
        )
        for i in range(1, steps)
    ]
    long = [Plan("long", full.finals_a, b, full.ablation) for b in range(full.finals_b + 1, LONGEST + 1)]
    if not few:
        return (short, *middle, full, *long)
    least, a, b = max(FEWEST_SEEDS, -(-10 // folds)), short.finals_a, short.finals_b
    wanted = dict.fromkeys([(0, least, 0), (a, least, 0), (a, b, 0), (a, b, short.ablation)])
    shorter = [Plan("between" if i else "short", *own, FEWEST_SEEDS) for i, own in enumerate(wanted)]
    return (*shorter, dataclasses.replace(short, name="between"), *middle, full, *long)


def left_out(plan: Plan, ingredients: bool) -> list[str]:
    """What a budget did not allow, in a sentence; `ingredients` says whether there were any to be taken apart."""
    without = [] if plan.finals_a else ["no finals A (the race's best recipe went straight to finals B)"]
    without += ["no ablation (what each ingredient gains is not known)"] if ingredients and not plan.ablation else []
    if plan.name != "short" and not without:
        return []
    parts = ", ".join([f"{plan.finals_b} replicates", *without])
    return [f"the budget allowed the {plan.name} plan of finals: {parts}; a longer one gives more certainty."]


@dataclasses.dataclass(frozen=True)
class Scores:
    """An arm's contributions (rows, replicates) by metric, and each single training's mean by (replicate, fold).

    `clusters` (rows,) says which rows depend on each other, None where each stands for itself; `weights` (rows,) how
    much each counts, None where all count alike.
    """

    rows: Mapping[str, Floats]
    means: Mapping[tuple[int, int], float]
    clusters: npt.NDArray[np.intp] | None = None
    weights: Floats | None = None

    @property
    def finite(self) -> bool:
        """False where a training diverged."""
        return all(bool(np.isfinite(v).all()) for v in self.rows.values())

    def residuals(self, table: Table) -> Floats | None:
        """What prediction intervals are made of: in a regression of one target without weights, else None."""
        if table.task != "regression" or table.y.ndim > 1 or table.weights is not None or not self.finite:
            return None
        return quantiles(self.rows["mae"])


class Finals:
    """Finals of one search; each phase has folds and seeds of its own."""

    def __init__(self, development: Development, trainer: Trainer, metrics: Sequence[Metric], seed: int) -> None:
        self._development, self._trainer, self._seed = development, trainer, seed
        self._metrics = {m.name: m for m in metrics}
        self._main = metrics[0].name
        n, folds = len(development.table.y), development.plan.folds
        self.test_train_ratio = 1 / (folds - 1) if folds > 1 else 0.2 / 0.7
        self._one_split = folds == 1
        self._clusters, self._weights = clusters(development.table), development.table.weights
        self._rows = n

    def scores(
        self,
        phase: str,
        arms: Sequence[Arm],
        replicates: int,
        corrected: Callable[[int], int] | None = None,
        means: bool = False,
    ) -> dict[str, Scores]:
        """Train every arm on every cell of so many replicates; the same phase means the same folds and seeds.

        `corrected` is asked after every few replicates, with how many are done, how many there shall be. With `means`
        only the means of trainings are wanted, and rows hold these.
        """
        cells: dict[str, dict[tuple[int, int], dict[str, Floats]]] = {arm.name: {} for arm in arms}
        where: dict[tuple[int, int], Floats] = {}
        development = self._development.reading(arm.recipe.setting for arm in arms)
        done, size = 0, self._at_once(development.width, replicates, len(arms), few=corrected is not None)
        while done < replicates:
            batch = range(done, min(done + size, replicates))
            folds, keys = self._folds(development, phase, batch)
            asked = [
                (arm.name, key, Cell(arm, fold, derive_seed(phase, self._seed, *key)))
                for arm in arms
                for key, fold in keys.items()
            ]
            answers = self._trainer.scores(
                f"{phase} {'/'.join(a.name for a in arms)} {batch}", folds, [c for *_, c in asked], means
            )
            for (name, key, _), answer in zip(asked, answers, strict=True):
                cells[name][key] = answer
            where |= {key: folds[fold].score.numpy() for key, fold in keys.items()}
            done = batch.stop
            if corrected and done < replicates:
                replicates = max(done, corrected(done))
        return {name: self._assemble(own, where, replicates) for name, own in cells.items()}

    def choose(self, candidates: Sequence[Arm], plains: Sequence[Arm], plan: Plan) -> tuple[Arm, Arm, Choice | None]:
        """Finals A: the simplest candidate within one standard error of the best, and the best plain setting.

        By a plan without them the race's own first, of whom nothing else is known.
        """
        if not plan.finals_a:
            return candidates[0], plains[0], None
        scored = self.scores("finals A", [*candidates, *plains], plan.finals_a, means=True)
        alive = [arm for arm in candidates if scored[arm.name].finite] or list(plains[:1])
        cells = np.array([list(scored[arm.name].means.values()) for arm in alive])
        choice = one_standard_error(
            cells, [len(arm.recipe.techniques) for arm in alive], test_train_ratio=self.test_train_ratio
        )
        plain = min(
            (arm for arm in plains if scored[arm.name].finite),
            key=lambda arm: float(np.mean(list(scored[arm.name].means.values()))),
            default=plains[0],
        )
        return alive[choice.index], plain, choice

    def explain(
        self, pairs: Mapping[str, tuple[Arm, Arm]], scored: Mapping[str, Scores], plan: Plan
    ) -> tuple[Ingredient, ...]:
        """The ablation: (chosen without it, plain with it alone) for each ingredient, against finals B's own cells."""
        if not (pairs and plan.ablation):
            return ()
        arms = [arm for pair in pairs.values() for arm in pair]
        own = self.scores("finals B", arms, plan.ablation, means=True)

        def gains(better: str, worse: str) -> Floats:
            a, b = ((own.get(name) or scored[name]).means for name in (worse, better))
            return np.array([a[key] - b[key] for key in sorted(own[arms[0].name].means)])

        rows = [
            (name, gains("chosen", without.name), gains(alone.name, "plain"))
            for name, (without, alone) in pairs.items()
            if own[without.name].finite and own[alone.name].finite
        ]
        return ablation(rows, test_train_ratio=self.test_train_ratio) if rows else ()

    def _at_once(self, width: int, replicates: int, arms: int, few: bool) -> int:
        """How many replicates are trained between two looks at the clock, and held in memory."""
        folds = self._development.plan.folds
        if self._one_split:
            return FEW * 3 if few else replicates
        copy = self._rows * width * 4 * folds
        size = FEW if few else -(-192 // (arms * folds))
        return max(1, min(replicates, int(MEMORY / copy), size))

    def _folds(
        self, development: Development, phase: str, batch: range
    ) -> tuple[list[Fold], dict[tuple[int, int], int]]:
        """Folds of some replicates, and where each (replicate, fold) stands among them."""
        if self._one_split:
            split = development.partition(phase, self._seed)[0]
            return [development.fold(split)], {(r, 0): 0 for r in batch}
        folds: list[Fold] = []
        keys: dict[tuple[int, int], int] = {}
        for r in batch:
            for f, split in enumerate(development.partition(phase, self._seed, r)):
                keys[r, f] = len(folds)
                folds.append(development.fold(split))
        return folds, keys

    def _assemble(
        self,
        cells: Mapping[tuple[int, int], Mapping[str, Floats]],
        where: Mapping[tuple[int, int], Floats],
        replicates: int,
    ) -> Scores:
        rows = {name: np.full((self._rows, replicates), np.nan) for name in self._metrics}
        for (r, f), answer in cells.items():
            for name, values in answer.items():
                rows[name][where[r, f], r] = values
        scored = np.unique(np.concatenate(list(where.values())))
        means = {key: float(np.mean(answer[self._main])) for key, answer in cells.items()}
        together, weights = (None if own is None else own[scored] for own in (self._clusters, self._weights))
        return Scores({name: values[scored] for name, values in rows.items()}, means, together, weights)


def shown_interval(metric: Metric, rows: Floats, together: npt.NDArray[np.intp] | None = None) -> Estimate:
    """An arm's figure with its interval, in the metric's shown units; `together` (rows,) as `Scores.clusters`.

    An interval ends where no figure can be.
    """
    found = interval(metric.shown(rows), clusters=together)
    if metric.greater_is_better:
        return dataclasses.replace(found, high=min(found.high, metric.best))
    return dataclasses.replace(found, low=max(found.low, metric.best))
