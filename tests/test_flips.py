"""Changed texts that plain's network takes for another class are found, counted and shown as they are."""

import numpy as np
import pandas as pd
import pytest

import tauten
from tauten.data import load
from tauten.flips import SHOWN, STEPS, flips
from tauten.folds import Development
from tauten.recipe import Recipe
from tauten.report.wordings import wordings
from tauten.split import SelectionPlan
from tauten.techniques.back_translation import BackTranslation
from tauten.techniques.label_smoothing import LabelSmoothing
from tauten.techniques.word_dropout import WordDropout

OTHER = {"good": "bad", "fine": "good", "bad": "good"}
RECIPE = Recipe((BackTranslation(p=1.0), LabelSmoothing()))


def turned(text):
    """The text with its judgement turned round; texts of days stay as they are."""
    return text if "day" in text else " ".join(OTHER.get(word, word) for word in text.split())


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    word = rng.choice(["good", "fine", "bad"], 60)
    text = [f"a {own} {rng.choice(['film', 'book', 'day'])}" for own in word]
    label = np.where((word == "bad") == (np.arange(60) % 10 > 0), "no", "yes")  # a tenth of them wrong
    return pd.DataFrame({"text": text, "label": label})


@pytest.fixture(scope="module")
def plain(frame):
    """Plain's network, trained on all rows until it knows most of them."""
    setting = {"epochs": 20, "width": 8, "depth": 1, "learning_rate": 0.02}
    options = {"text": "text", "target": "label", "folds": 2, "threads": 1, "back_translate": "spa"}
    back = [lambda sentences, source, target: sentences, lambda sentences, source, target: map(turned, sentences)]
    found = tauten.compare(
        frame,
        recipes={"plain": Recipe((), tauten.Setting.from_dict(setting))},
        translator=lambda sentences, source, target: back[source != "eng"](sentences, source, target),
        deliver=True,
        **options,
    )
    return found.models["plain"]


@pytest.fixture(scope="module")
def found(frame, plain):
    table = load(frame, "label", text="text").translated([[[turned(text) for text in frame.text]]])
    whole = Development.of(table, SelectionPlan(2, 1)).whole()
    return flips({"plain": (plain,)}, whole, table, RECIPE, 0)


def test_they_are_those_that_the_delivered_model_takes_otherwise(frame, plain, found):
    new = frame.assign(text=frame.text.map(turned))
    right = plain.predict(frame) == frame.label.to_numpy()
    other = plain.predict(new) != frame.label.to_numpy()
    moved = (new.text != frame.text).to_numpy()
    assert 10 < (right & other).sum() < (right & moved).sum() < moved.sum(), "each of the conditions counts"
    assert found["flipped"] == STEPS * (right & other).sum()
    assert found["changed"] == STEPS * (right & moved).sum()
    assert found["techniques"] == ["back_translation"], "what changes labels alone has no part"


def test_examples_are_told_with_what_the_network_says(plain, found):
    assert len(found["examples"]) == SHOWN
    classes = list(plain.classes)
    falls = []
    for own in found["examples"]:
        before, after = (own[side]["text"] for side in ("before", "after"))
        assert after == turned(before) != before
        said = plain.predict_proba(pd.DataFrame({"text": [before, after]}))
        for side, row in zip(("before", "after"), said, strict=True):
            assert own[side]["class"] == classes[row.argmax()]
            assert own[side]["probability"] == pytest.approx(row.max(), abs=1e-4)
        assert own["before"]["class"] == own["label"] != own["after"]["class"]
        label = classes.index(own["label"])
        falls.append(said[0, label] - said[1, label])
    assert (np.diff(falls) < 1e-6).all()


def test_the_report_marks_what_is_new(found):
    told = wordings({"flips": found})
    share = 100 * found["flipped"] / found["changed"]
    assert told["count"].startswith(
        f"Of {found['changed']:,} texts that back_translation changed, {found['flipped']:,} ({share:.1f} %) are another"
    )
    runs = told["examples"][0]["sides"][1]["runs"]
    assert next(words for words, new in runs if new) in ("good", "bad")
    assert wordings({}) == {"translations": [], "count": "", "examples": []}


def test_there_are_none_without_techniques_on_words_or_without_classes(frame, plain):
    table = load(frame, "label", text="text")
    whole = Development.of(table, SelectionPlan(2, 1)).whole()
    assert flips({"plain": (plain,)}, whole, table, Recipe((LabelSmoothing(),)), 0) is None
    numbers = load(frame.assign(label=np.arange(60.0)), "label", text="text")
    whole = Development.of(numbers, SelectionPlan(2, 1)).whole()
    assert flips({"plain": (plain,)}, whole, numbers, Recipe((WordDropout(),)), 0) is None
