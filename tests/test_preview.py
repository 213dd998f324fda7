"""The contact sheet shows what training sees."""

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.image import imread
from sklearn.datasets import load_digits

from tauten.data import Layout, of_arrays
from tauten.draws import Draws
from tauten.errors import OptionError
from tauten.imaging import resample
from tauten.preview import views
from tauten.recipe import Recipe
from tauten.techniques.back_translation import BackTranslation
from tauten.techniques.dropout import Dropout
from tauten.techniques.flip import Flip
from tauten.techniques.mixup import Mixup
from tauten.techniques.rotation import Rotation
from tauten.techniques.word_dropout import WordDropout
from tauten.text.words import tokens
from test_cli import refused, run

DIGITS = load_digits()
IMAGES, LABELS = DIGITS.images[:100, None], DIGITS.target[:100]


def test_views_are_the_images_changed_in_their_own_units():
    sheet = views(IMAGES, LABELS, recipe=Recipe((Flip(p=0.5),)), rows=6, count=12)
    for view in sheet.changed:
        for seen, original in zip(view, sheet.originals, strict=True):
            errors = [np.abs(seen - way).max() for way in (original, original[..., ::-1])]
            assert min(errors) < 1e-4
    flipped = np.abs(sheet.changed - sheet.originals).max((2, 3, 4)) > 1
    assert 0.2 < flipped.mean() < 0.8
    assert not (flipped == flipped[:1]).all(), "each step draws anew"


def test_each_class_comes_in_turn():
    sheet = views(IMAGES, LABELS, recipe=Recipe((Rotation(),)), rows=10, count=1)
    assert sorted(sheet.labels) == [str(digit) for digit in range(10)]
    assert len(views(IMAGES, LABELS, recipe=Recipe((Rotation(),)), rows=13, count=1).labels) == 13


def test_mixed_labels_are_told_and_no_rotation_by_zero_changes_anything():
    sheet = views(IMAGES, LABELS, recipe=Recipe((Mixup(alpha=5.0), Rotation(degrees=0.0))), rows=10, count=2)
    told = [word for own in sheet.changed_labels for word in own]
    assert any(len(word.split()) == 4 for word in told)
    alone = views(IMAGES, LABELS, recipe=Recipe((Rotation(degrees=0.0),)), rows=10, count=2)
    np.testing.assert_allclose(alone.changed, np.stack([alone.originals] * 2), atol=1e-4)
    assert alone.changed_labels == [alone.labels] * 2


def test_it_is_what_a_member_of_this_seed_trains_on():
    sheet = views(IMAGES, LABELS, recipe=Recipe((Rotation(degrees=30.0),)), rows=4, count=2, seed=5)
    table = of_arrays(IMAGES, LABELS)
    learnt = table.learnt(np.arange(100), Layout(()))
    x = torch.from_numpy(learnt.transform(sheet.originals))
    technique = Rotation(degrees=30.0).with_values({"degrees": torch.tensor(30.0)})
    for view in (0, 1):
        draws = Draws(torch.tensor(5), torch.tensor(view), "step")
        want = resample(x, technique.warp(x, draws.at("rotation/warp"))).numpy() * learnt.std[0] + learnt.mean[0]
        np.testing.assert_allclose(sheet.changed[view], want, atol=1e-4)


def test_the_command_draws_a_picture(tmp_path):
    np.savez(tmp_path / "digits.npz", X=IMAGES, y=LABELS)
    Recipe((Rotation(), Mixup())).save(tmp_path / "recipe.toml")
    words = ["preview", str(tmp_path / "digits.npz"), "--recipe", str(tmp_path / "recipe.toml"), "--rows", "3"]
    code, text = run(*words, "--views", "2", "--out", str(tmp_path / "sheet.png"))
    assert code == 0, text
    assert imread(tmp_path / "sheet.png").std() > 0.1


@pytest.mark.parametrize(
    ("source", "recipe", "word"),
    [
        ("wine", Recipe((Rotation(),)), "wine holds no images"),
        ("digits.npz", Recipe((Dropout(),)), "the recipe has dropout, which leaves images as they are"),
        ("digits.npz", Recipe(), "the recipe has no technique"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(source, recipe, word, tmp_path, monkeypatch):
    np.savez(tmp_path / "digits.npz", X=IMAGES, y=LABELS)
    recipe.save(tmp_path / "recipe.toml")
    monkeypatch.chdir(tmp_path)
    refused(tmp_path, word, "preview", source, "--recipe", "recipe.toml")
    with pytest.raises(OptionError, match="both must be 1 or more"):
        views(IMAGES, LABELS, recipe=Recipe((Rotation(),)), rows=0)


@pytest.fixture
def letters(tmp_path):
    rows = [(f"Dear Ann, this is <b>letter</b> {i}, {word}!", word) for i, word in enumerate(["love", "hate"] * 8)]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(tmp_path / "letters.csv", index=False)
    return tmp_path / "letters.csv"


def backwards(sentences, source, target):
    """Turns the order of words, on the way there alone."""
    return [" ".join(reversed(s.split())) if source == "eng" else s for s in sentences]


def test_texts_are_shown_in_their_words_beside_what_training_sees(letters):
    recipe = Recipe((BackTranslation(p=1.0),))
    asked = {"text": "text", "target": "label", "back_translate": "spa", "translator": backwards}
    sheet = views(letters, recipe=recipe, rows=4, count=2, **asked)
    written = pd.read_csv(letters).text[:4]
    assert sheet.originals == [tokens(text) for text in written]
    assert sheet.changed == [[tokens(" ".join(reversed(text.split()))) for text in written]] * 2
    assert sheet.labels == ["love", "hate", "love", "hate"]
    assert str(sheet).splitlines()[0].startswith("love: dear ann , this is < b > letter")


def test_words_left_out_are_those_that_a_member_of_this_seed_leaves_out(letters):
    recipe = Recipe((WordDropout(p=0.5),))
    sheet = views(letters, recipe=recipe, rows=2, count=3, seed=4, text="text", target="label")
    length = 24  # of 18 tokens, rounded up
    for step, view in enumerate(sheet.changed):
        draws = Draws(torch.tensor(4), torch.tensor(step), "step").at("word_dropout/batch")
        kept = (draws.uniform(torch.zeros(2, 1, length)) >= 0.5)[:, 0].numpy()
        for words, original, own in zip(view, sheet.originals, kept, strict=True):
            assert words == [word for word, stays in zip(original, own, strict=False) if stays]


def test_the_command_prints_texts_and_writes_a_page(letters, tmp_path):
    Recipe((WordDropout(p=0.9),)).save(tmp_path / "recipe.toml")
    words = ["preview", str(letters), "--text", "text", "--target", "label", "--recipe", str(tmp_path / "recipe.toml")]
    code, text = run(*words, "--rows", "2", "--views", "2")
    assert code == 0, text
    assert len(text.splitlines()) == 6
    assert text.startswith("love: dear ann")
    assert "\n  → " in text
    for name in ("sheet.html", "sheet.txt"):
        code, text = run(*words, "--rows", "2", "--out", str(tmp_path / "deep" / name))
        assert code == 0, text
    assert "&lt; b &gt;" in (tmp_path / "deep" / "sheet.html").read_text()
    assert (tmp_path / "deep" / "sheet.txt").read_text().startswith("love: dear ann")
    refused(tmp_path, "texts are written as .html or .txt", *words, "--out", str(tmp_path / "more" / "sheet.png"))
    Recipe((BackTranslation(),)).save(tmp_path / "back.toml")
    refused(tmp_path, "--back-translate spa makes them", *words[:-1], str(tmp_path / "back.toml"))
