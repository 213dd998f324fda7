"""A metric and a loss of a person's own, as functions."""

import dataclasses
import inspect
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tauten.errors import OptionError
from tauten.influence import softmax
from tauten.member import RowLosses
from tauten.metrics import METRICS, Array, Floats, Metric, metrics_for, wide

Function = Callable[..., Any]
MOST = 2_000
"""Rows of a table for which a metric may give one number for all: its intervals take a call for every row left out."""


@dataclasses.dataclass(frozen=True)
class Own:
    """Functions instead of what Tauten has; None where it has what is wanted.

    `metric(y, predicted)`: y (n,) class codes, labels (n, K) or numbers (n,) or (n, K); predicted the probabilities
    (n, K), or numbers in the table's units. It gives one number, or one a row (n,), whose mean is the metric; with an
    attribute `greater_is_better = True` more is better. A parameter `sample_weight` is given the rows' weights (n,), of
    mean 1.
    `loss(outputs, targets)`: tensors (B, K) of logits or standardized numbers, and of class probabilities, labels or
    standardized numbers; it gives each row's loss (B,).
    """

    metric: Function | None = None
    loss: RowLosses | None = None

    def __post_init__(self) -> None:
        for name, function in (("metric", self.metric), ("loss", self.loss)):
            if function is not None and not callable(function):
                raise OptionError(f"{name} is {function!r}; it must be a function, or left out.")
        if self.metric is not None and name_of(self.metric) in METRICS:
            raise OptionError(f"a metric of your own is named {name_of(self.metric)!r}, as one of Tauten's; rename it.")

    @classmethod
    def of(cls, metric: str | Function, loss: RowLosses | None) -> tuple[Self, str]:
        """From a metric's name or function, and the name by which options know it."""
        if isinstance(metric, str):
            return cls(None, loss), metric
        own = cls(metric, loss)
        return own, own.names["metric"]

    @property
    def names(self) -> dict[str, str]:
        """What the functions are called."""
        return {key: name_of(f) for key, f in vars(self).items() if f is not None}

    def metrics(
        self, name: str, task: str, y: npt.NDArray[Any], weights: npt.NDArray[np.float64] | None = None
    ) -> tuple[Metric, ...]:
        """As `metrics_for`; a metric of one's own is called once here. OptionError for what it can't be."""
        if self.metric is None:
            return metrics_for(name, task, y)
        more = bool(getattr(self.metric, "greater_is_better", False))
        name = name_of(self.metric)
        own = OwnMetric(name, (task,), partial(_losses, self.metric, name, task, more), more)
        targets = np.eye(int(y.max()) + 1)[y] if task == "classification" else y.reshape(len(y), -1)
        one = own.rows(targets, targets, np.ones(len(y)) if weights is None else weights).ndim == 0
        if one and len(y) > MOST:
            raise OptionError(
                f"metric {name!r} gives one number for all {len(y):,} rows; beyond {MOST:,} it must give one a row."
            )
        return own, *metrics_for("auto", task, y)

    def check_loss(self, outputs: int) -> None:
        """OptionError where the loss gives no loss for each row."""
        if self.loss is not None:
            found = self.loss(torch.zeros(2, outputs), torch.ones(2, outputs))
            if not isinstance(found, Tensor) or found.shape != (2,):
                shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
                raise OptionError(
                    f"loss {name_of(self.loss)!r} gives {shape} for outputs (2, {outputs}); it must give a tensor with "
                    "each row's loss (2,)."
                )


BUILT_IN = Own()
"""Nothing of one's own."""


class OwnMetric(Metric):
    """A function as a metric; `rows` gives a loss for every row (R,), or one () for all of them.

    There the rows' shares are the jackknife's pseudo-values (Tukey 1958), shifted so that their mean is the loss: a
    call for each row that is left out, in finals B and on the holdout.
    """

    @property
    def best(self) -> float:
        """Unknown, so without an end."""
        return inf if self.greater_is_better else -inf

    def contributions(
        self, out: Array, targets: Array, scale: float | Floats = 1.0, weights: npt.NDArray[np.floating] | None = None
    ) -> Floats:
        """As of every metric."""
        return self._of_members(self._shares, (len(targets),), out, targets, scale, weights)

    def losses(
        self, out: Array, targets: Array, scale: float | Floats = 1.0, weights: npt.NDArray[np.floating] | None = None
    ) -> Floats:
        """As of every metric, with one call of the function a member."""
        return self._of_members(self._loss, (), out, targets, scale, weights)

    def _of_members(
        self,
        of_one: Callable[[Floats, Floats, Floats], Floats],
        shape: tuple[int, ...],
        out: Array,
        targets: Array,
        scale: float | Floats,
        weights: npt.NDArray[np.floating] | None,
    ) -> Floats:
        """For each member's own outputs; NaN where these are not finite, which a function need not expect."""
        given, y = wide(out) * scale, wide(targets) * scale
        w = np.ones(len(y)) if weights is None else wide(weights) / wide(weights).mean()
        stack = given.reshape(-1, *given.shape[-2:])
        each = [of_one(one, y, w) if np.isfinite(one).all() else np.full(shape, np.nan) for one in stack]
        return np.stack(each).reshape((*given.shape[:-2], *shape))

    def _loss(self, out: Floats, y: Floats, w: Floats) -> Floats:
        value = self.rows(out, y, w)
        return (value * w).mean() if value.ndim else value

    def _shares(self, out: Floats, y: Floats, w: Floats) -> Floats:
        value, n = self.rows(out, y, w), len(y)
        if value.ndim:
            loss = (value * w).mean()
            return np.asarray(loss + w * (value - loss))
        without = np.array([self.rows(*(np.delete(v, i, 0) for v in (out, y, w))) for i in range(n)])
        share = (n - 1) * np.where(np.isfinite(without), value - without, 0.0)
        return np.asarray(value + share - share.mean())


def _losses(function: Function, name: str, task: str, more: bool, out: Floats, y: Floats, w: Floats) -> Floats:
    """What a function says of one member's outputs (R, K), as losses () or (R,)."""
    if task == "classification":
        truth, predicted = y.argmax(-1), softmax(out)
    elif task == "multilabel":
        truth, predicted = y, 1 / (1 + np.exp(-out))
    else:
        truth, predicted = (v[:, 0] if v.shape[1] == 1 else v for v in (y, out))
    weighted = "sample_weight" in inspect.signature(function).parameters
    given = function(truth, predicted, sample_weight=w) if weighted else function(truth, predicted)
    value = np.asarray(given)
    if value.shape not in ((), (len(y),)) or value.dtype.kind not in "fiub":
        raise OptionError(
            f"metric {name!r} gives {type(given).__name__} of shape {value.shape} for {len(y)} rows; it must give one "
            "number, or one for each row."
        )
    if value.ndim == 0 and not weighted and np.ptp(w) > 0:
        raise OptionError(
            f"metric {name!r} gives one number and rows have weights; let it take sample_weight, or give a number for "
            "each row."
        )
    losses = value.astype(np.float64)
    return np.asarray(1 - losses if more else losses)


def name_of(function: Function) -> str:
    """What a function is called."""
    return str(getattr(function, "__name__", type(function).__name__))
