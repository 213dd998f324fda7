"""Optimizers with a learning rate per member, as pure steps over named tensors."""

import math
from collections.abc import Collection

import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

from tauten.tensors import Tree, lead, map_tree

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""The defaults of torch.optim.Adam."""

State = dict[str, Tree]
Moved = tuple[Tensor, Tensor, Tensor]
"""Weights and both of Adam's moments."""


def init(kind: str, w: Tree) -> State:
    """State at the start; every leaf leads with the member axis when the weights do."""
    zeros = map_tree(torch.zeros_like, w)
    return {"momentum": zeros} if kind == "sgd" else {"mean": zeros, "square": map_tree(torch.zeros_like, w)}


def step(
    kind: str,
    w: Tree,
    g: Tree,
    state: State,
    lr: Tensor,
    momentum: Tensor,
    count: Tensor,
    reuse: bool = False,
    tables: Collection[str] = (),
) -> tuple[Tree, State, Tree]:
    """One step of `sgd` (with momentum), `adam` or `adamw`: new weights, new state, and the preconditioner.

    lr, momentum and count (steps taken before this one) are (M,) or 0-d. The formulas of torch.optim.SGD and
    torch.optim.Adam (Kingma & Ba 2015). Of weights named in `tables` (M?, V, E) Adam steps those rows alone whose
    gradient is not 0, as torch.optim.SparseAdam does: the moments of a row decay in its own steps only, and `count` is
    that of all steps. With `reuse` Adam writes its new state, and new rows of tables, over the old, which `vmap` can't.
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
        moved = _rows_moved if k in tables else _moved
        old = w[k], state["mean"][k], state["square"][k]
        new[k], mean[k], square[k] = moved(old, g[k], slope, offset, reuse)
    return new, {"mean": mean, "square": square}, _Divisor(square, root)


def _moved(old: Moved, g: Tensor, slope: Tensor, offset: Tensor, reuse: bool) -> Moved:
    """One step of Adam; the old moments may be written over."""
    m, v = old[1:] if reuse else (None, None)
    mean = torch.lerp(old[1], g, 1 - BETA1, out=m)
    decayed = torch.mul(old[2], BETA2, out=v)
    square = torch.addcmul(decayed, g, g, value=1 - BETA2, out=v)
    divisor = square.sqrt()
    spare = divisor if reuse else None
    divisor = torch.addcmul(lead(offset, divisor), divisor, lead(slope, divisor), out=spare)
    return torch.addcdiv(old[0], mean, divisor, value=-1, out=spare), mean, square


def _rows_moved(old: Moved, g: Tensor, slope: Tensor, offset: Tensor, reuse: bool) -> Moved:
    """One step of Adam for those rows of a table that have a gradient; all that is old may be written over."""
    length = torch.linalg.vector_norm(g, dim=-1)
    if is_functorch_wrapped_tensor(length):
        # Under vmap no shape may depend on which rows there are.
        on = (length != 0).unsqueeze(-1)
        w, mean, square = _moved(old, g, slope, offset, False)
        return torch.where(on, w, old[0]), torch.where(on, mean, old[1]), torch.where(on, square, old[2])
    rows = length.flatten().nonzero().squeeze(-1)
    if slope.ndim:
        member = rows // g.shape[-2]
        slope, offset = slope.index_select(0, member), offset.index_select(0, member)
    w, mean, square = (leaf.flatten(0, -2).index_select(0, rows) for leaf in old)
    moved = _moved((w, mean, square), g.flatten(0, -2).index_select(0, rows), slope, offset, True)
    whole = old if reuse else (old[0].clone(), old[1].clone(), old[2].clone())
    for leaf, own in zip(whole, moved, strict=True):
        leaf.flatten(0, -2).index_copy_(0, rows, own)
    return whole


class _Divisor(Tree):
    """What Adam's step divides the gradient by, √v / √c₂ + ε, worked out for the leaves that somebody asks for."""

    def __init__(self, square: Tree, root: Tensor) -> None:
        super().__init__()
        self._square, self._root = square, root

    def __missing__(self, name: str) -> Tensor:
        self[name] = self._square[name].sqrt().div_(lead(self._root, self._square[name])).add_(EPSILON)
        return self[name]
