"""Columns into numbers, honestly.

The **layout** (which columns exist, what they hold, the list of categories) comes from all development rows. What is
*learnt* (medians, scales, bins, which categories are known) comes from the training rows of the fold alone: no number
that a row's score is computed from was learnt from that row.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tauten.data.columns import kind, labels, listed
from tauten.data.frames import as_frame
from tauten.data.layout import ColumnLayout, Layout
from tauten.data.numeric import Block, PiecewiseColumn, PlainColumn
from tauten.errors import DataError


@dataclass(frozen=True)
class _CategoryColumn:
    """One-hot: the listed categories, then the rarer ones together, then missing.

    What training did not see counts with the rarer ones if it saw any of them; else it is all zeros, as its weights
    never learnt anything.
    """

    known: tuple[str, ...]
    missing: bool

    @classmethod
    def fit(cls, column: "pd.Series[Any]", layout: ColumnLayout) -> "_CategoryColumn":
        seen = set(labels(column))
        return cls(tuple(sorted(seen - {None})), missing=layout.missing and None in seen)

    def block(self, column: "pd.Series[Any]", layout: ColumnLayout) -> Block:
        if column.notna().any() and (held := kind(column)) not in ("number", "category"):
            found = "dates" if held == "date" else f"{column.dtype} values"
            raise DataError(f"column {layout.name!r} holds {found} where labels were expected: convert it")
        last = len(layout.categories)
        own = {label: i for i, label in enumerate(layout.categories)}
        rare = last if layout.other and not own.keys() >= set(self.known) else -1
        place: dict[str | None, int] = {label: own.get(label, rare) for label in self.known}
        place[None] = layout.width - 1 if self.missing else -1
        at = np.array([place.get(label, rare) for label in labels(column)], dtype=np.int64)
        out = np.zeros((len(at), layout.width))
        rows = np.flatnonzero(at >= 0)
        out[rows, at[rows]] = 1
        return out


Learnt = PlainColumn | PiecewiseColumn | _CategoryColumn


@dataclass(frozen=True)
class Preprocessor:
    """What one fold's training rows taught about each column of the layout."""

    layout: Layout
    columns: tuple[Learnt, ...]

    @classmethod
    def fit(cls, frame: pd.DataFrame, layout: Layout) -> "Preprocessor":
        """Learn from `frame`, the training rows alone. Raises DataError for a column missing or of another kind.

        >>> frame = pd.DataFrame({"age": [20.0, 40.0], "town": ["Ghent", "Bonn"]})
        >>> Preprocessor.fit(frame, Layout.of(frame)).transform(frame)
        array([[-0.9486833,  0.       ,  1.       ],
               [ 0.9486833,  1.       ,  0.       ]], dtype=float32)
        """
        frame = _checked(frame, layout)
        return cls(layout, tuple(_form(column).fit(frame[column.name], column) for column in layout.columns))

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
            entries = [(_tuples(entry["layout"]), _tuples(entry["learnt"])) for entry in stored["columns"]]
            layouts = [ColumnLayout(**layout) for layout, _ in entries]
            columns = [_form(layout)(**learnt) for layout, (_, learnt) in zip(layouts, entries, strict=True)]
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"the stored preprocessing can't be read ({error!r}): expected what Preprocessor.to_json "
                "wrote, so fit anew"
            ) from error
        return cls(Layout(tuple(layouts)), tuple(columns))


def _form(layout: ColumnLayout) -> type[Learnt]:
    if layout.kind == "category":
        return _CategoryColumn
    return PiecewiseColumn if layout.bins else PlainColumn


def _tuples(stored: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}


def _checked(frame: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    frame = as_frame(frame)
    absent = [column.name for column in layout.columns if column.name not in frame]
    if absent:
        raise DataError(
            f"the data lacks {len(absent)} of the {len(layout.columns)} columns that training saw "
            f"({listed(absent)}): add them, empty where unknown"
        )
    return frame
