"""Optimizers with a learning rate per member, as pure steps over named tensors."""

import math

import torch
from torch import Tensor

from tauten.tensors import Tree, lead, map_tree

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""The defaults of torch.optim.Adam."""

State = dict[str, Tree]


def init(kind: str, w: Tree) -> State:
    """State at the start; every leaf leads with the member axis when the weights do."""
    zeros = map_tree(torch.zeros_like, w)
    return {"momentum": zeros} if kind == "sgd" else {"mean": zeros, "square": map_tree(torch.zeros_like, w)}


def step(
    kind: str, w: Tree, g: Tree, state: State, lr: Tensor, momentum: Tensor, count: Tensor
) -> tuple[Tree, State, Tree]:
    """One step of `sgd` (with momentum), `adam` or `adamw`: new weights, new state, and the preconditioner.

    lr, momentum and count (steps taken before this one) are (M,) or 0-d. The same formulas in the same order as
    torch.optim.SGD and torch.optim.Adam (Kingma & Ba 2015).
    """
    if kind == "sgd":
        velocity = {k: lead(momentum, g[k]) * state["momentum"][k] + g[k] for k in w}
        new = {k: w[k] - lead(lr, w[k]) * velocity[k] for k in w}
        # Once it has gathered speed, a step goes lr / (1 − momentum) along the gradient.
        return new, {"momentum": velocity}, {k: lead(1 - momentum, w[k]) for k in w}
    t = (count + 1).to(torch.float64)
    # 1 − βᵗ in float64, as torch.optim computes it in Python floats; a tensor's `**` rounds differently at its tail, so
    # a member's bits would depend on its slot.
    correction1, correction2 = (-torch.expm1(t * math.log(beta)) for beta in (BETA1, BETA2))
    rate = (lr.to(torch.float64) / correction1).to(torch.float32)
    root = correction2.sqrt().to(torch.float32)
    mean = {k: torch.lerp(state["mean"][k], g[k], 1 - BETA1) for k in w}
    # In place on what was just made: a wide network's step is bound by memory. (addcmul_ has no rule under vmap.)
    square = {k: (state["square"][k] * BETA2).addcmul(g[k], g[k], value=1 - BETA2) for k in w}
    scale = {k: square[k].sqrt().div_(lead(root, g[k])).add_(EPSILON) for k in w}
    new = {k: torch.addcdiv(w[k], mean[k] * lead(-rate, w[k]), scale[k]) for k in w}
    # The step divides the gradient by `scale` and the rate by the first correction, which tends to 1.
    return new, {"mean": mean, "square": square}, scale
