"""Numbers for a network: one robustly scaled input, or a piecewise-linear encoding over quantile bins."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tauten.data.columns import days, numbers
from tauten.data.layout import ColumnLayout

Block = npt.NDArray[np.float64]

CLIP = 3.0
# Differences of larger values may leave the range of float64; halves of the largest do not.
_LARGEST = 4e307


def values_of(column: "pd.Series[Any]", layout: ColumnLayout) -> Block:
    """A column of numbers or dates as (n,) float64, NaN where missing, held to where differences stay finite."""
    values = (days if layout.kind == "date" else numbers)(column, f"column {layout.name!r}")
    return np.clip(values, -_LARGEST, _LARGEST)


@dataclass(frozen=True)
class PlainColumn:
    """Median for the missing, then z = (x − median) · scale, then z / √(1 + (z / 3)²): smooth, and never beyond ±3.

    `scale` is one over the distance of the quartiles, or where they are equal two over that of the extremes (RealMLP,
    Holzmüller et al. 2024, arXiv:2407.04491); 0 where all values are.
    """

    median: float
    scale: float
    missing: bool

    @classmethod
    def fit(cls, column: "pd.Series[Any]", layout: ColumnLayout) -> "PlainColumn":
        """Learn from the training rows' column."""
        values = values_of(column, layout)
        absent = np.isnan(values)
        missing = layout.missing and bool(absent.any())
        if absent.all():
            return cls(0.0, 0.0, missing)
        lowest, low, median, high, highest = map(float, np.nanquantile(values, (0, 0.25, 0.5, 0.75, 1)))
        spread = high - low if high > low else (highest - lowest) / 2
        # Rounding noise around a constant is no spread, and a subnormal one has no finite inverse.
        tiny = max(1e-14 * max(abs(lowest), abs(highest)), 1e-300)
        return cls(median, 1 / spread if spread > tiny else 0.0, missing)

    def block(self, column: "pd.Series[Any]", layout: ColumnLayout) -> Block:
        """(n, layout.width): the scaled number, and where the layout says so whether it was missing."""
        values = values_of(column, layout)
        absent = np.isnan(values)
        with np.errstate(over="ignore"):
            z = np.clip((np.where(absent, self.median, values) - self.median) * self.scale, -1e6, 1e6)
        return _beside(z[:, None] / np.sqrt(1 + (z[:, None] / CLIP) ** 2), absent, self.missing, layout)


@dataclass(frozen=True)
class PiecewiseColumn:
    """Piecewise-linear encoding (Gorishniy et al. 2022, arXiv:2203.05556): the share of each bin that lies below x.

    Bins are divided by the training rows' quantiles. The first and the last go on linearly beyond what training saw,
    for one more bin's width.
    """

    median: float
    edges: tuple[float, ...]
    missing: bool

    @classmethod
    def fit(cls, column: "pd.Series[Any]", layout: ColumnLayout) -> "PiecewiseColumn":
        """Learn from the training rows' column."""
        values = values_of(column, layout)
        present = values[~np.isnan(values)]
        missing = layout.missing and present.size < values.size
        if not present.size:
            return cls(0.0, (), missing)
        edges = np.unique(np.quantile(present, np.linspace(0, 1, layout.bins + 1)))
        return cls(float(np.median(present)), tuple(map(float, edges)) if len(edges) > 1 else (), missing)

    def block(self, column: "pd.Series[Any]", layout: ColumnLayout) -> Block:
        """(n, layout.width): the bins, zeros where training had fewer than the layout, and the missing indicator."""
        values = values_of(column, layout)
        absent = np.isnan(values)
        x = np.where(absent, self.median, values)[:, None]
        edges, bins = np.array(self.edges), max(len(self.edges) - 1, 0)
        shares = np.zeros((len(values), layout.bins))
        if bins:
            low, high = np.zeros(bins), np.ones(bins)
            low[0], high[-1] = -1, 2
            with np.errstate(over="ignore"):
                shares[:, :bins] = np.clip((x - edges[:-1]) / np.diff(edges), low, high)
        return _beside(shares, absent, self.missing, layout)


def _beside(values: Block, absent: npt.NDArray[np.bool_], known: bool, layout: ColumnLayout) -> Block:
    """The values with the missing indicator of the layout, zeros where training never saw one."""
    return np.column_stack([values, absent & known]) if layout.missing else values
