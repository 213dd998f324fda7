"""Rows of more than one axis, such as images (n, C, H, W) and sequences (n, T, d), for networks of a person's own."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tauten.data.columns import mix
from tauten.data.layout import Layout
from tauten.data.sides import HELD, joined_targets
from tauten.data.table import Table
from tauten.data.tables import MIN_ROWS, sided
from tauten.data.targets import beside, encode, weights
from tauten.errors import DataError, OptionError
from tauten.partners import data_of

CHANNELS = 4
"""The most channels of a picture; an axis that is longer is a side."""
Floats32 = npt.NDArray[np.float32]


def has_axes(X: Any) -> bool:
    """Whether X is an array or tensor (n, …) of three axes or more, which no table can hold."""
    return len(getattr(X, "shape", ())) > 2


@dataclass(frozen=True)
class ArrayPreprocessor:
    """What one fold's training rows taught: mean and standard deviation of each channel.

    Channels are the first axis of a row of three axes or more, (C, H, W), and the last of one of two, (T, d).
    """

    shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(cls, values: Floats32) -> "ArrayPreprocessor":
        """Learn from `values` (n, …), the training rows alone; a channel that never varies is only centred."""
        shape, channel = values.shape[1:], _channel(values.shape)
        others = tuple(axis for axis in range(values.ndim) if axis != channel)
        std = values.std(others, dtype=np.float64)
        mean = values.mean(others, dtype=np.float64)
        return cls(shape, tuple(mean.tolist()), tuple(np.where(std > 0, std, 1.0).tolist()))

    def transform(self, X: Any) -> Floats32:
        """(n, …) float32; DataError for rows of another shape, or values that are no finite numbers.

        >>> ArrayPreprocessor((1, 2, 2), (1.0,), (2.0,)).transform(np.full((1, 1, 2, 2), 5))
        array([[[[2., 2.],
                 [2., 2.]]]], dtype=float32)
        """
        values = as_array(X)
        if values.shape[1:] != self.shape:
            raise DataError(f"rows have the shape {values.shape[1:]}: expected {self.shape}, as training saw them")
        along = [1] * values.ndim
        along[_channel(values.shape)] = -1
        mean, std = (np.reshape(v, along).astype(np.float32) for v in (self.mean, self.std))
        return np.asarray((values - mean) / std, dtype=np.float32)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"shape": list(self.shape), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "ArrayPreprocessor":
        """What `to_json` wrote; raises DataError for anything else."""
        try:
            return cls(*(tuple(stored[key]) for key in ("shape", "mean", "std")))
        except (KeyError, TypeError) as error:
            raise DataError(
                f"the stored preprocessing can't be read ({error!r}): expected what ArrayPreprocessor.to_json wrote, "
                "so fit anew"
            ) from error


@dataclass(frozen=True, eq=False)
class Arrays(Table):
    """A table whose features are not columns but `values` (n, …) float32; its frame has none."""

    values: Floats32 = field(default_factory=lambda: np.empty((0, 1, 1), np.float32))

    @property
    def features(self) -> Any:
        """As of every table."""
        return self.values

    @property
    def columns(self) -> int:
        """As of every table."""
        return int(np.prod(self.values.shape[1:]))

    @property
    def data(self) -> str:
        """As of every table."""
        return data_of(self.values.shape[1:])

    def width(self, layout: Layout) -> int:
        """As of every table."""
        return self.columns

    def learnt(self, rows: npt.NDArray[np.int64], layout: Layout) -> Any:
        """As of every table."""
        return ArrayPreprocessor.fit(self.values[rows])

    def content_hash(self) -> str:
        """As of every table."""
        digest = hashlib.sha256(f"{super().content_hash()} {self.values.shape}".encode())
        digest.update(self.values.astype("<f4").tobytes())
        return digest.hexdigest()

    def row_hashes(self) -> npt.NDArray[np.uint64]:
        """As of every table; of a row in its order."""
        rows = (hashlib.blake2b(row.astype("<f4").tobytes(), digest_size=8).digest() for row in self.values)
        own = np.array([int.from_bytes(row, "little") for row in rows], dtype=np.uint64)
        return mix(super().row_hashes() + own)

    def take(self, rows: npt.ArrayLike) -> "Arrays":
        """As of every table."""
        table = super().take(rows)
        assert isinstance(table, Arrays)
        return replace(table, values=self.values[np.asarray(rows)])


def of_arrays(
    X: Any,
    y: Any,
    *,
    name: str = "data",
    task: str | None = None,
    sample_weight: Any = None,
    held: tuple[Any, Any] | None = None,
) -> Arrays:
    """Rows X (n, …), an array or tensor of three axes or more, and y, `sample_weight` and `held` as in `from_arrays`.

    Raises DataError for values that are no finite numbers, and as `from_arrays` does.

    >>> of_arrays(np.zeros((12, 1, 4, 4)), ["no", "yes"] * 6).columns
    16
    """
    values = as_array(X)
    if len(values) < MIN_ROWS:
        raise DataError(f"X has {len(values)} rows: expected at least {MIN_ROWS}, so add rows")
    columns, counts = beside(len(values), y, sample_weight)
    mask = None
    if held is not None:
        more = as_array(held[0], HELD)
        if more.shape[1:] != values.shape[1:]:
            raise DataError(f"{HELD} has rows of shape {more.shape[1:]}: expected {values.shape[1:]}, as the data has")
        columns, mask = joined_targets(columns, len(more), held[1])
        values = np.concatenate([values, more])
    warnings = _told(values.shape)
    targets, names = encode(columns, task, warnings), tuple(map(str, columns.columns))
    frame, own = pd.DataFrame(index=range(len(values))), None if counts is None else weights(counts)
    return sided(Arrays(name, frame, *targets, names, tuple(warnings), own, values=values), mask)


def as_array(X: Any, name: str = "X") -> Floats32:
    """X (n, …) as float32, copied; DataError where it is no array of finite numbers with three axes or more."""
    values = np.asarray(X.detach().cpu() if hasattr(X, "detach") else X)
    if values.ndim < 3 or values.dtype.kind not in "fiub":
        raise DataError(
            f"{name} has shape {values.shape} and {values.dtype}: expected numbers with three axes or more, rows first"
        )
    found = values.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(found).all(tuple(range(1, found.ndim))))
    if bad.size:
        raise DataError(
            f"{name} holds a value that is not finite in row {bad[0] + 1}: expected numbers, so mend or drop it"
        )
    return found


def check_network(table: Table, own_module: bool) -> None:
    """OptionError where a built-in network would have to read rows that are neither lists of numbers nor images."""
    if isinstance(table, Arrays) and table.values.ndim != 4 and not own_module:
        raise OptionError(
            f"X has shape {table.values.shape} and the built-in networks read tables and images; give model=, a "
            "network of your own, X[:, None] where rows are images without colour, or X.reshape(len(X), -1)."
        )


def _told(shape: tuple[int, ...]) -> list[str]:
    if len(shape) == 4 and shape[1] > CHANNELS >= shape[-1]:
        return [
            f"X has shape {shape} and was read as {shape[1]} channels of {shape[2]} × {shape[3]}: where the last axis "
            "is the colours, give np.moveaxis(X, -1, 1)"
        ]
    return []


def _channel(shape: tuple[int, ...]) -> int:
    return 1 if len(shape) > 3 else len(shape) - 1
