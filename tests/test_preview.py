"""The contact sheet shows what training sees."""

import numpy as np
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
from tauten.techniques.dropout import Dropout
from tauten.techniques.flip import Flip
from tauten.techniques.mixup import Mixup
from tauten.techniques.rotation import Rotation
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
