"""Synonyms and typos come with a table where techniques ask for them, from where the person says."""

import sys
from pathlib import Path

import pandas as pd
import pytest

import tauten
from tauten.data import load
from tauten.errors import OptionError
from tauten.options import Options
from tauten.recipe import Recipe
from tauten.supplies import for_recipes, for_search
from tauten.technique import technique
from tauten.text.coded import bucket
from tauten.text.typos import typos
from test_cli import refused, run

sys.path.append(str(Path(__file__).parent / "text"))
import database

KINDS = ("a fine warm film", "what a film", "moving and fine", "dull film", "a sad mess", "dull and sad")
TEXTS = [f"{kind} {i}" for i in range(8) for kind in KINDS]
INSTALL = "run apt-get install wordnet-base"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "notes.csv"
    pd.DataFrame({"note": TEXTS, "label": ["good", "good", "good", "bad", "bad", "bad"] * 8}).to_csv(path, index=False)
    return path


@pytest.fixture
def table(file):
    return load(file, "label", text=("note",))


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("film,movie,picture\nfine,nice,good,great,lovely\n")
    return str(path)


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("WNSEARCHDIR", str(tmp_path))


def recipe(*names):
    return Recipe(tuple(technique(name)() for name in names))


def words_at(table, name, word):
    alternatives = getattr(table.texts, name)[table.texts.words.index(word)]
    return [table.texts.words[code] for code in alternatives if code >= 0]


def test_recipes_get_what_their_techniques_read_and_no_more(table, own):
    options = Options(trials=3, synonyms=own)
    both = for_recipes(table, [recipe("dropout"), recipe("synonym_replacement", "character_noise")], options)
    assert words_at(both, "synonyms", "film") == ["movie", "picture"]
    assert words_at(both, "synonyms", "fine") == ["nice", "good", "great"], "the first three"
    assert words_at(both, "synonyms", "dull") == []
    assert words_at(both, "typos", "film") == list(typos("film", 3))
    assert words_at(both, "typos", "sad") == []
    assert for_recipes(table, [recipe("dropout", "random_deletion")], options).texts is table.texts
    noise = for_recipes(table, [recipe("character_noise")], options).texts
    assert (noise.synonyms, noise.typos.shape[1]) == (None, 3)


def test_synonyms_have_ids_of_their_own_and_typos_share_those_of_unknown_words(table, own):
    found = for_recipes(table, [recipe("random_insertion", "character_noise")], Options(trials=3, synonyms=own))
    layouts = [t.text_layout(tauten.data.Layout(())) for t in (table, found)]
    assert (layouts[1].synonyms, layouts[1].typos) == (3, 3)
    assert layouts[1].ids - layouts[0].ids == 5, "movie, picture, nice, good, great"
    learnt = found.learnt(range(len(TEXTS)), tauten.data.Layout(()))
    assert {"movie", "great"} < set(learnt.words)
    planes = learnt.transform(found.features)
    place = TEXTS[0].split().index("film")
    assert planes[0, 4:7, place].tolist() == [1 + bucket(word, 1024) for word in typos("film", 3)]


def test_a_search_without_wordnet_goes_on_and_says_how_to_install_it(table, nowhere):
    found, told = for_search(table, Options(trials=3), built_in=True)
    assert len(told) == 1
    assert "'random_insertion', 'synonym_replacement'" in told[0]
    assert INSTALL in told[0]
    assert (found.texts.synonyms, found.texts.typos.shape[1]) == (None, 3)
    layout = found.text_layout(tauten.data.Layout(()))
    names = [kind.name for kind in Options(trials=3).kinds("classification", True, "text", layout)]
    assert "character_noise" in names
    assert "synonym_replacement" not in names


def test_a_whole_search_without_wordnet_tells_it_in_its_notes(file, nowhere):
    found = tauten.search(file, target="label", text="note", trials=3, setting={"epochs": 1, "width": 8})
    assert any(INSTALL in note for note in found.evidence["warnings"])


def test_where_no_word_has_a_synonym_that_is_said(table, tmp_path):
    other = tmp_path / "german.csv"
    other.write_text("schön,hübsch\n")
    with pytest.raises(OptionError, match=r"no word of .*notes.csv has one; give a CSV"):
        for_search(table, Options(trials=3, synonyms=str(other)), built_in=True)


