"""The training step: one function for every torch engine, for one member or a stack alike."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tauten import optim
from tauten.draws import Draws
from tauten.imaging import compose, resample
from tauten.member import RowLosses
from tauten.nets.base import Net, Pass, ReadsWords, Trainable
from tauten.technique import Here, Technique
from tauten.tensors import Tree
from tauten.text.layout import TextLayout
from tauten.wording import reading

State = dict[str, Any]
"""weights, buffers, optimizer, techniques, step: one tree, every leaf leading with the member axis."""
Hyper = dict[str, dict[str, Tensor]]
Objective = Callable[[Tree], tuple[Tensor, Any]]
SHIFT = "words moved"
"""Among the leaves that a gradient is taken by: how far each text's word vectors move."""
TINY = 1e-30
"""A divisor instead of 0, where nothing but rows of weight 0 were mixed."""
Differentiate = Callable[[Objective, Tree], tuple[Tree, Tensor, Any]]


@dataclasses.dataclass(frozen=True)
class Program:
    """What the members of a group have in common: network, techniques in use (in order), task, optimizer, and the
    layout of rows of text."""

    net: Net
    techniques: tuple[Technique, ...]
    task: str
    optimizer: str
    loss: RowLosses | None = None
    layout: TextLayout | None = None

    @functools.cached_property
    def tables(self) -> tuple[str, ...]:
        """Weights that Adam steps row by row, where a row has a gradient."""
        return self.net.tables if isinstance(self.net, ReadsWords) else ()

    def bind(self, hyper: Hyper) -> tuple[Technique, ...]:
        """The techniques with each member's own values."""
        return tuple(reading(t.with_values(hyper[t.name]), self.layout) for t in self.techniques)


@dataclasses.dataclass(frozen=True)
class Batch:
    """A step's data and rates. x (M?, B, …), y (M?, B, K), seed, lr, momentum (M?,), weight (M?, B) where rows have
    one."""

    x: Tensor
    y: Tensor
    seed: Tensor
    lr: Tensor
    momentum: Tensor
    weight: Tensor | None = None

    @property
    def parts(self) -> tuple[Tensor, ...]:
        """What a step needs, as `Batch(*parts)` takes it."""
        always = (self.x, self.y, self.seed, self.lr, self.momentum)
        return always if self.weight is None else (*always, self.weight)


def base_loss(task: str, out: Tensor, y: Tensor, weight: Tensor | None = None, own: RowLosses | None = None) -> Tensor:
    """Cross-entropy against class probabilities, its mean over labels, or squared error; mean over rows, by member.

    weight (M?, B) are factors of the rows' losses; `own` gives these instead, for one member (B, K).
    """
    # Over classes that lie apart in memory torch goes by whole vectors of rows.
    if own:
        losses = own(out, y)
    elif task == "classification":
        losses = -(y * torch.log_softmax(out.mT, -2).mT).sum(-1)
    elif task == "multilabel":
        # A label's logit z is that of two classes with (0, z).
        no, yes = torch.log_softmax(torch.stack((torch.zeros_like(out.mT), out.mT), -2), -2).unbind(-2)
        losses = -(y * yes.mT + (1 - y) * no.mT).mean(-1)
    else:
        losses = (out - y).square().mean(-1)
    return (losses if weight is None else losses * weight).mean(-1)


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


@dataclasses.dataclass(frozen=True)
class Scene:
    """One step of the bound techniques on one batch: what their hooks see, and the hooks in their order.

    x, y and weight come from `changed`, so they are what the `batch` hooks made of them; `buffers` are those before the
    step.
    """

    net: Trainable
    task: str
    techniques: tuple[Technique, ...]
    draws: Draws
    buffers: Tree
    x: Tensor
    y: Tensor
    lr: Tensor
    weight: Tensor | None = None
    own_loss: RowLosses | None = None

    def forward(self, w: Tree, x: Tensor, name: str = "") -> tuple[Tensor, Tree]:
        """A training pass; under another name its masks are others."""
        return self.net.forward(w, self.buffers, x, Pass(self.techniques, self.draws, name, w.get(SHIFT)))

    def leaves(self, w: Tree) -> Tree:
        """What the first gradient is taken by: the weights, and where word vectors may move the shift, at 0."""
        if not any("disturb" in t.hooks for t in self.techniques):
            return w
        assert isinstance(self.net, ReadsWords), "checked before training: see Technique.grafts"
        return {**w, SHIFT: self.net.undisturbed(self.x)}

    def look(self, w: Tree, preconditioner: Tree | None = None, first: Tree | None = None) -> Here:
        """What a hook may look at, with these weights."""

        def again(x: Tensor, name: str) -> Tensor:
            return self.forward(w, x, f"/{name}")[0]

        own = {name: leaf for name, leaf in w.items() if name != SHIFT}
        return Here(own, self.x, self.y, self.net.kernels, self.lr, again, preconditioner, first)

    def loss(self, out: Tensor, w: Tree) -> Tensor:
        """The loss of these outputs, with what the techniques add."""
        loss = base_loss(self.task, out, self.y, self.weight, self.own_loss)
        for t in self.techniques:
            if "loss" in t.hooks:
                loss = t.loss(loss, out, self.look(w))
        return loss

    def objective(self, w: Tree) -> tuple[Tensor, Tree]:
        """The loss at these weights, and the buffers after the pass."""
        out, buffers = self.forward(w, self.x)
        return self.loss(out, w), buffers

    def gradient(self, g: Tree, w: Tree, differentiate: Differentiate) -> Tree:
        """The gradient for the optimizer: taken again where weights ascend or word vectors move, then changed."""
        first, second = {name: leaf for name, leaf in g.items() if name != SHIFT}, w
        for t in self.techniques:
            if "ascend" in t.hooks:
                second = t.ascend(second, first, self.look(w))
        for t in self.techniques:
            if "disturb" in t.hooks:
                second = {**second, SHIFT: t.disturb(g[SHIFT])}
        again = first if second is w else differentiate(self.objective, second)[0]
        g = {name: leaf for name, leaf in again.items() if name != SHIFT}
        for t in self.techniques:
            if "gradient" in t.hooks:
                g = self.net.mask(t.gradient(g, w, self.look(w, first=first)))
        return g

    def weights(self, new: Tree, old: Tree, preconditioner: Tree | None) -> Tree:
        """The weights after the optimizer's step, changed."""
        for t in self.techniques:
            if "weights" in t.hooks:
                new = self.net.mask(t.weights(new, old, self.look(old, preconditioner)))
        return new


