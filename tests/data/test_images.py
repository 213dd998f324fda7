"""Images as people keep them, read against what was written."""

import gzip
import struct

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import ExifTags, Image
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from test_encoded import written
from torch import nn

import tauten
from tauten import Recipe, Setting
from tauten.data import images
from tauten.data.images import channels_first
from tauten.data.pictures import decoded
from tauten.errors import DataError, OptionError
from tauten.model import Model
from tauten.options import Options
from tauten.sources import table_of, without_holdout
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


def test_folders_train_and_test_hold_out_the_test_part(tmp_path):
    pictured(tmp_path / "train", GREY[:30], LABELS[:30])
    pictured(tmp_path / "val", GREY[30:40], LABELS[30:40])
    pictured(tmp_path / "test", GREY[40:], LABELS[40:])
    table = images(tmp_path)
    assert table.classes == ("class 0", "class 1", "class 2")
    assert table.held.sum() == 20
    order = np.argsort(LABELS[40:], kind="stable")
    np.testing.assert_array_equal(table.values[table.held], GREY[40:, None][order])
    own = images(pictured(tmp_path / "own", GREY[:40], LABELS[:40]), holdout=tmp_path / "test")
    np.testing.assert_array_equal(own.values[own.held], table.values[table.held])
    assert (~own.held).sum() == 40


def test_recipes_are_compared_and_trained_without_the_test_part(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=GREY[:40], y_train=LABELS[:40], x_test=GREY[40:], y_test=LABELS[40:])
    table = table_of(tmp_path / "a.npz", None, None, Options(trials=3))
    alone = without_holdout(table)
    np.testing.assert_array_equal(alone.values, GREY[:40, None])
    assert alone.held is None
    assert alone.warnings == (f"20 rows of the holdout in {tmp_path}/a.npz take no part",)
    assert without_holdout(alone) is alone
    plain = Recipe((), Setting(epochs=1, width=4, depth=0))
    found = tauten.compare(tmp_path / "a.npz", recipes={"own": plain}, threads=1, folds=2).to_json()
    assert found["rows"] == 40
    assert alone.warnings[0] in found["warnings"]


UPRIGHT = np.arange(6, dtype=np.uint8).reshape(2, 3)
# How EXIF's standard says that the stored rows and columns are to be shown.
TURNED = {
    1: UPRIGHT, 2: UPRIGHT[:, ::-1], 3: UPRIGHT[::-1, ::-1], 4: UPRIGHT[::-1],
    5: UPRIGHT.T, 6: np.rot90(UPRIGHT), 7: np.rot90(UPRIGHT, 2).T, 8: np.rot90(UPRIGHT, -1),
}  # fmt: skip


