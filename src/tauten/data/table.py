"""A table: features, targets, and what the targets ask for."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tauten.bundles import alike
from tauten.data.columns import column_bytes, mix, value_hashes
from tauten.data.layout import Layout
from tauten.data.preprocess import Preprocessor
from tauten.data.targets import Task
from tauten.text.layout import TextLayout


@dataclass(frozen=True, eq=False)
class Table:
    """Features, targets and task. Columns are float64 numbers, objects (`str`, None where missing) or datetime64 dates.

    `y` holds class codes (n,) int64 in classification, 0 and 1 (n, K) float64 in multilabel, and numbers float64 in
    regression: (n,), or (n, K) for several targets. `classes` is empty but in classification. `weights` (n,) float64
    says how much each row counts, None where all count alike. `groups` (n,) numbers what must stay together, `time`
    (n,) says what comes later, `held` (n,) which rows are the person's own holdout; None where nothing is said.
    """

    name: str
    frame: pd.DataFrame
    y: npt.NDArray[Any]
    task: Task
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    warnings: tuple[str, ...]
    weights: npt.NDArray[np.float64] | None = None
    groups: npt.NDArray[np.int64] | None = None
    time: npt.NDArray[np.float64] | None = None
    held: npt.NDArray[np.bool_] | None = None

    @property
    def target(self) -> str:
        """The names of the targets, joined by commas."""
        return ",".join(self.targets)

    def by_target(self) -> dict[str, npt.NDArray[Any]]:
        """Each target's values (n,) by its name."""
        return dict(zip(self.targets, self.y.reshape(len(self.y), -1).T, strict=True))

    def content_hash(self) -> str:
        """SHA-256 (hex) of all that the table holds, in its order; the same in every process."""
        names = [str(name) for name in self.frame.columns]
        digest = hashlib.sha256(json.dumps([self.task, self.target, self.classes, names]).encode())
        columns = [self.frame[name] for name in self.frame]
        columns += [pd.Series(y) for y in self.by_target().values()]
        columns += [pd.Series(own) for own in self._beside().values()]
        for part in map(column_bytes, columns):
            digest.update(len(part).to_bytes(8, "little") + part)
        return digest.hexdigest()

    def row_hashes(self) -> npt.NDArray[np.uint64]:
        """A hash (n,) of each row's features and targets, whatever the order of rows and of columns."""
        total = np.zeros(len(self.y), dtype=np.uint64)
        for i, y in enumerate(self.by_target().values()):
            values = np.array(self.classes, dtype=object)[y] if self.classes else y
            total = total + mix(value_hashes(pd.Series(values, name=f"target {i}" if i else "target")))
        for name in self.frame:
            total = total + value_hashes(self.frame[name])
        return mix(total)

    @property
    def features(self) -> Any:
        """Its features as a preprocessor reads them, row by row."""
        return self.frame

    @property
    def columns(self) -> int:
        """How many numbers or labels a row has."""
        return int(self.frame.shape[1])

    @property
    def data(self) -> str:
        """The kind of data that its rows are."""
        return "tables"

    def width(self, layout: Layout) -> int:
        """How many numbers a row has for a network."""
        return layout.width

    def text_layout(self, layout: Layout) -> TextLayout | None:
        """What the planes of a row say; None where rows are no text."""
        return None

    def learnt(self, rows: npt.NDArray[np.int64], layout: Layout) -> Any:
        """The preprocessor that these rows teach."""
        return Preprocessor.fit(self.frame.iloc[rows], layout)

    def take(self, rows: npt.ArrayLike) -> "Table":
        """The table of these rows, in this order; it keeps all classes, also those that no row is left of."""
        chosen = np.asarray(rows)
        frame = self.frame.iloc[chosen].reset_index(drop=True)
        beside = {name: own[chosen] for name, own in self._beside().items()}
        return replace(self, frame=frame, y=self.y[chosen], **beside)

    @cached_property
    def together(self) -> npt.NDArray[np.int64]:
        """What stays on one side of a split (n,): groups, or else rows of equal content."""
        return alike(self.row_hashes(), self.y if self.classes else None) if self.groups is None else self.groups

    def _beside(self) -> dict[str, npt.NDArray[Any]]:
        """What is said of rows beside features and targets."""
        said = {"weights": self.weights, "groups": self.groups, "time": self.time, "held": self.held}
        return {name: own for name, own in said.items() if own is not None}