def changed(
    techniques: tuple[Technique, ...], draws: Draws, x: Tensor, y: Tensor, weight: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """A batch, and its rows' weights, as the `warp` and `batch` hooks make them.

    All warps are one resampling: each of its own would cost a pass and blur the images once more.
    """
    maps = [t.warp(x, draws.at(f"{t.name}/warp")) for t in techniques if "warp" in t.hooks]
    if maps:
        x = resample(x, functools.reduce(compose, maps))
    for t in techniques:
        if "batch" in t.hooks:
            own = draws.at(f"{t.name}/batch")
            if weight is None or not t.mixes:
                x, y = t.batch(x, y, own)
            else:
                x, y, weight = _mixed(t, x, y, weight, own)
    return x, y, weight


def _mixed(t: Technique, x: Tensor, y: Tensor, weight: Tensor, r: Draws) -> tuple[Tensor, Tensor, Tensor]:
    """Rows mixed as their weighted losses are: the hook sees weight · y and the weight as y's columns."""
    weighted = torch.cat((y * weight.unsqueeze(-1), weight.unsqueeze(-1)), -1)
    x, mixed = t.batch(x, weighted, r)
    total = mixed[..., -1:]
    # To the bit where nothing was mixed: (y · w) / w need not be y.
    same = (mixed == weighted).all(-1, keepdim=True)
    return x, torch.where(same, y, mixed[..., :-1] / total.clamp(min=TINY)), total.squeeze(-1)


def train_step(
    program: Program,
    differentiate: Differentiate,
    state: State,
    hyper: Hyper,
    batch: Batch,
    reuse: bool = False,
) -> tuple[State, Tensor]:
    """One step: new state, and the loss per member before it. With `reuse` the old state's tensors are overwritten."""
    techniques = program.bind(hyper)
    draws = Draws(batch.seed, state["step"], "step")
    x, y, weight = changed(techniques, draws, batch.x, batch.y, batch.weight)
    scene = Scene(program.net, program.task, techniques, draws, state["buffers"], x, y, batch.lr, weight, program.loss)
    w = state["w"]
    g, loss, buffers = differentiate(scene.objective, scene.leaves(w))
    g = scene.gradient(g, w, differentiate)
    given = w
    if reuse and any({"weights", "init", "update"} & t.hooks for t in techniques):
        # They look at the old weights, or may keep them.
        given = {k: v.clone() if k in program.tables else v for k, v in w.items()}
    new, opt, preconditioner = optim.step(
        program.optimizer, given, g, state["optimizer"], batch.lr, batch.momentum, state["step"], reuse, program.tables
    )
    new = scene.weights(new, w, preconditioner)
    own, new, buffers = advance(techniques, state, new, buffers)
    return {"w": new, "buffers": buffers, "optimizer": opt, "techniques": own, "step": state["step"] + 1}, loss


def advance(
    techniques: tuple[Technique, ...], state: State, w: Tree, buffers: Tree
) -> tuple[dict[str, Tree], Tree, Tree]:
    """The techniques' own state after the step, and the weights and buffers, which they may move."""
    own: dict[str, Tree] = {}
    for t in techniques:
        if "update" in t.hooks:
            own[t.name], moved = t.update(state["techniques"][t.name], averaged(w, buffers), state["step"])
            w, buffers = {k: moved[k] for k in w}, {k: moved.get(k, v) for k, v in buffers.items()}
    return own, w, buffers


def delivered(program: Program, state: State, hyper: Hyper) -> tuple[Tree, Tree]:
    """The weights and buffers that evaluation, extraction and snapshots read."""
    return deliver(program.bind(hyper), state)


def deliver(techniques: tuple[Technique, ...], state: State) -> tuple[Tree, Tree]:
    """`delivered`, with techniques that are bound already."""
    w, buffers = state["w"], state["buffers"]
    for t in techniques:
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
    "Batch", "Differentiate", "Hyper", "Program", "Scene", "State", "advance", "autograd", "averaged", "base_loss",
    "changed", "deliver", "delivered", "evaluate_step", "functional", "start", "train_step",
]  # fmt: skip
