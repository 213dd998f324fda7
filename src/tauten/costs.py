"""What a recipe costs: time in training, time in inference, memory; measured side by side with another."""

import time
from collections.abc import Sequence

import numpy as np
import torch

from tauten.builder import Builder
from tauten.cells import Arm
from tauten.member import Source
from tauten.model import Model
from tauten.speed import gradients_a_second

INFERENCE_ROWS = 1_024


def seconds_ratios(builder: Builder, source: Source, arm: Arm, other: Arm, repeats: int = 3) -> list[float]:
    """Time of training an arm over that of another, by turns, from a few batches of eight members on one thread."""

    def seconds(one: Arm) -> float:
        passes = max((t.passes for t in one.recipe.techniques), default=1)
        return one.epochs * passes / gradients_a_second(builder, source, one.recipe, 1, 8)

    return [seconds(arm) / seconds(other) for _ in range(repeats)]


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
