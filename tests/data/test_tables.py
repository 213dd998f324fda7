"""Tables: what is read, what is refused, and what the hashes promise."""

import gzip
import hashlib
import struct
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

from tauten.data import Table, from_arrays, load
from tauten.errors import DataError, OptionError

PEOPLE = "age,town,smoker,risk\n" + "".join(
    f"{20 + i},{['Ghent', 'Bonn', 'Oslo'][i % 3]},{i % 4 == 0},{['low', 'high'][i % 2]}\n" for i in range(12)
)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE, encoding="utf-8")
    return path


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "data.csv"
    path.write_text(text, encoding="utf-8")
    return path


def numbered(y: list[object] | np.ndarray | pd.Series, **options: str) -> Table:
    return from_arrays(np.random.default_rng(0).normal(size=(len(y), 2)), y, **options)


@pytest.mark.parametrize(
    ("name", "loader", "task", "k"),
    [
        ("digits", load_digits, "classification", 10),
        ("breast_cancer", load_breast_cancer, "classification", 2),
        ("wine", load_wine, "classification", 3),
        ("diabetes", load_diabetes, "regression", 0),
    ],
)
def test_bundled_sets_are_scikit_learns(name, loader, task, k):
    table, reference = load(name), loader()
    assert (table.task, len(table.classes), table.target) == (task, k, "target")
    np.testing.assert_array_equal(table.y, reference.target)
    assert table.y.dtype == (np.int64 if k else np.float64)
    varying = np.ptp(reference.data, axis=0) > 0
    np.testing.assert_array_equal(table.frame.to_numpy(), reference.data[:, varying])


def test_constant_columns_are_dropped_with_a_warning():
    table = load("digits")
    constants = "'pixel_0_0', 'pixel_4_0', 'pixel_4_7'"
    assert table.warnings == (f"dropped 3 columns with the same value in every row: {constants}",)
    assert table.classes == tuple("0123456789")


def test_csv_target_is_the_last_column_unless_named(people, tmp_path):
    table = load(people)
    assert (table.target, table.task, table.classes) == ("risk", "classification", ("high", "low"))
    assert table.warnings == ("no target column was named: took 'risk'",)
    assert list(table.frame) == ["age", "town", "smoker"]
    assert table.y.tolist() == [1, 0] * 6
    assert table.frame["smoker"].tolist() == [1.0, 0.0, 0.0, 0.0] * 3

    named = load(people, target="age", task="regression")
    assert named.warnings == ()
    assert named.y.tolist() == list(range(20, 32))

    early = written(tmp_path, "target,a\n" + "".join(f"{i % 2},{i}\n" for i in range(12)))
    assert load(early).target == "target"


def test_gzip_byte_order_mark_and_line_ends_make_no_difference(people, tmp_path):
    packed = tmp_path / "people.csv.gz"
    packed.write_bytes(gzip.compress(PEOPLE.replace("\n", "\r\n").encode("utf-8-sig")))
    assert load(packed).content_hash() == load(people).content_hash()


def test_missing_cells_stay_missing(tmp_path):
    rows = "".join(f"{'' if i == 2 else i},{'NA' if i == 3 else 'ab'[i % 2]},{i % 2}\n" for i in range(12))
    frame = load(written(tmp_path, "n,c,target\n" + rows)).frame
    assert frame["n"].isna().tolist() == [i == 2 for i in range(12)]
    assert frame["c"].isna().tolist() == [i == 3 for i in range(12)]


def test_unnamed_row_numbers_are_dropped(tmp_path):
    path = tmp_path / "data.csv"
    pd.DataFrame({"a": np.arange(12.0) ** 2, "target": [0, 1] * 6}).to_csv(path)
    table = load(path, target="target")
    assert list(table.frame) == ["a"]
    assert table.warnings == ("dropped the first column: it has no name and counts the rows",)


