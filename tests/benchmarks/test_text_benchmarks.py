"""The benchmark of text: who is given what, EDA's copies, TF-IDF, and what is said of the figures."""

import doctest
import random
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
sys.path.append(str(Path(__file__).parents[1] / "text"))

import record
import text_contenders
import text_data
import text_eda
import text_figures
from database import write
from text_data import Problem

import text
from tauten.setting import Setting
from tauten.technique import technique

SMALL = Setting(width=8, depth=1, epochs=20, batch_size=32, learning_rate=0.03)
GOOD, BAD = ("lovely", "bright", "warm"), ("dull", "grim", "cold")


def written(r, good, pool=("the", "film", "was", "of", "a", "day")):
    own = GOOD if good else BAD
    return " ".join([*r.choices(pool, k=5), r.choice(own), r.choice(own)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path, r = tmp_path_factory.mktemp("texts"), random.Random(0)
    lines = {
        "sst2/stsa.binary.train": [f"{k % 2} {written(r, k % 2)}" for k in range(600)] + ["1 only in train café"],
        "sst2/stsa.binary.test": [f"{k % 2} {written(r, k % 2)}" for k in range(80)] + ["1 only in train café"],
        "trec/TREC.train.all": [f"{k % 2} {written(r, k % 2)}" for k in range(60)] + ["0 Was Andr\xe1s dull ?"],
        "trec/TREC.test.all": [f"{k % 2} {written(r, k % 2)}" for k in range(10)],
        text_data.SMS: ["Label\tSMS"]
        + [f"{'spam' if k % 5 == 0 else 'ham'}\t{k} {written(r, k % 5 == 0)}" for k in range(200)],
    }
    for name, own in lines.items():
        file = path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes("\n".join(own).encode("latin-1" if "trec" in name else "utf-8"))
    return path


@pytest.fixture(scope="module")
def problem(folder):
    return Problem.of("sst2", "500", folder)


@pytest.fixture
def wordnet(tmp_path, monkeypatch):
    monkeypatch.setenv("WNSEARCHDIR", str(write(tmp_path / "dict")))


@pytest.mark.parametrize("module", [text, text_eda])
def test_examples_in_docstrings(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def test_the_draw_is_stratified_and_no_training_text_stands_in_the_test_part(folder, problem):
    assert len(problem.train) == 500
    assert abs((problem.train["label"] == "1").mean() - 0.5) < 0.05
    whole = Problem.of("sst2", "all", folder)
    assert "only in train café" in set(whole.test["text"])
    assert not set(whole.train["text"]) & set(whole.test["text"])
    assert set(problem.train["text"]) <= set(whole.train["text"])
    pd.testing.assert_frame_equal(Problem.of("sst2", "500", folder).train, problem.train)


def test_spam_has_a_stratified_fifth_as_its_test(folder):
    problem = Problem.of("sms", "all", folder)
    assert len(problem.train) == 160
    assert Counter(problem.test["label"]) == {"ham": 32, "spam": 8}
    assert [own.name for own in problem.metrics] == ["f1", "accuracy"]


def test_shares_in_a_metric_add_up_to_scikit_learns(folder):
    problem = Problem.of("sms", "all", folder)
    truth = problem.test["label"].to_numpy(dtype=str)
    answers = np.where(np.arange(len(truth)) % 3 == 0, "spam", truth)
    f1, accuracy = (1 - problem.contributions(problem.one_hot(answers), own).mean() for own in problem.metrics)
    assert f1 == pytest.approx(f1_score(truth, answers, pos_label="spam"))
    assert accuracy == pytest.approx(accuracy_score(truth, answers))


class Synonyms:
    def of(self, word):
        return {"film": ("movie", "moving picture"), "was": ("existed",)}.get(word, ())


WORDS = ["the", "film", "was", "a", "film", "of", "note"]


def test_synonyms_replace_a_word_wherever_it_stands_but_no_stop_word():
    out = text_eda.replaced(WORDS, 3, 0.1, Synonyms(), random.Random(0))
    assert [b for a, b in zip(WORDS, out, strict=True) if a != b] in (["movie"] * 2, ["moving picture"] * 2)


def test_insertion_adds_so_many_synonyms_and_keeps_the_order():
    out = text_eda.inserted(WORDS, 2, 0.1, Synonyms(), random.Random(0))
    added = Counter(out) - Counter(WORDS)
    assert added.total() == 2
    assert set(added) <= {"movie", "moving picture", "existed"}
    assert [word for word in out if word in WORDS] == WORDS
    assert text_eda.inserted(["note"], 2, 0.1, Synonyms(), random.Random(0)) == ["note"]


def test_swaps_keep_the_words_and_deletion_leaves_one():
    r = random.Random(0)
    out = text_eda.swapped(WORDS, 1, 0.1, Synonyms(), r)
    assert Counter(out) == Counter(WORDS)
    assert sum(a != b for a, b in zip(WORDS, out, strict=True)) == 2
    assert text_eda.swapped(["note"], 1, 0.1, Synonyms(), r) == ["note"]
    assert len(text_eda.deleted(WORDS, 1, 1.0, Synonyms(), r)) == 1
    lengths = [len(text_eda.deleted(["a"] * 100, 1, 0.1, Synonyms(), r)) for _ in range(200)]
    assert np.mean(lengths) == pytest.approx(90, abs=1)


def test_synonyms_are_those_of_any_sense(wordnet):
    source = text_eda._Senses()
    assert set(source.of("film")) >= {"movie", "picture", "moving picture"}
    assert "movie" in source.of("movies")
    assert source.of("the") == ()


def test_copies_stand_behind_the_texts_with_their_labels(problem, wordnet):
    few = problem.train[:20]
    larger = text_eda.augmented(few, 0.1, 8)
    assert len(larger) == 20 * 9
    pd.testing.assert_frame_equal(larger[:20][["text", "label"]], few[["text", "label"]])
    assert larger["label"].tolist() == few["label"].tolist() * 9
    assert larger.equals(text_eda.augmented(few, 0.1, 8))


def test_tfidf_is_tuned_and_its_answers_are_kept(problem, monkeypatch):
    monkeypatch.setattr(text_contenders, "GRID", {**text_contenders.GRID, "fit__C": [1.0, 10.0]})
    told = text_contenders.tfidf(problem, 1)
    answers = problem.classes[[int(digit) for digit in told["answers"]]]
    assert told["figures"]["accuracy"]["mean"] == pytest.approx(
        accuracy_score(problem.test["label"].to_numpy(dtype=str), answers), abs=1e-5
    )
    assert told["figures"]["accuracy"]["mean"] > 0.95
    assert set(told["chosen"]) == {"ngram_range", "token_pattern", "C"}


def test_every_recipe_is_trained_with_the_same_seeds(problem, wordnet, monkeypatch):
    monkeypatch.setattr(text_contenders, "of_text", lambda: ["word_dropout"])
    told = {"techniques": {}, "setting": SMALL.to_dict(), "epochs_trained": 20}
    decayed = {**told, "techniques": {"weight_decay": {"strength": 0.01}}}
    small = Problem("sst2", problem.train[:60], problem.test)
    searched = {"arms": {"plain": told, "usual": decayed, "chosen": told}}
    right = "".join(str(int(label)) for label in problem.test["label"])
    found = text_contenders.arms(small, searched, right, 2)
    assert list(found["arms"]) == ["plain", "usual", "chosen", "word_dropout", "EDA", "EDA, as many steps"]
    assert found["eda"] == {"alpha": 0.05, "copies": 16}
    figures = {name: own["figures"]["accuracy"] for name, own in found["arms"].items()}
    assert figures["chosen"] == figures["plain"]
    assert figures["plain"]["mean"] > 0.9
    assert found["chosen_over"]["plain"]["mean"] == 0
    assert found["chosen_over"]["tfidf"]["mean"] == pytest.approx(figures["chosen"]["mean"] - 1, abs=2e-5)
    assert found["arms"]["EDA"]["over_plain"]["mean"] == pytest.approx(
        figures["EDA"]["mean"] - figures["plain"]["mean"], abs=2e-5
    )


def test_techniques_of_text_are_found():
    assert "word_dropout" in text_contenders.of_text()
    assert all(technique(name).data == ("text",) for name in text_contenders.of_text())


def test_a_part_without_the_steps_before_it_says_so(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(record, "FIGURES", tmp_path)
    given = text.arguments(["part", "--part", "sms_all_arms", "--texts", str(folder), "--into", "x"])
    with pytest.raises(SystemExit, match="sms_all_arms needs tfidf and search of sms_all"):
        text.run_part(given)


def gain(mean, p=0.5, wide=0.01):
    return {"mean": mean, "low": mean - wide, "high": mean + wide, "p": p}


def finished(single=(0.0, 0.5), plain=0.02, eda=0.01, linear=0.0):
    """One problem's figures: a technique's gain and p, and chosen over plain, EDA and TF-IDF."""
    score = {"accuracy": {"seeds": [0.8], "mean": 0.8, "low": 0.79, "high": 0.81}}
    arm = {"seconds": 2.0, "figures": score, "over_plain": gain(0.0)}
    names = ["plain", "usual", "chosen", "word_dropout", "EDA", "EDA, as many steps"]
    arms = dict.fromkeys(names, arm) | {"word_dropout": {**arm, "over_plain": gain(*single)}}
    over = {"plain": gain(plain), "EDA": gain(eda), "EDA, as many steps": gain(0.0), "tfidf": gain(linear)}
    told = {"techniques": {"word_dropout": {"p": 0.2}}, "setting": SMALL.to_dict(), "epochs_trained": 7}
    return {
        "tfidf": {"seconds": 3.0, "chosen": {"ngram_range": [1, 2], "C": 10.0}, "figures": score},
        "search": {"budget": 180.0, "seconds": 170.0, "trials": 9, "verdict": "likely", "arms": {"chosen": told}},
        "arms": {"seeds": 10, "eda": {"alpha": 0.05, "copies": 16}, "arms": arms, "chosen_over": over},
    }


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({}, "beyond chance (Holm over the techniques of a line): none does, so nothing is asked."),
        ({"single": (0.02, 0.001)}, "**met**. TREC, 2,000: word dropout; chosen +2.0 (+1.0 to +3.0)."),
        ({"single": (0.02, 0.001), "plain": 0.005}, "**missed**. TREC, 2,000: word dropout; chosen +0.5"),
        ({"single": (-0.02, 0.001), "plain": 0.005}, "none does, so nothing is asked."),
        ({}, "never worse than EDA's fixed setting beyond chance: **met**."),
        ({"eda": -0.005}, "never worse than EDA's fixed setting beyond chance: **met**."),
        ({"eda": -0.02}, "beyond chance: **missed, TREC, 2,000 (EDA: -2.0 (-3.0 to -1.0))**."),
        ({"linear": -0.01}, "or is better: **met**. TREC, 2,000: -1.0 (-2.0 to +0.0)."),
        ({"linear": -0.011}, "or is better: **missed, TREC, 2,000 (-1.1 (-2.1 to -0.1))**."),
    ],
)
def test_targets_are_told_by_the_figures(figures, said):
    assert said in "\n".join(text_figures.targets({("trec", "2000"): finished(**figures)}))


def test_the_section_holds_what_is_finished(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "FIGURES", tmp_path)
    assert text_figures.section() == ""
    for step, own in finished(single=(0.02, 0.001)).items():
        record.save("text", f"trec_2000_{step}", own)
    record.save("text", "sms_all_tfidf", finished()["tfidf"])
    told = text_figures.section()
    assert "| TREC, 2,000 | accuracy | 80.0 (79.0 to 81.0) |" in told
    assert "| word dropout | **+2.0 (+1.0 to +3.0)** | 1.0 |" in told
    assert "word dropout 0.2; auto, learning rate 0.03, constant, 7 epochs of batches of 32; 9 recipes raced." in told
    assert "17 times the steps" in told
    assert "Not run yet: sst2_500, sst2_2000, sst2_all, trec_500, trec_all, sms_500, sms_2000, sms_all." in told
