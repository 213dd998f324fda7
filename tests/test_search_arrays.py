"""Images and sequences through a whole search, with networks of one's own."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import tauten
from tauten.errors import ModelError, OptionError
from tauten.model import Model

DIGITS = load_digits()
ROWS = slice(0, 300)
IMAGES, LABELS = DIGITS.images[ROWS, None], DIGITS.target[ROWS] % 3
OPTIONS = {"trials": 4, "setting": {"epochs": 2, "batch_size": 64}, "threads": 1, "folds": 2, "techniques": "dropout"}


def convnet():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.25), nn.Linear(36, 3)
    )


class Recurrent(nn.Module):
    """Reads an image line by line."""

    def __init__(self):
        super().__init__()
        self.rnn, self.drop, self.last = nn.LSTM(8, 6, batch_first=True), nn.Dropout(0.5), nn.Linear(6, 3)

    def forward(self, x):
        return self.last(self.drop(self.rnn(x)[0][:, -1]))


def test_images_are_searched_saved_and_predicted(tmp_path):
    result = tauten.search(IMAGES, LABELS, model=convnet, out=tmp_path / "run", **OPTIONS)
    proba = result.model.predict_proba(IMAGES)
    assert proba.shape == (300, 3)
    again = Model.load(tmp_path / "run", convnet)
    assert np.array_equal(again.predict_proba(torch.from_numpy(IMAGES)), proba)
    module = result.model.module(IMAGES)
    with torch.no_grad():
        plainly = torch.softmax(module(torch.from_numpy(again.preprocessor.transform(IMAGES))).double(), -1)
    assert np.allclose(plainly, proba, atol=1e-6)
    resumed = tauten.resume(tmp_path / "run", IMAGES, LABELS, model=convnet)
    assert resumed.evidence["recipe"] == result.evidence["recipe"]
    assert np.array_equal(resumed.model.predict_proba(IMAGES), proba)
    # The network's own rate is tried before anything is searched.
    assert {"p": 0.25, "form": "inverted"} in [trial["techniques"].get("dropout") for trial in result.evidence["race"]]


def test_what_cannot_be_stacked_is_searched_one_at_a_time_and_says_so():
    result = tauten.search(torch.from_numpy(IMAGES[:, 0]), torch.from_numpy(LABELS), model=Recurrent, **OPTIONS)
    said = [note for note in result.evidence["warnings"] if "can't be stacked" in note]
    assert len(said) == 1
    assert "layer 'rnn', LSTM(8, 6, batch_first=True)" in said[0]
    assert result.model.predict(IMAGES[:5, 0]).shape == (5,)


def test_recipes_are_compared_on_images():
    recipes = {"own": tauten.Recipe(), "dropout": tauten.Recipe.loads("[techniques.dropout]\np = 0.5\n")}
    found = tauten.compare(IMAGES, LABELS, recipes=recipes, model=convnet, threads=1, folds=2).to_json()
    assert set(found["recipes"]) == {"own", "dropout"}


def test_images_without_a_network_of_ones_own_train_on_the_convnet(tmp_path):
    options = {**OPTIONS, "setting": {**OPTIONS["setting"], "width": 8, "depth": 0}}
    result = tauten.search(IMAGES, LABELS, out=tmp_path / "run", **{**options, "techniques": "rotation,dropout"})
    assert result.evidence["chosen"]["setting"]["net"] == "auto"
    again = Model.load(tmp_path / "run")
    assert again.delivered.w["stage0.0.weight"].shape == (2, 1, 3, 3)
    np.testing.assert_array_equal(again.predict_proba(IMAGES[:9]), result.model.predict_proba(IMAGES[:9]))


def test_rows_of_two_axes_are_neither_a_table_nor_images():
    with pytest.raises(OptionError, match=r"X has shape \(300, 8, 8\).*; give model="):
        tauten.search(IMAGES[:, 0], LABELS, trials=3, threads=1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model": convnet, "groups": "x0"}, OptionError, r"groups is 'x0' and X has shape \(300, 1, 8, 8\)"),
        ({"model": Recurrent}, ModelError, r"can't take a batch of shape \(2, 1, 8, 8\) \(layer 'rnn', LSTM"),
    ],
)
def test_what_does_not_fit_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        tauten.search(IMAGES, LABELS, trials=3, threads=1, **options)
