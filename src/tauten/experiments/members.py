"""Data of the replayed claims, and the training of all their members in one population."""

import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tauten.builder import Builder
from tauten.draws import derive_seed
from tauten.engines.block import Completed
from tauten.errors import DataError
from tauten.evidence import compare, interval
from tauten.evidence.jackknife import spread
from tauten.experiments.claim import Run
from tauten.experiments.problem import digits, load_problem
from tauten.member import Member, Source, one_hot
from tauten.metrics import METRICS
from tauten.population import Population
from tauten.recipe import Recipe

Floats = NDArray[np.float64]
Key = TypeVar("Key", bound=Hashable)
SCORES = {"error": METRICS["accuracy"], "log_loss": METRICS["log_loss"]}
"""Of every example, lower is better: 1 for a wrong class, and −log of the true one's probability."""


@dataclasses.dataclass(frozen=True, eq=False)
class Images:
    """Inputs (n, d) in [0, 1], targets (n, K), and which rows train, choose and judge."""

    inputs: Tensor
    targets: Tensor
    train: Tensor
    validation: Tensor
    test: Tensor
    note: str

    @property
    def source(self) -> Source:
        """What a member trains on."""
        return Source(self.inputs, self.targets, self.train, "classification")

    def mislabelled(self, share: float, seed: int = 1) -> Source:
        """The same with a share of the training rows taken for another class, once a seed; all others are right."""
        random, classes = np.random.default_rng(seed), self.targets.shape[1]
        wrong = self.train[torch.from_numpy(random.permutation(len(self.train))[: round(share * len(self.train))])]
        shift = torch.from_numpy(random.integers(1, classes, len(wrong)))
        targets = self.targets.clone()
        targets[wrong] = one_hot((self.targets[wrong].argmax(1) + shift) % classes, classes)
        return Source(self.inputs, targets, self.train, "classification")

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class codes (n,)."""
        codes: NDArray[np.int64] = self.targets.argmax(1).numpy()
        return codes


def images(data: Path | None, train: int, validation: int, test: int) -> Images:
    """So many rows of the bundled digits or of an IDX folder, in an order fixed for ever.

    DataError where the folder has too few.
    """
    problem = digits() if data is None else load_problem(data, data, lambda _: None)
    n, wanted = len(problem.inputs), train + validation + test
    if n < wanted:
        raise DataError(f"the data has {n} rows: expected at least {wanted}, so name a folder with more")
    order = torch.from_numpy(np.random.default_rng(0).permutation(n)[:wanted])
    fit, choose, judge = torch.split(order, [train, validation, test])
    parts = {"train": train, "choose": validation, "judge": test}
    name = "scikit-learn's bundled digits, 8 × 8 pixels" if data is None else problem.note.split(":")[0]
    sizes = ", ".join(f"{size} {verb}" for verb, size in parts.items() if size)
    return Images(problem.inputs, problem.targets, fit, choose, judge, f"{name}; of its rows, {sizes}")


def trained(
    run: Run,
    name: str,
    recipes: Mapping[Key, Recipe],
    sources: Sequence[Source],
    rows: Tensor | Mapping[Key, Tensor],
    *,
    of: Callable[[Key, int], int] = lambda key, seed: 0,
    extract: bool = False,
) -> dict[Key, list[Completed]]:
    """Every recipe with every seed, all in one population, to their last epoch: outputs on `rows`, seed by seed.

    Recipes of one seed share its start, batches and draws. `of` numbers the source that a key and seed train on.
    """
    asked = [(key, seed) for key in recipes for seed in range(run.seeds)]
    members = [
        Member(i, recipes[key], derive_seed(name, seed), of(key, seed), recipes[key].setting.epochs)
        for i, (key, seed) in enumerate(asked)
    ]
    scored = {i: rows if isinstance(rows, Tensor) else rows[key] for i, (key, _) in enumerate(asked)}
    with Population(Builder(sources[0]), sources, threads=run.threads) as population:
        population.enter(members)
        run.progress(f"{name}: {len(members)} members in one population")
        done = population.complete(scored, extract=range(len(members)) if extract else ())
    found: dict[Key, list[Completed]] = {key: [] for key in recipes}
    for i, (key, _) in enumerate(asked):
        found[key].append(done[i])
    return found


def outputs(done: Sequence[Completed]) -> Tensor:
    """Outputs (seeds, R, K) of one recipe; what diverged is 0, which is a uniform guess."""
    stacked = torch.stack([one.outputs for one in done if one.outputs is not None])
    sick = ~torch.isfinite(stacked).all(-1, keepdim=True)
    return torch.where(sick, 0.0, stacked)


def scores(out: Tensor, targets: Tensor) -> dict[str, Floats]:
    """Each score of outputs (seeds, R, K), as (R, seeds)."""
    return {name: score.contributions(out, targets).T for name, score in SCORES.items()}


def estimate(values: Floats) -> dict[str, float]:
    """Mean of scores (R, seeds) with its 95 % interval over new examples and seeds."""
    return _ends(interval(values))


def gain(before: Floats, after: Floats) -> dict[str, float]:
    """By how much `after` is lower than `before`, paired by example and seed, with its 95 % interval."""
    return _ends(compare(before, after))


def over_seeds(values: Sequence[float] | Floats) -> dict[str, float]:
    """Mean of one number a seed with its 95 % t interval, for these examples."""
    return _ends(spread(values))


def _ends(found: Any) -> dict[str, float]:
    return {"mean": found.mean, "low": found.low, "high": found.high}
