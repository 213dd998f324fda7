"""IDX files, the format in which MNIST and its relatives are published: a short header, then bytes."""

import gzip
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tauten.errors import DataError

UNSIGNED_BYTES = 0x08
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class IdxSet:
    """Images (n, height, width) and labels (n,), as bytes, in the two parts that were published."""

    train_images: Bytes
    train_labels: Bytes
    test_images: Bytes
    test_labels: Bytes


def read_idx(path: str | Path) -> Bytes:
    """The array of one IDX file of unsigned bytes, gzipped where its name ends in ".gz".

    Format: two zero bytes, the type (0x08: unsigned byte), the number of dimensions, each dimension as a big-endian
    32-bit number, then the values, the last dimension fastest (LeCun, Cortes & Burges, "The MNIST database").
    Raises DataError for a file that can't be read, has another magic number, or has too few or too many bytes.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} can't be read ({error}): expected an IDX file, plain or gzipped") from error
    if len(data) < 4 or data[:3] != bytes([0, 0, UNSIGNED_BYTES]) or not data[3]:
        raise DataError(
            f"{path} begins with the bytes {data[:4].hex(' ') or '(none)'}: expected 00 00 08 and the number of "
            "dimensions, the magic number of an IDX file of unsigned bytes, so fetch the file again"
        )
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise DataError(f"{path} ends after {len(data)} bytes, inside its header: expected {start}, so fetch it again")
    shape = tuple(int(size) for size in np.frombuffer(data, ">u4", data[3], offset=4))
    if len(data) - start != math.prod(shape):
        raise DataError(
            f"{path} holds {len(data) - start} values and its header promises {math.prod(shape)} "
            f"({' × '.join(map(str, shape))}): expected as many as promised, so fetch the file again"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def load_idx(folder: str | Path) -> IdxSet:
    """The four files of an image set under their published names, each plain or gzipped.

    Raises DataError where one is missing or malformed, or where images and labels don't match.
    """
    parts = []
    for part in ("train", "t10k"):
        images, labels = (
            read_idx(_find(Path(folder), f"{part}-{kind}-ubyte")) for kind in ("images-idx3", "labels-idx1")
        )
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or not labels.size:
            raise DataError(
                f"{folder} has {part} images of shape {images.shape} and labels of shape {labels.shape}: expected "
                "(n, height, width) and (n,) with the same n, so fetch both files again"
            )
        parts += [images, labels]
    if parts[0].shape[1:] != parts[2].shape[1:]:
        raise DataError(
            f"{folder} has train images of {parts[0].shape[1:]} and test images of {parts[2].shape[1:]} pixels: "
            "expected one size, so take all four files from the same set"
        )
    return IdxSet(*parts)


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(f"{folder} has no file {name}: expected it there, plain or as {name}.gz, so name another folder")
