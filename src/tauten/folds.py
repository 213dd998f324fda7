"""A table's development rows as folds that members train on: preprocessed by training rows only."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tauten.data import Layout, Preprocessor, Table, TargetScale
from tauten.draws import derive_seed
from tauten.errors import DataError
from tauten.evidence import time_blocks
from tauten.member import Source, one_hot
from tauten.metrics import Metric
from tauten.split import SelectionPlan, Split, folds, one_split


@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
    """Training data of one split, the rows it is scored on, and what turns it back into the table's units."""

    source: Source
    score: Tensor
    stop: Tensor | None
    preprocessor: Preprocessor
    scale: TargetScale | None

    def contributions(self, metric: Metric, outputs: Tensor, rows: Tensor) -> np.ndarray:
        """Each row's contribution to the metric, in the table's units."""
        return metric.contributions(outputs, self.source.targets[rows], self.unit)

    @property
    def unit(self) -> float | npt.NDArray[np.float64]:
        """What the targets were divided by."""
        return self.scale.unit if self.scale else 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class Development:
    """Every row but the holdout, and how it is split."""

    table: Table
    plan: SelectionPlan
    layout: Layout

    @classmethod
    def of(cls, table: Table, plan: SelectionPlan, numeric: str = "plain") -> "Development":
        """The layout (columns and categories) is taken from these rows; statistics come from each fold's own."""
        return cls(table, plan, Layout.of(table.frame, numeric))

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
        frame = self.table.frame
        preprocessor = Preprocessor.fit(frame.iloc[split.train], self.layout)
        scale = None if self.table.classes else TargetScale.fit(self.table.y[split.train])
        inputs = torch.from_numpy(preprocessor.transform(frame))
        source = Source(inputs, encode(self.table, scale), torch.from_numpy(split.train), self.table.task)
        stop = None if split.stop is None else torch.from_numpy(split.stop)
        return Fold(source, torch.from_numpy(split.score), stop, preprocessor, scale)

    def whole(self) -> Fold:
        """All development rows as training rows."""
        everything, none = np.arange(len(self.table.y)), np.arange(0)
        return self.fold(Split(everything, none, None))


def one_target(table: Table) -> None:
    """DataError where a table asks for more than one output a row: several targets, or labels that exclude nobody."""
    if table.y.ndim > 1:
        raise DataError(
            f"{table.name} has {len(table.targets)} targets ({table.target}): expected one, so name the one to learn"
        )


def clusters(table: Table) -> npt.NDArray[np.intp] | None:
    """Which rows (n,) depend on each other: groups, or blocks of time; None where each stands for itself."""
    if table.time is None or len(table.y) < 4:
        return table.groups
    return time_blocks(len(table.y))[np.argsort(np.argsort(table.time, kind="stable"), kind="stable")]


def encode(table: Table, scale: TargetScale | None) -> Tensor:
    """Targets (n, K): class probabilities, or standardized numbers."""
    if scale is None:
        return one_hot(torch.from_numpy(table.y), len(table.classes))
    return torch.from_numpy(scale.scale(table.y)).reshape(len(table.y), -1)
