"""Data sets of PyTorch's kind, read once into arrays."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tauten.data.pictures import pixels, stacked
from tauten.errors import DataError


class Given(NamedTuple):
    """X and y as a person gave them in whichever way, the task where that says it, and what they should know."""

    X: Any
    y: Any
    task: str | None = None
    told: tuple[str, ...] = ()


def given(X: Any, y: Any = None) -> Given:
    """X and y, also from a tuple (X, y), or from a map-style `torch.utils.data.Dataset` of pairs (x, y), read once.

    Whole numbers of a data set's y are classes, as PyTorch's losses read them. DataError for a data set that can't be
    read by position, or whose items are no pairs or of unlike shapes.

    >>> import torch
    >>> pairs = torch.utils.data.TensorDataset(torch.zeros(12, 1, 4, 4), torch.arange(12) % 2)
    >>> given(pairs).X.shape, given(pairs).task
    ((12, 1, 4, 4), 'classification')
    """
    if y is not None:
        return Given(X, y)
    if isinstance(X, tuple) and len(X) == 2:
        return Given(*X)
    if isinstance(X, str | bytes) or hasattr(X, "shape"):
        return Given(X, y)
    from torch.utils.data import DataLoader, Dataset, IterableDataset

    if isinstance(X, DataLoader):
        raise DataError("X is a DataLoader: expected the data set that it reads, so give loader.dataset")
    if not isinstance(X, Dataset):
        return Given(X, y)
    if isinstance(X, IterableDataset) or not hasattr(X, "__len__"):
        raise DataError(
            f"X is {type(X).__name__}, an iterable data set or one without a length: expected len(X) and X[i], so "
            "collect it once, as X = torch.stack([x for x, _ in data]) and y = [y for _, y in data]"
        )
    return _read(X)


def _read(data: Any) -> Given:
    # Through an iterator an endless __getitem__ or a wrong __len__ would go unseen.
    items = [_pair(data[i], i) for i in range(len(data))]
    if not items:
        raise DataError("X is a data set without items: expected at least ten pairs (x, y)")
    told: tuple[str, ...] = ()
    if not all(np.array_equal(_array(a), _array(b)) for a, b in zip(_pair(data[0], 0), items[0], strict=True)):
        told = (
            "the data set gives another first item when read again, so it augments by itself: each item was read once, "
            "so that what it drew stays; give it without random transforms",
        )
    drawn = [hasattr(x, "getbands") for x, _ in items]
    if all(drawn):
        values = stacked([pixels(x) for x, _ in items], [f"item {i}" for i in range(len(items))])
    else:
        values = _stacked([_array(x) for x, _ in items], "x")
    labels = _stacked([_array(y) for _, y in items], "y")
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    whole = labels.ndim == 1 and labels.dtype.kind not in "f"
    return Given(values, labels, "classification" if whole else None, told)


def _pair(item: Any, i: int) -> tuple[Any, Any]:
    if not isinstance(item, tuple | list) or len(item) != 2:
        held = f"{type(item).__name__} of {len(item)}" if hasattr(item, "__len__") else type(item).__name__
        raise DataError(f"item {i} of the data set is a {held}: expected a pair (x, y), so wrap it")
    return item[0], item[1]


def _array(value: Any) -> npt.NDArray[Any]:
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def _stacked(parts: list[npt.NDArray[Any]], what: str) -> npt.NDArray[Any]:
    for i, part in enumerate(parts):
        if part.shape != parts[0].shape or part.dtype.kind == "O":
            found = f"shape {part.shape} and {part.dtype}"
            raise DataError(
                f"{what} of item {i} of the data set has {found}: expected numbers of shape {parts[0].shape}, as item "
                "0 has"
            )
    return np.stack(parts)
