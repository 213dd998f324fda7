"""Images in archives, Parquet and data sets of PyTorch's, read against what was written."""

import io
import json

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet
from safetensors.numpy import save_file
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import tauten
from tauten.data import given, images, images_alone, load
from tauten.errors import DataError, OptionError
from tauten.inspecting import inspect
from tauten.options import Options
from tauten.preview import views
from tauten.recipe import Recipe
from tauten.sources import table_of
from tauten.techniques.rotation import Rotation
from test_cli import run

DIGITS = load_digits()
GREY = (DIGITS.images[:60] * 15).astype(np.uint8)
LABELS = DIGITS.target[:60] % 3
COLOURS = np.stack([GREY, 255 - GREY, GREY // 2], -1)
NAMES = ["nought", "one", "two"]


def png(picture):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "png")
    return stream.getvalue()


def written(path, pixels, struct=True, names=None, **columns):
    content = [png(picture) for picture in pixels]
    held = [{"bytes": own, "path": f"{i}.png"} for i, own in enumerate(content)] if struct else content
    table = pa.table({"image": held, **(columns or {"label": LABELS[: len(pixels)]})})
    if names:
        about = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
    parquet.write_table(table, path)
    return path


@pytest.mark.parametrize("struct", [True, False])
def test_parquet_of_encoded_images(struct, tmp_path):
    table = images(written(tmp_path / "a.parquet", COLOURS, struct, NAMES))
    np.testing.assert_array_equal(table.values, np.moveaxis(COLOURS, -1, 1))
    assert [table.classes[code] for code in table.y] == [NAMES[label] for label in LABELS]
    assert table.targets == ("label",)


def test_a_folder_of_parquet_files_holds_out_those_called_test(tmp_path):
    written(tmp_path / "train-00000-of-00002.parquet", GREY[:25], label=LABELS[:25])
    written(tmp_path / "train-00001-of-00002.parquet", GREY[25:45], label=LABELS[25:45])
    written(tmp_path / "test-00000-of-00001.parquet", GREY[45:], label=LABELS[45:])
    table = images(tmp_path)
    np.testing.assert_array_equal(table.values, GREY[:, None])
    np.testing.assert_array_equal(table.y, LABELS)
    np.testing.assert_array_equal(table.held, np.arange(60) >= 45)
    names, alone = images_alone(tmp_path, (1, 8, 8))
    assert names is None
    np.testing.assert_array_equal(alone, GREY[45:, None])


def test_the_column_of_labels_is_named_or_the_only_one(tmp_path):
    both = written(tmp_path / "a.parquet", GREY, fine=LABELS * 2 + np.arange(60) % 2, coarse=LABELS)
    table = table_of(both, None, "coarse", Options(trials=3))
    np.testing.assert_array_equal(table.y, LABELS)
    assert table.warnings == (f"left out of {both}: 'fine'",)
    with pytest.raises(DataError, match=r"no column label and 'fine', 'coarse' beside the images: name the labels"):
        images(both)
    only = written(tmp_path / "b.parquet", GREY, digit=DIGITS.target[:60] / 2 + 0.25)
    assert (images(only).task, images(only).target) == ("regression", "digit")


def test_a_table_in_parquet_stays_one(tmp_path):
    frame = load_digits(as_frame=True).frame
    frame.to_parquet(tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet", "target").frame.shape[0] == len(frame)
    assert (
        table_of(tmp_path / "t.parquet", None, "target", Options(trials=3)).columns == frame.nunique().gt(1).sum() - 1
    )


def test_safetensors_are_read_as_archives_of_numpy_are(tmp_path):
    parts = {"X_train": GREY[:40], "y_train": LABELS[:40], "X_test": GREY[40:], "y_test": LABELS[40:], "seen": LABELS}
    save_file({name: np.ascontiguousarray(own) for name, own in parts.items()}, tmp_path / "a.safetensors")
    np.savez(tmp_path / "a.npz", **parts)
    found, other = (images(tmp_path / name) for name in ("a.safetensors", "a.npz"))
    np.testing.assert_array_equal(found.values, GREY[:, None])
    np.testing.assert_array_equal(found.held, np.arange(60) >= 40)
    assert found.content_hash() == other.content_hash()
    assert found.warnings == (f"left out of {tmp_path}/a.safetensors: 'seen'",)


class Pictures(Dataset):
    """As torchvision's data sets give them: a picture of Pillow's and a whole number."""

    def __init__(self, noise=0.0):
        self.noise, self.random = noise, np.random.default_rng(0)

    def __len__(self):
        return 60

    def __getitem__(self, i):
        if i >= 60:
            raise IndexError(i)
        return Image.fromarray(COLOURS[i] + (self.random.random(COLOURS[i].shape) < self.noise)), int(LABELS[i])


class Endless(IterableDataset):
    def __iter__(self):
        return iter([(torch.zeros(1, 8, 8), 0)])


PAIRS = TensorDataset(torch.from_numpy(GREY[:, None]), torch.from_numpy(LABELS))


def read(X, **more):
    return table_of(X, None, None, Options(trials=3), **more)


def test_a_data_set_of_pytorch_is_read_once():
    table = read(PAIRS)
    np.testing.assert_array_equal(table.values, GREY[:, None])
    np.testing.assert_array_equal(table.y, LABELS)
    assert read((torch.from_numpy(GREY[:, None]), torch.from_numpy(LABELS))).content_hash() == table.content_hash()
    coloured = read(Pictures())
    np.testing.assert_array_equal(coloured.values, np.moveaxis(COLOURS, -1, 1))
    assert not coloured.warnings
    assert "augments by itself" in read(Pictures(0.5)).warnings[0]


def test_whole_numbers_of_a_data_set_are_classes_and_its_rows_may_be_lists_of_numbers():
    rows, codes = torch.from_numpy(DIGITS.data[:60]), torch.arange(60) // 2
    table = read(TensorDataset(rows, codes))
    assert (table.task, len(table.classes)) == ("classification", 30)
    assert table.frame.shape[0] == 60
    assert read(TensorDataset(rows, rows[:, :1] + 0.5 + codes[:, None])).task == "regression"
    assert read(TensorDataset(rows, torch.stack([codes % 2, codes // 2 % 2], 1))).task == "multilabel"


def test_a_holdout_of_ones_own_may_be_a_data_set():
    for X, own in (
        (PAIRS, GREY[40:, None]),
        (TensorDataset(torch.from_numpy(DIGITS.data[:60]), PAIRS.tensors[1]), None),
    ):
        held = (X.tensors[0][40:], X.tensors[1][40:])
        whole = TensorDataset(X.tensors[0][:40], X.tensors[1][:40])
        for holdout in (held, TensorDataset(*held)):
            table = read(whole, holdout=holdout)
            np.testing.assert_array_equal(table.held, np.arange(60) >= 40)
            np.testing.assert_array_equal(table.y, LABELS)
            if own is not None:
                np.testing.assert_array_equal(table.values[40:], own)


def test_a_search_with_a_data_set_and_a_holdout_goes_on_where_it_was_cut_off(tmp_path):
    small = {"trials": 3, "setting": {"epochs": 1, "width": 4, "depth": 0}, "threads": 1, "folds": 2}
    train, test = (TensorDataset(*(part[rows] for part in PAIRS.tensors)) for rows in (slice(45), slice(45, 60)))
    result = tauten.search(train, holdout=test, out=tmp_path / "run", techniques="flip", **small)
    assert (result.evidence["n_train"], result.evidence["n_holdout"]) == (45, 15)
    again = tauten.resume(tmp_path / "run", train, holdout=test)
    assert again.evidence["plain"]["holdout"] == result.evidence["plain"]["holdout"]
    with pytest.raises(tauten.errors.RunError, match="has changed"):
        tauten.resume(tmp_path / "run", train)


class Odd(Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


BAD = {
    "iterable": (Endless(), "is Endless, an iterable data set or one without a length: expected len"),
    "loader": (DataLoader(PAIRS), "X is a DataLoader: expected the data set that it reads"),
    "no items": (Odd([]), "is a data set without items"),
    "no pairs": (Odd([{"x": 1, "y": 2}] * 20), "item 0 of the data set is a dict of 2: expected a pair"),
    "no labels": (TensorDataset(PAIRS.tensors[0]), "item 0 of the data set is a tuple of 1: expected a pair"),
    "unlike shapes": (Odd([(np.zeros((1, 8, 8 + i // 7)), i % 2) for i in range(20)]), "x of item 7 of the data set"),
    "unlike labels": (Odd([(np.zeros((1, 8, 8)), [0] * (1 + i // 7)) for i in range(20)]), "y of item 7"),
    "no numbers": (Odd([(np.zeros((1, 8, 8)), None) for i in range(20)]), "y of item 0 .* and object"),
    "unlike pictures": (Odd([(Image.new("L", (8, 8 + i // 7)), i % 2) for i in range(20)]), "item 7 has 8 × 9 pixels"),
    "gap": (Odd([(np.full((1, 8, 8), np.nan), i % 2) for i in range(20)]), "not finite in row 1"),
    "labels missing": (Odd([(np.zeros((1, 8, 8)), float("nan")) for i in range(20)]), "target 'target' is missing"),
    "one class": (Odd([(np.zeros((1, 8, 8)), 1) for i in range(20)]), "expected at least two classes"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_data_set_that_cannot_be_read_is_refused_in_one_sentence(case):
    data, words = BAD[case]
    with pytest.raises(DataError, match=words) as refused:
        read(data)
    assert "\n" not in str(refused.value)


def test_a_holdout_goes_beside_arrays_alone(tmp_path):
    for X, holdout, words in (
        ("digits", PAIRS, "X is no array"),
        (PAIRS, "half", "holdout is str; it must be a share"),
    ):
        with pytest.raises(OptionError, match=words):
            tauten.search(X, holdout=holdout, trials=3)
    with pytest.raises(OptionError, match="whose weights nobody knows"):
        tauten.search(GREY, LABELS, sample_weight=np.ones(60), holdout=PAIRS, trials=3)
    with pytest.raises(DataError, match=r"the holdout has rows of shape \(1, 4, 8\): expected \(1, 8, 8\)"):
        read(PAIRS, holdout=(GREY[:, None, :4], LABELS))
    assert given([1, 2]).X == [1, 2]


PARQUET = {
    "no picture": (lambda path: written(path, GREY, image=[b"no"] * 60, label=LABELS), "row 1 of .* can't be read"),
    "a gap": (
        lambda path: written(path, GREY, image=[png(GREY[0]), None] * 30, label=LABELS),
        "image in row 2 of .* holds no bytes",
    ),
    "two columns of images": (
        lambda path: written(path, GREY, image2=[png(GREY[0])] * 60, label=LABELS),
        "columns of bytes 'image', 'image2': expected one",
    ),
    "sizes": (
        lambda path: written(path, [*GREY[:30], *GREY[30:, :4]]),
        "image in row 31 of .* has 8 × 4 pixels in 1 channel: expected 8 × 8",
    ),
    "no labels": (lambda path: written(path, GREY, image=[png(p) for p in GREY]), "no column label and no column"),
    "labels missing": (
        lambda path: written(path, GREY, label=[None, *map(str, LABELS[1:])]),
        "target 'label' is missing in 1 row",
    ),
}


@pytest.mark.parametrize("case", PARQUET)
def test_parquet_that_holds_no_images_and_labels_is_refused_in_one_sentence(case, tmp_path):
    write, words = PARQUET[case]
    with pytest.raises(DataError, match=words) as refused:
        images(write(tmp_path / "a.parquet"))
    assert "\n" not in str(refused.value)


def test_parquet_with_a_page_that_is_no_longer_whole_is_refused(tmp_path):
    path = written(tmp_path / "a.parquet", COLOURS)
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"can't be read"):
        images(path)


def test_a_network_is_inspected_and_images_previewed_by_whatever_holds_them(tmp_path):
    def build():
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))

    for source in (PAIRS, PAIRS.tensors, written(tmp_path / "a.parquet", GREY)):
        found = inspect(build, source)
        assert (found.input, found.outputs) == ((1, 8, 8), 3)
    sheet = views(PAIRS, recipe=Recipe((Rotation(degrees=20.0),)), rows=3, count=1)
    assert sheet.originals.shape == (3, 1, 8, 8)


def test_a_preview_takes_the_column_of_labels_that_is_named(tmp_path):
    path = written(tmp_path / "a.parquet", GREY, kind=LABELS, other=LABELS * 0)
    recipe = Recipe((Rotation(),))
    assert sorted(views(path, recipe=recipe, rows=3, count=1, target="kind").labels) == ["0", "1", "2"]
    recipe.save(tmp_path / "r.toml")
    words = ["preview", str(path), "--recipe", str(tmp_path / "r.toml"), "--out", str(tmp_path / "sheet.png")]
    code, said = run(*words)
    assert (code, "name the labels by target" in said) == (2, True)
    assert run(*words, "--target", "kind")[0] == 0
    assert (tmp_path / "sheet.png").is_file()