def test_columns_that_carry_nothing_are_dropped():
    n = 120
    frame = pd.DataFrame(
        {
            "empty": [None] * n,
            "same": ["x"] * n,
            "name": [f"person {i}" for i in range(n)],
            "born": [date(2000, 1, 1 + i % 9) for i in range(n)],
            "lists": [[i] for i in range(n)],
            "partly": [1.0] * (n - 1) + [None],
            "town": pd.Categorical(["Ghent", "Bonn"] * (n // 2)),
            "height": np.linspace(150, 190, n),
        }
    )
    table = from_arrays(frame, [0, 0, 1] * (n // 3))
    assert list(table.frame) == ["born", "partly", "town", "height"]
    assert table.warnings == (
        "dropped 1 column without any value: 'empty'",
        "dropped 1 column with the same value in every row: 'same'",
        "dropped 1 column of names or identifiers, another in nearly every row (to keep one, name it as categorical): "
        "'name'",
        "dropped 1 column of values that are neither numbers, labels nor dates: 'lists'",
        "read 1 column of dates as days: 'born'",
    )


@pytest.mark.parametrize(
    ("y", "task", "classes"),
    [
        (["b", "a"] * 6, "classification", ("a", "b")),
        ([True, False] * 6, "classification", ("False", "True")),
        (pd.Series(["b", "a"] * 6, dtype="category"), "classification", ("a", "b")),
        (pd.Series([3, 10] * 6, dtype="category"), "classification", ("10", "3")),
        (pd.Series([3, 10] * 6, dtype="Int64"), "classification", ("3", "10")),
        ([3.0, 10.0, 3.0] * 4, "classification", ("3", "10")),
        (np.arange(60) % 20, "classification", tuple(map(str, range(20)))),
        (np.arange(59) % 20, "regression", ()),
        (np.arange(210) % 21, "regression", ()),
        (np.linspace(0, 1, 12), "regression", ()),
    ],
)
def test_task_is_guessed(y, task, classes):
    table = numbered(y)
    assert (table.task, table.classes) == (task, classes)
    if classes:
        assert [float(c) if c[0].isdigit() else c for c in np.array(classes)[table.y]] == [
            str(v) if isinstance(v, bool | str) else float(v) for v in y
        ]


def test_task_overrides_the_guess_and_doubt_is_told():
    whole = np.arange(60) % 12
    assert numbered(whole).warnings == (
        "target 'target' holds 12 whole numbers: taken as classification; task= overrides",
    )
    assert numbered(whole, task="regression").y.dtype == np.float64
    assert numbered([0.5, 1.5] * 6, task="classification").classes == ("0.5", "1.5")


def test_lists_arrays_and_frames_make_the_same_table():
    X, y = [[float(i), i % 3] for i in range(12)], ["a", "b"] * 6
    wanted = from_arrays(np.array(X), np.array(y)).content_hash()
    assert from_arrays(X, y).content_hash() == wanted
    frame = pd.DataFrame(X, columns=["x0", "x1"], index=range(50, 62))
    assert from_arrays(frame, pd.Series(y, index=range(7, 19))).content_hash() == wanted
    assert from_arrays(frame.astype({"x1": "Int64"}), y).content_hash() == wanted


@pytest.mark.parametrize("dtype", [object, "str", "string", "category"])
def test_every_text_type_reads_alike(dtype):
    town = pd.Series(["Ghent", None, "Bonn"] * 4, dtype=dtype)
    table = from_arrays(pd.DataFrame({"town": town}), [0, 1] * 6)
    assert table.frame["town"].tolist() == ["Ghent", None, "Bonn"] * 4
    plain = from_arrays(pd.DataFrame({"town": town.astype(object)}), [0, 1] * 6)
    assert table.content_hash() == plain.content_hash()


def test_take_and_hashes():
    table = load("wine")
    order = np.random.default_rng(0).permutation(len(table.y))
    shuffled = table.take(order)
    np.testing.assert_array_equal(shuffled.row_hashes(), table.row_hashes()[order])
    assert len(set(table.row_hashes().tolist())) == len(table.y)
    pd.testing.assert_frame_equal(
        shuffled.frame, pd.DataFrame(table.frame.to_numpy()[order], columns=table.frame.columns)
    )
    assert shuffled.content_hash() != table.content_hash()
    assert shuffled.take(np.argsort(order)).content_hash() == table.content_hash()
    assert table.take([0, 1]).classes == table.classes


def test_hashes_see_every_cell_and_the_target():
    frame = pd.DataFrame({"a": np.arange(12.0), "b": ["u", None, "v"] * 4})
    y = ["n", "y"] * 6
    base = from_arrays(frame, y)
    number, label = frame.copy(), frame.copy()
    number.loc[4, "a"] = 4.5
    label.loc[4, "b"] = "v"
    for other in (from_arrays(number, y), from_arrays(label, y), from_arrays(frame, [*y[:4], "y", *y[5:]])):
        assert np.flatnonzero(other.row_hashes() != base.row_hashes()).tolist() == [4]
        assert other.content_hash() != base.content_hash()
    swapped = from_arrays(frame[["b", "a"]], y)
    np.testing.assert_array_equal(swapped.row_hashes(), base.row_hashes())


def test_equal_rows_hash_alike_whatever_the_zero():
    X = np.array([[0.0, 1.0], [-0.0, 1.0], *[[i, 2.0] for i in range(10)]])
    hashes = from_arrays(X, [0, 0] + [0, 1] * 5).row_hashes()
    assert hashes[0] == hashes[1]
    assert len(set(hashes.tolist())) == 11


def splitmix(word: int) -> int:
    z = (word + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


def text_hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def test_hashes_are_the_same_in_another_process_and_release(people):
    table = load(people)
    # Written out here: a release that changed the formula would move rows between development and holdout.
    for row in (0, 5):
        cells = [
            ("age", struct.unpack("<Q", struct.pack("<d", 20.0 + row))[0]),
            ("town", text_hash(["Ghent", "Bonn", "Oslo"][row % 3])),
            ("smoker", struct.unpack("<Q", struct.pack("<d", float(row % 4 == 0)))[0]),
        ]
        target = splitmix(splitmix(text_hash(["low", "high"][row % 2]) ^ text_hash("target")))
        wanted = splitmix(target + sum(splitmix(word ^ text_hash(name)) for name, word in cells))
        assert table.row_hashes()[row] == wanted
    code = f"from tauten.data import load; t = load({str(people)!r}); print(t.content_hash(), t.row_hashes()[0])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == [table.content_hash(), str(table.row_hashes()[0])]


TWELVE = "".join(f"{i},{i % 2}\n" for i in range(12))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "data.csv is empty: expected column names in its first line, then the data"),
        ("\n" + TWELVE, "starts with an empty line"),
        ("a,target\n", "has 0 rows of data: expected at least 10, so add rows"),
        ("a,target\n1,0\n", "has 1 row of data"),
        ("target\n" + "0\n1\n" * 6, "has no feature columns: expected at least one beside the target 'target'"),
        ("a,target,a\n" + "1,0,1\n" * 12, "has more than one column named 'a': give every column its own name"),
        ("a,target\n1,0\n2,1,7\n" + TWELVE, "has 3 values in line 3: expected 2"),
        ("a,target\n1,0\n2\n" + TWELVE, "has 1 value in line 3: expected 2"),
        ('a,target\n"1,0\n' + TWELVE, "has 1 value in line 14: expected 2"),
        ("a;target\n" + TWELVE.replace(",", ";"), "separates its columns by ';': expected ',' in a .csv"),
        ("a,target\n" + TWELVE + "inf,0\n1,1\n-inf,1\n", "column 'a' holds 2 infinite values, first in data row 13,"),
        ("a,target\n" + TWELVE + "5,\n6,NA\n", "target 'target' is missing in 2 rows, first in data row 13:"),
        (
            "a,target\n" + TWELVE.replace(",1", ",0"),
            "target 'target' is '0' in every row: expected at least two classes",
        ),
        (
            "a,target\n" + "7,1\n7,0\n" * 6,
            "has no feature column left (dropped 1 column with the same value in every row",
        ),
    ],
)
def test_bad_files_are_refused(tmp_path, text, message):
    with pytest.raises(DataError) as caught:
        load(written(tmp_path, text), target="target" if "target" in text else None)
    assert message in str(caught.value)


def test_unreadable_files_are_refused(tmp_path):
    latin = tmp_path / "latin.csv"
    latin.write_bytes("a,täler\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.csv is not UTF-8 text \(byte 4\): save it in UTF-8"):
        load(latin)
    torn = tmp_path / "torn.csv.gz"
    torn.write_bytes(gzip.compress(PEOPLE.encode())[:40])
    with pytest.raises(DataError, match=r"torn\.csv\.gz can't be read"):
        load(torn)
    false = tmp_path / "false.csv.gz"
    false.write_text(PEOPLE)
    with pytest.raises(DataError, match="Not a gzipped file"):
        load(false)


def test_unknown_names_come_with_a_suggestion(people):
    with pytest.raises(
        DataError,
        match=r"no file 'digit': expected a file that ends in \.csv, .* or one of the bundled sets "
        "breast_cancer, diabetes, digits, wine; did you mean 'digits'",
    ):
        load("digit")
    with pytest.raises(
        DataError, match="no column 'rsk': expected one of 'age', 'town', 'smoker', 'risk'; did you mean 'risk'"
    ):
        load(people, target="rsk")
    with pytest.raises(DataError, match=r"'mean concave points' and 23 more"):
        load("breast_cancer", target="nothing of the kind")
    with pytest.raises(OptionError, match="task is 'clustering': expected 'classification', 'multi"):
        load(people, task="clustering")


def test_bad_arrays_are_refused():
    X, y = np.arange(24.0).reshape(12, 2), [0, 1] * 6
    with pytest.raises(DataError, match="X has 12 rows and y has 11 values"):
        from_arrays(X, y[1:])
    with pytest.raises(DataError, match=r"X has shape \(12,\): expected two dimensions"):
        from_arrays(X[:, 0], y)
    with pytest.raises(DataError, match=r"X has shape \(2,\): expected two dimensions"):
        from_arrays([[1, 2], [3]], y)
    with pytest.raises(DataError, match=r"y has shape \(12, 1\): expected one dimension"):
        from_arrays(X, np.array(y)[:, None])
    with pytest.raises(DataError, match=r"y has shape \(\): expected one dimension"):
        from_arrays(X, 5)
    with pytest.raises(DataError, match="X has more than one column named '1'"):
        from_arrays(pd.DataFrame(X, columns=["1", 1]), y)
    with pytest.raises(DataError, match="target 'target' holds 'b' in data row 2 where numbers were expected"):
        from_arrays(X, [1, "b"] * 6, task="regression")
    with pytest.raises(DataError, match="target 'target' holds 1 infinite value, first in data row 12,"):
        from_arrays(X, [0.5, 1] * 5 + [0.5, np.inf])
    with pytest.raises(DataError, match=r"target 'target' is '2\.5' in every row: expected at least two values"):
        from_arrays(X, [2.5] * 12)
    with pytest.raises(DataError, match=r"target 'target' holds datetime64\[us\] values|datetime64\[ns\] values"):
        from_arrays(X, pd.Series(pd.to_datetime(["2020-01-01", "2021-01-01"] * 6)))
