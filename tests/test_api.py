"""The Python doors: compare, and a search over a network of the user's own."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from torch import nn

import tauten
from tauten.errors import ModelError, OptionError, RecipeError
from tauten.techniques.batch_norm import BatchNorm
from tauten.techniques.dropout import Dropout
from tauten.techniques.early_stopping import EarlyStopping

SETTING = tauten.Setting(epochs=4, width=8, depth=1, batch_size=32)


class Net(nn.Module):
    """A module with functional activations and batch norm, as people write them."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(4, 12), nn.BatchNorm1d(12), nn.Linear(12, 3)

    def forward(self, x):
        return self.last(torch.relu(self.norm(self.first(x))))


def test_compare_pairs_recipes_and_finds_no_difference_between_equals():
    X, y = load_iris(return_X_y=True)
    twin = tauten.Recipe((Dropout(p=0.3),), SETTING)
    recipes = {"a": twin, "b": twin, "plain": tauten.Recipe((), SETTING)}
    figures = tauten.compare(X, y, recipes=recipes, threads=1).to_json()
    a, b = figures["differences"]["a"], figures["differences"]["b"]
    assert a == b
    assert a["over"] == "plain"
    assert a["mean"] != 0
    del recipes["plain"]
    same = tauten.compare(X, y, recipes=recipes, threads=1).to_json()["differences"]["b"]
    assert (same["mean"], same["verdict"], same["over"]) == (0, "no evidence", "a")
    assert figures["recipes"]["a"]["scores"] == figures["recipes"]["b"]["scores"]


def test_early_stopping_stops_before_the_end_and_never_past_it():
    X, y = load_iris(return_X_y=True)
    flipped = np.random.default_rng(0).permutation(y)
    setting = tauten.Setting(epochs=30, width=64, depth=1, batch_size=16, learning_rate=0.01)
    recipes = {"stopped": tauten.Recipe((EarlyStopping(patience=3),), setting), "full": tauten.Recipe((), setting)}
    figures = tauten.compare(X, flipped, recipes=recipes, threads=1).to_json()
    assert figures["recipes"]["stopped"]["epochs_trained"] < 15
    assert figures["recipes"]["full"]["epochs_trained"] == 30


def test_search_over_a_module_of_the_users_own(tmp_path):
    X, y = load_iris(return_X_y=True)
    options = {"trials": 5, "setting": {"epochs": 3}, "threads": 1, "techniques": "dropout,weight_decay,mixup"}
    result = tauten.search(X, y, model=Net, out=tmp_path / "run", **options)
    assert result.evidence["recipe"].keys() <= {"dropout", "weight_decay", "mixup", "early_stopping"}
    proba = result.model.predict_proba(X)
    assert proba.shape == (150, 3)
    module = result.model.module(X)
    with torch.no_grad():
        plainly = torch.softmax(module(torch.from_numpy(result.model.preprocessor.transform(X))).double(), -1)
    assert np.allclose(plainly, proba, atol=1e-6)
    again = tauten.search(X, y, model=Net, **options)
    assert np.array_equal(again.model.predict_proba(X), proba)
    from tauten.model import Model

    assert np.array_equal(Model.load(tmp_path / "run", Net).predict_proba(X), proba)


def test_frozen_weights_stay_and_are_delivered():
    X, y = load_iris(return_X_y=True)

    def build():
        net = Net()
        net.first.requires_grad_(False)
        return net

    result = tauten.search(X, y, model=build, trials=3, setting={"epochs": 2}, threads=1, techniques="dropout")
    delivered = result.model.delivered
    assert "first.weight" in delivered.buffers
    assert "last.weight" in delivered.w
    assert torch.equal(result.model.module(X).first.weight, delivered.buffers["first.weight"])


def test_a_model_file_is_searched_from_the_command_line(tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef build():\n    return nn.Sequential(nn.Linear(13, 8), nn.ReLU(), nn.Linear(8, 3))\n"
    )
    result = tauten.search("wine", model=f"{tmp_path}/net.py:build", trials=3, setting={"epochs": 2}, threads=1)
    assert result.evidence["verdict"]["name"] in ("proved", "likely", "no evidence")


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: nn.Linear(4, 2), OptionError, "2 outputs"),
        (lambda: nn.Linear(5, 3), ModelError, "batch of shape"),
        (lambda: "no module", ModelError, "must return"),
        (lambda: nn.Sequential(nn.Linear(4, 8), nn.AlphaDropout(0.5), nn.Linear(8, 3)), ModelError, "AlphaDropout"),
    ],
)
def test_a_module_that_does_not_fit_is_refused(build, error, words):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(error, match=words):
        tauten.search(X, y, model=build, trials=3)


def test_a_structural_technique_cannot_be_grafted():
    X, y = load_iris(return_X_y=True)
    recipe = tauten.Recipe((BatchNorm(),), SETTING)
    with pytest.raises(RecipeError, match="batch_norm"):
        tauten.compare(X, y, recipes={"a": recipe, "b": recipe}, model=Net, threads=1)
