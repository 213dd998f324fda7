"""What the techniques of a recipe make of rows, to be looked at outside of training."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from tauten.draws import Draws
from tauten.engines.step import changed
from tauten.member import Source
from tauten.partners import in_order
from tauten.recipe import Recipe
from tauten.technique import Technique
from tauten.wording import reading

SITES = frozenset({"warp", "batch"})


def acting(recipe: Recipe) -> tuple[Technique, ...]:
    """The techniques that change rows, in the order in which they act."""
    return in_order(t for t in recipe.techniques if t.hooks & SITES)


def augmented(
    techniques: Sequence[Technique], source: Source, rows: Tensor, seed: int, steps: Iterable[int]
) -> list[tuple[Tensor, Tensor]]:
    """Inputs and targets of these rows of a source, as a member of this seed sees them at each step.

    Transformations are those of training, drawn by its draws, in one batch of these rows.
    """
    x, y = source.inputs[rows], source.targets[rows]
    bound = tuple(_bound(t, source) for t in techniques)
    return [changed(bound, Draws(torch.tensor(seed), torch.tensor(step), "step"), x, y)[:2] for step in steps]


def _bound(technique: Technique, source: Source) -> Technique:
    learnt = technique.learn(source.targets[source.train])
    if type(technique).pixels is not Technique.pixels:
        learnt |= technique.pixels(*source.pixels)
    alone = technique.alone(0, source.inputs.device).with_values(learnt)
    return reading(alone, source.layout)
