"""How a table's numbers enter is a setting: searched, trained side by side, delivered with its own preprocessing."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_diabetes

import tauten
from tauten.budget import Pace
from tauten.builder import Builder
from tauten.data import from_arrays, load
from tauten.folds import Development
from tauten.member import Group, Member
from tauten.model import Model
from tauten.options import Options
from tauten.population import Population
from tauten.recipe import Recipe
from tauten.searching import prepare
from tauten.setting import Setting
from tauten.split import SelectionPlan
from tauten.techniques.batch_norm import BatchNorm
from tauten.testing import same_bits
from tauten.unrecorded import Unrecorded

WAYS = ("plain", "piecewise")
SETTING = Setting(epochs=3, width=16, depth=1)
SMALL = {"trials": 12, "threads": 1, "setting": {"epochs": 2, "width": 8, "depth": 1}, "techniques": "dropout"}


@pytest.fixture(scope="module")
def wine():
    return load("wine")


def development(table, *ways):
    return Development.of(table, SelectionPlan(5, 1), ways)


def trained(source, recipe, native=True):
    with Population(Builder(source, native=native), [source]) as population:
        population.enter([Member(0, recipe, seed=7, epochs=3)])
        done = population.complete({0: torch.arange(20)}, extract=[0])[0]
    return done.delivered, done.outputs


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_a_member_is_the_same_where_both_ways_are_there_and_where_only_its_own_is(wine, way, native):
    recipe = Recipe((BatchNorm(),), SETTING).with_setting(numeric=way)
    split = development(wine, *WAYS).partition("one")[0]
    both, alone = (development(wine, *ways).fold(split).source for ways in (WAYS, (way,)))
    assert set(both.encodings) == set(WAYS)
    assert not alone.encodings
    (a, out), (b, expected) = trained(both, recipe, native), trained(alone, recipe, native)
    assert same_bits(a, b)
    assert torch.equal(out, expected)


def test_members_of_both_ways_train_side_by_side(wine):
    folds = [development(wine, *WAYS).fold(s) for s in development(wine, *WAYS).partition("one")[:2]]
    sources = [fold.source for fold in folds]
    asked = [
        Member(2 * i + j, Recipe((), SETTING).with_setting(numeric=way), 3, i, 3)
        for i in (0, 1)
        for j, way in enumerate(WAYS)
    ]
    with Population(Builder(sources[0]), sources) as population:
        population.enter(asked)
        done = population.complete({}, extract=range(4))
    for member in asked:
        own = done[member.id].delivered
        fold = folds[member.source]
        assert own.w["hidden0.weight"].shape[0] == fold.preprocessor(member.recipe.setting).layout.width
        alone, _ = trained(dataclasses.replace(fold.source), Recipe((), SETTING))
        assert not same_bits(own, alone), "other seeds, other weights"
    assert Group.of(asked[0], sources[0]) != Group.of(asked[1], sources[0])


def test_a_table_without_numbers_has_one_way():
    towns = np.random.default_rng(0).choice(["Ghent", "Bonn", "Oslo"], (60, 8))
    frame = pd.DataFrame(towns).rename(columns=str).assign(yes=[0, 1] * 30)
    table = from_arrays(frame, np.arange(60) % 2)
    assert len(development(table, *WAYS).layouts) == 1
    assert not development(table, *WAYS).whole().source.encodings
    prepared = prepare(table, Options(trials=3, setting=SMALL["setting"]))
    assert "numeric" not in prepared.options.tuned(prepared.whole.preprocessors)


@pytest.mark.parametrize(("fixed", "tried"), [({}, set(WAYS)), *(({"numeric": way}, {way}) for way in WAYS)])
def test_a_search_tries_both_unless_one_is_fixed(wine, fixed, tried):
    prepared = prepare(wine, Options(trials=30, techniques=("dropout",), setting={**SMALL["setting"], **fixed}))
    prepared.contest.run(Unrecorded(), lambda _: None)
    for lane in ("plain", "recipes"):
        assert {t.recipe.setting.numeric for t in prepared.contest.racing.entered(lane)} == tried


def test_the_model_carries_the_preprocessing_of_its_own_way(tmp_path):
    result = tauten.search("wine", out=tmp_path / "run", **SMALL)
    x = load("wine").frame
    again = Model.load(tmp_path / "run")
    width = 13 if again.recipe.setting.numeric == "plain" else result.model.preprocessor.layout.width
    assert again.preprocessor.layout.width == width == again.delivered.w["hidden0.weight"].shape[0]
    np.testing.assert_array_equal(again.predict_proba(x), result.model.predict_proba(x))


def test_recipes_of_both_ways_are_compared_on_the_same_rows():
    """Of a bump, the encoding over bins tells more to a linear model than the number itself."""
    x = np.random.default_rng(0).uniform(-1, 1, (400, 1))
    y = (np.abs(x[:, 0]) < 0.5).astype(int)
    linear = Recipe((), Setting(epochs=20, depth=0, learning_rate=0.05))
    recipes = {way: linear.with_setting(numeric=way) for way in WAYS}
    found = tauten.compare(x, y, recipes=recipes, metric="accuracy", folds=2, deliver=True)
    told = found.to_json()["recipes"]
    assert told["plain"]["scores"]["accuracy"]["mean"] < 0.65
    assert told["piecewise"]["scores"]["accuracy"]["mean"] > 0.95
    assert (found.models["piecewise"].predict(x).astype(int) == y).mean() > 0.95


def test_a_wider_network_is_more_work(wine):
    source = development(wine, *WAYS).whole().source
    builder, recipe = Builder(source), Recipe((), SETTING)
    wide = recipe.with_setting(numeric="piecewise")
    assert builder.size(wide) > 2 * builder.size(recipe)
    assert builder.work(wide, source, 2) == 2 * -(-len(source.train) // 128) * builder.size(wide)


def test_trainings_are_longer_where_there_is_time_and_shorter_where_there_is_none():
    table = from_arrays(*load_diabetes(return_X_y=True))
    lengths = {}
    for seconds in (4.0, 40.0, 4000.0):
        prepared = prepare(table, Options(budget=seconds, setting={"width": 8, "depth": 1}))
        contest, before = prepared.contest, prepared.contest.setting.epochs
        own = Unrecorded()
        speed = Pace(contest.cost(Recipe((), contest.setting), before), 0.0).work * 30  # thirty trainings a second
        own.once = lambda kind, compute, key=None, *, sync=True, speed=speed: [speed, speed]
        contest.measure(own, 0.0)
        lengths[seconds] = contest.setting.epochs / before
    assert lengths[4.0] < 1 == lengths[40.0] < lengths[4000.0] == 4
    fixed = prepare(table, Options(budget=4000.0, setting={"epochs": 7})).contest
    fixed.measure(own, 0.0)
    assert fixed.setting.epochs == 7
