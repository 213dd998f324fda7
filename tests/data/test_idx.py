"""IDX files, written here byte by byte as their format says."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from tauten.data.idx import load_idx, read_idx
from tauten.errors import DataError

HEADER = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3])
"""Unsigned bytes, three dimensions: 2 × 1 × 3."""


def write_set(folder: Path, **changes: bytes) -> Path:
    """Two training images, one test image, of 1 × 3 pixels; `changes` replace files by name ("-" as "_")."""
    files = {
        "train-images-idx3-ubyte": HEADER + bytes([1, 2, 3, 4, 5, 255]),
        "train-labels-idx1-ubyte": bytes([0, 0, 8, 1]) + struct.pack(">I", 2) + bytes([7, 9]),
        "t10k-images-idx3-ubyte": bytes([0, 0, 8, 3]) + struct.pack(">III", 1, 1, 3) + bytes([0, 0, 6]),
        "t10k-labels-idx1-ubyte": bytes([0, 0, 8, 1]) + struct.pack(">I", 1) + bytes([3]),
    }
    files |= {name.replace("_", "-"): content for name, content in changes.items()}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_values_stand_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(HEADER + bytes([1, 2, 3, 4, 5, 255]))
    assert read_idx(path).tolist() == [[[1, 2, 3]], [[4, 5, 255]]]
    assert read_idx(path).dtype == np.uint8


def test_sizes_are_big_endian(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 1, 2]) + bytes(258))
    assert read_idx(path).shape == (258,)


def test_a_gzipped_file_holds_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(HEADER + bytes(6)))
    assert read_idx(path).shape == (2, 1, 3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "begins with the bytes (none)"),
        (b"\x00\x00\x08", "begins with the bytes 00 00 08:"),
        (b"\x00\x00\x0d" + HEADER[3:] + bytes(24), "begins with the bytes 00 00 0d 03"),
        (b"\x89PNG" + bytes(20), "begins with the bytes 89 50 4e 47"),
        (b"\x00\x00\x08\x00\x05", "begins with the bytes 00 00 08 00"),
        (HEADER[:10], "ends after 10 bytes, inside its header: expected 16"),
        (HEADER + bytes(5), "holds 5 values and its header promises 6 (2 × 1 × 3)"),
        (HEADER + bytes(7), "holds 7 values and its header promises 6 (2 × 1 × 3)"),
        (bytes([0, 0, 8, 2]) + b"\xff" * 8, "holds 0 values and its header promises 18446744065119617025"),
    ],
)
def test_a_malformed_file_is_one_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_idx(path)
    message = str(caught.value)
    assert words in message
    assert "expected" in message
    assert str(path) in message
    assert "\n" not in message


def test_a_cut_gzip_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(HEADER + bytes(6))[:-9])
    with pytest.raises(DataError, match="can't be read"):
        read_idx(path)


def test_plain_bytes_under_a_gz_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.gz"
    path.write_bytes(HEADER + bytes(6))
    with pytest.raises(DataError, match="can't be read"):
        read_idx(path)


def test_a_folder_gives_both_parts(tmp_path: Path) -> None:
    found = load_idx(write_set(tmp_path))
    assert found.train_images.tolist() == [[[1, 2, 3]], [[4, 5, 255]]]
    assert found.train_labels.tolist() == [7, 9]
    assert found.test_images.tolist() == [[[0, 0, 6]]]
    assert found.test_labels.tolist() == [3]


def test_files_may_be_gzipped_one_by_one(tmp_path: Path) -> None:
    write_set(tmp_path)
    plain = tmp_path / "train-images-idx3-ubyte"
    plain.with_name(plain.name + ".gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    assert load_idx(tmp_path).train_images.shape == (2, 1, 3)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"has no file t10k-labels-idx1-ubyte: expected it there, plain or as"):
        load_idx(tmp_path)


def test_images_without_their_labels_are_refused(tmp_path: Path) -> None:
    one_label = bytes([0, 0, 8, 1]) + struct.pack(">I", 1) + bytes([7])
    with pytest.raises(DataError, match=r"train images of shape \(2, 1, 3\) and labels of shape \(1,\)"):
        load_idx(write_set(tmp_path, train_labels_idx1_ubyte=one_label))


def test_parts_of_unlike_sizes_are_refused(tmp_path: Path) -> None:
    wide = bytes([0, 0, 8, 3]) + struct.pack(">III", 1, 1, 4) + bytes(4)
    with pytest.raises(DataError, match=r"train images of \(1, 3\) and test images of \(1, 4\) pixels"):
        load_idx(write_set(tmp_path, t10k_images_idx3_ubyte=wide))
