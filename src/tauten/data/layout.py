"""Which columns the network is fed, and how wide each is.

The layout comes from all development rows, so that all folds feed networks of one width. It holds no number that a
row's score is computed from: see `preprocess`.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tauten.data.columns import MAX_CATEGORIES, Kind, kind, labels
from tauten.errors import DataError

BINS = 16
"""Bins of a number's piecewise-linear encoding, fewer where a column has fewer distinct values."""


@dataclass(frozen=True)
class ColumnLayout:
    """One column: its kind, whether values are missing, its listed categories and whether rarer ones share a column.

    `bins` are the outputs of a number's piecewise-linear encoding, 0 where it is fed as one scaled number.
    """

    name: str
    kind: Kind
    missing: bool
    categories: tuple[str, ...] = ()
    other: bool = False
    bins: int = 0

    @property
    def width(self) -> int:
        """The number of output columns it takes."""
        values = len(self.categories) + self.other if self.kind == "category" else max(self.bins, 1)
        return values + self.missing


@dataclass(frozen=True)
class Layout:
    """What every fold agrees on: the columns in order, and so the width of the network's input."""

    columns: tuple[ColumnLayout, ...]

    @classmethod
    def of(cls, frame: pd.DataFrame, numeric: str = "plain") -> "Layout":
        """The layout of the development rows: a category column lists its 64 most frequent labels, ties by alphabet.

        `numeric` is "plain", or "piecewise" for numbers and dates of more than two values in up to 16 bins.

        >>> Layout.of(pd.DataFrame({"age": [30.0, None], "town": ["Ghent", "Bonn"]})).width
        4
        """
        return cls(tuple(_column_layout(str(name), frame[name], numeric == "piecewise") for name in frame))

    @property
    def width(self) -> int:
        """The number of output columns d."""
        return sum(column.width for column in self.columns)


def _column_layout(name: str, column: "pd.Series[Any]", piecewise: bool) -> ColumnLayout:
    held, missing = kind(column), bool(column.isna().any())
    if held is None:
        raise DataError(
            f"column {name!r} holds {column.dtype} values: expected numbers, labels or dates, so convert or drop it"
        )
    if held != "category":
        values = column.nunique() if piecewise else 0
        return ColumnLayout(name, held, missing, bins=min(BINS, values - 1) if values > 2 else 0)
    counts = Counter(label for label in labels(column) if label is not None)
    frequent = sorted(counts, key=lambda label: (-counts[label], label))[:MAX_CATEGORIES]
    return ColumnLayout(name, held, missing, tuple(sorted(frequent)), other=len(counts) > MAX_CATEGORIES)
