"""A table's development rows as folds that members train on: preprocessed by training rows only."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tauten.data import ArrayPreprocessor, Layout, Learnt, Table, TargetScale
from tauten.draws import derive_seed
from tauten.errors import DataError, OptionError
from tauten.evidence import time_blocks
from tauten.member import RowLosses, Source, one_hot
from tauten.metrics import Floats, Metric
from tauten.setting import Setting
from tauten.split import SelectionPlan, Split, folds, one_split


@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
    """Training data of one split, the rows it is scored on, and what turns it back into the table's units.

    `preprocessors` are there for each way in which numbers enter. `weights` (n,) say how much each row counts where it
    is scored, None where all count alike.
    """

    source: Source
    score: Tensor
    stop: Tensor | None
    preprocessors: Mapping[str, Learnt]
    scale: TargetScale | None
    weights: Floats | None = None

    def contributions(self, metric: Metric, outputs: Tensor, rows: Tensor) -> np.ndarray:
        """Each row's contribution to the metric, in the table's units."""
        return metric.contributions(outputs, self.source.targets[rows], self.unit, self.weights_of(rows))

    def losses(self, metric: Metric, outputs: Tensor, rows: Tensor) -> np.ndarray:
        """The mean contribution of all rows in the place of each."""
        loss = metric.losses(outputs, self.source.targets[rows], self.unit, self.weights_of(rows))
        return np.full(len(rows), loss)

    def weights_of(self, rows: Tensor) -> Floats | None:
        """What some rows count."""
        return None if self.weights is None else self.weights[rows.numpy()]

    def encoded(self, features: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Inputs of rows, and all their encodings where there are several; as in a `Source`."""
        return _encoded(self.preprocessors, features)

    def preprocessor(self, setting: Setting) -> Learnt:
        """What makes inputs of rows, for a network of this setting."""
        return self.preprocessors.get(setting.numeric) or next(iter(self.preprocessors.values()))

    @property
    def unit(self) -> float | npt.NDArray[np.float64]:
        """What the targets were divided by."""
        return self.scale.unit if self.scale else 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class Development:
    """Every row but the holdout, and how it is split.

    In training `balanced` weighs all classes alike, and `loss` replaces the task's own.
    """

    table: Table
    plan: SelectionPlan
    layouts: Mapping[str, Layout]
    balanced: bool = False
    loss: RowLosses | None = None

    @classmethod
    def of(
        cls,
        table: Table,
        plan: SelectionPlan,
        numeric: Sequence[str] = ("plain",),
        class_weight: str | None = None,
        loss: RowLosses | None = None,
    ) -> "Development":
        """The layout (columns and categories) is taken from these rows; statistics come from each fold's own.

        `numeric` are the choices of the setting that may be asked for; of a table without numbers they are one,
        and beside text the first.

        `class_weight` is "balanced" or None; OptionError where there are no classes to balance.
        """
        if class_weight is not None and table.task != "classification":
            raise OptionError(f"class_weight is {class_weight!r} and the task {table.task}; leave it out.")
        ways = numeric[:1] if table.data == "text" else numeric
        layouts = {name: Layout.of(table.frame, name) for name in ways}
        if len(set(layouts.values())) == 1:
            layouts = {numeric[0]: layouts[numeric[0]]}
        return cls(table, plan, layouts, class_weight is not None, loss)

    def reading(self, settings: Iterable[Setting]) -> "Development":
        """The same rows, encoded only in the ways that networks of these settings read."""
        asked = {setting.numeric for setting in settings}
        layouts = {name: layout for name, layout in self.layouts.items() if name in asked}
        return dataclasses.replace(self, layouts=layouts or self.layouts)

    @property
    def width(self) -> int:
        """Numbers that a row has for networks, in all ways together."""
        return sum(self.table.width(layout) for layout in self.layouts.values())

    def partition(self, *name: object) -> tuple[Split, ...]:
        """The splits of a name: k folds, or the one split of a large table. Unlike names give fresh ones."""
        seed = derive_seed("partition", *name)
        table = self.table
        sides: dict[str, Any] = {"groups": table.together} if table.time is None else {"time": table.time}
        if self.plan.folds == 1:
            return (one_split(table.y, table.task, seed, **sides),)
        return folds(table.y, table.task, self.plan.folds, seed, **sides)

    def fold(self, split: Split) -> Fold:
        """One split, preprocessed by its training rows."""
        table = self.table
        fitted = {name: table.learnt(split.train, own) for name, own in self.layouts.items()}
        scale = TargetScale.fit(table.y[split.train]) if table.task == "regression" else None
        inputs, encodings = _encoded(fitted, table.features)
        weights, train = self._loss_weights(split.train), torch.from_numpy(split.train)
        learnt = next(iter(fitted.values()))
        channels = (learnt.mean, learnt.std) if isinstance(learnt, ArrayPreprocessor) else Source.channels
        layout = table.text_layout(next(iter(self.layouts.values())))
        y = encode(table, scale)
        source = Source(inputs, y, train, table.task, weights, self.loss, encodings, channels, layout)
        stop = None if split.stop is None else torch.from_numpy(split.stop)
        return Fold(source, torch.from_numpy(split.score), stop, fitted, scale, table.weights)

    def _loss_weights(self, train: npt.NDArray[np.int64]) -> Tensor | None:
        """Factors (n,) of the rows' losses, of mean 1 over the training rows."""
        weights, y = self.table.weights, self.table.y
        if self.balanced:
            # n / (K nₖ), as scikit-learn's "balanced" counts, which leaves given weights out of the counting.
            counts = np.bincount(y[train], minlength=len(self.table.classes))
            each = len(train) / ((counts > 0).sum() * np.maximum(counts, 1))
            weights = each[y] * (1.0 if weights is None else weights)
        if weights is None:
            return None
        mean = weights[train].mean()
        if not mean > 0:
            raise DataError(f"all {len(train)} rows of a training part have the weight 0; give more rows a weight.")
        return torch.from_numpy((weights / mean).astype(np.float32))

    def whole(self) -> Fold:
        """All development rows as training rows."""
        everything, none = np.arange(len(self.table.y)), np.arange(0)
        return self.fold(Split(everything, none, None))


def _encoded(fitted: Mapping[str, Learnt], features: Any) -> tuple[Tensor, dict[str, Tensor]]:
    encodings = {name: torch.from_numpy(own.transform(features)) for name, own in fitted.items()}
    return next(iter(encodings.values())), encodings if len(encodings) > 1 else {}


def clusters(table: Table) -> npt.NDArray[np.intp] | None:
    """Which rows (n,) depend on each other: groups, or blocks of time; None where each stands for itself."""
    if table.time is None or len(table.y) < 4:
        return table.groups
    return time_blocks(len(table.y))[np.argsort(np.argsort(table.time, kind="stable"), kind="stable")]


def encode(table: Table, scale: TargetScale | None) -> Tensor:
    """Targets (n, K): class probabilities, zeros and ones of labels, or standardized numbers."""
    if table.task == "classification":
        return one_hot(torch.from_numpy(table.y), len(table.classes))
    values = table.y if scale is None else scale.scale(table.y)
    return torch.from_numpy(values.astype(np.float32)).reshape(len(table.y), -1)
