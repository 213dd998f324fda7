"""What texts can be that a person did not expect: what is given, and the error or the warning that answers it."""

import csv
import json

import numpy as np
import pandas as pd
import pytest

import tauten
from tauten.data import load
from tauten.errors import DataError
from tauten.model import Model
from tauten.split import holdout

N = 40
KINDS = ["good", "bad"] * (N // 2)
SAID = {"good": "a warm film, the {} of them", "bad": "a dull film, the {} of them"}
PLAIN = [SAID[kind].format(i) for i, kind in enumerate(KINDS)]
STRANGE = {
    "a text of 150,000 characters": "warm and dull " * 11_000,
    "a word of 100,000 letters": "film" * 25_000,
    "a word of 100,000 letters and hyphens": "film-" * 20_000,
    "nothing": "",
    "white space": " \t ",
    "emoji": "😀👍🏽 👩‍👩‍👧 🇧🇪",
    "from right to left": "הסרט היה נהדר, فيلم رائع",
    "no spaces": "这部电影非常好看",
    "null bytes and controls": "a\x00b \x1f\x1b[31m",
}


def frame(texts, kinds=KINDS):
    return pd.DataFrame({"review": texts, "kind": kinds})


def written(path, texts=PLAIN, kinds=KINDS, **options):
    frame(texts, kinds).to_csv(path, index=False, **options)
    return path


REFUSED = {
    "no text at all": (lambda p: written(p, [""] * N), {}, "no row of 'review' holds a word: expected text"),
    "latin-1": (
        lambda p: written(p, [f"{text} café" for text in PLAIN], encoding="latin-1"), {}, r"is not UTF-8 text .* save"
    ),
    "UTF-16": (lambda p: written(p, encoding="utf-16"), {}, r"is not UTF-8 text \(byte 1\): save it in UTF-8"),
    "a column that is not there": (
        written, {"text": "reveiw"}, "has no column 'reveiw': expected one of 'review', 'kind'; did you mean 'review'"
    ),
    "the target as text": (written, {"text": "kind"}, "'kind' is a target and read as text as well: expected a column"),
    "one class only": (lambda p: written(p, kinds=["good"] * N), {}, "'kind' is 'good' in every row: expected"),
    "text that nobody named": (written, {"text": ()}, r"1 column of free text \(to read it, name it as text\): 'rev"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_read_is_told_in_a_sentence(tmp_path, case):
    make, options, words = REFUSED[case]
    path = tmp_path / "texts.csv"
    make(path)
    with pytest.raises(DataError, match=words) as told:
        load(path, "kind", **{"text": "review", **options})
    assert "\n" not in str(told.value)


def test_texts_that_are_all_the_same_leave_nothing_to_hold_out():
    table = load(frame(["the same film"] * N), "kind", text="review")
    with pytest.raises(DataError, match=r"no row of 40 .* since copies stay together and only 2 differ: expected more"):
        holdout(table.row_hashes(), table.y, table.task, 0.2)


def test_half_a_character_in_json_is_told_with_its_line_and_a_whole_one_is_read(tmp_path):
    lines = [json.dumps({"review": text, "kind": kind}) for text, kind in zip(PLAIN, KINDS, strict=True)]
    path = tmp_path / "texts.jsonl"
    path.write_text("\n".join([*lines, json.dumps({"review": "fun 😀", "kind": "good"})]))
    assert load(path, "kind", text="review").texts.words[-1] == "😀"
    path.write_text("\n".join([*lines, '{"review": "fun \\ud83d", "kind": "good"}']))
    with pytest.raises(
        DataError, match=r"texts\.jsonl has half a character in line 41, such as .ud83d alone: mend that"
    ):
        load(path, "kind", text="review")


def test_a_cell_may_be_longer_than_python_reads_and_its_limit_stays(tmp_path):
    before = csv.field_size_limit()
    path = written(tmp_path / "long.csv", [STRANGE["a text of 150,000 characters"], *PLAIN[1:]])
    table = load(path, "kind", text="review")
    assert csv.field_size_limit() == before
    assert table.texts.lengths.max() == 256
    assert "1 of 40 rows have a text of more than 8 words: cut there" not in table.warnings
    assert any("have a text of more than" in said for said in table.warnings)


def test_whatever_a_text_holds_it_is_searched_and_predicted(tmp_path):
    """With typos and all other techniques on words, of which a word without end would have too many."""
    rows = frame([*STRANGE.values(), *PLAIN[len(STRANGE) :]])
    asked = {"target": "kind", "text": "review", "trials": 3, "folds": 2, "threads": 1}
    found = tauten.search(rows, **asked, setting={"epochs": 1, "width": 4}, out=tmp_path / "run")
    assert any("2 of 40 rows have an empty text" in note for note in found.evidence["warnings"])
    model = Model.load(tmp_path / "run")
    probabilities = model.predict_proba(frame(list(STRANGE.values()), KINDS[: len(STRANGE)]))
    assert np.isfinite(probabilities).all()
    assert (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
