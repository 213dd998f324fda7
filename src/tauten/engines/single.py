"""One at a time: what can't be stacked trains member by member, through the same step."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tauten.engines.step import Batch, Hyper, Program, State, autograd, evaluate_step, train_step
from tauten.tensors import Tree


class Single:
    """The lift that loops over the members."""

    fixed = False

    def train(self, program: Program, state: State, hyper: Hyper, batch: Batch) -> tuple[State, Tensor]:
        """One step of each member in turn."""
        before = [_member(state, i) for i in range(len(batch.seed))]
        after, losses = [], []
        for i, own in enumerate(before):
            parts = (part[i] for part in batch.parts)
            new, loss = train_step(program, autograd, own, _member(hyper, i), Batch(*parts), reuse=True)
            after.append(new)
            losses.append(loss)
        return _together(state, before, after), torch.stack(losses)

    def evaluate(self, program: Program, w: Tree, buffers: Tree, hyper: Hyper, x: Tensor) -> Tensor:
        """Outputs of each member in turn."""
        outputs = []
        with torch.no_grad():
            for i, rows in enumerate(x):
                outputs.append(evaluate_step(program, _member(w, i), _member(buffers, i), _member(hyper, i), rows))
        return torch.stack(outputs)


def _member(trees: Mapping[str, Any], i: int) -> dict[str, Any]:
    """One member's part of a tree of trees, without a copy."""
    return {name: leaf[i] if isinstance(leaf, Tensor) else _member(leaf, i) for name, leaf in trees.items()}


def _together(whole: Any, before: Sequence[Any], after: Sequence[Any]) -> Any:
    """The members' trees as one: `whole`, whose parts `before` are, where a step wrote into it."""
    if not isinstance(whole, Tensor):
        return {name: _together(whole[name], *([t[name] for t in ts] for ts in (before, after))) for name in after[0]}
    if all(new is old for new, old in zip(after, before, strict=True)):
        return whole
    return after[0].unsqueeze(0) if len(after) == 1 else torch.stack(list(after))
