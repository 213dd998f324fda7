"""Texts as vectors of a person's own function."""

import json

import numpy as np
import pandas as pd
import pytest

import tauten
from tauten.cli import app
from tauten.data.tables import load
from tauten.errors import DataError, OptionError, RunError
from tauten.model import Model
from tauten.options import Options
from tauten.result import Result
from tauten.sources import table_of

CODE = """
import numpy as np

CALLS = []

def encode(texts):
    CALLS.append(list(texts))
    return np.array([[len(t), t.count("a"), t.count(" "), 7.0] for t in texts], dtype=np.float32)

def flat(texts):
    return [len(t) for t in texts]

def broken(texts):
    return np.full((len(texts), 2), np.nan)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.py").write_text(CODE)
    words = ("soup", "a train", "banana bread", "a plane and a road", "salad")
    rows = [(f"{w} {'!' * (i % 4)}", i % 7, "yes" if w.count("a") > 1 else "no") for i in range(8) for w in words]
    pd.DataFrame(rows, columns=["note", "page", "label"]).to_csv(tmp_path / "notes.csv", index=False)
    return tmp_path


def test_vectors_stand_in_the_place_of_the_text_and_each_text_is_encoded_once(folder):
    frame = pd.read_csv(folder / "notes.csv")
    frame.loc[3, "note"] = None
    table = load(frame, "label", text="note", embed=f"{folder}/mine.py:encode")
    assert list(table.frame) == ["page", "note[0]", "note[1]", "note[2]"], "the fourth number never varies"
    texts = frame["note"].fillna("")
    np.testing.assert_array_equal(table.frame["note[0]"], texts.str.len())
    np.testing.assert_array_equal(table.frame["note[1]"], texts.str.count("a"))
    calls = table.encoder.encode.__globals__["CALLS"]
    assert len(calls) == 1
    assert sorted(calls[0]) == sorted(set(texts))


def test_from_search_to_prediction_with_all_that_tables_have(folder):
    run, embed = folder / "run", f"{folder}/mine.py:encode"
    asked = f"--text note --embed {embed} --target label --trials 3 --epochs 2".split()
    app(["search", str(folder / "notes.csv"), *asked, "--out", str(run)], standalone_mode=False)
    found = json.loads((run / "result.json").read_text())
    assert found["reading"] == {"text": "note", "embed": embed}
    out = folder / "p.csv"
    app(["predict", str(run), str(folder / "notes.csv"), "--embed", embed, "-o", str(out)], standalone_mode=False)
    told = pd.read_csv(out)
    frame = pd.read_csv(folder / "notes.csv")
    model = Model.load(run, embed=embed)
    np.testing.assert_array_equal(model.predict(frame), told["prediction"])
    # The same as a table whose numbers a person has worked out.
    by_hand = pd.DataFrame({"page": frame["page"], "note[0]": frame["note"].str.len().astype(float)})
    by_hand["note[1]"] = frame["note"].str.count("a").astype(float)
    by_hand["note[2]"] = frame["note"].str.count(" ").astype(float)
    np.testing.assert_array_equal(model.predict_proba(by_hand), model.predict_proba(frame))
    assert Result.load(run, embed=embed).predict(frame[["note", "page"]]).tolist() == told["prediction"].tolist()
    with pytest.raises(RunError, match=r"reads sentence vectors; pass embed, the FILE\.py:FUNCTION of its search"):
        Model.load(run)
    with pytest.raises(DataError, match="the data lacks 'note', of the columns of text that training saw"):
        model.predict(frame[["page"]])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("flat", r"mine\.py:flat gives an array of shape \(20,\) and int64 for 20 texts: expected numbers \(20, d\)"),
        ("broken", r"mine\.py:broken gives NaN or infinity for texts of 'note': expected finite numbers"),
        ("absent", r"has no function 'absent'; it must hold one that gives an array \(n, d\) for n texts"),
    ],
)
def test_a_function_that_gives_no_vectors_is_refused_in_one_sentence(folder, name, words):
    with pytest.raises(DataError, match=words):
        load(folder / "notes.csv", "label", text="note", embed=f"{folder}/mine.py:{name}")


def test_embed_goes_with_a_column_of_text(folder):
    embed = f"{folder}/mine.py:encode"
    with pytest.raises(DataError, match="no column of text is named: expected one, so name it by text"):
        load(folder / "notes.csv", "label", embed=embed)
    with pytest.raises(OptionError, match=r"embed is .* and X has shape"):
        tauten.search(np.zeros((20, 1, 4, 4)), np.arange(20) % 2, trials=3, embed=embed)


def test_a_folder_of_texts_has_vectors_too(folder):
    for kind in ("yes", "no"):
        (folder / "texts" / kind).mkdir(parents=True)
        for i in range(8):
            (folder / "texts" / kind / f"{i}.txt").write_text(f"{'a' * (i + 3 * (kind == 'yes'))} b{i}")
    table = table_of(str(folder / "texts"), None, None, Options(trials=3, embed=f"{folder}/mine.py:encode"))
    assert list(table.frame) == ["text[0]", "text[1]"]
    assert table.text == ("text",)
