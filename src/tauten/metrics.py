"""Metrics as contributions of single rows: a model's score is their mean, and paired tests compare them row by row."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from tauten.declare import suggest
from tauten.errors import OptionError
from tauten.influence import balanced_error, one_minus_auc, one_minus_f1, root_mean_square, softmax, unexplained

Floats = npt.NDArray[np.float64]
Figure = TypeVar("Figure", float, Floats)
Rows = Callable[[Floats, Floats, Floats], Floats]
"""(outputs (…, R, K), targets (R, K), weights (R,) of mean 1) to each row's value (…, R), lower is better; the weighted
mean of the values is the loss."""
Array = Tensor | npt.NDArray[np.floating]
CLASSES, NUMBERS = ("classification", "multilabel"), ("regression",)
PINBALL = re.compile(r"pinball:(0?\.\d+)")


@dataclasses.dataclass(frozen=True)
class Metric:
    """`rows` gives each row's share in the loss; where greater is better, the loss is one minus the metric."""

    name: str
    tasks: tuple[str, ...]
    rows: Rows
    greater_is_better: bool = False

    def shown(self, mean: Figure) -> Figure:
        """The figure people read, of contributions or of their mean."""
        return 1 - mean if self.greater_is_better else mean

    @property
    def best(self) -> float:
        """The figure of a perfect model: no loss is below 0."""
        return self.shown(0.0)

    def contributions(
        self,
        out: Array,
        targets: Array,
        scale: float | Floats = 1.0,
        weights: npt.NDArray[np.floating] | None = None,
    ) -> Floats:
        """For outputs (R, K), or (M, R, K) of many members, one number a row: (R,) or (M, R), float64.

        Their mean is the loss over these rows, which are scored together. `scale` is what regression targets were
        divided by, for all or for each (K,); `weights` (R,) say how much each row counts. A member's numbers don't
        depend, to the bit, on who else is in the stack; where its outputs are not finite, they are NaN.
        """
        given, y = wide(out), wide(targets)
        with np.errstate(all="ignore"):  # a sick member's figures are NaN or infinite, which says enough
            w = np.ones(len(y)) if weights is None else wide(weights) / wide(weights).mean()
            values = self.rows(given * scale, y * scale, w)
            if weights is not None:
                # The first-order share in a ratio of two means.
                loss = (values * w).mean(-1, keepdims=True)
                values = loss + w * (values - loss)
        result: Floats = np.where(np.isfinite(given).all(-1), values, np.nan)
        return result

    def losses(
        self,
        out: Array,
        targets: Array,
        scale: float | Floats = 1.0,
        weights: npt.NDArray[np.floating] | None = None,
    ) -> Floats:
        """The mean of contributions of each member: () or (M,)."""
        mean: Floats = self.contributions(out, targets, scale, weights).mean(-1)
        return mean


def wide(values: Array) -> Floats:
    """As float64 in NumPy."""
    array = values.detach().numpy() if isinstance(values, Tensor) else values
    return array.astype(np.float64, copy=False)


def _log_loss(out: Floats, y: Floats, w: Floats) -> Floats:
    shifted = out - out.max(-1, keepdims=True)
    loss: Floats = -(y * (shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))).sum(-1)
    return loss


def _error(out: Floats, y: Floats, w: Floats) -> Floats:
    wrong: Floats = (out.argmax(-1) != y.argmax(-1)).astype(np.float64)
    return wrong


def _brier(out: Floats, y: Floats, w: Floats) -> Floats:
    brier: Floats = np.square(softmax(out) - y).sum(-1)
    return brier


def _square(out: Floats, y: Floats, w: Floats) -> Floats:
    square: Floats = np.square(out - y).mean(-1)
    return square


def _absolute(out: Floats, y: Floats, w: Floats) -> Floats:
    absolute: Floats = np.abs(out - y).mean(-1)
    return absolute


def _pinball(out: Floats, y: Floats, w: Floats, quantile: float) -> Floats:
    under = y - out
    loss: Floats = np.maximum(quantile * under, (quantile - 1) * under).mean(-1)
    return loss


def over_labels(rows: Rows, out: Floats, y: Floats, w: Floats) -> Floats:
    """A metric of two classes, mean over labels: a label's logit z is the outputs (0, z) of two classes."""
    own = [
        rows(np.stack([np.zeros_like(z := out[..., k]), z], -1), np.stack([1 - y[:, k], y[:, k]], -1), w)
        for k in range(y.shape[-1])
    ]
    mean: Floats = np.mean(own, 0)
    return mean


METRICS: Mapping[str, Metric] = {
    m.name: m
    for m in (
        Metric("log_loss", CLASSES, _log_loss),
        Metric("accuracy", CLASSES, _error, greater_is_better=True),
        Metric("balanced_accuracy", CLASSES, balanced_error, greater_is_better=True),
        Metric("f1", CLASSES, one_minus_f1, greater_is_better=True),
        Metric("auc", CLASSES, one_minus_auc, greater_is_better=True),
        Metric("brier", CLASSES, _brier),
        Metric("rmse", NUMBERS, root_mean_square),
        Metric("mse", NUMBERS, _square),
        Metric("mae", NUMBERS, _absolute),
        Metric("r2", NUMBERS, unexplained, greater_is_better=True),
    )
}


def metric(name: str, task: str) -> Metric:
    """The metric of this name; `auto` is log loss for classes and RMSE for numbers, `pinball:0.9` the 0.9 quantile's.

    >>> metric("pinball:0.75", "regression").contributions(np.zeros((2, 1)), np.array([[1.0], [-1.0]])).tolist()
    [0.75, 0.25]
    """
    if name == "auto":
        name = "rmse" if task in NUMBERS else "log_loss"
    fitting = [k for k, m in METRICS.items() if task in m.tasks] + (["pinball:0.9"] if task in NUMBERS else [])
    if name.startswith("pinball"):
        match = PINBALL.fullmatch(name)
        if not match or float(match[1]) == 0:
            raise OptionError(f"metric {name!r} names no quantile between 0 and 1; write it as pinball:0.9.")
        found = Metric(name, NUMBERS, partial(_pinball, quantile=float(match[1])))
    elif name in METRICS:
        found = METRICS[name]
    else:
        raise OptionError(f"there is no metric {name!r}; {suggest(name, fitting)}.")
    if task not in found.tasks:
        raise OptionError(
            f"metric {name!r} is for {' and '.join(found.tasks)}, and this is {task}; take one of {', '.join(fitting)}."
        )
    return found


def metrics_for(name: str, task: str, y: npt.NDArray[np.generic]) -> tuple[Metric, ...]:
    """The metric of this name, first, and every other of the task, as targets `y` need them.

    Of two classes F1 is that of the rarer one, of the second where they are equal.
    """
    main = metric(name, task)
    found = (main, *(m for m in METRICS.values() if task in m.tasks and m is not main))
    if task == "multilabel":
        return tuple(dataclasses.replace(m, rows=partial(over_labels, m.rows)) for m in found)
    if task == "classification":
        first, second = np.bincount(y.astype(np.int64), minlength=2)[:2]
        rare = partial(one_minus_f1, positive=int(first >= second))
        return tuple(dataclasses.replace(m, rows=rare) if m.rows is one_minus_f1 else m for m in found)
    return found
