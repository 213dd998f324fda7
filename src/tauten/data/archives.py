"""Archives of named arrays, .npz and .safetensors: images or sequences X with their labels y."""

import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tauten.data.columns import listed
from tauten.errors import DataError

ARCHIVES = (".npz", ".safetensors")
NAMES = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("x", "y"),
    ("images", "labels"),
    ("data", "target"),
)
"""Names, in small letters, of images and labels, and of those of a test part."""
Values = npt.NDArray[Any]


class Found(NamedTuple):
    """Images (n, …) and labels (n,) of a source, those of its test part, and what a person should know of the rest."""

    X: Values
    y: Any
    held: tuple[Values, Any] | None = None
    told: tuple[str, ...] = ()


def archived(path: Path) -> Found:
    """The arrays of an archive; DataError where it can't be read, or names or lengths don't fit."""
    stored = _read(path)
    names = next((names for names in NAMES if set(names[:2]) <= stored.keys()), None)
    if names is None:
        raise DataError(
            f"{path} holds the arrays {', '.join(stored) or '(none)'}: expected X and y, or x_train, y_train, x_test "
            "and y_test"
        )
    test = [name for name in names[2:] if name in stored]
    if len(test) == 1:
        other = next(name for name in names[2:] if name not in test)
        raise DataError(f"{path} holds {test[0]} without {other}: expected both or neither, so add {other}")
    parts = [_paired(path, stored[x], stored[y]) for x, y in ((names[:2], test) if test else (names[:2],))]
    rest = [name for name in stored if name not in names]
    told = (f"left out of {path}: {listed(rest)}",) if rest else ()
    return Found(*parts[0], parts[1] if test else None, told)


def unlabelled(path: Path) -> Values:
    """The images of an archive whose labels nobody needs: those of its test part where it has one."""
    stored = _read(path)
    wanted = [x for names in NAMES for x in names[2:3]] + [names[0] for names in NAMES]
    name = next((name for name in wanted if name in stored), None)
    if name is None:
        raise DataError(f"{path} holds the arrays {', '.join(stored) or '(none)'}: expected X, or x_test")
    return stored[name]


def _paired(path: Path, X: Values, y: Values) -> tuple[Values, Values]:
    if not _count(X) or _count(X) != _count(y):
        raise DataError(f"{path} holds {_count(X)} images and {_count(y)} labels: expected as many of both")
    return X, y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def _count(values: Values) -> int:
    return len(values) if values.ndim else 0


def _read(path: Path) -> dict[str, Values]:
    """All arrays by their names in small letters."""
    from safetensors import SafetensorError, safe_open

    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as stored:
                return {name.lower(): stored[name] for name in stored.files}
        with safe_open(path, "np") as tensors:
            return {name.lower(): tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, ValueError, TypeError, EOFError, zlib.error, zipfile.BadZipFile, SafetensorError) as error:
        raise DataError(f"{path} can't be read ({error}): expected an archive of plain arrays of numbers") from error
