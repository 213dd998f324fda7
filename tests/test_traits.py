"""Traits of trained networks against the same figures worked out from predictions and weights."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch import nn

from tauten.builder import Builder
from tauten.cells import Arm
from tauten.data import load
from tauten.draws import derive_seed
from tauten.finals import Scores
from tauten.folds import Development
from tauten.heldout import Held, train_arms
from tauten.metrics import metric
from tauten.options import Options
from tauten.recipe import Recipe
from tauten.result import result_of, to_text
from tauten.searching import find, prepare
from tauten.setting import Setting
from tauten.split import SelectionPlan, holdout
from tauten.techniques.dropout import Dropout
from tauten.techniques.l1 import L1
from tauten.techniques.l2 import L2
from tauten.traits import NOISE, PREDICTION, PROBABILITY, ROWS, predictions, traits
from tauten.unrecorded import Unrecorded

SEEDS = 4
SETTING = Setting(width=12, depth=2, epochs=8, batch_size=32, learning_rate=0.01, skip=False)


def trained(source, chosen, module=None):
    """Models of plain and chosen, holdout rows as they see them, and the holdout's table."""
    table = load(source)
    rows, held = holdout(table.row_hashes(), table.y, table.task, 0.3)
    whole = Development.of(table.take(rows), SelectionPlan(5, 1)).whole()
    arms = [Arm("plain", Recipe((), SETTING), 8), Arm("chosen", Recipe(chosen, SETTING), 8)]
    builder = Builder(whole.source, module)
    models = train_arms(builder, whole, table, module, arms, SEEDS, Options(trials=3, threads=1), lambda _: None)
    opened = table.take(held)
    return models, Held.of(whole, opened), opened


def mean_of_pairs(values, apart):
    return np.mean([apart(a, b) for a, b in itertools.combinations(values, 2)])


@pytest.fixture(scope="module")
def wine():
    models, held, opened = trained("wine", (Dropout(p=0.4), L1(strength=0.01)))
    return models, held, opened, traits(models, held, metric("log_loss", "classification"), {}, 7)


@pytest.mark.parametrize("arm", ["plain", "chosen"])
def test_calibration_and_stability_are_those_of_the_predictions(wine, arm):
    models, _, opened, found = wine
    own = {name: t[arm]["mean"] for name, t in found["measured"].items()}
    p = [m.predict_proba(opened.frame) for m in models[arm]]
    labels = [m.predict(opened.frame) for m in models[arm]]
    truth = np.eye(3)[opened.y]
    assert own["log_loss"] == pytest.approx(np.mean([log_loss(opened.y, q) for q in p]), rel=1e-6)
    assert own["brier"] == pytest.approx(np.mean([((q - truth) ** 2).sum(1).mean() for q in p]), rel=1e-6)
    assert own["seed_disagreement"] == pytest.approx(mean_of_pairs(labels, lambda a, b: (a != b).mean()))
    assert own["seed_distance"] == pytest.approx(mean_of_pairs(p, lambda a, b: np.abs(a - b).sum(1).mean() / 2))


