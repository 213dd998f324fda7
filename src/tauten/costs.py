"""What a recipe costs: time in training, time in inference, memory; measured side by side with another."""

import time
from collections.abc import Sequence

import numpy as np
import torch

from tauten.builder import Builder
from tauten.cells import Arm
from tauten.member import Source
from tauten.model import Model
from tauten.options import Options
from tauten.recipe import Recipe
from tauten.speed import BATCHES, gradients_a_second

INFERENCE_ROWS = 1_024
COMPANY, REPEATS = 8, 3


def seconds_ratios(builder: Builder, source: Source, arm: Arm, other: Arm, repeats: int = REPEATS) -> list[float]:
    """Time of training an arm over that of another, by turns, from a few batches of members on one thread."""
    members = max(probed(builder, one.recipe) for one in (arm, other))

    def seconds(one: Arm) -> float:
        passes = max((t.passes for t in one.recipe.techniques), default=1)
        return one.epochs * passes / gradients_a_second(builder, source, one.recipe, 1, members)

    return [seconds(arm) / seconds(other) for _ in range(repeats)]


def fixed(builder: Builder, options: Options, folds: int, rows: int, train: int) -> tuple[int, float, float, float]:
    """Of `budget.Costs`, what doesn't depend on recipes: folds, whole, holdout and held; for so many development rows,
    and training rows of a fold."""
    plain = Recipe((), options.setting_for(train, builder.data, builder.module is not None))
    held = 3 * rows * options.holdout / (1 - options.holdout) / plain.setting.batch_size
    # After the last training one thread works: a batch forward by torch is counted like a gradient evaluation.
    probes, alone = 2 * REPEATS * 2 * BATCHES * probed(builder, plain), options.threads * builder.size(plain)
    return folds, rows / train, probes * alone, held * alone


def probed(builder: Builder, recipe: Recipe) -> int:
    """Members whose training tells what one costs: as many as keep each other company in the finals."""
    return 1 if builder.alone(recipe) else COMPANY


def inference_seconds(models: Sequence[Model], inputs: torch.Tensor, repeats: int = 15) -> list[float]:
    """Seconds that each model takes to predict 1,024 rows such as these; the least of turns: noise only adds."""
    rows = inputs[torch.arange(INFERENCE_ROWS) % len(inputs)]
    taken: list[list[float]] = []
    for _ in range(repeats):
        taken.append([])
        for model in models:
            begin = time.perf_counter()
            model.forward(rows)
            taken[-1].append(time.perf_counter() - begin)
    return [float(s) for s in np.min(taken, axis=0)]


def parameter_bytes(model: Model) -> int:
    """Memory of a delivered network's weights and buffers."""
    return sum(
        v.numel() * v.element_size() for tree in (model.delivered.w, model.delivered.buffers) for v in tree.values()
    )
