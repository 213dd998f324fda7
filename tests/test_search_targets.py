"""Searches of several targets, labels that exclude nobody, weighted rows and balanced classes; and models of them."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_linnerud
from sklearn.metrics import balanced_accuracy_score, r2_score, recall_score, roc_auc_score
from sklearn.utils.class_weight import compute_class_weight

import tauten
from tauten.api import make_options
from tauten.data import from_arrays
from tauten.errors import DataError, OptionError, RunError
from tauten.folds import Development
from tauten.metrics import metrics_for
from tauten.model import Model
from tauten.predict import predictions
from tauten.shift import Shift
from tauten.sources import table_of
from tauten.split import SelectionPlan

SMALL = {
    "trials": 4,
    "sampler": "random",
    "threads": 1,
    "techniques": "dropout,mixup",
    "setting": {"epochs": 8, "width": 16, "depth": 1},
}


def digit_labels():
    """Three questions to a digit: is it even, is it above 4, has it a loop?"""
    x, y = load_digits(return_X_y=True)
    x, y = x[:500], y[:500]
    return x, np.stack([y % 2 == 0, y > 4, np.isin(y, (0, 6, 8, 9))], 1).astype(float)


def two_numbers():
    """A target of hundreds and one of tenths, from one table."""
    x, y = load_diabetes(return_X_y=True)
    return np.delete(x, 2, 1), np.stack([y, x[:, 2] + 0.3], 1)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "labels"
    x, y = digit_labels()
    return folder, x, y, tauten.search(x, y, out=folder, metric="auc", **SMALL)


def test_labels_are_searched_and_predicted(labelled):
    folder, x, y, result = labelled
    assert (result.evidence["task"], result.evidence["metric"]) == ("multilabel", "auc")
    assert result.recipe.context["outputs"] == 3
    p, labels = result.model.predict_proba(x), result.model.predict(x)
    assert p.shape == labels.shape == (500, 3)
    assert np.array_equal(labels, (p > 0.5).astype(int))
    assert roc_auc_score(y, p) > 0.93
    assert 0.8 < result.evidence["chosen"]["finals"]["auc"]["mean"] < 1
    loaded = Model.load(folder)
    assert np.array_equal(loaded.predict_proba(x), p)
    table = predictions(loaded, pd.DataFrame(x, columns=[f"x{i}" for i in range(64)]))
    assert list(table) == [f"{part}_y{i}" for part in ("prediction", "probability") for i in range(3)]
    assert np.array_equal(table.to_numpy()[:, 3:], p)


def test_what_a_search_decides_by_is_the_metric(labelled):
    """The race's scores are 1 − AUC of single folds, as those of the finals are."""
    *_, result = labelled
    for arm in ("plain", "usual"):
        curve = result.evidence["curves"][arm]["validation"]
        assert curve[-1] == pytest.approx(1 - result.evidence[arm]["finals"]["auc"]["mean"], abs=0.03)
        assert curve[0] > curve[-1]


@pytest.mark.parametrize("name", ["f1", "auc", "balanced_accuracy"])
def test_rows_to_stop_by_and_rows_to_score_are_scored_apart(name):
    x, y, w = weighted()
    development = Development.of(from_arrays(x, y, sample_weight=w), SelectionPlan(1, 1))
    fold = development.fold(development.partition("a")[0])
    rows = torch.cat([fold.score, fold.stop])
    out = torch.stack([-fold.source.inputs[rows, 0], 3 * fold.source.inputs[rows, 1]], 1)
    shift, metric = Shift(None, [fold], 1), metrics_for(name, "classification", y)[0]
    shift.training = {7: (None, 0)}
    score, stop = shift.scores({7: out}, metric)[7]
    cut = len(fold.score)
    assert score == fold.contributions(metric, out[:cut], fold.score).mean()
    assert stop == fold.contributions(metric, out[cut:], fold.stop).mean()