@pytest.mark.parametrize("arm", ["plain", "chosen"])
def test_robustness_is_what_noise_on_the_inputs_does(wine, arm):
    models, held, opened, found = wine
    losses, moved, changed = [], [], []
    for s, m in enumerate(models[arm]):
        random = torch.Generator().manual_seed(derive_seed("input noise", 7, s))
        noisy = held.inputs + NOISE * torch.randn(held.inputs.shape, generator=random)
        p, q = (torch.softmax(m.forward(x).double(), -1).numpy() for x in (held.inputs, noisy))
        losses.append(log_loss(opened.y, q) - log_loss(opened.y, p))
        moved.append(np.abs(p - q).sum(1).mean() / 2)
        changed.append((p.argmax(1) != q.argmax(1)).mean())
    own = {name: t[arm]["mean"] for name, t in found["measured"].items()}
    assert own["noise_loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    assert own["noise_distance"] == pytest.approx(np.mean(moved))
    assert own["noise_disagreement"] == pytest.approx(np.mean(changed))


@pytest.mark.parametrize("arm", ["plain", "chosen"])
def test_weights_and_units_are_read_from_the_delivered_network(wine, arm):
    models, held, _, found = wine
    own = {name: t[arm]["mean"] for name, t in found["measured"].items()}
    zeros, correlations, participations = [], [], []
    for m in models[arm]:
        w = {k: v.double().numpy() for k, v in m.delivered.w.items()}
        kernels = [v for k, v in w.items() if k.endswith("weight")]
        zeros.append(sum((k == 0).sum() for k in kernels) / sum(k.size for k in kernels))
        shares = [(k**2).sum() ** 2 / (k.size * (k**4).sum()) for k in kernels]
        participations.append(
            sum(s * k.size for s, k in zip(shares, kernels, strict=True)) / sum(k.size for k in kernels)
        )
        h, layers = held.inputs.double().numpy(), []
        for i in range(2):
            h = np.maximum(h @ w[f"hidden{i}.weight"] + w[f"hidden{i}.bias"], 0)
            r = np.abs(np.corrcoef(h[:, h.std(0) > 0], rowvar=False))
            layers.append(r[np.triu_indices(len(r), 1)].mean())
        correlations.append(np.mean(layers))
    assert own["weight_zeros"] == pytest.approx(np.mean(zeros))
    assert own["weight_participation"] == pytest.approx(np.mean(participations))
    assert own["co_adaptation"] == pytest.approx(np.mean(correlations), rel=1e-4)
    assert (own["weight_zeros"] > 0.05) == (arm == "chosen"), "proximal L1 gives exact zeros, plain training none"


def test_the_change_is_paired_by_seed(wine):
    models, _, _, found = wine
    change = found["measured"]["weight_zeros"]["change"]
    assert (found["seeds"], change["n"]) == (SEEDS, SEEDS)
    assert change["mean"] == pytest.approx(
        found["measured"]["weight_zeros"]["chosen"]["mean"] - found["measured"]["weight_zeros"]["plain"]["mean"]
    )
    assert change["low"] < change["mean"] < change["high"]
    same = traits({**models, "chosen": models["plain"]}, wine[1], metric("log_loss", "classification"), {}, 7)
    assert {t["change"]["low"] for t in same["measured"].values()} == {0.0}


def test_a_penalty_makes_networks_of_unlike_seeds_agree_more():
    models, held, opened = trained("diabetes", (L2(strength=0.3),))
    found = traits(models, held, metric("rmse", "regression"), {}, 0)["measured"]
    assert found["seed_distance"]["change"]["high"] < 0
    numbers = [m.predict(opened.frame) for m in models["plain"]]
    want = mean_of_pairs(numbers, lambda a, b: np.abs(a - b).mean())
    assert found["seed_distance"]["plain"]["mean"] == pytest.approx(want, rel=1e-5), "in the target's unit"
    assert not found.keys() & {"log_loss", "calibration_error", "seed_disagreement"}


def test_a_network_that_diverged_has_no_traits(wine):
    models, held, _, _ = wine
    sick = models["plain"][0]
    delivered = dataclasses.replace(sick.delivered, w={k: v * torch.nan for k, v in sick.delivered.w.items()})
    ill = {**models, "chosen": (dataclasses.replace(sick, delivered=delivered), *models["chosen"][1:])}
    found = traits(ill, held, metric("log_loss", "classification"), {}, 7)["measured"]
    assert all(t["chosen"] is None and t["change"] is None and t["plain"] for t in found.values())


def test_a_module_of_ones_own_shows_its_units():
    def build():
        return nn.Sequential(nn.Unflatten(1, (1, 13)), nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(44, 3))

    models, held, _ = trained("wine", (), build)
    found = traits(models, held, metric("log_loss", "classification"), {}, 0)["measured"]
    m = models["plain"][0]
    net = nn.Sequential(*list(m.module(load("wine").frame))[:3])
    with torch.no_grad():
        filters = net(held.inputs).double().mean(-1).numpy()
    r = np.abs(np.corrcoef(filters[:, filters.std(0) > 0], rowvar=False))
    alone = traits({arm: models[arm][:1] * 3 for arm in models}, held, metric("log_loss", "classification"), {}, 0)
    got = alone["measured"]["co_adaptation"]["plain"]["mean"]
    assert got == pytest.approx(r[np.triu_indices(len(r), 1)].mean(), rel=1e-4)
    assert 0 < found["weight_participation"]["plain"]["mean"] < 1


def test_of_many_rows_always_the_same_are_looked_at(wine):
    models, held, _, _ = wine
    many = dataclasses.replace(held, inputs=held.inputs.repeat(60, 1), targets=held.targets.repeat(60, 1))
    many = dataclasses.replace(many, weights=np.arange(1.0, 1 + len(many.inputs)))
    assert len(many.inputs) > ROWS
    both = [traits(models, many, metric("log_loss", "classification"), {}, 7) for _ in range(2)]
    assert both[0] == both[1]
    assert both[0]["rows"] == ROWS


@pytest.mark.parametrize("source", ["wine", "diabetes"])
def test_a_row_of_weight_three_counts_as_three_such_rows(source):
    models, held, _ = trained(source, (Dropout(p=0.4),))
    main = metric("rmse" if source == "diabetes" else "brier", held.task)
    times = np.random.default_rng(0).integers(0, 4, size=len(held.inputs))
    at = torch.from_numpy(np.repeat(np.arange(len(times)), times))
    weighted = dataclasses.replace(held, weights=times * 2.5)
    repeated = dataclasses.replace(held, inputs=held.inputs[at], targets=held.targets[at])
    rows = {name: np.random.default_rng(i).random((len(times), 4)) for i, name in enumerate((PREDICTION, PROBABILITY))}
    finals = {
        arm: (Scores(rows, {}, weights=times * 2.5), Scores({n: v[at] for n, v in rows.items()}, {}))
        for arm in ("plain", "chosen")
    }
    own, other, alike = (
        traits(models, part, main, {arm: both[i] for arm, both in finals.items()}, 7)["measured"]
        for part, i in ((weighted, 0), (repeated, 1), (held, 1))
    )
    drawn_by_row = {"noise_loss", "noise_disagreement", "noise_distance"}
    for name in own.keys() - drawn_by_row:
        assert own[name]["chosen"]["mean"] == pytest.approx(other[name]["chosen"]["mean"], rel=1e-6), name
    for name in drawn_by_row & own.keys():
        assert own[name]["chosen"]["mean"] != pytest.approx(alike[name]["chosen"]["mean"]), name
    moved = []
    for s, m in enumerate(models["plain"]):
        noise = NOISE * torch.randn(held.inputs.shape, generator=torch.Generator().manual_seed(noise_seed(s)))
        clean, noisy = (m.forward(x).double() for x in (held.inputs, held.inputs + noise))
        apart = (
            (clean - noisy).abs().numpy()[:, 0] * held.unit
            if source == "diabetes"
            else (torch.softmax(clean, -1) - torch.softmax(noisy, -1)).abs().numpy().sum(1) / 2
        )
        moved.append(apart[at].mean())
    assert own["noise_distance"]["plain"]["mean"] == pytest.approx(np.mean(moved))


def noise_seed(s):
    return derive_seed("input noise", 7, s)


def test_finals_record_predictions_whatever_rows_weigh():
    out = np.log([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]])
    y = np.array([[0, 1, 0], [0, 0, 1.0]])
    weights = np.array([5.0, 1.0])
    code, probability = (m.contributions(out, y, weights=weights) for m in predictions("classification"))
    assert code.tolist() == [0, 2]
    assert probability == pytest.approx([0.2, 0.4])
    (residual,) = (m.contributions(np.array([[1.5]]), np.array([[1.0]]), 4.0) for m in predictions("regression"))
    assert residual.tolist() == [2.0]
    sets, right = (
        m.contributions(np.array([[2.0, -1, 3]]), np.array([[1.0, 0, 0]])) for m in predictions("multilabel")
    )
    assert sets.tolist() == [1 + 4]
    p = 1 / (1 + np.exp(-np.array([2.0, -1, 3])))
    assert right == pytest.approx([(p[0] + 1 - p[1] + 1 - p[2]) / 3])


