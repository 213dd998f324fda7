"""A finished search explained: costs, interactions and ranges from fresh folds, beside its result."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine
from typer.testing import CliRunner

import tauten
from tauten import cli
from tauten.cells import Arm, Cell, Trainer
from tauten.data import load
from tauten.declare import Hyperparameter
from tauten.draws import derive_seed
from tauten.errors import OptionError, RunError
from tauten.explaining import _around, _measured
from tauten.options import Options
from tauten.recipe import Recipe
from tauten.searching import prepare
from tauten.setting import Setting
from tauten.techniques.batch_norm import BatchNorm
from tauten.techniques.dropout import Dropout
from tauten.techniques.l2 import L2
from tauten.traits import PROBABILITY, predictions
from tauten.unrecorded import Unrecorded

SETTING = Setting(width=16, depth=1, epochs=6, batch_size=32)
CHOSEN = Arm("chosen", Recipe((Dropout(p=0.3), L2(strength=0.01), BatchNorm()), SETTING), 6)


@pytest.fixture(scope="module")
def prepared():
    return prepare(load("wine"), Options(trials=3, threads=1, folds=5, setting={"learning_rate": 0.001}))


@pytest.fixture(scope="module")
def found(prepared):
    return _measured(prepared, CHOSEN, 2, lambda _: None)


def losses(prepared, recipe):
    """Mean log loss of each cell of the phase, trained here by hand."""
    development, cells, folds = prepared.development, [], []
    for r in range(2):
        for f, split in enumerate(development.partition("explain", 0, r)):
            cells.append(Cell(Arm("x", recipe, 6), len(folds), derive_seed("explain", 0, r, f)))
            folds.append(development.fold(split))
    trainer = Trainer(prepared.builder, Unrecorded(), prepared.metrics[:1], 1, lambda _: None)
    return np.array([own["log_loss"].mean() for own in trainer.scores("x", folds, cells)])


def test_an_interaction_is_the_gain_of_both_less_the_sum_of_single_gains(prepared, found):
    assert {(i.first, i.second) for i in found.interactions} == {
        ("batch_norm", "dropout"), ("batch_norm", "l2"), ("dropout", "l2"),
    }  # fmt: skip
    dropout, l2 = Dropout(p=0.3), L2(strength=0.01)
    bare, one, other, both = (losses(prepared, Recipe(t, SETTING)) for t in ((), (dropout,), (l2,), (dropout, l2)))
    want = (bare - both) - (bare - one) - (bare - other)
    got = next(i.gain for i in found.interactions if (i.first, i.second) == ("dropout", "l2"))
    assert got.gain == pytest.approx(want.mean(), abs=1e-6)
    assert got.n_models == found.trainings == 10


def test_a_range_compares_the_chosen_recipe_with_one_number_changed(prepared, found):
    names = {r.name for r in found.ranges}
    assert {"dropout.p", "l2.strength"} <= names
    assert "setting.learning_rate" not in names, "the person fixed it"
    own = next(r for r in found.ranges if r.name == "dropout.p")
    assert own.chosen == 0.3
    assert own.low <= 0.3 <= own.high
    tried = own.tried[-1]
    changed = Recipe((Dropout(p=tried.value), L2(strength=0.01), BatchNorm()), SETTING)
    want = losses(prepared, CHOSEN.recipe) - losses(prepared, changed)
    assert tried.gain.gain == pytest.approx(want.mean(), abs=1e-6)


def test_a_row_of_weight_three_counts_as_three_such_rows():
    wine = load("wine")
    times = np.random.default_rng(0).integers(0, 4, size=len(wine.y))
    own = prepare(dataclasses.replace(wine, weights=times * 0.5), Options(trials=3, threads=1, folds=5))
    dropout, l2 = Dropout(p=0.3), L2(strength=0.01)
    development, keys = own.development, [(r, f) for r in range(2) for f in range(5)]
    splits = [s for r in range(2) for s in development.partition("explain", 0, r)]
    folds = [development.fold(split) for split in splits]

    def loss(*techniques):
        arm = Arm("x", Recipe(techniques, SETTING), 6)
        cells = [Cell(arm, i, derive_seed("explain", 0, *key)) for i, key in enumerate(keys)]
        trainer = Trainer(own.builder, Unrecorded(), predictions("classification"), 1, lambda _: None)
        each = [-np.log(found[PROBABILITY]) for found in trainer.scores("x", folds, cells)]
        counted = [(2 * development.table.weights[split.score]).astype(int) for split in splits]
        return np.array([np.repeat(*pair).mean() for pair in zip(each, counted, strict=True)])

    found = _measured(own, Arm("chosen", Recipe((dropout, l2), SETTING), 6), 2, lambda _: None)
    want = loss(dropout) + loss(l2) - loss() - loss(dropout, l2)
    assert found.interactions[0].gain.gain == pytest.approx(want.mean(), abs=1e-6)


def test_costs_name_what_a_technique_adds(prepared, found):
    costs = {c.technique: c for c in found.costs}
    assert costs.keys() == {"dropout", "l2", "batch_norm"}
    norm = costs["batch_norm"]
    # γ, β and two running statistics of 16 units, less the bias that it makes needless.
    assert norm.parameter_bytes - norm.parameter_bytes_without == 4 * (4 * 16 - 16)
    assert costs["dropout"].parameter_bytes == costs["dropout"].parameter_bytes_without == norm.parameter_bytes
    for c in found.costs:
        assert 0 < c.training_low <= c.training_ratio <= c.training_high
        assert c.inference_ms > 0 < c.inference_ms_without


def test_neighbours_stay_in_the_range_of_the_search_and_on_its_scale():
    even = Hyperparameter(low=0.0, high=1.0, default=0.5, off=0.0, search=(0.1, 0.9))
    assert _around(even, 0.5) == [0.3, 0.4, 0.6, 0.7]
    assert _around(even, 0.85) == [0.65, 0.75]
    log = Hyperparameter(low=1e-9, high=1.0, default=1e-4, off=0.0, search=(1e-8, 1.0), log=True)
    assert _around(log, 1e-4) == [1e-6, 1e-5, 1e-3, 1e-2]
    whole = Hyperparameter(low=1, high=100, default=5, search=(1, 9), integer=True)
    assert _around(whole, 5.0) == [3, 4, 6, 7]
    assert _around(Hyperparameter(low=0.0, high=1.0, default=0.1, off=0.0, search=(0.0, 0.4)), 0.1) == [0.05, 0.15, 0.2]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained") / "wine"
    setting = {"epochs": 4, "width": 16, "depth": 1}
    grid = {"dropout.p": [0.2]}  # so that every candidate holds dropout
    tauten.search("wine", out=folder, trials=4, threads=1, setting=setting, sampler="grid", grid=grid)
    return folder


def test_the_command_explains_a_run_and_its_report_says_so(run):
    before = (run / "result.json").read_bytes()
    figures = json.loads(before)
    done = CliRunner().invoke(cli.app, ["explain", str(run), "--replicates", "2"])
    assert done.exit_code == 0, done.output
    explained = json.loads((run / "explanation.json").read_text())
    assert {c["technique"] for c in explained["costs"]} == set(figures["chosen"]["techniques"]) - {"early_stopping"}
    page = (run / "report.html").read_text()
    assert "What each ingredient costs" in page
    assert "training takes" in page
    assert "dropout.p" in done.output
    assert f"{explained['trainings']} trainings an arm on fresh folds. Gains are in log loss" in done.output
    assert (run / "result.json").read_bytes() == before


def miss(y, predicted):
    return 1 - predicted[np.arange(len(y)), y]


def soft(outputs, targets):
    return -(targets * torch.log_softmax(outputs, -1)).sum(-1)


def test_what_a_search_was_given_its_explanation_needs_again(tmp_path):
    wine = load_wine()
    given = {"sample_weight": np.arange(1.0, 179), "metric": miss, "loss": soft}
    small = {"trials": 3, "threads": 1, "folds": 2, "setting": {"epochs": 1, "width": 8, "depth": 1}}
    grid = {"sampler": "grid", "grid": {"dropout.p": [0.2]}}
    tauten.search(wine.data, wine.target, out=tmp_path / "run", **given, **small, **grid)
    for name, says in (("metric", "a metric of your own, miss"), ("loss", "a loss of"), ("sample_weight", "changed")):
        with pytest.raises(RunError, match=says):
            tauten.explain(tmp_path / "run", wine.data, wine.target, **{k: v for k, v in given.items() if k != name})
    found = tauten.explain(tmp_path / "run", wine.data, wine.target, replicates=5, **given)
    assert found.metric == "miss"
    assert {c.technique for c in found.costs} >= {"dropout"}


def test_what_can_not_be_explained_is_refused_and_writes_nothing(run, tmp_path):
    with pytest.raises(RunError, match="no result"):
        tauten.explain(tmp_path)
    with pytest.raises(OptionError, match="ten trainings"):
        tauten.explain(run, replicates=1)
    assert not list(tmp_path.iterdir())
