"""Images as people keep them, read against what was written."""

import gzip
import struct

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import tauten
from tauten.data import images
from tauten.data.images import channels_first
from tauten.errors import DataError, OptionError
from test_cli import refused, run

DIGITS = load_digits()
GREY = (DIGITS.images[:60] * 15).astype(np.uint8)
LABELS = DIGITS.target[:60] % 3
COLOURS = np.stack([GREY, 255 - GREY, GREY // 2], -1)


def pictured(folder, pixels, labels=LABELS, suffix=".png"):
    for i, (picture, label) in enumerate(zip(pixels, labels, strict=True)):
        own = folder / f"class {label}"
        own.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(own / f"{i:03}{suffix}")
    return folder


def idx(folder, **parts):
    for name, values in parts.items():
        header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
        name = name.replace("_", "-")
        (folder / f"{name}.gz").write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes()))
    return folder


@pytest.mark.parametrize("pixels", [GREY, COLOURS, GREY.astype(np.uint16) * 200])
def test_a_folder_for_each_class(pixels, tmp_path):
    table = images(pictured(tmp_path, pixels))
    assert table.classes == ("class 0", "class 1", "class 2")
    order = np.argsort(LABELS, kind="stable")
    np.testing.assert_array_equal(table.y, LABELS[order])
    np.testing.assert_array_equal(table.values, channels_first(pixels)[order])


def test_grey_pictures_beside_coloured_ones_are_colours_too(tmp_path):
    pictured(tmp_path, COLOURS[:30], LABELS[:30])
    pictured(tmp_path / "class 0", GREY[30:33], [0, 0, 0])
    table = images(tmp_path)
    assert table.values.shape == (33, 3, 8, 8)
    assert sum((v[0] == v[1]).all() and (v[0] == v[2]).all() for v in table.values) == 3


@pytest.mark.parametrize("pixels", [GREY, COLOURS, np.moveaxis(COLOURS, -1, 1)])
def test_an_archive_with_images_in_any_order_of_axes(pixels, tmp_path):
    np.savez(tmp_path / "a.npz", images=pixels, labels=LABELS)
    table = images(tmp_path / "a.npz")
    np.testing.assert_array_equal(table.values, GREY[:, None] if pixels is GREY else np.moveaxis(COLOURS, -1, 1))
    np.testing.assert_array_equal(table.y, LABELS)
    assert table.held is None


def test_the_published_test_part_is_the_holdout(tmp_path):
    np.savez(
        tmp_path / "a.npz", x_train=GREY[:40], y_train=LABELS[:40, None], x_test=GREY[40:], y_test=LABELS[40:, None]
    )
    idx(
        tmp_path,
        train_images_idx3_ubyte=GREY[:40],
        train_labels_idx1_ubyte=LABELS[:40],
        t10k_images_idx3_ubyte=GREY[40:],
        t10k_labels_idx1_ubyte=LABELS[40:],
    )
    for table in (images(tmp_path / "a.npz"), images(tmp_path)):
        np.testing.assert_array_equal(table.values, GREY[:, None])
        np.testing.assert_array_equal(table.y, LABELS)
        np.testing.assert_array_equal(table.held, np.arange(60) >= 40)


def test_a_newcomer_searches_a_folder_of_pictures(tmp_path):
    folder = pictured(tmp_path / "pictures", GREY)
    words = ["--trials", "4", "--epochs", "1", "--width", "4", "--depth", "0", "--threads", "1", "--folds", "2"]
    code, text = run("search", str(folder), *words, "--techniques", "rotation,flip", "--out", str(tmp_path / "run"))
    assert code == 0, text
    again = tauten.resume(tmp_path / "run")
    assert again.evidence["classes"] == 3
    assert set(again.model.predict(GREY[:, None])) <= {"class 0", "class 1", "class 2"}


@pytest.mark.parametrize(
    ("case", "word"),
    {
        "empty": "holds no folders with pictures",
        "sizes": "expected one size",
        "broken": "can't be read as a picture",
        "names": "holds the arrays a, b",
        "lengths": "60 images and 59 labels",
        "objects": "expected an archive of plain NumPy arrays",
        "deep": "at most 4 channels",
        "unlike": "expected one shape",
    }.items(),
)
def test_bad_input_is_one_sentence_and_exit_code_2(case, word, tmp_path, monkeypatch):
    folder = tmp_path / "own"
    folder.mkdir()
    source = folder
    if case in ("sizes", "broken"):
        pictured(folder, GREY)
        if case == "sizes":
            Image.fromarray(GREY[0][:4]).save(folder / "class 0" / "small.png")
        else:
            (folder / "class 0" / "no.png").write_text("no picture")
    elif case != "empty":
        arrays = {
            "names": {"a": GREY, "b": LABELS},
            "lengths": {"X": GREY, "y": LABELS[:59]},
            "objects": {"X": GREY, "y": np.array(["a", 1] * 30, dtype=object)},
            "deep": {"X": np.zeros((60, 8, 8, 8)), "y": LABELS},
            "unlike": {"x_train": GREY, "y_train": LABELS, "x_test": GREY[:, :4], "y_test": LABELS},
        }[case]
        np.savez(folder / "a.npz", **arrays)
        source = folder / "a.npz"
    monkeypatch.chdir(tmp_path)
    refused(tmp_path, word, "search", str(source))


def test_images_have_no_columns(tmp_path):
    folder = pictured(tmp_path, GREY)
    with pytest.raises(OptionError, match=r"groups is 'patient' and .* holds images, without columns"):
        tauten.search(folder, groups="patient", trials=3)
    with pytest.raises(OptionError, match="leave target and weight out"):
        tauten.search(folder, target="label", trials=3)
    with pytest.raises(DataError, match="at most 4 channels"):
        channels_first(np.zeros((2, 9, 9, 9)))
