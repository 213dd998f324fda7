"""The hooks of a technique as they are when it has nothing to say, what they may look at, and a stop rule's answer."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from tauten.draws import Draws
from tauten.tensors import Tree

HOOKS = (
    "warp", "batch", "normalize", "activation", "inference", "pooled", "loss", "ascend", "disturb",
    "gradient", "weights", "init", "update", "deliver", "stop",
)  # fmt: skip
IN_TEXT = frozenset({"pooled", "disturb"})
"""Those that the built-in networks of text ask for, and no module of one's own."""


@dataclasses.dataclass(frozen=True)
class Here:
    """What a hook may look at: this step of this member (or stack).

    `kernels` names the weights that penalties act on, no biases or norms, each with the axis of its units (member axis
    not counted). `lr` is this step's learning rate, `preconditioner` what divides the gradient (None: not known there),
    `first` the gradient before a second one was taken (None: this is it).
    """

    w: Tree
    x: Tensor
    y: Tensor
    kernels: Mapping[str, int]
    lr: Tensor
    forward: Callable[[Tensor, str], Tensor]
    preconditioner: Tree | None = None
    first: Tree | None = None


@dataclasses.dataclass(frozen=True)
class Stop:
    """Answer of a stop rule: whether to stop now, and the epoch (from 1) whose weights are the best so far."""

    now: bool
    best_epoch: int


class Hooks:
    """Every hook; a technique writes those in which it acts. See `tauten.technique` for when they are called."""

    @staticmethod
    def learn(targets: Tensor) -> Tree:
        """What hooks need to know of a member's training rows: from targets (n, K), tensors they read from `self`.

        Class probabilities come times the rows' weights.
        """
        return {}

    @staticmethod
    def pixels(black: Tensor, white: Tensor) -> Tree:
        """As `learn`, of images: black and white (C,), the least and greatest pixel of those rows, standardized."""
        return {}

    def warp(self, x: Tensor, r: Draws) -> Tensor:
        """An affine map (M?, B, 2, 3) for each image of x (M?, B, C, H, W); see `tauten.imaging`.

        It says where each place of the new image lies in the old one; off is the identity, exactly.
        """
        return x

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        """Change a batch. x (M?, B, …), y (M?, B, K): class probabilities, labels, or standardized targets."""
        return x, y

    def parameters(self, width: int) -> Tree:
        """Parameters that the technique owns at one normalized layer of this width, at their start."""
        return {}

    def buffers(self, width: int) -> Tree:
        """Buffers that it owns there, at their start."""
        return {}

    def normalize(self, h: Tensor, own: Tree, buffers: Tree, training: bool) -> tuple[Tensor, Tree]:
        """Act between a linear map and its activation. h (M?, B, H), own and buffers (M?, H)."""
        return h, buffers

    def activation(self, h: Tensor, r: Draws) -> Tensor:
        """Act on hidden units after their activation, in training. h (M?, B, …)."""
        return h

    def inference(self, h: Tensor) -> Tensor:
        """Act on hidden units after their activation, in evaluation; a function of h alone."""
        return h

    def pooled(self, h: Tensor, r: Draws) -> Tensor:
        """Act on what stands for a whole text, other columns beside it, in training. h (M?, B, H).

        Draws are those of this technique's `batch` once more: the same names give the same numbers.
        """
        return h

    def loss(self, loss: Tensor, out: Tensor, here: Here) -> Tensor:
        """Add to the loss. loss (M?,), out (M?, B, K)."""
        return loss

    def ascend(self, w: Tree, g: Tree, here: Here) -> Tree:
        """The weights at which the second gradient is taken."""
        return w

    def disturb(self, g: Tensor) -> Tensor:
        """How far the word vectors of each text go for the second gradient, as a share of their length.

        g (M?, B, N) is the loss's gradient by that, at 0; N are all numbers of a text's vectors, or of their mean.
        """
        return torch.zeros_like(g)

    def gradient(self, g: Tree, w: Tree, here: Here) -> Tree:
        """Change the gradient before the optimizer sees it."""
        return g

    def weights(self, new: Tree, old: Tree, here: Here) -> Tree:
        """Change the weights after the optimizer's step."""
        return new

    def init(self, w: Tree) -> Tree:
        """State to carry along; w holds weights and float buffers."""
        return {}

    def update(self, state: Tree, w: Tree, step: Tensor) -> tuple[Tree, Tree]:
        """Advance the state after the step; may move the weights."""
        return state, w

    def deliver(self, w: Tree, state: Tree) -> Tree:
        """The weights and float buffers that evaluation reads."""
        return w

    def stop(self, history: Sequence[float]) -> Stop:
        """Whether to stop after these validation losses, one an epoch."""
        return Stop(False, len(history))
