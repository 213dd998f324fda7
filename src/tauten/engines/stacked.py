"""Stacked: the network itself takes a leading member axis. Every technique, every device."""

import torch
from torch import Tensor

from tauten.engines.step import Batch, Hyper, Program, State, autograd, evaluate_step, train_step
from tauten.tensors import Tree


class Stacked:
    """The lift of a network whose forward pass takes a leading member axis."""

    fixed = False

    def train(self, program: Program, state: State, hyper: Hyper, batch: Batch) -> tuple[State, Tensor]:
        """One step of all members."""
        return train_step(program, autograd, state, hyper, batch, reuse=True)

    def evaluate(self, program: Program, w: Tree, buffers: Tree, hyper: Hyper, x: Tensor) -> Tensor:
        """Outputs of all members."""
        with torch.no_grad():
            return evaluate_step(program, w, buffers, hyper, x)
