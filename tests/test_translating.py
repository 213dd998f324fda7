"""Back-translation in a search: what is translated, where it is kept, and what goes on after a cut."""

import json
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

import tauten
from tauten.data import load
from tauten.errors import OptionError, RecipeError, RunError
from tauten.folds import Development
from tauten.options import Options
from tauten.recipe import Recipe
from tauten.split import SelectionPlan, Split
from tauten.techniques.back_translation import BackTranslation
from tauten.text.words import BREAK
from tauten.translating import translator_of, with_translations
from test_cli import refused, run

SMALL = {
    "text": "text", "target": "label", "trials": 4, "threads": 1, "folds": 2, "techniques": "back_translation",
    "setting": {"epochs": 2, "width": 8, "depth": 1, "batch_size": 32},
}  # fmt: skip
THERE = {"good": "bueno", "bad": "malo", "film": "película", "book": "libro"}
BACK = {"bueno": "kind", "malo": "evil", "película": "movie"}


def by_word(seen=None, stop=None):
    """A dictionary of few words, which leaves *libro* as it is."""

    def words(sentences, source, target):
        if seen is not None:
            if stop is not None and len(seen) == stop:
                raise KeyboardInterrupt
            seen.append(list(sentences))
        table = THERE if source == "eng" else BACK
        return [" ".join(table.get(word, word) for word in sentence.split()) for sentence in sentences]

    return words


@pytest.fixture
def file(tmp_path):
    rng = np.random.default_rng(0)
    label = rng.choice(["good", "bad"], 90)
    text = [f"a {kind} {rng.choice(['film', 'book', 'day'])} number{i}" for i, kind in enumerate(label)]
    path = tmp_path / "notes.csv"
    pd.DataFrame({"text": text, "label": label}).to_csv(path, index=False)
    return path


def without_times(folder):
    told = json.loads((folder / "result.json").read_text())
    return {k: v for k, v in told.items() if "seconds" not in k}


def test_a_search_translates_development_rows_once_and_tells_what_came_of_it(file, tmp_path):
    seen = []
    found = tauten.search(file, **SMALL, back_translate="spa", translator=by_word(seen), out=tmp_path / "run")
    there, back = seen
    texts = set(pd.read_csv(file).text)
    assert len(there) == len(back) == found.evidence["n_train"] == 72
    assert set(there) < texts
    held = texts - set(there)
    kept = [path.name for path in tmp_path.rglob("*") if path.is_file() and "movie" in path.read_text(errors="ignore")]
    assert "translations.jsonl" in kept
    assert not any(text in (tmp_path / "run" / "translations.jsonl").read_text() for text in held)
    books = sum("book" in text for text in there)
    want = {"via": "spa", "texts": 72, "unchanged": 0, "foreign": books, "foreign_words": books}
    assert found.evidence["translations"] == [want]
    page = (tmp_path / "run" / "report.html").read_text()
    assert f"By way of spa, 0 of 72 texts came back as they were, and {books} with {books} foreign words" in page
    assert "--back-translate spa" in page
    tried = {name for trial in found.evidence["race"] for name in trial["techniques"]}
    assert "back_translation" in tried


