"""Encoded pictures, such as PNG and JPEG, as arrays of pixels: from files in folders, or from bytes."""

import io
import struct
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tauten.data.columns import counted, listed
from tauten.errors import DataError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
DEEP = ("I", "F")
"""How Pillow's names of grey pixels with more than eight bits begin."""
FURTHER = {"val", "valid", "validation", "test"}
"""Names of folders that may stand beside one called train, each with a folder for each class."""
Pixels = npt.NDArray[Any]


def files_below(folder: Path) -> list[Path]:
    """All files of pictures in a folder and its folders, in order, but for hidden ones."""
    below = (path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    return sorted(p for p in below if not any(_hidden(part) for part in p.relative_to(folder).parts))


def by_class(folder: Path) -> tuple[dict[str, list[Path]], dict[str, list[Path]], list[str]]:
    """Files by class, those of the test part, and what a person should know of what was left out.

    A folder for each class; or folders train, test and val, of which each holds those, and test is the test part.
    """
    classes, told = _classes(folder)
    names = {path.name for path in _folders(folder)}
    if "train" not in names or not names <= {"train", *FURTHER}:
        return classes, {}, told
    own: dict[str, list[Path]] = {}
    held: dict[str, list[Path]] = {}
    for name in sorted(names):
        found, more = _classes(folder / name)
        told += more
        for label, files in found.items():
            (held if name == "test" else own).setdefault(label, []).extend(files)
    return (own, held, told) if own else (classes, {}, told)


def stacked(pictures: Sequence[Pixels], names: Sequence[str], like: tuple[int, ...] | None = None) -> Pixels:
    """Pictures (H, W, C) as one array (n, C, H, W); grey ones among coloured ones are coloured too.

    `names` say where each came from, `like` is the shape (C, H, W) that a network expects. DataError where one has
    another size, or another depth than the first.
    """
    deepest = max([p.shape[-1] for p in pictures] if like is None else [like[0]])
    height, width = pictures[0].shape[:2] if like is None else like[1:]
    for name, picture in zip(names, pictures, strict=True):
        if picture.shape[:2] != (height, width) or picture.shape[-1] not in (1, deepest):
            wanted = f"{width} × {height} pixels"
            if like is None:
                wanted = f"{wanted} as {names[0]} has"
            else:
                wanted = f"{wanted} in {counted(deepest, 'channel')}, as training saw them"
            found = f"{picture.shape[1]} × {picture.shape[0]} pixels in {counted(picture.shape[-1], 'channel')}"
            raise DataError(f"{name} has {found}: expected {wanted}, all of one size, so resize or convert it")
        if (picture.dtype == np.uint8) != (pictures[0].dtype == np.uint8):
            raise DataError(
                f"{name} has {picture.dtype} pixels and {names[0]} {pictures[0].dtype}: expected one depth, so convert "
                "them"
            )
    same = [np.broadcast_to(np.moveaxis(p, -1, 0), (deepest, height, width)) for p in pictures]
    return np.stack(same)


def decoded(source: Path | bytes, name: str) -> Pixels:
    """One picture, upright as its EXIF says, as (H, W, 1) where it is grey, else (H, W, 3).

    DataError where it can't be read.
    """
    if find_spec("PIL") is None:
        raise DataError(f"reading {name} takes the package pillow: run pip install 'tauten[images]'")
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        # Of a path Pillow maps an uncompressed TIFF into memory, and mixes its pixels up where EXIF turns it.
        content = source.read_bytes() if isinstance(source, Path) else source
        with Image.open(io.BytesIO(content)) as opened:
            with suppress(SyntaxError, struct.error):  # EXIF that can't be read turns nothing
                ImageOps.exif_transpose(opened, in_place=True)
            return pixels(opened)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        why = "of no kind that Pillow knows" if isinstance(error, UnidentifiedImageError) else error
        raise DataError(f"{name} can't be read as a picture ({why}): expected one, so mend or remove it") from error


def pixels(picture: Any) -> Pixels:
    """A picture of Pillow's as `decoded` gives it; an alpha channel is left out, and a palette looked up."""
    if picture.mode.startswith(DEEP):  # Pillow would clip them
        return np.atleast_3d(np.asarray(picture))
    return np.atleast_3d(np.asarray(picture.convert("L" if picture.mode in ("1", "L", "LA") else "RGB")))


def _classes(folder: Path) -> tuple[dict[str, list[Path]], list[str]]:
    told, loose = [], sum(path.suffix.lower() in PICTURES and not _hidden(path.name) for path in folder.iterdir())
    found = {own.name: files_below(own) for own in _folders(folder)}
    if empty := [name for name, files in found.items() if not files]:
        told.append(f"left out of {folder}: {listed(empty)}, without pictures ({', '.join(PICTURES)})")
    if loose:
        told.append(f"left out of {folder}: {counted(loose, 'picture')} in no folder of a class")
    return {name: files for name, files in found.items() if files}, told


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not _hidden(path.name))


def _hidden(name: str) -> bool:
    return name.startswith((".", "__"))
