"""Metrics as contributions of single rows: a model's score is their mean, and paired tests compare them row by row."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from torch import Tensor

from tauten.declare import suggest
from tauten.errors import OptionError

Floats = npt.NDArray[np.float64]
Contribution = Callable[[Floats, Floats], Floats]


@dataclasses.dataclass(frozen=True)
class Metric:
    """`rows` gives each row's contribution (lower is better); `shown` turns their mean into the figure people read."""

    name: str
    task: str
    rows: Contribution
    shown: Callable[[float], float] = float
    greater_is_better: bool = False
    power: int = 0

    def contributions(self, out: Tensor | Floats, targets: Tensor | Floats, scale: float = 1.0) -> Floats:
        """For outputs (R, K), or (M, R, K) of many members, one number a row: (R,) or (M, R), float64.

        A member's numbers don't depend, to the bit, on who else is in the stack. `scale` is what regression targets
        were divided by; `power` says how the contribution grows with it.
        """
        with np.errstate(all="ignore"):  # a sick member's figures are NaN or infinite, which says enough
            return self.rows(wide(out), wide(targets)) * scale**self.power


def wide(values: Tensor | npt.NDArray[np.floating]) -> Floats:
    """As float64 in NumPy."""
    array = values.detach().numpy() if isinstance(values, Tensor) else values
    return array.astype(np.float64, copy=False)


def _log_softmax(out: Floats) -> Floats:
    shifted: Floats = out - out.max(-1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return result


def _log_loss(out: Floats, y: Floats) -> Floats:
    loss: Floats = -(y * _log_softmax(out)).sum(-1)
    return loss


def _error(out: Floats, y: Floats) -> Floats:
    wrong: Floats = (out.argmax(-1) != y.argmax(-1)).astype(np.float64)
    return wrong


def _balanced_error(out: Floats, y: Floats) -> Floats:
    # Each class present weighs the same, so that the mean over these rows is one minus their balanced accuracy.
    share = y.mean(0)
    weight = 1 / (np.maximum(share, 1e-12) * (share > 0).sum())
    weighted: Floats = _error(out, y) * weight[y.argmax(-1)]
    return weighted


def _brier(out: Floats, y: Floats) -> Floats:
    brier: Floats = np.square(np.exp(_log_softmax(out)) - y).sum(-1)
    return brier


def _square(out: Floats, y: Floats) -> Floats:
    square: Floats = np.square(out - y).mean(-1)
    return square


def _absolute(out: Floats, y: Floats) -> Floats:
    absolute: Floats = np.abs(out - y).mean(-1)
    return absolute


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
