"""Metrics are scikit-learn's, a member's figures don't depend on its company, and rows' shares are right: their mean is
the metric, and intervals from them are those of a bootstrap."""

import warnings
from functools import partial

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_linnerud, load_wine
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from tauten.errors import OptionError
from tauten.evidence import compare, interval
from tauten.member import one_hot
from tauten.metrics import METRICS, metric, metrics_for

EVERY = [*METRICS, "pinball:0.9"]
CLASSIFICATION = [n for n, m in METRICS.items() if "classification" in m.tasks]
REGRESSION = [n for n in EVERY if n not in CLASSIFICATION]


def of(name, task=None):
    return metric(name, task or ("classification" if name in CLASSIFICATION else "regression"))


def figure(name, out, y, weights=None, task=None, scale=1.0):
    found = next(m for m in metrics_for(name, task, y.argmax(-1) if task == "classification" else y) if m.name == name)
    return found.shown(float(found.contributions(out, y, scale, weights).mean()))


def predictions(load, strength=1.0):
    """Held-out logits and one-hot targets of a logistic regression that has seen a fifth of real data."""
    x, y = load(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    fit, rest = order[: len(y) // 5], order[len(y) // 5 :]
    scaler = StandardScaler().fit(x[fit])
    model = LogisticRegression(C=strength, max_iter=1000).fit(scaler.transform(x[fit]), y[fit])
    out = model.decision_function(scaler.transform(x[rest]))
    out = np.stack([np.zeros(len(out)), out], 1) if out.ndim == 1 else out
    return out, one_hot(torch.from_numpy(y[rest]).long(), out.shape[1]).numpy()


def numbers(load, columns):
    """Held-out predictions of a ridge regression of some columns from the others, and the truth."""
    data = load()
    x = data.data if load is load_diabetes else np.hstack([data.data, data.target])
    y = data.target.reshape(len(x), -1) if load is load_diabetes else x[:, columns]
    x = x if load is load_diabetes else np.delete(x, columns, 1)
    half = len(x) // 2
    return Ridge().fit(x[:half], y[:half]).predict(x[half:]).reshape(-1, y.shape[1]), y[half:]


def softmax(out):
    return torch.softmax(torch.from_numpy(out), 1).numpy()


WEIGHTS = [None, "uneven"]


def weights_of(kind, n):
    return None if kind is None else np.random.default_rng(3).gamma(1.0, size=n)


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize(
    ("load", "strength"), [(load_digits, 1.0), (load_wine, 0.01), (load_breast_cancer, 1.0), (load_breast_cancer, 1e-4)]
)
def test_of_classes_they_are_scikit_learns(load, strength, kind):
    out, y = predictions(load, strength)
    truth, p, w = y.argmax(1), softmax(out), weights_of(kind, len(y))
    binary = y.shape[1] == 2
    rarer = int(np.argmin(np.bincount(truth)))
    want = {
        "log_loss": sk.log_loss(truth, p, sample_weight=w),
        "accuracy": sk.accuracy_score(truth, p.argmax(1), sample_weight=w),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, p.argmax(1), sample_weight=w),
        "f1": sk.f1_score(
            truth, p.argmax(1), average="binary" if binary else "macro", pos_label=rarer if binary else 1,
            sample_weight=w, zero_division=0,
        ),
        "auc": sk.roc_auc_score(truth, p[:, 1], sample_weight=w)
        if binary
        else np.mean([sk.roc_auc_score(truth == k, p[:, k], sample_weight=w) for k in range(y.shape[1])]),
        "brier": sk.brier_score_loss(truth, p, sample_weight=w, scale_by_half=False, labels=range(y.shape[1])),
    }  # fmt: skip
    assert want.keys() == set(CLASSIFICATION)
    for name, value in want.items():
        assert figure(name, out, y, w, "classification") == pytest.approx(value, abs=1e-9), name
    if kind is None and not binary:
        assert want["auc"] == pytest.approx(sk.roc_auc_score(truth, p, multi_class="ovr"), abs=1e-12)


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize(("load", "columns"), [(load_diabetes, [0]), (load_linnerud, [0, 3, 5])])
def test_of_numbers_they_are_scikit_learns(load, columns, kind):
    out, y = numbers(load, columns)
    w = weights_of(kind, len(y))
    want = {
        "rmse": sk.root_mean_squared_error(y, out, sample_weight=w),
        "mse": sk.mean_squared_error(y, out, sample_weight=w),
        "mae": sk.mean_absolute_error(y, out, sample_weight=w),
        "r2": sk.r2_score(y, out, sample_weight=w),
        "pinball:0.9": sk.mean_pinball_loss(y, out, alpha=0.9, sample_weight=w),
    }
    assert want.keys() == set(REGRESSION)
    mean, std = y.mean(0), y.std(0)
    for name, value in want.items():
        assert figure(name, out, y, w, "regression") == pytest.approx(value, rel=1e-9), name
        scaled = figure(name, (out - mean) / std, (y - mean) / std, w, "regression", std)
        assert scaled == pytest.approx(value, rel=1e-9), f"{name} of standardized targets"


@pytest.mark.parametrize("kind", WEIGHTS)
def test_of_labels_they_are_the_mean_over_labels(kind):
    out, y = predictions(load_digits, 0.01)
    out, w = out[:, :4] - out[:, :4].mean(), weights_of(kind, len(y))
    y = np.stack([y[:, :4][:, k] + (y[:, 9] if k == 2 else 0) for k in range(4)], 1)
    p = 1 / (1 + np.exp(-out))
    labels = range(4)
    want = {
        "log_loss": np.mean([sk.log_loss(y[:, k], p[:, k], sample_weight=w) for k in labels]),
        "accuracy": 1 - sk.hamming_loss(y, p > 0.5, sample_weight=w),
        "balanced_accuracy": np.mean(
            [sk.balanced_accuracy_score(y[:, k], p[:, k] > 0.5, sample_weight=w) for k in labels]
        ),
        "f1": sk.f1_score(y, p > 0.5, average="macro", sample_weight=w, zero_division=0),
        "auc": sk.roc_auc_score(y, p, average="macro", sample_weight=w),
        "brier": np.mean([2 * sk.brier_score_loss(y[:, k], p[:, k], sample_weight=w) for k in labels]),
    }
    for name, value in want.items():
        assert figure(name, out, y, w, "multilabel") == pytest.approx(value, abs=1e-9), name


def outputs(name, members, rows, classes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    if name in CLASSIFICATION:
        out = 5 * torch.randn(members, rows, classes, generator=generator)
        return out, one_hot(torch.randint(0, classes, (rows,), generator=generator), classes)
    return torch.randn(members, rows, 3, generator=generator), torch.randn(rows, 3, generator=generator)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(("members", "rows", "classes"), [(2, 7, 3), (5, 33, 10), (17, 288, 2), (8, 1000, 5)])
def test_a_members_bits_do_not_depend_on_its_company(name, members, rows, classes):
    out, y = outputs(name, members, rows, classes)
    for w in (None, np.linspace(0, 2, rows)):
        of_all = partial(of(name).contributions, targets=y, scale=3.0, weights=w)
        together = of_all(out)
        for i in range(members):
            alone = of_all(out[i])
            assert np.array_equal(together[i], alone)
            assert together[:, : rows - 3].mean(-1)[i] == alone[: rows - 3].mean(-1)
            assert np.array_equal(of_all(out[i : i + 1])[0], alone)


@pytest.mark.parametrize("name", EVERY)
def test_a_sick_member_is_nan_and_leaves_the_others_alone(name):
    out, y = outputs(name, 3, 20, 4)
    well = of(name).contributions(out, y)
    out[1, 5] = torch.inf
    found = of(name).contributions(out, y)
    assert np.isnan(found[1, 5])
    assert np.isnan(found[1].mean())
    assert np.array_equal(found[[0, 2]], well[[0, 2]])


@pytest.mark.parametrize("name", ["auc", "f1", "balanced_accuracy", "r2", "rmse"])
def test_intervals_and_differences_are_a_bootstraps(name):
    """Standard errors of one arm and of two arms' difference, against 3,000 resamples of the rows."""
    if name in CLASSIFICATION:
        arms, y = zip(*(predictions(load_digits, c) for c in (1e-4, 0.003)), strict=True)
        y = y[0]
        measured = partial(figure, name, task="classification")
    else:
        out, y = numbers(load_diabetes, [0])
        arms = (out * 0.5 + y.mean() * 0.5 + 10 * np.sin(np.arange(len(y)))[:, None], out)
        measured = partial(figure, name, task="regression")
    found = of(name)
    a, b = (found.contributions(out, y) for out in arms)
    random = np.random.default_rng(0)
    drawn = np.array(
        [[measured(out[rows], y[rows]) for out in arms] for rows in random.integers(0, len(y), (3000, len(y)))]
    )
    sign = 1 if found.greater_is_better else -1
    assert interval(found.shown(b)).standard_error == pytest.approx(drawn[:, 1].std(), rel=0.06)
    difference = compare(a, b)
    assert difference.mean == pytest.approx(sign * (measured(arms[1], y) - measured(arms[0], y)), abs=1e-12)
    assert difference.standard_error == pytest.approx((drawn[:, 1] - drawn[:, 0]).std(), rel=0.06)


def test_auc_is_delongs():
    """Against the variance as DeLong et al. write it, from placements counted pair by pair."""
    out, y = predictions(load_breast_cancer, 1e-3)
    scores, positive = out[:, 1], y[:, 1] > 0
    wins = (scores[positive][:, None] > scores[~positive]) + 0.5 * (scores[positive][:, None] == scores[~positive])
    variance = sum(np.var(wins.mean(axis), ddof=1) / wins.shape[1 - axis] for axis in (0, 1))
    own = of("auc").contributions(out, y)
    assert own.mean() == pytest.approx(1 - wins.mean(), abs=1e-12)
    assert interval(own).standard_error == pytest.approx(variance**0.5, rel=0.01)


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_what_a_fold_lacks_is_left_out(name):
    out, y = predictions(load_wine, 0.01)
    few = y.argmax(1) != 2
    out, y = out[few], y[few]
    out[:, 2] = -50.0
    truth, p = y.argmax(1), softmax(out)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = {
            "balanced_accuracy": sk.balanced_accuracy_score(truth, p.argmax(1)),
            "f1": sk.f1_score(truth, p.argmax(1), average="macro"),
            "auc": np.mean([sk.roc_auc_score(truth == k, p[:, k]) for k in (0, 1)]),
        }.get(name)
    value = figure(name, out, y, None, "classification")
    assert np.isfinite(value)
    assert want is None or value == pytest.approx(want, abs=1e-9)
    assert np.isfinite(figure(name, out[:5], one_hot([0] * 5, 3).numpy(), None, "classification"))


def test_a_constant_target_has_scikit_learns_r2():
    y = np.full((20, 1), 7.0)
    assert figure("r2", y, y, None, "regression") == sk.r2_score(y, y) == 1
    assert figure("r2", y + 1, y, None, "regression") == sk.r2_score(y, y + 1) == 0


@pytest.mark.parametrize(
    ("name", "task", "words"),
    [
        ("f2", "classification", "there is no metric 'f2'; it knows log_loss"),
        ("auc", "regression", "'auc' is for classification and multilabel, and this is regression; take one of rmse"),
        ("rmse", "multilabel", "'rmse' is for regression, and this is multilabel; take one of log_loss"),
        ("pinball", "regression", "'pinball' names no quantile between 0 and 1; write it as pinball:0.9"),
        ("pinball:1.5", "regression", "'pinball:1.5' names no quantile"),
        ("pinball:0.0", "regression", "'pinball:0.0' names no quantile"),
        ("pinball:0.9", "classification", "is for regression, and this is classification"),
    ],
)
def test_a_metric_that_does_not_fit_is_refused(name, task, words):
    with pytest.raises(OptionError, match=words):
        metric(name, task)