@pytest.mark.parametrize("folds", [2, 1])
def test_a_search_ends_with_traits_and_finals_b_gives_stability_over_resamples(folds):
    asked = Options(
        trials=3, threads=1, folds=folds, techniques=("dropout",), setting={"epochs": 3, "width": 8, "depth": 1}
    )
    found = find(prepare(load("wine"), asked), Unrecorded(), lambda _: None)
    measured = json.loads(to_text(result_of(found).evidence))["traits"]["measured"]
    if folds == 1:
        assert not {name for name in measured if name.startswith("resample")}, "one split has no resamples"
        return
    rows = found.finals["chosen"].rows
    assert rows[PREDICTION].shape == rows[PROBABILITY].shape == (found.n_train, found.plan.finals_b)
    want = mean_of_pairs(rows[PREDICTION].T, lambda a, b: (a != b).mean())
    assert measured["resample_disagreement"]["chosen"]["mean"] == pytest.approx(want)
    want = mean_of_pairs(rows[PROBABILITY].T, lambda a, b: np.abs(a - b).mean())
    assert measured["resample_distance"]["chosen"]["mean"] == pytest.approx(want)
    np.testing.assert_allclose(-np.log(rows[PROBABILITY]), rows["log_loss"], atol=1e-4)
    assert {"predicted", "probability"}.isdisjoint(result_of(found).evidence["plain"]["finals"])
