"""Columns into numbers, honestly.

The **layout** (which columns exist, what they hold, the list of categories) comes from all development rows, so that
all folds feed networks of one width. What is *learnt* (medians, means, deviations, which categories are known) comes
from the training rows of the fold alone: no number that a row's score is computed from was learnt from that row.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tauten.data.columns import Kind, kind, labels, numbers
from tauten.data.tables import as_frame
from tauten.errors import DataError

Block = npt.NDArray[np.float64]

MAX_CATEGORIES = 50
CLIP = 10.0
# Where squares would leave the range of float64, statistics are taken of values divided by the largest.
_SQUARES_FIT_BELOW = 1e150


@dataclass(frozen=True)
class ColumnLayout:
    """One column: its kind, whether values are missing, its listed categories and whether rarer ones share a column."""

    name: str
    kind: Kind
    missing: bool
    categories: tuple[str, ...] = ()
    other: bool = False

    @property
    def width(self) -> int:
        """The number of output columns it takes."""
        return (1 if self.kind == "number" else len(self.categories) + self.other) + self.missing


@dataclass(frozen=True)
class Layout:
    """What every fold agrees on: the columns in order, and so the width of the network's input."""

    columns: tuple[ColumnLayout, ...]

    @classmethod
    def of(cls, frame: pd.DataFrame, numeric: str = "plain") -> "Layout":
        """The layout of the development rows: a category column lists its 50 most frequent labels, ties by alphabet.

        >>> Layout.of(pd.DataFrame({"age": [30.0, None], "town": ["Ghent", "Bonn"]})).width
        4
        """
        return cls(tuple(_column_layout(str(name), frame[name]) for name in frame))

    @property
    def width(self) -> int:
        """The number of output columns d."""
        return sum(column.width for column in self.columns)


def _column_layout(name: str, column: "pd.Series[Any]") -> ColumnLayout:
    held, missing = kind(column), bool(column.isna().any())
    if held is None:
        raise DataError(
            f"column {name!r} holds {column.dtype} values: expected numbers or labels, so convert or drop it"
        )
    if held == "number":
        return ColumnLayout(name, held, missing)
    counts = Counter(label for label in labels(column) if label is not None)
    frequent = sorted(counts, key=lambda label: (-counts[label], label))[:MAX_CATEGORIES]
    return ColumnLayout(name, held, missing, tuple(sorted(frequent)), other=len(counts) > MAX_CATEGORIES)


@dataclass(frozen=True)
class _NumberColumn:
    """Median for the missing, then z = (x − mean) / std, then z / √(1 + (z / 10)²): smooth, and never beyond ±10.

    The smooth clip is RealMLP's (Holzmüller et al. 2024, arXiv:2407.04491) with a wider bound.
    """

    median: float
    mean: float
    std: float
    missing: bool

    @classmethod
    def fit(cls, column: "pd.Series[Any]", layout: ColumnLayout) -> "_NumberColumn":
        values = numbers(column, f"column {layout.name!r}")
        absent = np.isnan(values)
        if absent.all():
            return cls(0.0, 0.0, 0.0, missing=layout.missing and bool(absent.any()))
        largest = float(np.nanmax(np.abs(values)))
        unit = 1.0 if largest < _SQUARES_FIT_BELOW else largest
        values = values / unit
        median = float(np.nanmedian(values))
        values[absent] = median
        mean, std = float(values.mean()), float(values.std())
        # A constant column's deviation is rounding noise, and dividing by it would blow the noise up to ±1.
        if std <= 1e-14 * largest / unit:
            std = 0.0
        return cls(median * unit, mean * unit, std * unit, missing=layout.missing and bool(absent.any()))

    def block(self, column: "pd.Series[Any]", layout: ColumnLayout) -> Block:
        values = numbers(column, f"column {layout.name!r}")
        absent = np.isnan(values)
        values[absent] = self.median
        out = np.zeros((len(values), layout.width))
        if self.std > 0:
            with np.errstate(over="ignore"):
                z = np.clip((values - self.mean) / self.std, -1e6, 1e6)
            out[:, 0] = z / np.sqrt(1 + (z / CLIP) ** 2)
        if self.missing:
            out[:, 1] = absent
        return out


@dataclass(frozen=True)
class _CategoryColumn:
    """One-hot: the listed categories, then the rarer ones together, then missing. What training did not see is all
    zeros: its weights never learnt anything."""

    known: tuple[str, ...]
    missing: bool

    @classmethod
    def fit(cls, column: "pd.Series[Any]", layout: ColumnLayout) -> "_CategoryColumn":
        seen = set(labels(column))
        return cls(tuple(sorted(seen - {None})), missing=layout.missing and None in seen)

    def block(self, column: "pd.Series[Any]", layout: ColumnLayout) -> Block:
        if kind(column) is None:
            raise DataError(
                f"column {layout.name!r} holds {column.dtype} values where labels were expected: convert it"
            )
        last = len(layout.categories)
        listed = {label: i for i, label in enumerate(layout.categories)}
        place: dict[str | None, int] = {label: listed.get(label, last if layout.other else -1) for label in self.known}
        place[None] = layout.width - 1 if self.missing else -1
        at = np.array([place.get(label, -1) for label in labels(column)], dtype=np.int64)
        out = np.zeros((len(at), layout.width))
        rows = np.flatnonzero(at >= 0)
        out[rows, at[rows]] = 1
        return out


