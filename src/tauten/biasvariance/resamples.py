"""Members trained on resamples, in one population, and what each predicts on rows that it did not see."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tauten.builder import Builder
from tauten.callables import rehearse
from tauten.data import Layout, Preprocessor, Table, TargetScale, as_frame, check_network
from tauten.draws import derive_seed
from tauten.errors import DataError, OptionError
from tauten.finals import MEMORY
from tauten.folds import Development
from tauten.member import Group, Member, Source, one_hot
from tauten.options import Options
from tauten.population import Population
from tauten.recipe import Recipe
from tauten.searching import Phase, Tick, Watcher
from tauten.setting import Setting
from tauten.split import SelectionPlan

Floats = npt.NDArray[np.float64]
Outputs = npt.NDArray[np.float32]
Build = Callable[[], nn.Module]
Recipes = Callable[[str, str, int], list[Recipe]]
"""From task, kind of data and number of training rows."""
SCORED = 10_000
"""Rows that are scored at most, the same for all; every row is trained on."""
SUM_TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """Outputs (M, n, K) of each recipe: log-probabilities, or numbers in the target's unit; and what they should be.

    `targets` (n, K) are labels, as probabilities or numbers, or with `truth` their expectation; `noise` is the
    variance of a regression label around it; `weights` (n,) say how much each row counts, None where all count alike;
    `warnings` what was guessed of the data.
    """

    recipes: list[Recipe]
    outputs: list[Outputs]
    targets: Floats
    task: str
    truth: bool
    noise: float | None
    resampling: str
    rows_trained: int
    weights: Floats | None = None
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class _Resample:
    """One training set, where it belongs (replicate), the rows it scores and where their outputs stand among all."""

    source: Source
    replicate: int
    score: Tensor
    at: npt.NDArray[np.int64]
    scale: TargetScale | None
    seed: int


def halves(
    table: Table,
    recipes: Recipes,
    build: Build | None,
    replicates: int,
    options: Options,
    watch: Watcher,
) -> Scored:
    """Real rows, cut into halves; see `tauten.bias_variance`."""
    check_network(table, build is not None)
    n = len(table.y)
    development = Development.of(table, SelectionPlan(2, 1), (_numeric(options),))
    asked = np.sort(np.random.default_rng(derive_seed("scored", options.seed)).permutation(n)[:SCORED])
    place = np.full(n, -1)
    place[asked] = np.arange(len(asked))

    def resamples(replicate: int) -> list[_Resample]:
        made = []
        for half, split in enumerate(development.partition("bias-variance", options.seed, replicate)):
            fold = development.fold(split)
            score = fold.score[torch.from_numpy(place[split.score] >= 0)]
            seed = derive_seed("bias-variance", options.seed, replicate, half)
            made.append(_Resample(fold.source, replicate, score, place[score.numpy()], fold.scale, seed))
        return made

    chosen = recipes(table.task, table.data, n // 2)
    outputs = _train(chosen, resamples, replicates, len(asked), build, options, watch)
    y = table.y[asked]
    targets = np.eye(len(table.classes))[y] if table.classes else np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    weights, how = None if table.weights is None else table.weights[asked], "halves without replacement"
    return Scored(chosen, outputs, targets, table.task, False, None, how, n // 2, weights, table.warnings)


def redrawn(
    X: Any,
    truth: Callable[[Floats], Any],
    noise: float | Callable[[Floats], Any] | None,
    test: Any,
    recipes: Recipes,
    build: Build | None,
    replicates: int,
    options: Options,
    watch: Watcher,
) -> Scored:
    """Labels drawn anew for the same inputs; see `tauten.bias_variance`."""
    x, held = _matrix(X, "X"), _matrix(X if test is None else test, "test")
    expected, wanted = _expectation(truth, x), _expectation(truth, held)
    task = "regression" if expected.ndim == 1 else "classification"
    deviation, held_deviation = (_deviation(noise, at, task) for at in (x, held))
    frame = as_frame(x)
    preprocessor = Preprocessor.fit(frame, Layout.of(frame, _numeric(options)))
    inputs = torch.from_numpy(np.concatenate([preprocessor.transform(as_frame(part)) for part in (x, held)]))
    train, score = torch.arange(len(x)), torch.arange(len(x), len(x) + len(held))

    def resamples(replicate: int) -> list[_Resample]:
        random = np.random.default_rng(derive_seed("labels", options.seed, replicate))
        scale = None
        if task == "regression":
            y = expected + deviation * random.standard_normal(len(x))
            scale = TargetScale.fit(y)
            labels = torch.from_numpy(scale.scale(y)).reshape(-1, 1)
        else:
            drawn = (expected.cumsum(axis=1) < random.random((len(x), 1))).sum(axis=1)
            labels = one_hot(torch.from_numpy(np.minimum(drawn, expected.shape[1] - 1)), expected.shape[1])
        targets = torch.cat([labels, torch.zeros(len(held), labels.shape[1])])
        seed = derive_seed("bias-variance", options.seed, replicate)
        source = Source(inputs, targets, train, task)
        return [_Resample(source, replicate, score, np.arange(len(held)), scale, seed)]

    chosen = recipes(task, "tables", len(x))
    outputs = _train(chosen, resamples, replicates, len(held), build, options, watch)
    known = float((held_deviation**2).mean()) if task == "regression" else None
    return Scored(chosen, outputs, wanted.reshape(len(held), -1), task, True, known, "labels drawn anew", len(x))


def _numeric(options: Options) -> str:
    return Setting.from_dict(options.setting).numeric


def _train(
    recipes: Sequence[Recipe],
    resamples: Callable[[int], list[_Resample]],
    replicates: int,
    rows: int,
    build: Build | None,
    options: Options,
    watch: Watcher,
) -> list[Outputs]:
    """Outputs (replicates, rows, K) of each recipe; one population, or a few where the inputs fill much memory."""
    first = resamples(0)
    example = first[0].source
    rehearse([type(t) for recipe in recipes for t in recipe.techniques], example)
    at_once = max(1, int(MEMORY / (len(first) * example.inputs.nbytes)))
    builder = Builder(example, build, precision=options.precision)
    epochs = recipes[0].setting.epochs
    costs = [Group.of(Member(0, recipe, 0), example) for recipe in recipes]
    evaluations = sum(g.epoch_steps * g.passes for g in costs) * epochs * len(first) * replicates
    watch(Phase("resamples", 0.0, evaluations))
    result = [np.full((replicates, rows, example.targets.shape[1]), np.nan, dtype=np.float32) for _ in recipes]
    for begin in range(0, replicates, at_once):
        batch = range(begin, min(begin + at_once, replicates))
        sets = [s for r in batch for s in (resamples(r) if r else first)]
        asked = [(value, i) for value in range(len(recipes)) for i in range(len(sets))]
        members = [Member(id, recipes[v], sets[i].seed, i, epochs) for id, (v, i) in enumerate(asked)]
        with Population(builder, [s.source for s in sets], options.threads) as population:
            population.enter(members)
            done = population.complete(
                {id: sets[i].score for id, (_, i) in enumerate(asked)}, tick=lambda n: watch(Tick(n))
            )
        for id, (v, i) in enumerate(asked):
            out = done[id].outputs
            assert out is not None
            result[v][sets[i].replicate, sets[i].at] = _readable(out, sets[i].scale)
    return result


def _readable(out: Tensor, scale: TargetScale | None) -> npt.NDArray[np.floating]:
    """Raw outputs (n, K) as log-probabilities, or in the target's unit."""
    if scale is None:
        return torch.log_softmax(out.double(), -1).numpy()
    return scale.restore(out.double().numpy())


