import numpy as np
import pytest
import torch
from torch import nn

from tauten.builder import Builder
from tauten.data import of_arrays
from tauten.errors import OptionError, RecipeError
from tauten.options import Options
from tauten.recipe import Recipe
from tauten.searching import prepare
from tauten.technique import techniques
from tauten.techniques.label_smoothing import LabelSmoothing
from tauten.techniques.rotation import Rotation
from tauten.testing import problem, small_setting

PICTURES, WORDS = ({n for n, kind in techniques().items() if kind.data == (data,)} for data in ("images", "text"))


def test_each_kind_of_data_is_offered_what_is_for_it():
    options, offered = Options(trials=3), {}
    for data in ("tables", "images", "text"):
        offered[data] = {k.name for k in options.kinds("classification", True, data)}
    tables = offered["tables"]
    assert {"rotation", "cutmix", "flip"} <= PICTURES
    assert "word_dropout" in WORDS
    assert offered["images"] == set(techniques()) - WORDS
    assert tables == offered["images"] - PICTURES
    numbers, layered = {"input_noise", "mixup"}, {"batch_norm"}
    assert offered["text"] == (tables | WORDS) - numbers - layered, "ids bear no arithmetic, and no layer is hidden"
    deep = Options(trials=3, setting={"depth": 1, "net": "bag"}).kinds("classification", True, "text")
    assert {k.name for k in deep} == (offered["text"] | layered) - {"random_swap"}, "a bag sees no order"
    assert {k.name for k in options.kinds("classification", True)} == tables


def test_asked_for_on_a_table_it_is_refused_in_one_sentence():
    options = Options(trials=3, techniques=("dropout", "rotation"))
    with pytest.raises(OptionError) as refused:
        options.kinds("classification", True, "tables")
    assert str(refused.value) == (
        "technique 'rotation' is for images and these are tables; leave it out of --techniques."
    )
    assert [k.name for k in options.kinds("classification", True, "images")] == ["dropout", "rotation"]


@pytest.mark.parametrize(
    ("technique", "task", "data", "words"),
    [
        (
            Rotation(),
            "classification",
            "tables",
            "rotation is for images and these are tables; leave it out of the recipe.",
        ),
        (LabelSmoothing(), "regression", "images", "label_smoothing is for classification and this is regression"),
    ],
    ids=lambda v: getattr(v, "name", None),
)
def test_no_population_trains_what_does_not_fit(technique, task, data, words):
    source = problem(20, 5, 3, task, data=data)
    recipe = Recipe((technique,), small_setting(8, 1))
    with pytest.raises(RecipeError, match=words):
        Builder(source).check(recipe)


@pytest.mark.parametrize(
    ("shape", "data"), {(20, 3, 8, 8): "images", (20, 6, 4): "tables", (20, 2, 3, 8, 8): "tables"}.items()
)
def test_rows_of_channels_height_and_width_are_images_and_sequences_are_none(shape, data):
    """(n, T, d) has three axes with the rows, and images (n, C, H, W) three without them."""
    table = of_arrays(np.random.default_rng(0).normal(size=shape), np.arange(20) % 2)
    module = lambda: nn.Sequential(nn.Flatten(), nn.Linear(table.columns, 2))  # noqa: E731
    found = prepare(table, Options(trials=3, folds=2), module)
    assert found.builder.data == data


def test_a_loop_of_ones_own_is_told_when_its_rows_are_no_images():
    run = Recipe((Rotation(),)).attach(nn.Linear(6, 3), task="classification", classes=3)
    with pytest.raises(RecipeError, match=r"for images .* of shape \(6,\); take recipe.without\('rotation'\)"):
        run.loss(torch.zeros(4, 6), torch.zeros(4, dtype=torch.int64))
