"""Images from where people keep them: a folder for each class, a NumPy archive, or IDX files."""

import zipfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tauten.data.arrays import Arrays, of_arrays
from tauten.data.idx import load_idx
from tauten.errors import DataError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
DEEP = ("I;16", "I", "F")
"""Pillow's names of grey pixels with more than eight bits."""
ARCHIVE, IDX = ".npz", "train-images-idx3-ubyte"
CHANNELS = 4
"""The most channels of a picture; an axis that is longer is a side."""
PAIRS = (("x_train", "y_train", "x_test", "y_test"), ("X", "y"), ("x", "y"), ("images", "labels"), ("data", "target"))
"""Names under which an archive may hold images and labels, and a test part of its own."""


def holds_images(source: str | Path) -> bool:
    """Whether a path is one that `images` reads: a folder, or an archive of arrays."""
    path = Path(source)
    return path.is_dir() or path.suffix == ARCHIVE


def images(source: str | Path, task: str | None = None) -> Arrays:
    """Images (n, C, H, W) and their classes, from a path.

    A folder holds a folder of pictures for each class (which takes the package Pillow), or the four IDX files of a set
    such as MNIST. An archive (.npz) holds arrays X and y, or x_train, y_train, x_test and y_test, with images
    (n, H, W), (n, H, W, C) or (n, C, H, W). What was published as the test part is the holdout.
    Raises DataError for what can't be read, pictures of unlike sizes, or a folder without pictures.
    """
    path = Path(source)
    held = None
    if path.suffix == ARCHIVE:
        values, labels, held = _archived(path)
    elif any((path / name).is_file() for name in (IDX, f"{IDX}.gz")):
        parts = load_idx(path)
        values, labels = (np.concatenate(p) for p in ((parts.train_images, parts.test_images),
                                                      (parts.train_labels, parts.test_labels)))  # fmt: skip
        held = np.arange(len(labels)) >= len(parts.train_labels)
    else:
        values, labels = _pictured(path)
    table = of_arrays(channels_first(values, str(path)), labels, task=task or "classification")
    return replace(table, name=str(path), held=held)


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


def _archived(path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            names = next((pair for pair in PAIRS if set(pair[:2]) <= set(stored.files)), None)
            if names is None:
                raise DataError(
                    f"{path} holds the arrays {', '.join(stored.files) or '(none)'}: expected X and y, or x_train, "
                    "y_train, x_test and y_test"
                )
            parts = [stored[name] for name in names if name in stored.files]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} can't be read ({error}): expected an archive of plain NumPy arrays") from error
    for values, labels in zip(parts[::2], parts[1::2], strict=True):
        if len(values) != len(labels):
            raise DataError(f"{path} holds {len(values)} images and {len(labels)} labels: expected as many of both")
    if len(parts) == 2:
        return parts[0], parts[1], None
    if parts[0].shape[1:] != parts[2].shape[1:]:
        raise DataError(f"{path} has images of {parts[0].shape[1:]} and of {parts[2].shape[1:]}: expected one shape")
    held = np.arange(len(parts[1]) + len(parts[3])) >= len(parts[1])
    return np.concatenate(parts[::2]), np.concatenate([np.ravel(labels) for labels in parts[1::2]]), held


def _pictured(path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    found = {
        folder.name: sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES)
        for folder in sorted(path.iterdir())
        if folder.is_dir()
    }
    found = {name: files for name, files in found.items() if files}
    if not found:
        raise DataError(
            f"folder {str(path)!r} holds no folders with pictures ({', '.join(PICTURES)}): expected one for each "
            "class, or the four IDX files of a set"
        )
    files = [(file, name) for name, own in found.items() for file in own]
    pictures = [_picture(file) for file, _ in files]
    deepest = max(p.shape[-1] for p in pictures)
    for (file, _), picture in zip(files, pictures, strict=True):
        if picture.shape[:2] != pictures[0].shape[:2]:
            sizes = [f"{p.shape[1]} × {p.shape[0]}" for p in (picture, pictures[0])]
            raise DataError(
                f"{file} has {sizes[0]} pixels and {files[0][0]} {sizes[1]}: expected one size, so resize them"
            )
    same = [np.broadcast_to(p, (*p.shape[:2], deepest)) for p in pictures]
    return np.stack(same), np.array([name for _, name in files])


def _picture(file: Path) -> npt.NDArray[Any]:
    """(H, W, 1) where it is grey, else (H, W, 3)."""
    if find_spec("PIL") is None:
        raise DataError(f"reading {file} takes the package pillow: run pip install 'tauten[images]'")
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as opened:
            # Pillow would clip what has more than eight bits.
            read = opened if opened.mode in DEEP else opened.convert("L" if opened.mode in ("1", "L") else "RGB")
            return np.atleast_3d(np.asarray(read))
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"{file} can't be read as a picture ({error}): expected one, so mend or remove it") from error
