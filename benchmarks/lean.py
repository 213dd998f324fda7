"""A lean hand-written PyTorch loop over recipes, which peers search with.

It is what a careful person writes: data in memory as tensors, no DataLoader, fused AdamW, gradients set to None,
nothing computed for a technique that is off, evaluation only where somebody asks for it. Convolutions are autocast to
bfloat16 where the processor has it, as Tauten's own are.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import ceil, inf, isfinite
from statistics import fmean
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from lean_images import AUGMENTATIONS, ConvNet, augmented
from torch import Tensor, nn

from tauten.engines.native import bf16
from tauten.folds import Fold
from tauten.recipe import Recipe

QUARTERS = 4
"""How often in its first fold a trial may be pruned; later it may be after each fold."""


def value(recipe: Recipe, name: str, key: str) -> float:
    """A hyperparameter of a recipe; 0, its off value, where the technique is not in it."""
    found = recipe.get(name)
    return float(getattr(found, key)) if found else 0.0


class Net(nn.Module):
    """The residual MLP of `tauten.nets.mlp` as plain PyTorch."""

    def __init__(self, inputs: int, outputs: int, recipe: Recipe) -> None:
        super().__init__()
        setting = recipe.setting
        widths = [inputs, *[setting.width] * setting.depth]
        norm = recipe.get("batch_norm") is not None
        self.hidden = nn.ModuleList(nn.Linear(a, b, bias=not norm) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm1d(w) if norm else nn.Identity() for w in widths[1:])
        self.out = nn.Linear(widths[-1], outputs)
        self.p, self.skip = value(recipe, "dropout", "p"), setting.skip

    def forward(self, x: Tensor) -> Tensor:
        h = x
        for i, (layer, norm) in enumerate(zip(self.hidden, self.norms, strict=True)):
            z = torch.relu(norm(layer(h)))
            if self.p and self.training:
                z = F.dropout(z, self.p)
            h = h + z if self.skip and i else z
        out: Tensor = self.out(h)
        return out

    def kernels(self) -> list[Tensor]:
        """What decay and penalty act on: no biases, no norms."""
        return [layer.weight for layer in (*self.hidden, self.out)]


def network(shape: torch.Size, outputs: int, recipe: Recipe) -> Net | ConvNet:
    """The network for rows of this shape: images take the convnet."""
    if len(shape) == 3:
        return ConvNet(shape, outputs, recipe, value(recipe, "dropout", "p"))
    return Net(shape[0], outputs, recipe)


def grouped(net: Net | ConvNet) -> tuple[list[Tensor], list[Tensor]]:
    """(kernels, everything else)."""
    kernels = net.kernels()
    own = {id(k) for k in kernels}
    return kernels, [p for p in net.parameters() if id(p) not in own]


def mixed(x: Tensor, y: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Each row with another of the batch, in shares drawn from Beta(α, α) for each."""
    shares = torch.from_numpy(np.random.default_rng(int(torch.randint(2**31, ()))).beta(alpha, alpha, (len(x), 1)))
    s, partner = shares.to(x.dtype), torch.randperm(len(x))
    along = s.reshape(-1, *[1] * (x.ndim - 1))
    return along * x + (1 - along) * x[partner], s * y + (1 - s) * y[partner]


def train(recipe: Recipe, fold: Fold, seed: int) -> Iterator[float]:
    """Train on one fold; yields the log loss of its score rows at each quarter of the training, the last at its end.

    With early stopping a fold is scored at its own best epoch, as is usual: on the rows for stopping where there are
    some, else on the score rows themselves. The training then yields fewer times.
    """
    torch.manual_seed(seed)
    setting, source = recipe.setting, fold.source
    x, y = source.inputs[source.train], source.targets[source.train]
    net = network(x.shape[1:], y.shape[1], recipe)
    kernels, others = grouped(net)
    groups: list[dict[str, Any]] = [
        {"params": kernels, "weight_decay": value(recipe, "weight_decay", "strength")},
        {"params": others},
    ]
    optimizer = torch.optim.AdamW(groups, setting.learning_rate, weight_decay=0.0, fused=True)
    step = _stepper(recipe, net, kernels, optimizer)
    batch, stopping = min(setting.batch_size, len(x)), recipe.get("early_stopping")
    marks = {ceil(setting.epochs * q / QUARTERS) for q in range(1, QUARTERS + 1)}
    watched: list[float] = []
    scores: list[float] = []
    for epoch in range(1, setting.epochs + 1):
        order = torch.randperm(len(x))
        starts = range(0, len(x), batch)
        for i, start in enumerate(starts):
            rows = order[start : start + batch]
            # Batch norm can't do with one row.
            if len(rows) > 1:
                rate = setting.rate_at((epoch - 1 + i / len(starts)) / setting.epochs)
                step(x[rows], y[rows], rate)
        if stopping or epoch in marks:
            net.eval()
            scores.append(_score(net, fold, fold.score))
            if stopping:
                watched.append(scores[-1] if fold.stop is None else _score(net, fold, fold.stop))
            net.train()
        if stopping:
            answer = stopping.stop(watched)
            if answer.now or epoch == setting.epochs:
                yield scores[answer.best_epoch - 1]
                return
        if epoch in marks:
            yield scores[-1]


def _stepper(
    recipe: Recipe, net: Net | ConvNet, kernels: Sequence[Tensor], optimizer: torch.optim.Optimizer
) -> Callable[[Tensor, Tensor, float], None]:
    """One optimizer step on a batch at a learning rate, with what the recipe holds; the rest costs nothing."""
    sigma, alpha = value(recipe, "input_noise", "sigma"), value(recipe, "mixup", "alpha")
    epsilon, penalty = value(recipe, "label_smoothing", "epsilon"), value(recipe, "l2", "strength")
    half = isinstance(net, ConvNet) and bf16()
    moves = any(recipe.get(name) for name in AUGMENTATIONS)

    def step(x: Tensor, y: Tensor, rate: float) -> None:
        if moves:
            x = augmented(x, recipe)
        if alpha:
            x, y = mixed(x, y, alpha)
        if sigma:
            x = x + sigma * torch.randn_like(x)
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = F.cross_entropy(net(x), y, label_smoothing=epsilon)
        loss.backward()
        if penalty:
            # The gradient of λ Σ w².
            torch._foreach_add_([k.grad for k in kernels], [k.detach() for k in kernels], alpha=2 * penalty)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()

    return step


def _score(net: Net | ConvNet, fold: Fold, rows: Tensor) -> float:
    with torch.inference_mode():
        return float(F.cross_entropy(net(fold.source.inputs[rows]), fold.source.targets[rows]))


def cross_validate(
    recipe: Recipe, folds: Sequence[Fold], seed: int, pruned: Callable[[int, float], bool]
) -> float | None:
    """Mean log loss over the folds, one after another; None where the trial was pruned, inf where it diverged.

    `pruned` is asked at the first three quarters of the first fold, and after each fold but the last.
    """
    done: list[float] = []
    for f, fold in enumerate(folds):
        score = inf
        for quarter, score in enumerate(train(recipe, fold, seed + f)):
            if not isfinite(score):
                return inf
            if f == 0 and quarter < QUARTERS - 1 and pruned(quarter, score):
                return None
        done.append(score)
        if f < len(folds) - 1 and pruned(QUARTERS - 1 + f, fmean(done)):
            return None
    return fmean(done)
