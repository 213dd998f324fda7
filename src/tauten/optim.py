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
    kind: str, w: Tree, g: Tree, state: State, lr: Tensor, momentum: Tensor, count: Tensor, reuse: bool = False
) -> tuple[Tree, State, Tree]:
    """One step of `sgd` (with momentum), `adam` or `adamw`: new weights, new state, and the preconditioner.

    lr, momentum and count (steps taken before this one) are (M,) or 0-d. The formulas of torch.optim.SGD and
    torch.optim.Adam (Kingma & Ba 2015). With `reuse` Adam writes its new state over the old one, which `vmap` can't.
    """
    new: Tree = {}
    if kind == "sgd":
        velocity: Tree = {k: lead(momentum, g[k]) * state["momentum"][k] + g[k] for k in w}
        new = {k: w[k] - lead(lr, w[k]) * velocity[k] for k in w}
        # Once it has gathered speed, a step goes lr / (1 − momentum) along the gradient.
        return new, {"momentum": velocity}, {k: lead(1 - momentum, w[k]) for k in w}
    t = (count + 1).to(torch.float64)
    # 1 − βᵗ in float64, as torch.optim computes it in Python floats; a tensor's `**` rounds differently at its tail, so
    # a member's bits would depend on its slot.
    correction1, correction2 = (-torch.expm1(t * math.log(beta)) for beta in (BETA1, BETA2))
    rate = (lr.to(torch.float64) / correction1).clamp_min(1e-30).to(torch.float32)
    root = correction2.sqrt().to(torch.float32)
    # lr/c₁ · m / (√v/√c₂ + ε) is m / (slope · √v + offset): a step is bound by memory, and this is one pass less.
    slope, offset = 1 / (rate * root), EPSILON / rate
    mean: Tree = {}
    square: Tree = {}
    for k in w:
        m, v = (state[part][k] if reuse else None for part in ("mean", "square"))
        mean[k] = torch.lerp(state["mean"][k], g[k], 1 - BETA1, out=m)
        decayed = torch.mul(state["square"][k], BETA2, out=v)
        square[k] = torch.addcmul(decayed, g[k], g[k], value=1 - BETA2, out=v)
        divisor = square[k].sqrt()
        spare = divisor if reuse else None
        divisor = torch.addcmul(lead(offset, divisor), divisor, lead(slope, divisor), out=spare)
        new[k] = torch.addcdiv(w[k], mean[k], divisor, value=-1, out=spare)
    return new, {"mean": mean, "square": square}, _Divisor(square, root)


class _Divisor(Tree):
    """What Adam's step divides the gradient by, √v / √c₂ + ε, worked out for the leaves that somebody asks for."""

    def __init__(self, square: Tree, root: Tensor) -> None:
        super().__init__()
        self._square, self._root = square, root

    def __missing__(self, name: str) -> Tensor:
        self[name] = self._square[name].sqrt().div_(lead(self._root, self._square[name])).add_(EPSILON)
        return self[name]
