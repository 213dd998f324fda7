"""Several targets, weights, and which columns count as what."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_linnerud, make_multilabel_classification

import tauten
from tauten.data import from_arrays, load
from tauten.errors import DataError


def test_several_numbers_are_a_regression_of_several_targets():
    sets = load_linnerud(as_frame=True)
    table = load(sets.frame, "Weight,Waist,Pulse")
    assert (table.task, table.targets, table.target, table.classes) == (
        "regression", ("Weight", "Waist", "Pulse"), "Weight,Waist,Pulse", ()
    )  # fmt: skip
    np.testing.assert_array_equal(table.y, sets.target)
    assert list(table.frame) == list(sets.data)
    assert table.take([2, 0]).y.tolist() == sets.target.iloc[[2, 0]].to_numpy().tolist()
    assert from_arrays(sets.data, sets.target).content_hash() == table.content_hash()
    other = load(sets.frame.assign(Pulse=sets.target["Pulse"].where(sets.target.index != 4, 50)), "Weight,Waist,Pulse")
    assert np.flatnonzero(other.row_hashes() != table.row_hashes()).tolist() == [4]


def test_zeros_and_ones_are_labels_that_exclude_nobody():
    X, y = make_multilabel_classification(n_samples=50, random_state=0)
    table = from_arrays(X, y)
    assert (table.task, table.targets) == ("multilabel", ("y0", "y1", "y2", "y3", "y4"))
    np.testing.assert_array_equal(table.y, y)
    assert table.y.dtype == np.float64
    assert from_arrays(X, y.astype(bool)).content_hash() == table.content_hash()
    assert from_arrays(X, y, task="regression").task == "regression"
    leaking = from_arrays(np.column_stack([X, y[:, 3]]), y)
    assert leaking.warnings[0] == "LEAK: column 'x20' is a copy of target 'y3', value for value, and was dropped"


def test_a_target_named_as_labels_is_one():
    frame = pd.DataFrame({"a": np.arange(90) % 7, "grade": np.arange(90) % 30})
    assert load(frame, "grade").task == "regression"
    table = load(frame, "grade", categorical=["grade"])
    assert (table.task, table.classes) == ("classification", tuple(map(str, range(30))))


def test_weights_are_no_feature_and_part_of_the_content():
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=30), "w": random.uniform(size=30), "target": np.arange(30) % 2})
    table = load(frame, weight="w", drop=())
    assert list(table.frame) == ["a"]
    np.testing.assert_array_equal(table.weights, frame["w"])
    np.testing.assert_array_equal(table.take([5, 1]).weights, frame["w"][[5, 1]])
    assert from_arrays(frame[["a"]], frame["target"], sample_weight=frame["w"]).content_hash() == table.content_hash()
    bare = load(frame, drop="w")
    assert bare.weights is None
    assert bare.content_hash() != table.content_hash()
    np.testing.assert_array_equal(bare.row_hashes(), table.row_hashes())
    with pytest.raises(DataError, match=r"sample_weight has 29 values"):
        from_arrays(frame[["a"]], frame["target"], sample_weight=frame["w"][1:])


def test_columns_named_as_labels_or_dropped():
    frame = pd.DataFrame({"code": [7, 8, 9] * 10, "x,y": np.linspace(0, 1, 30), "z": 2.5, "target": np.arange(30) % 2})
    table = load(frame, categorical="code", drop=["x,y", "z"])
    assert table.frame["code"].tolist() == ["7", "8", "9"] * 10
    assert list(table.frame) == ["code"]
    assert list(load(frame, categorical="code", drop="x,y").frame) == ["code"], "a name may hold a comma"
    assert list(from_arrays(frame[["code", "z"]], frame["target"], drop="z").frame) == ["code"]


def test_few_whole_numbers_are_told_but_not_in_bundled_data():
    random = np.random.default_rng(0)
    columns = {"few": 5, "two": 2, "many": 11}
    frame = pd.DataFrame({name: random.integers(0, k, 600) for name, k in columns.items()})
    frame["halves"] = random.integers(0, 5, 600) / 2
    table = load(frame.assign(target=random.integers(0, 2, 600)))
    assert table.warnings[1] == (
        "read 1 column of few whole numbers as numbers: 'few'; if they are codes, name them as categorical"
    )
    named = load(frame.assign(target=random.integers(0, 2, 600)), categorical="few")
    assert not any("codes" in warning for warning in (*named.warnings, *load("digits").warnings))


def test_a_resumed_search_reads_its_columns_as_it_did(tmp_path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"code": random.integers(1, 4, 60), "x": random.normal(size=60), "noise": 0.5, "y": 1.5})
    frame["y"] = frame["code"] % 2 + frame["x"]
    frame.to_csv(tmp_path / "d.csv", index=False)
    options = {"trials": 3, "threads": 1, "setting": {"epochs": 1, "width": 8, "depth": 1, "numeric": "piecewise"}}
    result = tauten.search(
        tmp_path / "d.csv",
        target="y",
        categorical="code",
        drop="noise",
        out=tmp_path / "r",
        **options,
    )
    # three labels, and sixteen bins of x
    assert result.model.preprocessor.layout.width == 3 + 16
    assert tauten.resume(tmp_path / "r").evidence["data_hash"] == result.evidence["data_hash"]
    again = tauten.search(frame, target="y", categorical=["code"], drop=["noise"], **options)
    assert again.evidence["chosen"] == result.evidence["chosen"]