def test_what_was_asked_for_by_name_is_refused_in_one_sentence(file, nowhere, tmp_path):
    asked = ["search", file, "--text", "note", "--target", "label", "--trials", "3"]
    for extra in (["--techniques", "random_insertion"], ["--sampler", "grid", "--grid", "random_insertion.p=0.1,0.2"]):
        refused(tmp_path, INSTALL, *asked, *extra)
    refused(tmp_path, "expected a CSV of word,synonym", *asked, "--synonyms", tmp_path / "none.csv")
    told = "'random_swap' can't act on the net bag, only on bigrams or kim"
    refused(tmp_path, told, *asked, "--techniques", "random_swap", "--net", "bag")
    refused(tmp_path, "wine has no text; leave synonyms out", "search", "wine", "--trials", "3", "--synonyms", file)


def test_a_recipe_that_needs_synonyms_takes_them_from_a_persons_table(file, own, nowhere, tmp_path):
    recipe("synonym_replacement").with_setting(epochs=2, width=8).save(tmp_path / "mine.toml")
    asked = [
        "compare",
        file,
        "--text",
        "note",
        "--target",
        "label",
        "--recipe",
        tmp_path / "mine.toml",
        "--recipe",
        "plain",
    ]
    refused(tmp_path, INSTALL, *asked)
    code, text = run(*asked, "--synonyms", own, "--threads", "1", "--folds", "2")
    assert code == 0, text


def test_swaps_are_searched_over_where_the_network_sees_order():
    for net, there in (("kim", True), ("bigrams", True), ("bag", False), ("auto", True)):
        kinds = Options(trials=3, setting={"net": net}).kinds("classification", True, "text")
        assert (technique("random_swap") in kinds) == there
    assert technique("random_swap") in Options(trials=3).kinds("classification", False, "text"), (
        "a person's own network"
    )


SMALL = {"target": "label", "text": "note", "trials": 3, "setting": {"epochs": 1, "width": 4}, "threads": 1, "folds": 2}


def test_a_run_is_not_gone_on_with_where_synonyms_have_come_gone_or_changed(file, tmp_path, monkeypatch):
    there, other = (tmp_path / name for name in ("wordnet", "other"))
    database.write(there)
    synsets = [("n", "cinema film flick", None), *database.SYNSETS[1:]]
    database.write(other, synsets, {**database.TAGS, ("n", "cinema"): (26,), ("n", "movie"): ()})
    without, beside = tmp_path / "without", tmp_path / "beside"
    monkeypatch.setenv("WNSEARCHDIR", str(tmp_path))
    tauten.search(file, **SMALL, out=without)
    monkeypatch.setenv("WNSEARCHDIR", str(there))
    tauten.search(file, **SMALL, out=beside)
    with pytest.raises(OptionError, match=r"begun without synonyms and .*notes\.csv has some now; start anew in"):
        tauten.resume(without)
    monkeypatch.setenv("WNSEARCHDIR", str(other))
    with pytest.raises(OptionError, match=r"begun with other synonyms than are found; bring back the WordNet"):
        tauten.resume(beside)
    monkeypatch.setenv("WNSEARCHDIR", str(tmp_path))
    code, text = run("resume", beside)
    assert (code, text) == (2, "error: the run was begun with synonyms and none are found; bring back the WordNet or "
        "the file of synonyms as it was, or start anew.")  # fmt: skip


def test_a_run_with_a_table_of_ones_own_goes_on_with_that_table_alone(file, own, tmp_path):
    tauten.search(file, **SMALL, synonyms=own, techniques="synonym_replacement", out=tmp_path / "run")
    first = (tmp_path / "run" / "result.json").read_text()
    tauten.resume(tmp_path / "run")
    assert (tmp_path / "run" / "result.json").read_text() == first
    Path(own).write_text("film,movie\n")
    with pytest.raises(OptionError, match="begun with other synonyms than are found"):
        tauten.resume(tmp_path / "run")
    Path(own).unlink()
    with pytest.raises(OptionError, match=r"no synonyms for 'synonym_replacement': no '.*own\.csv'"):
        tauten.resume(tmp_path / "run")
