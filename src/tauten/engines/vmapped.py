"""Vmapped: a network of one member, mapped over all by `torch.func.vmap`. Any `nn.Module` that vmap can take."""

from functools import partial

import torch
from torch import Tensor

from tauten.engines.step import Batch, Hyper, Program, State, evaluate_step, functional, train_step
from tauten.member import RowLosses
from tauten.tensors import Tree


class Vmapped:
    """The lift by `vmap`; slots stay filled, because its bits may depend on the number of members."""

    fixed = True

    def train(self, program: Program, state: State, hyper: Hyper, batch: Batch) -> tuple[State, Tensor]:
        """One step of all members."""

        def one(state: State, hyper: Hyper, *parts: Tensor) -> tuple[State, Tensor]:
            return train_step(program, functional, state, hyper, Batch(*parts))

        state, loss = torch.func.vmap(one)(state, hyper, *batch.parts)
        return state, loss

    def evaluate(self, program: Program, w: Tree, buffers: Tree, hyper: Hyper, x: Tensor) -> Tensor:
        """Outputs of all members."""
        out: Tensor = torch.func.vmap(partial(evaluate_step, program))(w, buffers, hyper, x)
        return out


def mappable(loss: RowLosses | None, outputs: int) -> bool:
    """Whether a loss can be mapped over members; one that looks at its numbers can't."""
    example = torch.ones(2, 3, outputs)
    try:
        return loss is None or torch.func.vmap(loss)(example, example) is not None
    except RuntimeError:
        return False
