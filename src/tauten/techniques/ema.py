"""Exponential moving average of the weights."""

import torch
from torch import Tensor

from tauten.technique import Kernel, Technique, Tree, hyperparameter
from tauten.tensors import lead, pick_tree


class EMA(
    Technique,
    name="ema",
    paper="Polyak & Juditsky 1992, SIAM J. Control Optim. 30:838-855; Tarvainen & Valpola 2017, arXiv:1703.01780",
    card="0.99 for hundreds of steps, 0.999 for thousands. Pays at a constant learning rate; with a schedule that "
    "ends at zero little is left to gain. Training itself is unchanged. Costs one pass over the weights a step and "
    "a second copy of them.",
):
    """Evaluate and deliver the average a ← d·a + (1 − d)·w instead of the last weights.

    The decay is min(`decay`, (1 + t) / (10 + t)) at step t, so that the start is forgotten soon.
    """

    decay: float = hyperparameter(off=0.0, low=0.5, high=0.99999, default=0.99, search=(0.9, 0.999), doc="d")

    def kernel(self) -> Kernel:
        return {"ema": self.decay}

    def init(self, w: Tree) -> Tree:
        return dict(w)

    def update(self, state: Tree, w: Tree, step: Tensor) -> tuple[Tree, Tree]:
        decay = torch.minimum(torch.as_tensor(self.decay), (1 + step) / (10 + step))
        return {name: a + lead(1 - decay, a) * (w[name] - a) for name, a in state.items()}, w

    def deliver(self, w: Tree, state: Tree) -> Tree:
        return pick_tree(torch.as_tensor(self.decay > 0), state, w)
