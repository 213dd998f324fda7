"""Metrics as contributions of single rows: a model's score is their mean, and paired tests compare them row by row."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from tauten.declare import suggest
from tauten.errors import OptionError

Contribution = Callable[[Tensor, Tensor], Tensor]


@dataclasses.dataclass(frozen=True)
class Metric:
    """`rows` gives each row's contribution (lower is better); `shown` turns their mean into the figure people read."""

    name: str
    task: str
    rows: Contribution
    shown: Callable[[float], float] = float
    greater_is_better: bool = False
    power: int = 0

    def contributions(self, out: Tensor, targets: Tensor, scale: float = 1.0) -> np.ndarray:
        """One number a row (R,), float64.

        `scale` is what regression targets were divided by; `power` says how the contribution grows with it.
        """
        rows = self.rows(out.double(), targets.double())
        return np.asarray(rows.detach()) * scale**self.power


def _log_loss(out: Tensor, y: Tensor) -> Tensor:
    return -(y * torch.log_softmax(out, -1)).sum(-1)


def _error(out: Tensor, y: Tensor) -> Tensor:
    return (out.argmax(-1) != y.argmax(-1)).double()


def _balanced_error(out: Tensor, y: Tensor) -> Tensor:
    # Each class present weighs the same, so that the mean over these rows is one minus their balanced accuracy.
    share = y.mean(0)
    weight = 1 / (share.clamp_min(1e-12) * (share > 0).sum())
    return _error(out, y) * weight[y.argmax(-1)]


def _brier(out: Tensor, y: Tensor) -> Tensor:
    return (torch.softmax(out, -1) - y).square().sum(-1)


def _square(out: Tensor, y: Tensor) -> Tensor:
    return (out - y).square().mean(-1)


def _absolute(out: Tensor, y: Tensor) -> Tensor:
    return (out - y).abs().mean(-1)


METRICS = {
    m.name: m
    for m in (
        Metric("log_loss", "classification", _log_loss),
        Metric("accuracy", "classification", _error, lambda mean: 1 - mean, greater_is_better=True),
        Metric("balanced_accuracy", "classification", _balanced_error, lambda mean: 1 - mean, greater_is_better=True),
        Metric("brier", "classification", _brier),
        Metric("rmse", "regression", _square, math.sqrt, power=2),
        Metric("mse", "regression", _square, power=2),
        Metric("mae", "regression", _absolute, power=1),
    )
}


def metric(name: str, task: str) -> Metric:
    """The metric of this name; `auto` is log loss for classes and RMSE for numbers."""
    if name == "auto":
        name = "log_loss" if task == "classification" else "rmse"
    fitting = {k: m for k, m in METRICS.items() if m.task == task}
    if name not in METRICS:
        raise OptionError(f"there is no metric {name!r}; {suggest(name, fitting)}.")
    if name not in fitting:
        raise OptionError(
            f"metric {name!r} is for {METRICS[name].task}, and this is {task}; take {', '.join(fitting)}."
        )
    return METRICS[name]