def test_several_numbers_are_searched_and_predicted_in_their_own_units(tmp_path):
    x, y = two_numbers()
    asked = {**SMALL, "setting": {"epochs": 30, "width": 32, "depth": 1, "learning_rate": 0.01}}
    result = tauten.search(x, y, out=tmp_path / "run", metric="r2", **asked)
    predicted = Model.load(tmp_path / "run").predict(x)
    assert predicted.shape == y.shape
    each = r2_score(y, predicted, multioutput="raw_values")
    assert (each > 0.2).all()
    shown = result.evidence["plain"]["finals"]
    assert 0 < shown["r2"]["mean"] < 0.6
    assert 20 < shown["rmse"]["mean"] < 60, "in the targets' units, mean over both"
    with pytest.raises(RunError, match="no class probabilities"):
        result.model.predict_proba(x)
    table = predictions(result.model, pd.DataFrame(x, columns=[f"x{i}" for i in range(9)]))
    assert list(table) == ["prediction_y0", "prediction_y1"]
    with pytest.raises(OptionError, match="of one target without weights"):
        predictions(result.model, pd.DataFrame(x, columns=[f"x{i}" for i in range(9)]), 0.9)


def test_recipes_are_compared_on_several_targets():
    data = load_linnerud()
    x, y = np.tile(data.data, (4, 1)) + np.random.default_rng(0).normal(size=(80, 3)), np.tile(data.target, (4, 1))
    found = tauten.compare(
        x, y, recipes=["plain", "usual"], metric="mae", threads=1, setting={"epochs": 2}, deliver=True
    )
    assert found.models["usual"].predict(x).shape == (80, 3)
    assert found.scores["plain"].rows["mae"].shape == (80, 10)


# ---- weights ----


def weighted(seed=1):
    x, y = load_breast_cancer(return_X_y=True)
    return x[:, :6], y, np.random.default_rng(seed).gamma(1.0, size=len(y))


def test_the_size_of_weights_means_nothing_and_their_ratios_do():
    x, y, w = weighted()
    runs = [tauten.search(x, y, sample_weight=own, **SMALL).evidence for own in (w, w * 1024, w**2)]
    assert runs[0]["plain"] == runs[1]["plain"]
    assert runs[0]["difference"] == runs[1]["difference"]
    assert runs[0]["plain"]["finals"] != runs[2]["plain"]["finals"]


def test_weights_of_training_rows_have_mean_one_and_scores_take_them_as_they_are():
    x, y, w = weighted()
    table = from_arrays(x, y, sample_weight=w)
    fold = Development.of(table, SelectionPlan(5, 1)).fold(Development.of(table, SelectionPlan(5, 1)).partition("a")[0])
    source = fold.source
    assert float(source.weights[source.train].double().mean()) == pytest.approx(1)
    np.testing.assert_allclose(source.weights / source.weights[0], w / w[0], rtol=1e-5)
    np.testing.assert_array_equal(fold.weights_of(fold.score), w[fold.score.numpy()])


def test_a_rows_weight_counts_in_losses_and_scores():
    """Labels of half the rows are noise; weights say which: the weighted score is that of the clean half alone."""
    x, y = load_breast_cancer(return_X_y=True)
    noisy = np.random.default_rng(0).random(len(y)) < 0.5
    wrong = np.where(noisy, np.random.default_rng(1).permutation(y), y)
    w = np.where(noisy, 0.01, 1.0)
    setting = {"setting": {"epochs": 20, "width": 16, "depth": 1}, "threads": 1, "metric": "auc"}
    found = [
        tauten.compare(x, wrong, sample_weight=own, recipes=["plain"], **setting).scores["plain"].rows["auc"].mean()
        for own in (None, w)
    ]
    assert 1 - found[0] < 0.85
    assert 1 - found[1] > 0.97