@dataclass(frozen=True)
class Preprocessor:
    """What one fold's training rows taught about each column of the layout."""

    layout: Layout
    columns: tuple[_NumberColumn | _CategoryColumn, ...]

    @classmethod
    def fit(cls, frame: pd.DataFrame, layout: Layout) -> "Preprocessor":
        """Learn from `frame`, the training rows alone. Raises DataError for a column missing or of another kind.

        >>> frame = pd.DataFrame({"age": [20.0, 40.0], "town": ["Ghent", "Bonn"]})
        >>> Preprocessor.fit(frame, Layout.of(frame)).transform(frame)
        array([[-0.9950372,  0.       ,  1.       ],
               [ 0.9950372,  1.       ,  0.       ]], dtype=float32)
        """
        frame = _checked(frame, layout)
        return cls(
            layout,
            tuple(
                (_NumberColumn if column.kind == "number" else _CategoryColumn).fit(frame[column.name], column)
                for column in layout.columns
            ),
        )

    def transform(self, frame: pd.DataFrame) -> npt.NDArray[np.float32]:
        """(n, d) float32, always finite; columns may come in any order, and further ones are ignored.

        Raises DataError for a column that is missing or of another kind, or an infinite value.
        """
        frame = _checked(frame, self.layout)
        out = np.empty((len(frame), self.layout.width), dtype=np.float32)
        start = 0
        for layout, column in zip(self.layout.columns, self.columns, strict=True):
            out[:, start : start + layout.width] = column.block(frame[layout.name], layout)
            start += layout.width
        return out

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, one entry per column."""
        pairs = zip(self.layout.columns, self.columns, strict=True)
        return {"columns": [{"layout": asdict(layout), "learnt": asdict(column)} for layout, column in pairs]}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Preprocessor":
        """What `to_json` wrote; raises DataError for anything else."""
        try:
            entries = [(entry["layout"], entry["learnt"]) for entry in stored["columns"]]
            layouts = [ColumnLayout(**{**layout, "categories": tuple(layout["categories"])}) for layout, _ in entries]
            columns = [
                _NumberColumn(**learnt)
                if layout.kind == "number"
                else _CategoryColumn(tuple(learnt["known"]), learnt["missing"])
                for layout, (_, learnt) in zip(layouts, entries, strict=True)
            ]
        except (KeyError, TypeError) as error:
            raise DataError(
                f"the stored preprocessing can't be read ({error!r}): expected what Preprocessor.to_json "
                "wrote, so fit anew"
            ) from error
        return cls(Layout(tuple(layouts)), tuple(columns))


def _checked(frame: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    frame = as_frame(frame)
    absent = [column.name for column in layout.columns if column.name not in frame]
    if absent:
        names = ", ".join(map(repr, absent[:8]))
        raise DataError(
            f"the data lacks {len(absent)} of the {len(layout.columns)} columns that training saw "
            f"({names}{', …' if len(absent) > 8 else ''}): add them, empty where unknown"
        )
    return frame


@dataclass(frozen=True)
class TargetScale:
    """A regression target's mean and standard deviation over the training rows."""

    mean: float
    std: float

    @classmethod
    def fit(cls, y: npt.ArrayLike) -> "TargetScale":
        """Of the training part's targets (n,); a constant target is scaled by 1.

        >>> TargetScale.fit([1.0, 3.0])
        TargetScale(mean=2.0, std=1.0)
        """
        values = np.asarray(y, dtype=np.float64)
        constant = values.min() == values.max()
        return cls(float(values.mean()), 1.0 if constant else float(values.std()))

    def scale(self, y: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Targets (n,) in standard deviations from the mean."""
        return ((np.asarray(y, dtype=np.float64) - self.mean) / self.std).astype(np.float32)

    def restore(self, scaled: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Predictions in the target's own unit, the inverse of `scale`."""
        return np.asarray(scaled, dtype=np.float64) * self.std + self.mean

    def to_json(self) -> dict[str, float]:
        """Plain JSON."""
        return {"mean": self.mean, "std": self.std}

    @classmethod
    def from_json(cls, stored: dict[str, float]) -> "TargetScale":
        """What `to_json` wrote; raises DataError for anything else."""
        try:
            return cls(float(stored["mean"]), float(stored["std"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"the stored target scale can't be read ({error!r}): expected 'mean' and 'std', so fit it anew"
            ) from error
