"""Files of every format hold the same table, and ARFF reads as SciPy reads it."""

import gzip
import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zstandard
from scipy.io import arff

from tauten.data import from_arrays, load, read
from tauten.errors import DataError

N = 40
HEAD = """% A comment, and a blank line

@RELATION 'people of towns'
@attribute 'body height' numeric
@ATTRIBUTE town {Ghent, 'Den Haag', "O'ville"}
@attribute on date "yyyy-MM-dd'T'HH:mm:ss"
@attribute said string
@attribute target{0,1}
@data
"""


@pytest.fixture
def people() -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "body height": random.normal(170, 9, N).round(2),
            "town": random.choice(["Ghent", "Den Haag", "O'ville"], N),
            "on": pd.Timestamp("2024-01-01 06:00") + pd.to_timedelta(random.integers(0, 99, N), unit="h"),
            "said": random.choice(["hm, well", 'a "no"'], N),
            "target": random.permutation(np.arange(N) % 2),
        }
    )
    frame.loc[[3, 5], ["body height", "town", "said"]] = None
    return frame


def as_arff(frame: pd.DataFrame) -> str:
    def cell(value: object) -> str:
        if pd.isna(value):
            return "?"
        if isinstance(value, pd.Timestamp):
            return f'"{value.isoformat()}"'
        return "'" + value.replace("'", r"\'") + "'" if isinstance(value, str) else str(value)

    return HEAD + "".join(", ".join(map(cell, row)) + "\n" for row in frame.itertuples(index=False))


def test_every_format_holds_the_same_table(people, tmp_path):
    text, tabs = people.to_csv(index=False), people.to_csv(index=False, sep="\t")
    files = {
        "a.csv": text.encode(),
        "a.csv.gz": gzip.compress(text.encode()),
        "a.csv.zst": zstandard.compress(text.encode()[:200]) + zstandard.compress(text.encode()[200:]),
        "a.tsv": tabs.encode("utf-8-sig"),
        "a.tsv.gz": gzip.compress(tabs.encode()),
        "a.arff": as_arff(people).encode(),
        "A.ARFF.gz": gzip.compress(as_arff(people).replace("\n", "\r\n").encode()),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    people.to_parquet(tmp_path / "a.parquet", index=False)
    people.to_feather(tmp_path / "a.feather")
    wanted = load(people, "target")
    assert list(wanted.frame) == ["body height", "town", "on", "said"]
    for name in [*files, "a.parquet", "a.feather"]:
        assert load(tmp_path / name).content_hash() == wanted.content_hash(), name
        assert read(tmp_path / name).shape == (N, 5), name


def test_arff_reads_as_scipy_reads_it(tmp_path):
    text = (
        "@relation r\n@attribute a numeric\n@attribute 'the b' real\n@attribute c {x, y, 'a b', q}\n@data\n"
        "1, 2.5e-3, x\n?,-4,y\n% between\n7,?,q\n  8 , 1e300 ,?\n"
    )
    (tmp_path / "r.arff").write_text(text)
    own, (rows, about) = read(tmp_path / "r.arff"), arff.loadarff(io.StringIO(text))
    assert list(own) == list(about.names())
    for name in ("a", "the b"):
        np.testing.assert_array_equal(own[name].to_numpy(), rows[name])
    assert [None if value is np.nan else value for value in own["c"]] == [
        None if value == b"?" else value.decode() for value in rows["c"]
    ]


def test_declared_labels_stay_labels_though_they_are_digits(people, tmp_path):
    (tmp_path / "p.arff").write_text(as_arff(people))
    assert load(tmp_path / "p.arff").classes == ("0", "1")
    head = "@relation r\n@attribute code {1,2,3}\n@attribute target real\n@data\n"
    (tmp_path / "c.arff").write_text(head + "".join(f"{1 + i % 3},{i / 2}\n" for i in range(N)))
    assert load(tmp_path / "c.arff").frame["code"].tolist() == ["1", "2", "3"] * (N // 3) + ["1"]


def test_blanks_are_missing_in_whatever_they_come(tmp_path):
    words = ["x", "?", "NA", "n/a", "", "None", "nan", "y"]
    frame = pd.DataFrame({"text": words, "label": pd.Categorical(words), "number": [1, "?", "", "NA", 2, 3, None, 4]})
    (tmp_path / "b.csv").write_text(frame.to_csv(index=False).replace(",", ", "))
    own = read(tmp_path / "b.csv")
    for given in (own["text"], own["label"]):
        assert given.isna().tolist() == [False, True, True, True, True, True, True, False]
    assert own["number"].tolist() == pytest.approx([1, np.nan, np.nan, np.nan, 2, 3, np.nan, 4], nan_ok=True)
    table = from_arrays(pd.concat([frame] * 2), [0, 1, 1, 1, 0, 0, 1, 0] * 2)
    assert table.frame["label"].isna().tolist() == own["label"].isna().tolist() * 2


def test_a_package_that_is_not_there_is_asked_for(tmp_path, monkeypatch):
    for package, name in (("pyarrow", "a.parquet"), ("pyarrow", "a.feather"), ("zstandard", "a.csv.zst")):
        (tmp_path / name).write_bytes(b"")
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(DataError) as caught:
            read(Path(tmp_path / name))
        assert f"takes the package {package}: run pip install 'tauten[tables]'" in str(caught.value)
