"""Images from where people keep them: folders of pictures, archives of arrays, IDX files, or Parquet."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tauten.data.archives import ARCHIVES, Found, archived, unlabelled
from tauten.data.arrays import CHANNELS, Arrays, of_arrays
from tauten.data.columns import counted, listed
from tauten.data.encoded import Encoded, encoded, encoded_alone, holds_encoded
from tauten.data.idx import load_idx
from tauten.data.pictures import PICTURES, by_class, decoded, files_below, stacked
from tauten.errors import DataError, OptionError

IDX = "train-images-idx3-ubyte"


def holds_images(source: str | Path) -> bool:
    """Whether a path is one that `images` reads: a folder, an archive of arrays, or Parquet with encoded images."""
    path = Path(source)
    return path.is_dir() or path.suffix in ARCHIVES or holds_encoded(path)


def images(
    source: str | Path,
    task: str | None = None,
    target: str | None = None,
    holdout: str | Path | None = None,
    own_network: bool = False,
) -> Arrays:
    """Images (n, C, H, W) and their classes, from a path.

    A folder holds a folder of pictures for each class (which takes the package Pillow), or folders train and test that
    do, the four IDX files of a set such as MNIST, or Parquet files. An archive (.npz, .safetensors) holds arrays X and
    y, or x_train, y_train, x_test and y_test, with images (n, H, W), (n, H, W, C) or (n, C, H, W); or for a network of
    one's own, `own_network`, with sequences (n, T, d), which three axes of fractions are there. Parquet has a column
    of encoded images and one of labels, named by `target` unless it is called label or is the only one. What was
    published as the test part is the holdout, as is all of another such path, `holdout`.
    Raises DataError for what can't be read, pictures of unlike sizes, or a folder without pictures.
    """
    if target is not None and not (holds_encoded(Path(source)) or _shards(Path(source))):
        raise OptionError(f"{str(source)!r} holds images, without columns; leave target out.")
    found = _read(Path(source), target)
    sequences, held = own_network and Path(source).suffix in ARCHIVES and _is_sequences(found.X), found.held
    values = found.X if sequences else channels_first(found.X, str(source))
    if holdout is not None:
        if held is not None:
            raise OptionError(
                f"{str(source)!r} has a test part and a holdout {str(holdout)!r} was given; leave it out."
            )
        if not holds_images(holdout):
            raise DataError(f"holdout {str(holdout)!r} holds no images: expected a path as that of the data")
        own = _read(Path(holdout), target)
        held = own.X, own.y
        if own.held is not None:
            raise DataError(f"holdout {str(holdout)!r} has a test part of its own: expected one part, so name that")
    if held is not None and not sequences:
        own_values = channels_first(held[0], f"the holdout of {source}")
        if own_values.shape[1] == 1:  # grey pictures of a coloured set
            own_values = np.repeat(own_values, values.shape[1], 1)
        held = own_values, held[1]
    whole = np.asarray(found.y).dtype.kind != "f"
    table = of_arrays(values, found.y, name=str(source), task=task or ("classification" if whole else None), held=held)
    told = (*found.told, *([_as_sequences(values)] if sequences else []))
    return replace(table, warnings=(*told, *table.warnings))


def images_alone(source: str | Path, shape: tuple[int, ...]) -> tuple[list[str] | None, npt.NDArray[Any]]:
    """Images (n, C, H, W) whose labels nobody needs, and the names of their files in a folder, in order.

    A folder may hold pictures in whatever folders, or none; of what has a test part, that part. `shape` (C, H, W) is
    what a network expects; DataError where a picture has another.
    """
    path = Path(source)
    if len(shape) != 3 and path.suffix not in ARCHIVES:
        raise DataError(f"rows of the training had shape {shape}, no images: expected an archive (.npz, .safetensors)")
    if path.suffix in ARCHIVES:
        values = unlabelled(path)
        return None, channels_first(values, str(path)) if len(shape) == 3 else values
    if holds_encoded(path) or _shards(path):
        shards = _shards(path) or [path]
        shards = [own for own in shards if _is_test(own)] or shards
        parts = [encoded_alone(own) for own in shards]
        return None, stacked([p for part in parts for p in part[0]], [n for part in parts for n in part[1]], shape)
    if _has_idx(path):
        return None, load_idx(path).test_images[:, None]
    files = [path] if path.is_file() and path.suffix.lower() in PICTURES else files_below(path)
    if not files:
        raise DataError(
            f"{str(path)!r} holds no pictures ({', '.join(PICTURES)}): expected a folder of them, one of IDX files, an "
            "archive (.npz, .safetensors) or Parquet, as the network was trained on images"
        )
    names = [str(file.relative_to(path)) if file != path else file.name for file in files]
    return names, stacked([decoded(file, str(file)) for file in files], [str(file) for file in files], shape)


def channels_first(values: npt.NDArray[Any], name: str = "X") -> npt.NDArray[Any]:
    """Images as (n, C, H, W): of (n, H, W) with one channel, of (n, H, W, C) with the channels moved.

    >>> channels_first(np.zeros((5, 32, 28, 3))).shape
    (5, 3, 32, 28)
    """
    if values.ndim == 3:
        return values[:, None]
    if values.ndim == 4 and values.shape[1] <= CHANNELS:
        return values
    if values.ndim == 4 and values.shape[-1] <= CHANNELS:
        return np.moveaxis(values, -1, 1)
    raise DataError(
        f"{name} has images of shape {values.shape[1:]}: expected (height, width), (height, width, channels) or "
        f"(channels, height, width) with at most {CHANNELS} channels"
    )


def _read(path: Path, target: str | None) -> Found:
    if path.suffix in ARCHIVES:
        return archived(path)
    if _has_idx(path):
        parts = load_idx(path)
        return Found(parts.train_images, parts.train_labels, (parts.test_images, parts.test_labels))
    if holds_encoded(path):
        return _decoded([path], [], target)
    if shards := _shards(path):
        test = [own for own in shards if _is_test(own)]
        rest = [own for own in shards if own not in test]
        return _decoded(rest or test, test if rest else [], target)
    own, held, told = by_class(path)
    if not own:
        raise DataError(
            f"folder {str(path)!r} holds no folders with pictures ({', '.join(PICTURES)}): expected one for each "
            "class, the four IDX files of a set, or Parquet files"
        )
    return Found(*_pictured(own), _pictured(held) if held else None, tuple(told))


def _is_sequences(values: npt.NDArray[Any]) -> bool:
    return values.ndim == 3 and values.dtype.kind == "f"


def _as_sequences(values: npt.NDArray[Any]) -> str:
    return (
        f"X has shape {values.shape} and {values.dtype}, and was read as sequences of {values.shape[1]} steps of "
        f"{counted(values.shape[2], 'number')}: where rows are images without colour, save X[:, None], or whole numbers"
    )


def _has_idx(path: Path) -> bool:
    return any((path / name).is_file() for name in (IDX, f"{IDX}.gz"))


def _shards(path: Path) -> list[Path]:
    return sorted(path.glob("*.parquet")) if path.is_dir() else []


def _is_test(shard: Path) -> bool:
    return shard.name.startswith("test")


def _decoded(shards: list[Path], test: list[Path], target: str | None) -> Found:
    own = [encoded(shard, target) for shard in shards]
    rest = sorted({name for part in own for name in part.rest})
    told = (f"left out of {shards[0]}: {listed(rest)}",) if rest else ()
    return Found(*_joined(own), _joined([encoded(shard, target) for shard in test]) if test else None, told)


def _joined(parts: list[Encoded]) -> tuple[npt.NDArray[Any], "pd.Series[Any]"]:
    values = stacked([p for part in parts for p in part.pictures], [name for part in parts for name in part.names])
    return values, pd.concat([part.labels for part in parts], ignore_index=True)


def _pictured(classes: dict[str, list[Path]]) -> tuple[npt.NDArray[Any], npt.NDArray[np.str_]]:
    files = [(file, name) for name, own in classes.items() for file in own]
    values = stacked([decoded(file, str(file)) for file, _ in files], [str(file) for file, _ in files])
    return values, np.array([name for _, name in files])
