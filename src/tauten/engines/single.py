"""One at a time: what can't be stacked trains member by member, through the same step."""

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from tauten.engines.step import Batch, Hyper, Program, State, autograd, evaluate_step, train_step
from tauten.tensors import Tree


class Single:
    """The lift that loops over the members."""

    fixed = False

    def train(self, program: Program, state: State, hyper: Hyper, batch: Batch) -> tuple[State, Tensor]:
        """One step of each member in turn."""
        states, losses = [], []
        for i in range(len(batch.seed)):
            own, values, parts = pytree.tree_map(lambda leaf, i=i: leaf[i], (state, hyper, batch.parts))
            new, loss = train_step(program, autograd, own, values, Batch(*parts))
            states.append(new)
            losses.append(loss)
        return pytree.tree_map(lambda *leaves: torch.stack(leaves), *states), torch.stack(losses)

    def evaluate(self, program: Program, w: Tree, buffers: Tree, hyper: Hyper, x: Tensor) -> Tensor:
        """Outputs of each member in turn."""
        outputs = []
        with torch.no_grad():
            for i in range(len(x)):
                one = pytree.tree_map(lambda leaf, i=i: leaf[i], (w, buffers, hyper, x))
                outputs.append(evaluate_step(program, *one))
        return torch.stack(outputs)
