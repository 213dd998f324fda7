"""What a person can get wrong, as one table: what is given, and the error or the warning, with words that it holds.

Everything goes through the public doors: `tauten.data.load` and `from_arrays`, `tauten.search`, a model's `predict`.
"""

import gzip
import io
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zstandard

import tauten
from tauten.data import from_arrays, load
from tauten.errors import DataError, OptionError, RecipeError

N = 60
SMALL = {"trials": 3, "threads": 1, "setting": {"epochs": 1, "width": 8, "depth": 1}}
PIECEWISE = {**SMALL["setting"], "numeric": "piecewise"}
random = np.random.default_rng(0)


def good(**columns: Any) -> pd.DataFrame:
    """A table without a fault, but for the columns that are given; None takes one away."""
    frame = pd.DataFrame(
        {
            "height": random.normal(size=N),
            "town": random.choice(["Ghent", "Bonn", "Oslo"], size=N),
            "target": np.arange(N) % 2,
        }
    )
    return frame.assign(**{k: v for k, v in columns.items() if v is not None}).drop(
        columns=[k for k, v in columns.items() if v is None]
    )


def csv(**columns: Any) -> bytes:
    return good(**columns).to_csv(index=False).encode()


def arff(data: str, head: str = "@attribute a numeric\n@attribute target {x,y}\n") -> bytes:
    return f"@relation r\n{head}@data\n{data}".encode()


def arrow(kind: str) -> bytes:
    stream = io.BytesIO()
    getattr(good(), f"to_{kind}")(stream)
    return stream.getvalue()