@pytest.mark.parametrize("orientation", TURNED)
def test_a_photograph_that_was_taken_sideways_is_read_upright(orientation, tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = Image.fromarray(np.ascontiguousarray(TURNED[orientation]))
    for suffix in (".png", ".tif"):
        path = tmp_path / f"photograph{suffix}"
        stored.save(path, exif=exif)
        np.testing.assert_array_equal(decoded(path, path.name)[..., 0], UPRIGHT)
        np.testing.assert_array_equal(decoded(path.read_bytes(), path.name)[..., 0], UPRIGHT)


def test_a_picture_with_damaged_exif_is_read_as_it_is(tmp_path):
    path = tmp_path / "damaged.png"
    Image.fromarray(UPRIGHT).save(path, exif=b"Exif\0\0no header")
    np.testing.assert_array_equal(decoded(path, path.name)[..., 0], UPRIGHT)


def test_what_is_left_out_of_a_folder_is_said(tmp_path):
    folder = pictured(tmp_path, GREY)
    (folder / "class 3").mkdir()
    (folder / ".thumbnails").mkdir()
    for name in ("loose.png", ".thumbnails/small.png", "class 0/._0.png"):
        Image.fromarray(GREY[0]).save(folder / name)
    table = images(folder)
    assert len(table.y) == 60
    assert [text.split(f"{folder}: ")[1].split(",")[0] for text in table.warnings] == [
        "'class 3'",
        "1 picture in no folder of a class",
    ]


@pytest.mark.parametrize(
    ("mode", "want"),
    {"P": COLOURS, "RGBA": COLOURS, "LA": GREY, "1": np.where(GREY > 127, 255, 0), "I;16": GREY * 200.0}.items(),
)
def test_every_mode_of_pictures_is_read_as_grey_or_as_colours(mode, want, tmp_path):
    for i, label in enumerate(LABELS):
        (tmp_path / str(label)).mkdir(exist_ok=True)
        if mode == "I;16":
            picture = Image.fromarray(GREY[i].astype(np.uint16) * 200)
        elif mode == "P":
            colours, place = np.unique(COLOURS[i].reshape(-1, 3), axis=0, return_inverse=True)
            picture = Image.fromarray(place.reshape(8, 8).astype(np.uint8), "L")
            picture.putpalette(colours.astype(np.uint8).tobytes())
        else:
            picture = Image.fromarray(COLOURS[i] if mode == "RGBA" else GREY[i]).convert(
                mode, **({"dither": Image.Dither.NONE} if mode == "1" else {})
            )
        assert picture.mode == mode
        picture.save(tmp_path / str(label) / f"{i:03}.png")
    table = images(tmp_path)
    order = np.argsort(LABELS, kind="stable")
    np.testing.assert_array_equal(table.values, channels_first(want)[order])


def test_rows_that_repeat_are_told_also_between_data_and_holdout(tmp_path):
    copies = np.concatenate([GREY[:40], GREY[:3], GREY[40:], GREY[:5]])
    labels = np.concatenate([LABELS[:40], LABELS[:3], LABELS[40:], LABELS[:5]])
    np.savez(tmp_path / "a.npz", x_train=copies[:43], y_train=labels[:43], x_test=copies[43:], y_test=labels[43:])
    said = images(tmp_path / "a.npz").warnings
    assert said[0].startswith("3 of 43 rows repeat another, target included (40 distinct)")
    assert said[1] == "5 of 25 rows of the holdout repeat a row of the data: they flatter"
    assert images(tmp_path / "a.npz").row_hashes().tolist() == images(tmp_path / "a.npz").row_hashes().tolist()


ARCHIVES = {
    "names": ({"a": GREY, "b": LABELS}, "holds the arrays a, b"),
    "lengths": ({"X": GREY, "y": LABELS[:59]}, "60 images and 59 labels"),
    "objects": ({"X": GREY, "y": np.array(["a", 1] * 30, dtype=object)}, "expected an archive of plain arrays"),
    "deep": ({"X": np.zeros((60, 8, 8, 8)), "y": LABELS}, "at most 4 channels"),
    "flat": ({"X": DIGITS.data[:60], "y": LABELS}, "has images of shape (64,)"),
    "unlike": (
        {"x_train": GREY, "y_train": LABELS, "x_test": GREY[:, :4], "y_test": LABELS},
        "the holdout has rows of shape (1, 4, 8): expected (1, 8, 8)",
    ),
    "one class": ({"X": GREY, "y": LABELS * 0}, "expected at least two classes"),
    "no y_test": ({"x_train": GREY, "y_train": LABELS, "x_test": GREY}, "holds x_test without y_test"),
    "no x_test": ({"x_train": GREY, "y_train": LABELS, "y_test": LABELS}, "holds y_test without x_test"),
    "no labels": ({"X": GREY}, "holds the arrays x: expected X and y"),
    "gap": ({"X": np.where(np.arange(60)[:, None, None] == 7, np.nan, GREY), "y": LABELS}, "not finite in row 8"),
    "text": ({"X": GREY.astype(str), "y": LABELS}, "expected numbers with three axes or more"),
    "labels with a gap": ({"X": GREY, "y": np.where(LABELS, LABELS, np.nan)}, "is missing in"),
    "few": ({"X": GREY[:9], "y": LABELS[:9]}, "has 9 rows: expected at least 10"),
    "a class of the test part": (
        {"x_train": GREY, "y_train": LABELS, "x_test": GREY, "y_test": LABELS + 1},
        "class '3' is in the holdout alone",
    ),
    "one-hot labels": ({"X": GREY, "y": np.eye(3, dtype=int)[LABELS]}, "there are 3 targets"),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_an_archive_that_does_not_fit_is_one_sentence_and_exit_code_2(case, tmp_path, monkeypatch):
    arrays, word = ARCHIVES[case]
    np.savez(tmp_path / "a.npz", **arrays)
    monkeypatch.chdir(tmp_path)
    refused(tmp_path, word, "search", "a.npz")


PLACES = {
    "empty": "holds no folders with pictures",
    "loose": "holds no folders with pictures",
    "sizes": "has 8 × 4 pixels in 1 channel: expected 8 × 8 pixels as",
    "depths": "has uint16 pixels and",
    "broken": "can't be read as a picture",
    "cut": "can't be read as a picture",
    "one class": "expected at least two classes",
    "no archive.npz": "can't be read",
    "empty.npz": "can't be read",
    "array.npz": "can't be read",
    "missing.npz": "can't be read",
    "no archive.safetensors": "can't be read",
    "bfloat16.safetensors": "can't be read",
    "few tests": "has a test part and a holdout",
    "no holdout": "holdout 'table.csv' holds no images",
    "no such holdout": "holdout 'nowhere' holds no images",
    "target": "leave target out",
}


@pytest.mark.parametrize("case", PLACES)
def test_bad_input_is_one_sentence_and_exit_code_2(case, tmp_path, monkeypatch):
    source, more = tmp_path / "own", []
    if "." in case:
        source = tmp_path / case
        if case == "array.npz":
            np.save(tmp_path / "a.npy", GREY)
            (tmp_path / "a.npy").rename(source)
        elif case == "bfloat16.safetensors":
            save_file({"X": torch.zeros(20, 8, 8, dtype=torch.bfloat16), "y": torch.zeros(20)}, source)
        elif case != "missing.npz":
            source.write_bytes(b"" if case == "empty.npz" else b"no archive")
    elif case in ("empty", "loose"):
        source.mkdir()
        if case == "loose":
            Image.fromarray(GREY[0]).save(source / "0.png")
    else:
        pictured(source, GREY, LABELS * 0 if case == "one class" else LABELS)
    if case in ("sizes", "depths"):
        odd = GREY[0][:4] if case == "sizes" else GREY[0].astype(np.uint16)
        Image.fromarray(odd).save(source / "class 1" / "odd.png")
    elif case == "broken":
        (source / "class 0" / "no.png").write_text("no picture")
    elif case == "cut":
        whole = (source / "class 0" / "000.png").read_bytes()
        (source / "class 0" / "000.png").write_bytes(whole[: len(whole) - 40])
    elif case == "few tests":
        np.savez(tmp_path / "a.npz", x_train=GREY, y_train=LABELS, x_test=GREY, y_test=LABELS)
        source, more = tmp_path / "a.npz", ["--holdout-file", str(tmp_path / "own")]
    elif case == "no holdout":
        (tmp_path / "table.csv").write_text("a,b\n1,2\n")
        more = ["--holdout-file", "table.csv"]
    elif case == "no such holdout":
        more = ["--holdout-file", "nowhere"]
    elif case == "target":
        np.savez(tmp_path / "a.npz", X=GREY, y=LABELS)
        source, more = tmp_path / "a.npz", ["--target", "y"]
    monkeypatch.chdir(tmp_path)
    refused(tmp_path, PLACES[case], "search", str(source), *more)


def flat():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 3))


