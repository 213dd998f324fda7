"""What a technique's hooks may look at, and what its stop rule answers."""

import dataclasses
from collections.abc import Callable, Mapping

from torch import Tensor

from tauten.tensors import Tree


@dataclasses.dataclass(frozen=True)
class Here:
    """What a hook may look at: this step of this member (or stack).

    `kernels` names the weights that penalties act on, no biases or norms, each with the axis of its units (member axis
    not counted). `lr` is this step's learning rate, `preconditioner` what divides the gradient (None: not known there).
    """

    w: Tree
    x: Tensor
    y: Tensor
    kernels: Mapping[str, int]
    lr: Tensor
    forward: Callable[[Tensor, str], Tensor]
    preconditioner: Tree | None = None


@dataclasses.dataclass(frozen=True)
class Stop:
    """Answer of a stop rule: whether to stop now, and the epoch (from 1) whose weights are the best so far."""

    now: bool
    best_epoch: int