def middle(value: Any, column: str = "target") -> dict[str, Any]:
    """A column with one odd value, in data row 31."""
    values = [0.5, 1.5] * (N // 2)
    return {column: pd.Series([*values[:30], value, *values[31:]], dtype=object)}


ROWS = "".join(f"{i % 7},{i % 2}\n" for i in range(N))
TARGET: dict[str, Any] = {"target": "target"}

# name: (file name, its bytes, options of load, error, words)
REFUSED: dict[str, tuple[str, bytes | None, dict[str, Any], type[Exception], str]] = {
    "no such file": ("missing.csv", None, {}, DataError, "no file"),
    "misspelt bundled set": ("digit", None, {}, DataError, "no file"),
    "a folder": (".", None, {}, DataError, "no file"),
    "wrong ending": ("data.xlsx", csv(), {}, DataError, "ends in '.xlsx': expected a file that ends in .csv, .tsv"),
    "no ending": ("data", csv(), {}, DataError, "ends in 'no suffix'"),
    "no such column": ("d.csv", csv(), {"target": "tarjet"}, DataError, "no column 'tarjet'"),
    "no such second target": ("d.csv", csv(), {"target": "target,tall"}, DataError, "no column 'tall'"),
    "no target at all": ("d.csv", csv(), {"target": ","}, DataError, "no target is named"),
    "no such categorical": ("d.csv", csv(), {"categorical": ["city"]}, DataError, "no column 'city'"),
    "no such column to drop": ("d.csv", csv(), {"drop": "heigth"}, DataError, "did you mean 'height'"),
    "no such weight": ("d.csv", csv(), {"weight": "w"}, DataError, "no column 'w'"),
    "target dropped": ("d.csv", csv(), {**TARGET, "drop": "target"}, DataError, "is a target and left out as well"),
    "everything dropped": ("d.csv", csv(), {"drop": ["height", "town"]}, DataError, "has no feature columns"),
    "empty file": ("d.csv", b"", {}, DataError, "is empty: expected column names in its first line"),
    "only blank lines": ("d.csv", b"\n\n", {}, DataError, "is empty"),
    "header only": ("d.csv", b"a,target\n", {}, DataError, "has 0 rows of data: expected at least 10"),
    "one row": ("d.csv", b"a,target\n1,0\n", {}, DataError, "has 1 row of data"),
    "one column": ("d.csv", b"target\n" + b"0\n1\n" * 9, {}, DataError, "has no feature columns"),
    "ragged rows": ("d.csv", b"a,target\n1,0,9\n" + ROWS.encode(), {}, DataError, "has 3 values in line 2: expected 2"),
    "unclosed quote": ("d.csv", b'a,target\n"1,0\n' + ROWS.encode(), {}, DataError, "expected 2"),
    "duplicate names": ("d.csv", b"a,a,target\n1,2,0\n", {}, DataError, "more than one column named 'a'"),
    "duplicate names, ARFF": (
        "d.arff", arff("", "@attribute a numeric\n@attribute a real\n"), {}, DataError, "more than one column",
    ),
    "semicolons": ("d.csv", b"a;target\n1;0\n", {}, DataError, "separates its columns by ';'"),
    "commas in a TSV": ("d.tsv", csv(), {}, DataError, "separates its columns by ','"),
    "not UTF-8": ("d.csv", "a,täler\n1,0\n".encode("latin-1"), {}, DataError, "is not UTF-8 text (byte 4)"),
    "UTF-16": ("d.csv", csv().decode().encode("utf-16"), {}, DataError, "is not UTF-8 text (byte 1)"),
    "truncated gzip": ("d.csv.gz", gzip.compress(csv())[:-9], {}, DataError, "can't be read"),
    "gzip in name only": ("d.csv.gz", csv(), {}, DataError, "can't be read"),
    "truncated Zstandard": ("d.csv.zst", zstandard.compress(csv())[:-4], {}, DataError, "can't be read"),
    "Zstandard in name only": ("d.csv.zst", csv(), {}, DataError, "can't be read"),
    "truncated Parquet": ("d.parquet", arrow("parquet")[:-9], {}, DataError, "can't be read"),
    "Parquet in name only": ("d.parquet", csv(), {}, DataError, "expected a parquet file"),
    "Feather in name only": ("d.feather", csv(), {}, DataError, "expected a feather file"),
    "ARFF without data": ("d.arff", b"@relation r\n@attribute a real\n", {}, DataError, "has no @data line"),
    "ARFF without columns": ("d.arff", b"@relation r\n@data\n1,2\n", {}, DataError, "declares no columns"),
    "ARFF of an unknown type": (
        "d.arff", arff("", "@attribute a relational\n"), {}, DataError, "declares '@attribute a relational' in line 2",
    ),
    "ARFF with other lines": ("d.arff", b"a,b\n1,2\n", {}, DataError, "holds 'a,b' in line 1 before @data"),
    "ARFF, ragged": ("d.arff", arff("1,x\n2\n"), {}, DataError, "has 1 value in line 6: expected 2"),
    "ARFF, unclosed quote": ("d.arff", arff("1,'x\n"), {}, DataError, "a quotation that doesn't end in line 5"),
    "ARFF, sparse": ("d.arff", arff("{0 1, 1 x}\n"), {}, DataError, "has a sparse row in line 5"),
    "ARFF, undeclared label": ("d.arff", arff("1,z\n"), {}, DataError, "holds 'z' in data row 1 of attribute 'target'"),
    "ARFF, text for a number": ("d.arff", arff("1,x\nold,y\n"), {}, DataError, "holds 'old' in data row 2"),
    "single class": ("d.csv", csv(target=1), TARGET, DataError, "is '1' in every row: expected at least two classes"),
    "constant regression target": ("d.csv", csv(target=2.5), TARGET, DataError, "expected at least two values"),
    "missing targets": ("d.csv", csv(**middle(None)), TARGET, DataError, "is missing in 1 row, first in data row 31"),
    "'?' as a target": ("d.csv", csv(**middle("?")), TARGET, DataError, "is missing in 1 row, first in data row 31"),
    "infinite target": ("d.csv", csv(**middle("inf")), TARGET, DataError, "infinite value, first in data row 31"),
    "text in a regression target": (
        "d.csv", csv(**middle("old")), {**TARGET, "task": "regression"}, DataError, "holds 'old' in data row 31",
    ),
    "infinite feature": ("d.csv", csv(**middle("-inf", "height")), TARGET, DataError, "'height' holds 1 infinite"),
    "only constant columns": (
        "d.csv", csv(height=1, town="Bonn"), TARGET, DataError, "dropped 2 columns with the same value in every row",
    ),
    "only empty columns": ("d.csv", csv(height=np.nan, town=np.nan), TARGET, DataError, "2 columns without any value"),
    "only copies of the target": (
        "d.csv", csv(height=None, town=["no", "yes"] * (N // 2)), TARGET, DataError, "copy of the target",
    ),
    "unknown task": ("d.csv", csv(), {"task": "clustering"}, OptionError, "task is 'clustering'"),
    "multilabel with one target": ("d.csv", csv(), {"task": "multilabel"}, DataError, "expected several"),
    "classification with two targets": (
        "d.csv", csv(), {"target": ["target", "height"], "task": "classification"}, DataError, "there are 2 targets",
    ),
    "targets of several types": (
        "d.csv", csv(), {"target": "target,town"}, DataError, "target 'town', one of 2, holds",
    ),
    "multilabel of other numbers": (
        "d.csv", csv(second=3), {"target": "target,second", "task": "multilabel"}, DataError, "expected 0 or 1",
    ),
    "a label that nobody has": ("d.csv", csv(second=0), {"target": "target,second"}, DataError, "'second' is '0'"),
    "negative weight": ("d.csv", csv(w=-1.0), {**TARGET, "weight": "w"}, DataError, "weight 'w' is -1 in data row 1"),
    "missing weight": ("d.csv", csv(**middle(None, "w")), {**TARGET, "weight": "w"}, DataError, "is nan in data row"),
    "no weight at all": ("d.csv", csv(w=0), {**TARGET, "weight": "w"}, DataError, "weight 'w' is 0 in every row"),
    "weights in words": ("d.csv", csv(w="heavy"), {**TARGET, "weight": "w"}, DataError, "holds 'heavy' in data row 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_when_read(tmp_path, case):
    name, content, options, error, words = REFUSED[case]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error) as caught:
        load(tmp_path / name, **options)
    sentence = str(caught.value)
    assert words in sentence
    assert "\n" not in sentence


def per_row(form: Callable[[int], Any]) -> list[Any]:
    return [form(i) for i in range(N)]


# name: (columns beside the good ones, options of load, words of a warning, columns that are left)
TOLD: dict[str, tuple[dict[str, Any], dict[str, Any], str, list[str]]] = {
    "no target named": ({}, {"target": None}, "no target column was named: took 'target'", []),
    "constant column": ({"same": "x"}, {}, "dropped 1 column with the same value in every row: 'same'", []),
    "empty column": ({"empty": np.nan}, {}, "dropped 1 column without any value: 'empty'", []),
    "row numbers": ({"number": np.arange(N) + 7}, {}, "of row numbers or identifiers", []),
    "numbers with gaps": ({"number": np.arange(N) * 2}, {}, "", ["number"]),
    "decimals": ({"number": np.arange(N) + 0.5}, {}, "", ["number"]),
    "numbers called id": ({"person_id": 1000 + np.arange(N) ** 2}, {}, "of row numbers or identifiers", []),
    "words that end in id": ({"fluid": 1000 + np.arange(N) ** 2}, {}, "", ["fluid"]),
    "codes called id": ({"shop_id": np.arange(N) // 2}, {}, "", ["shop_id"]),
    "names": ({"name": per_row("n{}".format)}, {}, "of names or identifiers, another in nearly every row", []),
    "names as labels": ({"name": per_row("n{}".format)}, {"categorical": "name"}, "", ["name"]),
    "free text": ({"said": per_row("I would say {}".format)}, {}, "of free text", []),
    "ISO dates": ({"on": per_row(lambda i: date(2024, 1, 1) + timedelta(i % 9))}, {}, "of dates as days: 'on'", ["on"]),
    "American dates": ({"on": per_row(lambda i: f"1/{1 + i % 9}/2024")}, {}, "day and month can't be told apart", []),
    "dates that are none": ({"on": per_row(lambda i: f"2024-02-{25 + i % 6}")}, {}, "", ["on"]),
    "codes": ({"kind": np.arange(N) % 3}, {}, "", ["kind"]),
    "codes by their name": ({"zip": 9000 + np.arange(N) % 31}, {}, "if they are codes, name them", ["zip"]),
    "copy of the target": ({"copy": ["no", "yes"] * (N // 2)}, {}, "LEAK: column 'copy' is a copy of target", []),
    "copy by its gaps": ({"copy": ["x", None] * (N // 2)}, {}, "LEAK: column 'copy' is a copy of target", []),
    "almost a copy": ({"copy": ["no", "yes"] * (N // 2 - 1) + ["no", "no"]}, {}, "", ["copy"]),
    "many classes in doubt": ({"target": np.arange(N) % 12}, {}, "12 whole numbers: taken as classification", []),
    "whole numbers": ({"target": np.arange(N)}, {}, "60 whole numbers: taken as regression", []),
    "'?' in numbers": (middle("?", "part"), {}, "", ["part"]),
}  # fmt: skip


@pytest.mark.parametrize("case", TOLD)
def test_told_when_read(tmp_path, case):
    columns, options, words, left = TOLD[case]
    (tmp_path / "d.csv").write_bytes(csv(**columns))
    table = load(tmp_path / "d.csv", **{"target": "target", **options})
    assert list(table.frame) == ["height", "town", *left]
    assert words in "\n".join(table.warnings)
    assert bool(words) == bool(table.warnings), table.warnings


def test_ten_thousand_labels_have_a_bounded_width():
    town = [f"t{i}" for i in random.permutation(np.repeat(np.arange(10_000), 2))]
    table = from_arrays(pd.DataFrame({"town": town}), np.arange(20_000) % 2)
    sentence = "1 column of more than 64 labels: the 64 most frequent have an input each, the rarer ones share one: "
    assert sentence + "'town (10,000)'" in table.warnings


def test_rows_that_repeat_others_are_counted():
    frame = good()
    twice = pd.concat([frame, frame[:25], frame[:5]])
    assert load(frame, "target").warnings == ()
    assert load(twice, "target").warnings == (
        "30 of 90 rows repeat another, target included (60 distinct): copies of a row are kept on one side of "
        "every split, but count as often as they occur",
    )


def test_lines_are_told_and_copies_in_numbers_dropped():
    y = random.normal(size=N)
    table = from_arrays(good(target=None).assign(euro=y, cent=100 * y + 3), y)
    assert list(table.frame) == ["height", "town", "cent"]
    assert table.warnings == (
        "LEAK: column 'euro' is a copy of target 'target', value for value, and was dropped",
        "LEAK? column 'cent' is a straight line of target 'target': drop it unless known before",
    )


# name: (data, options of search, error, words)
UNSEARCHABLE: dict[str, tuple[pd.DataFrame, dict[str, Any], type[Exception], str]] = {
    "a class of one row": (good(target=["a"] * (N - 1) + ["b"]), {}, DataError, "has a single row"),
    "unknown option": (good(), {"catagorical": "town"}, OptionError, "there is no option 'catagorical'"),
    "unknown numeric": (
        good(),
        {"setting": {"numeric": "binned"}},
        RecipeError,
        "numeric is 'binned'; it must be one of 'plain'",
    ),
    "unknown column": (good(), {"drop": "hight"}, DataError, "did you mean 'height'"),
    "metric of another task": (good(), {"metric": "rmse"}, OptionError, "metric 'rmse'"),
    "too large a holdout": (good(), {"holdout": 0.9}, OptionError, "fraction is 0.9"),
    "more folds than rows": (good(), {"folds": 500}, OptionError, "number of folds is 500"),
}


@pytest.mark.parametrize("case", UNSEARCHABLE)
def test_refused_by_a_search_which_writes_nothing(tmp_path, case):
    frame, options, error, words = UNSEARCHABLE[case]
    with pytest.raises(error) as caught:
        tauten.search(frame, target="target", out=tmp_path / "run", **{**SMALL, **options})
    assert words in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_y_is_missing():
    with pytest.raises(OptionError, match="y is missing"):
        tauten.search(good(), **SMALL)


def test_a_class_smaller_than_the_folds_gives_fewer_folds():
    frame = good(target=["a"] * (N - 4) + ["b"] * 4)
    result = tauten.search(frame, target="target", **SMALL)
    assert result.evidence["folds"] == 3
    assert any("3 folds instead of 5: class 'b' has 3 rows" in warning for warning in result.evidence["warnings"])


@pytest.fixture(scope="module")
def trained() -> tauten.Result:
    frame = good(on=per_row(lambda i: date(2024, 1, 1) + timedelta(i % 9)), zip=1000 + np.arange(N) % 5)
    return tauten.search(frame, target="target", categorical="zip", **{**SMALL, "setting": PIECEWISE})


ASKED = pd.DataFrame(
    {"height": [0.5, -1], "town": ["Bonn", "Oslo"], "on": ["2024-01-02", "2024-01-05"], "zip": [1001, 1]}
)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (ASKED.drop(columns=["town", "on"]), "lacks 2 of the 4 columns that training saw ('town', 'on')"),
        (ASKED.assign(height=[0.5, "tall"]), "column 'height' holds 'tall' in data row 2 where numbers were expected"),
        (ASKED.assign(height=[0.5, np.inf]), "column 'height' holds 1 infinite value, first in data row 2"),
        (ASKED.assign(on=["2024-01-02", "soon"]), "column 'on' holds 'soon' in data row 2 where dates were expected"),
        (ASKED.assign(town=pd.to_datetime("2024-01-01")), "column 'town' holds dates where labels were expected"),
        (ASKED.assign(height=pd.to_datetime("2024-01-01")), "where numbers were expected"),
        (pd.concat([ASKED, ASKED["on"]], axis=1), "more than one column named 'on'"),
        ([0.5, 1], "X has shape (2,): expected two dimensions"),
        ([[0.5, "Bonn", "2024-01-02", 1001]], "lacks 4 of the 4 columns"),
    ],
)
def test_refused_at_predict_time(trained, asked, words):
    with pytest.raises(DataError) as caught:
        trained.model.predict(asked)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "asked",
    [
        ASKED[["zip", "on", "town", "height"]],
        ASKED.assign(extra="ignored", target=1),
        ASKED.assign(height=["0.5", "-1"], zip=["1001", "1"]),
        ASKED.assign(on=["02.01.2024", "05.01.2024"]),
        ASKED.assign(on=[date(2024, 1, 2), date(2024, 1, 5)]),
        ASKED.set_index(np.array([7, 7])),
    ],
)
def test_the_same_rows_in_another_form_are_the_same(trained, asked):
    np.testing.assert_array_equal(trained.model.predict_proba(asked), trained.model.predict_proba(ASKED))


def test_what_training_never_saw_still_gets_a_prediction(trained):
    strange = ASKED.assign(town=["Paris", None], zip=[None, 77], height=[None, 1e300], on=[None, "2999-01-01"])
    assert np.isfinite(trained.model.predict_proba(strange)).all()