def test_a_cut_off_run_goes_on_with_what_it_has_translated_to_the_same_result(file, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    tauten.search(file, **SMALL, back_translate="spa", translator=by_word(), out=whole)
    with pytest.raises(KeyboardInterrupt):
        tauten.search(file, **SMALL, back_translate="spa", translator=by_word([], stop=1), out=cut)
    assert len((cut / "translations.jsonl").read_text().splitlines()) == 72
    with pytest.raises(RunError, match="translated by words of your own; pass it as translator= again"):
        tauten.resume(cut)
    with pytest.raises(RunError, match="begun with the translator 'words' and 'apertium' is given"):
        tauten.resume(cut, translator=tauten.text.translation.Apertium())
    seen = []
    tauten.resume(cut, translator=by_word(seen))
    assert [len(sentences) for sentences in seen] == [72]
    assert without_times(cut) == without_times(whole)
    (cut / "result.json").unlink()
    tauten.resume(cut)
    assert without_times(cut) == without_times(whole), "of what is kept nothing is translated again"
    (cut / "translations.jsonl").unlink()
    with pytest.raises(RunError, match=r"the translations in .* are others than the run was begun with"):
        tauten.resume(cut, translator=FunctionNamed(lambda sentences, source, target: sentences, "words"))


class FunctionNamed:
    """A person's own translator: two attributes are all."""

    def __init__(self, function, name):
        self.translate, self.name = function, name


def test_a_folds_vocabulary_knows_translations_of_its_training_rows_alone(file):
    table = load(file, "label", text="text")
    own = [[[f"only{i}" for i in range(len(table.y))]]]
    development = Development.of(table.translated(own), SelectionPlan(2, 1))
    train = np.arange(0, 90, 2)
    fold = development.fold(Split(train, np.arange(1, 90, 2), None))
    words = next(iter(fold.preprocessors.values())).words
    assert {word for word in words if word.startswith("only")} == {f"only{i}" for i in train}


def test_recipes_are_compared_with_translations_and_refused_without(file):
    recipes = {"translated": Recipe((BackTranslation(p=0.5),)).with_setting(epochs=2, width=8), "plain": "plain"}
    options = {"text": "text", "target": "label", "threads": 1, "folds": 2, "setting": {"epochs": 2, "width": 8}}
    seen = []
    both = tauten.compare(file, recipes=recipes, back_translate="spa", translator=by_word(seen), **options)
    assert [len(sentences) for sentences in seen] == [90, 90]
    assert both.to_json()["differences"]["translated"]["mean"] != 0
    with pytest.raises(RecipeError, match=r"^back_translation needs translations .*--back-translate spa makes them"):
        tauten.compare(file, recipes=recipes, **options)


def test_bad_input_is_one_sentence_and_nothing_is_written(file, tmp_path, monkeypatch):
    asked = ["search", str(file), "--text", "text", "--target", "label", "--trials", "3", "--out", tmp_path / "run"]
    refused(tmp_path, "back_translate is 'eng'; give languages other than eng", *asked, "--back-translate", "eng")
    refused(tmp_path, "needs translations of the texts", *asked, "--techniques", "back_translation")
    refused(tmp_path, "back_translate is 'spa' and wine has no text", "search", "wine", "--back-translate", "spa")
    with pytest.raises(OptionError, match="translator is 7; give a"):
        tauten.search(file, **SMALL, back_translate="spa", translator=7, out=tmp_path / "run")
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(tmp_path, "run apt-get install apertium apertium-eng-spa", *asked, "--back-translate", "spa")


def has(mode):
    if shutil.which("apertium") is None:
        return False
    return mode in subprocess.run(["apertium", "-l"], capture_output=True, text=True, check=False).stdout.split()


@pytest.mark.skipif(not has("eng-spa"), reason="Apertium's English and Spanish are not installed")
def test_the_command_line_searches_with_the_real_apertium(file, tmp_path):
    folder = tmp_path / "run"
    quick = ["--trials", "3", "--epochs", "2", "--width", "8", "--threads", "1", "--folds", "2"]
    asked = ["--text", "text", "--target", "label", "--back-translate", "spa", "--techniques", "back_translation"]
    code, text = run("search", file, *asked, *quick, "--out", folder)
    assert code == 0, text
    assert "translating the texts there and back" in text
    assert "note: back-translation by spa" in text
    (told,) = json.loads((folder / "result.json").read_text())["translations"]
    assert (told["via"], told["texts"]) == ("spa", 72)
    said = [json.loads(line)["text"] for line in (folder / "translations.jsonl").read_text().splitlines()]
    assert any("película" in text for text in said)


def test_several_columns_are_translated_apart_and_joined_again():
    rows = {"head": ["a good day"] * 5 + ["bad"] * 5, "body": ["the film", ""] * 5, "label": [0, 1] * 5}
    table = load(pd.DataFrame(rows), "label", text=["head", "body"])
    seen = []
    options = Options(trials=3, back_translate=("spa",))
    found = with_translations(table, options, translator_of(by_word(seen)), lambda _: None, np.array([0, 1, 6]))
    assert sorted(seen[0]) == ["a good day", "bad", "the film"]
    words = [[found.texts.words[code] for code in row[0] if code >= 0] for row in found.texts.translations]
    assert words[0] == ["a", "kind", "day", BREAK, "the", "movie"]
    assert (words[1], words[6]) == (["a", "kind", "day", BREAK], ["evil", BREAK, "the", "movie"])
    assert not any(words[i] for i in range(10) if i not in (0, 1, 6)), "rows that were not asked for have none"