def test_three_axes_of_fractions_are_sequences_for_a_network_of_ones_own_and_images_for_the_built_in(tmp_path):
    own, grey = GREY.astype(np.float32) / 255, tmp_path / "whole.npz"
    np.savez(tmp_path / "a.npz", X=own, y=LABELS)
    np.savez(tmp_path / "parts.npz", x_train=own[:50], y_train=LABELS[:50], x_test=own[50:], y_test=LABELS[50:])
    np.savez(grey, X=GREY, y=LABELS)
    sequences = table_of(tmp_path / "a.npz", None, None, Options(trials=3), own_network=True)
    np.testing.assert_array_equal(sequences.values, own)
    assert sequences.data == "tables"
    assert "was read as sequences of 8 steps of 8 numbers: where rows are images" in " ".join(sequences.warnings)
    for path, own_network in ((tmp_path / "a.npz", False), (grey, True), (grey, False)):
        table = table_of(path, None, None, Options(trials=3), own_network=own_network)
        assert (table.values.shape, table.data) == ((60, 1, 8, 8), "images")
        assert "sequences" not in " ".join(table.warnings)
    held = table_of(tmp_path / "parts.npz", None, None, Options(trials=3), own_network=True)
    np.testing.assert_array_equal(held.values, own)
    assert held.held.tolist() == [False] * 50 + [True] * 10
    asked = {"trials": 3, "setting": {"epochs": 2}, "threads": 1, "techniques": "dropout"}
    found = tauten.search(tmp_path / "a.npz", model=flat, out=tmp_path / "run", **asked)
    again = tauten.resume(tmp_path / "run", model=flat)
    np.testing.assert_array_equal(again.model.predict_proba(own), found.model.predict_proba(own))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A network trained on coloured pictures, and the pictures without their classes."""
    folder = tmp_path_factory.mktemp("images")
    source = pictured(folder / "own", COLOURS)
    words = ["--recipe", "plain", "--threads", "1", "--folds", "2", "--out", str(folder / "run")]
    (folder / "plain.toml").write_text(Recipe((), Setting(epochs=1, width=4, depth=0)).dumps())
    code, text = run("train", str(source), "--recipe", str(folder / "plain.toml"), *words[2:])
    assert code == 0, text
    for i in range(12):
        (folder / "new").mkdir(exist_ok=True)
        Image.fromarray(COLOURS[i] if i else GREY[0]).save(folder / "new" / f"{i:02}.png")
    return folder


def test_a_folder_of_pictures_without_classes_is_predicted_with_their_names(trained, tmp_path):
    code, text = run("predict", trained / "run", trained / "new", "-o", tmp_path / "p.csv")
    assert code == 0, text
    assert "12 rows predicted" in text
    found = pd.read_csv(tmp_path / "p.csv")
    assert found.columns[:2].tolist() == ["file", "prediction"]
    assert found.file.tolist() == [f"{i:02}.png" for i in range(12)]
    values = np.moveaxis(np.concatenate([np.repeat(GREY[:1, ..., None], 3, -1), COLOURS[1:12]]), -1, 1)
    model = Model.load(trained / "run")
    np.testing.assert_allclose(found.iloc[:, 2:], model.predict_proba(values), rtol=1e-9)
    assert found.prediction.tolist() == model.predict(values).tolist()


def test_archives_parquet_and_single_pictures_are_predicted_too(trained, tmp_path):
    want = Model.load(trained / "run").predict(np.moveaxis(COLOURS, -1, 1)).tolist()
    np.savez(tmp_path / "a.npz", X=COLOURS)
    np.savez(tmp_path / "b.npz", x_train=GREY, x_test=COLOURS)
    save_file({"images": torch.from_numpy(COLOURS)}, tmp_path / "c.safetensors")
    written(tmp_path / "d.parquet", COLOURS)
    for name in ("a.npz", "b.npz", "c.safetensors", "d.parquet"):
        code, text = run("predict", trained / "run", tmp_path / name, "-o", tmp_path / f"{name}.csv")
        assert code == 0, text
        assert pd.read_csv(tmp_path / f"{name}.csv").prediction.tolist() == want
    code, text = run("predict", trained / "run", trained / "new" / "03.png", "-o", tmp_path / "one.csv")
    assert code == 0, text
    assert pd.read_csv(tmp_path / "one.csv")[["file", "prediction"]].to_numpy().tolist() == [["03.png", want[3]]]


UNFIT = {
    "sizes": "odd.png has 8 × 4 pixels in 3 channels: expected 8 × 8 pixels in 3 channels, as training saw them",
    "archive": "rows have the shape (1, 8, 8): expected (3, 8, 8), as training saw them",
    "empty": "holds no pictures",
    "missing": "holds no pictures",
    "table": "holds no pictures",
    "names": "holds the arrays a: expected X, or x_test",
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_the_network_never_saw_is_refused(case, trained, tmp_path):
    data = tmp_path / "new"
    if case in ("sizes", "empty"):
        data.mkdir()
    if case == "sizes":
        Image.fromarray(COLOURS[0][:4]).save(data / "odd.png")
    elif case in ("archive", "names"):
        data = tmp_path / "a.npz"
        np.savez(data, **{"X" if case == "archive" else "a": GREY})
    elif case == "table":
        data = tmp_path / "t.csv"
        data.write_text("a,b\n1,2\n")
    refused(tmp_path, UNFIT[case], "predict", trained / "run", data, "-o", tmp_path / "p.csv")


def test_images_have_no_columns(tmp_path):
    folder = pictured(tmp_path, GREY)
    with pytest.raises(OptionError, match=r"groups is 'patient' and .* holds images, without columns"):
        tauten.search(folder, groups="patient", trials=3)
    with pytest.raises(OptionError, match="leave target out"):
        tauten.search(folder, target="label", trials=3)
    with pytest.raises(DataError, match="at most 4 channels"):
        channels_first(np.zeros((2, 9, 9, 9)))
