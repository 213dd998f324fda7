"""The training step: one function for every torch engine, for one member or a stack alike."""

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tauten import optim
from tauten.draws import Draws
from tauten.nets.base import Net, Pass
from tauten.technique import Here, Technique
from tauten.tensors import Tree

State = dict[str, Any]
"""weights, buffers, optimizer, techniques, step: one tree, every leaf leading with the member axis."""
Hyper = dict[str, dict[str, Tensor]]
Objective = Callable[[Tree], tuple[Tensor, Any]]
Differentiate = Callable[[Objective, Tree], tuple[Tree, Tensor, Any]]


@dataclasses.dataclass(frozen=True)
class Program:
    """What the members of a group have in common: network, techniques in use (in order), task, optimizer."""

    net: Net
    techniques: tuple[Technique, ...]
    task: str
    optimizer: str

    def bind(self, hyper: Hyper) -> tuple[Technique, ...]:
        """The techniques with each member's own values."""
        return tuple(t.with_values(hyper[t.name]) for t in self.techniques)


@dataclasses.dataclass(frozen=True)
class Batch:
    """A step's data and rates. x (M?, B, …), y (M?, B, K), seed, lr, momentum (M?,)."""

    x: Tensor
    y: Tensor
    seed: Tensor
    lr: Tensor
    momentum: Tensor


def base_loss(task: str, out: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy against class probabilities, or squared error; mean over rows, one per member."""
    if task == "classification":
        return -(y * torch.log_softmax(out, -1)).sum(-1).mean(-1)
    return (out - y).square().mean(-1).mean(-1)


def autograd(objective: Objective, w: Tree) -> tuple[Tree, Tensor, Any]:
    """Gradients of a stack: the members' losses don't share weights, so the gradient of their sum is each one's own."""
    leaves = {k: v.detach().requires_grad_() for k, v in w.items()}
    loss, aux = objective(leaves)
    gradients = torch.autograd.grad(loss.sum(), list(leaves.values()), allow_unused=True, materialize_grads=True)
    return dict(zip(leaves, gradients, strict=True)), loss.detach(), _detached(aux)


def functional(objective: Objective, w: Tree) -> tuple[Tree, Tensor, Any]:
    """Gradients of one member under `vmap`."""

    def scalar(w: Tree) -> tuple[Tensor, tuple[Tensor, Any]]:
        loss, aux = objective(w)
        return loss, (loss, aux)

    gradients, (loss, aux) = torch.func.grad(scalar, has_aux=True)(w)
    return gradients, loss, aux


def start(program: Program, w: Tree, buffers: Tree, step: Tensor) -> State:
    """The state of new members."""
    return {
        "w": w,
        "buffers": buffers,
        "optimizer": optim.init(program.optimizer, w),
        "techniques": {t.name: t.init(averaged(w, buffers)) for t in program.techniques if "init" in t.hooks},
        "step": step,
    }


def averaged(w: Tree, buffers: Tree) -> Tree:
    """Weights and float buffers: what `init`, `update` and `deliver` see."""
    return {**w, **{k: v for k, v in buffers.items() if v.is_floating_point()}}


def train_step(
    program: Program, differentiate: Differentiate, state: State, hyper: Hyper, batch: Batch
) -> tuple[State, Tensor]:
    """One step: new state, and the loss per member before it."""
    techniques = program.bind(hyper)
    draws = Draws(batch.seed, state["step"], "step")
    x, y = batch.x, batch.y
    for t in techniques:
        if "batch" in t.hooks:
            x, y = t.batch(x, y, draws.at(f"{t.name}/batch"))

    def forward(w: Tree, buffers: Tree, x: Tensor, name: str) -> tuple[Tensor, Tree]:
        return program.net.forward(w, buffers, x, Pass(techniques, draws, name))

    def look(w: Tree, preconditioner: Tree | None = None) -> Here:
        def again(x: Tensor, name: str) -> Tensor:
            return forward(w, state["buffers"], x, f"/{name}")[0]

        return Here(w, x, y, program.net.kernels, batch.lr, again, preconditioner)

    def objective(w: Tree) -> tuple[Tensor, Tree]:
        out, buffers = forward(w, state["buffers"], x, "")
        loss = base_loss(program.task, out, y)
        for t in techniques:
            if "loss" in t.hooks:
                loss = t.loss(loss, out, look(w))
        return loss, buffers

    w = state["w"]
    g, loss, buffers = differentiate(objective, w)
    for t in techniques:
        if "ascend" in t.hooks:
            risen = t.ascend(w, g, look(w))
            g, _, _ = differentiate(objective, risen)
    for t in techniques:
        if "gradient" in t.hooks:
            g = program.net.mask(t.gradient(g, w, look(w)))
    new, opt, preconditioner = optim.step(
        program.optimizer, w, g, state["optimizer"], batch.lr, batch.momentum, state["step"]
    )
    for t in techniques:
        if "weights" in t.hooks:
            new = program.net.mask(t.weights(new, w, look(w, preconditioner)))
    own, new, buffers = _advance(techniques, state, new, buffers)
    return {"w": new, "buffers": buffers, "optimizer": opt, "techniques": own, "step": state["step"] + 1}, loss


def _advance(
    techniques: tuple[Technique, ...], state: State, w: Tree, buffers: Tree
) -> tuple[dict[str, Tree], Tree, Tree]:
    own: dict[str, Tree] = {}
    for t in techniques:
        if "update" in t.hooks:
            own[t.name], moved = t.update(state["techniques"][t.name], averaged(w, buffers), state["step"])
            w, buffers = {k: moved[k] for k in w}, {k: moved.get(k, v) for k, v in buffers.items()}
    return own, w, buffers


def delivered(program: Program, state: State, hyper: Hyper) -> tuple[Tree, Tree]:
    """The weights and buffers that evaluation, extraction and snapshots read."""
    w, buffers = state["w"], state["buffers"]
    for t in program.bind(hyper):
        if "deliver" in t.hooks:
            tree = t.deliver(averaged(w, buffers), state["techniques"].get(t.name, {}))
            w, buffers = {k: tree[k] for k in w}, {k: tree.get(k, v) for k, v in buffers.items()}
    return w, buffers


def evaluate_step(program: Program, w: Tree, buffers: Tree, hyper: Hyper, x: Tensor) -> Tensor:
    """Outputs (M?, B, K) of delivered weights; draws nothing."""
    return program.net.forward(w, buffers, x, Pass(program.bind(hyper), None))[0]


def _detached(tree: Any) -> Any:
    return torch.utils._pytree.tree_map(lambda t: t.detach(), tree)


__all__ = [
    "Batch", "Differentiate", "Hyper", "Program", "State", "autograd", "averaged", "base_loss", "delivered",
    "evaluate_step", "functional", "start", "train_step",
]  # fmt: skip