def _matrix(values: Any, name: str) -> Floats:
    try:
        x = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        x = np.zeros(0)
    if x.ndim != 2 or not x.size or not np.isfinite(x).all():
        raise DataError(f"{name} beside truth has shape {np.shape(values)}; pass finite numbers (n, d) as an array.")
    return x


def _expectation(truth: Callable[[Floats], Any], x: Floats) -> Floats:
    values = np.asarray(truth(x), dtype=np.float64)
    if values.ndim not in (1, 2) or len(values) != len(x) or not np.isfinite(values).all():
        raise OptionError(
            f"truth(X) has shape {values.shape} for {len(x)} rows; return E[y | x] (n,), or class probabilities (n, K)."
        )
    if values.ndim == 2 and (values.min() < 0 or np.abs(values.sum(axis=1) - 1).max() > SUM_TOLERANCE):
        raise OptionError("truth(X) has rows that are no probabilities; each row (K,) must be 0 or more and sum to 1.")
    return values


def _deviation(noise: float | Callable[[Floats], Any] | None, x: Floats, task: str) -> Floats:
    """The standard deviation of each row's label (n,)."""
    if task == "classification":
        if noise is not None:
            raise OptionError("noise was given beside class probabilities, which are the noise; leave it out.")
        return np.zeros(len(x))
    if noise is None:
        raise OptionError("truth was given without noise; pass noise=, the standard deviation of y around truth(X).")
    values = np.broadcast_to(np.asarray(noise(x) if callable(noise) else noise, dtype=np.float64), (len(x),))
    if not (np.isfinite(values).all() and values.min() >= 0):
        raise OptionError(f"noise ranges from {values.min():g} to {values.max():g}; a standard deviation is 0 or more.")
    return values