def test_a_column_may_hold_the_weights(tmp_path):
    x, y, w = weighted()
    frame = pd.DataFrame(x, columns=[f"c{i}" for i in range(6)]).assign(w=w, y=y)
    frame.to_csv(tmp_path / "t.csv", index=False)
    options = make_options(trials=4, weight="w")
    named = table_of(tmp_path / "t.csv", None, "y", options)
    np.testing.assert_allclose(named.weights, w)
    assert "w" not in named.frame
    result = tauten.search(tmp_path / "t.csv", target="y", weight="w", out=tmp_path / "run", **SMALL)
    lines = (tmp_path / "run" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "journal.jsonl").write_bytes(b"".join(lines[: len(lines) // 2]))
    assert tauten.resume(tmp_path / "cut").evidence["difference"] == result.evidence["difference"]


def test_a_cut_off_search_of_arrays_wants_their_weights_again(tmp_path):
    x, y, w = weighted()
    result = tauten.search(x, y, sample_weight=w, out=tmp_path / "run", **SMALL)
    with pytest.raises(RunError, match="has changed"):
        tauten.resume(tmp_path / "run", x, y)
    assert tauten.resume(tmp_path / "run", x, y, sample_weight=w).evidence["plain"] == result.evidence["plain"]


# ---- balanced classes ----


def rare():
    x, y = load_breast_cancer(return_X_y=True)
    keep = np.flatnonzero((y == 1) | (np.cumsum(y == 0) <= 40))
    return x[keep][:, :4], y[keep]


def test_balanced_classes_weigh_as_scikit_learn_says():
    x, y = rare()
    table = from_arrays(x, y, sample_weight=(w := np.random.default_rng(0).gamma(1.0, size=len(y))))
    plan = SelectionPlan(5, 1)
    for own in (table, from_arrays(x, y)):
        development = Development.of(own, plan, class_weight="balanced")
        fold = development.fold(development.partition("a")[0])
        train = fold.source.train.numpy()
        each = compute_class_weight("balanced", classes=np.arange(2), y=y[train])[y]
        want = each * (1 if own.weights is None else w)
        np.testing.assert_allclose(fold.source.weights, want / want[train].mean(), rtol=1e-5)
    assert fold.weights is None, "scores count every row alike"


def test_balanced_classes_find_more_of_the_rare_one():
    x, y = rare()
    asked = {**SMALL, "setting": {"epochs": 20, "width": 16, "depth": 1}, "metric": "balanced_accuracy"}
    found = [tauten.search(x, y, class_weight=own, **asked) for own in (None, "balanced")]
    recalls = [recall_score(y, r.model.predict(x).astype(int), pos_label=0) for r in found]
    assert recalls[1] > recalls[0]
    arms = [[r.evidence[arm]["finals"]["balanced_accuracy"]["mean"] for arm in ("plain", "usual")] for r in found]
    assert all(b > a for a, b in zip(*arms, strict=True)), "every arm is balanced, plain and usual too"
    assert balanced_accuracy_score(y, found[1].model.predict(x).astype(int)) > 0.7


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: tauten.search("diabetes", trials=4, class_weight="balanced"),
            OptionError,
            "task regression; leave",
        ),
        (lambda: tauten.search("wine", trials=4, class_weight="equal"), OptionError, "'equal'; it must be 'balanced'"),
        (lambda: tauten.search("wine", trials=4, sample_weight=np.ones(178)), OptionError, "goes with arrays X and y"),
        (
            lambda: tauten.search(*weighted()[:2], weight="x0", trials=4),
            OptionError,
            r"weight \(x0\) names a column beside the targets; with y pass sample_weight",
        ),
        (
            lambda: tauten.search(*weighted()[:2], sample_weight=-weighted()[2], trials=4),
            DataError,
            "expected a number from 0 up",
        ),
        (
            lambda: tauten.search(*weighted()[:2], sample_weight=np.eye(569)[0], trials=4),
            DataError,
            "of a training part have the weight 0; give more rows a weight",
        ),
    ],
)
def test_bad_weights_are_refused_in_a_sentence(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
