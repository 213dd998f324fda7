"""A metric and a loss of one's own: the same search as with Tauten's where they say the same."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics import balanced_accuracy_score

import tauten
from tauten.builder import Builder
from tauten.engines.stacked import Stacked
from tauten.engines.step import base_loss
from tauten.errors import OptionError, RunError
from tauten.evidence import compare, interval
from tauten.member import Member, Source
from tauten.metrics import metrics_for
from tauten.own import Own
from tauten.population import Population
from tauten.recipe import Recipe
from tauten.technique import TASKS
from tauten.techniques.dropout import Dropout
from tauten.techniques.mixup import Mixup
from tauten.testing import problem, small_setting, trained

SMALL = {"trials": 4, "threads": 1, "techniques": "dropout", "setting": {"epochs": 6, "width": 16, "depth": 1}}
X, Y = load_breast_cancer(return_X_y=True)


def my_log_loss(y, predicted):
    return -np.log(predicted[np.arange(len(y)), y])


def my_auc(y, predicted, sample_weight=None):
    """By pairs: scikit-learn's takes milliseconds a call, and there are thousands of calls."""
    w = np.ones(len(y)) if sample_weight is None else sample_weight
    p, yes = predicted[:, 1], y == 1
    wins = (p[yes][:, None] > p[~yes]) + 0.5 * (p[yes][:, None] == p[~yes])
    return float((wins * w[yes][:, None] * w[~yes]).sum() / (w[yes].sum() * w[~yes].sum()))


my_auc.greater_is_better = True


def my_error(y, predicted):
    return 1 - balanced_accuracy_score(y, predicted.argmax(1))


def nineties(outputs, targets):
    """Pinball loss of the 0.9 quantile."""
    under = (targets - outputs).squeeze(-1)
    return torch.maximum(0.9 * under, -0.1 * under)


def cross_entropy(outputs, targets):
    return -(targets * torch.log_softmax(outputs, -1)).sum(-1)


def test_a_search_by_ones_own_log_loss_is_the_same_search():
    mine, theirs = (tauten.search(X[:, :8], Y, metric=m, **SMALL).evidence for m in (my_log_loss, "log_loss"))
    assert (mine["metric"], mine["greater_is_better"]) == ("my_log_loss", False)
    for arm in ("plain", "usual", "chosen"):
        assert mine[arm]["finals"]["log_loss"] == theirs[arm]["finals"]["log_loss"]
        for part in ("finals", "holdout"):
            own = mine[arm][part]
            for key in ("mean", "low", "high"):
                assert own["my_log_loss"][key] == pytest.approx(own["log_loss"][key], rel=1e-4)


def test_one_number_for_all_rows_is_enough(tmp_path):
    x, y = X[::5, :8], Y[::5]
    result = tauten.search(x, y, metric=my_auc, out=tmp_path / "run", **SMALL)
    assert result.evidence["greater_is_better"]
    for arm in ("plain", "usual"):
        own = result.evidence[arm]["finals"]
        assert own["my_auc"]["mean"] == pytest.approx(own["auc"]["mean"], abs=1e-6)
        mine, theirs = (own[name]["high"] - own[name]["low"] for name in ("my_auc", "auc"))
        assert mine == pytest.approx(theirs, rel=0.2), "of 18 rows a fold, where pseudo-values spread a little more"
    assert "my_auc" in (tmp_path / "run" / "report.html").read_text()
    with pytest.raises(RunError, match="had a metric of your own, my_auc; pass metric=my_auc again"):
        tauten.resume(tmp_path / "run", x, y)
    again = tauten.resume(tmp_path / "run", x, y, metric=my_auc)
    assert again.evidence["plain"] == result.evidence["plain"]


@pytest.mark.parametrize("weighted", [False, True])
def test_shares_of_one_number_have_the_spread_of_influences(weighted):
    """Pseudo-values of rows left out against the infinitesimal jackknife."""
    random = np.random.default_rng(0)
    n = 400
    y = random.integers(0, 2, n)
    targets = np.eye(2)[y]
    arms = [np.stack([np.zeros(n), y * s + random.normal(size=n)], 1) for s in (1.0, 1.6)]
    w = random.gamma(2.0, size=n) if weighted else None
    mine, theirs = Own(my_auc).metrics("my_auc", "classification", y, w)[0], metrics_for("auc", "classification", y)[0]
    (a, b), (c, d) = ([m.contributions(out, targets, 1.0, w) for out in arms] for m in (theirs, mine))
    assert c.mean() == pytest.approx(a.mean(), abs=1e-9)
    np.testing.assert_allclose(c, a, atol=0.01, rtol=0.03)
    assert interval(c).standard_error == pytest.approx(interval(a).standard_error, rel=0.01)
    assert compare(c, d).standard_error == pytest.approx(compare(a, b).standard_error, rel=0.01)


def test_a_members_loss_is_its_own_and_a_sick_one_is_nan():
    source = problem(40, 4, 2, "classification")
    out = torch.randn(3, 40, 2, generator=torch.Generator().manual_seed(0))
    out[1, 3] = torch.inf
    for function in (my_log_loss, my_auc, my_error):
        metric = Own(function).metrics("", "classification", source.targets.argmax(-1).numpy())[0]
        together = metric.losses(out, source.targets)
        assert np.isnan(together[1])
        assert np.isnan(metric.contributions(out, source.targets)[1]).all()
        for i in (0, 2):
            assert together[i] == metric.losses(out[i], source.targets)
            assert metric.contributions(out[i], source.targets).mean() == pytest.approx(together[i], abs=1e-12)


@pytest.mark.parametrize("task", TASKS)
def test_a_loss_of_ones_own_trains_as_the_built_in_one(task):
    """Rows' weights and mixing act on it too; it sees one member at a time, whatever the engine."""

    def own(outputs, targets):
        assert outputs.ndim == targets.ndim == 2
        if task == "classification":
            return cross_entropy(outputs, targets)
        if task == "multilabel":
            return torch.nn.functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(-1)
        return (outputs - targets).square().mean(-1)

    def looks(outputs, targets):
        return own(outputs, targets) * (1.0 if float(outputs.detach().sum()) > -1e9 else 0.0)

    source = problem(40, 4, 3, task, weighted=True)
    members = [
        Member(i, Recipe((Dropout(p=0.3), Mixup(alpha=0.5)), small_setting(9, 2)), i, epochs=3) for i in range(3)
    ]
    want = trained(members, source, Stacked(), 12)
    for loss in (own, looks):
        mine = Source(source.inputs, source.targets, source.train, task, source.weights, loss)
        with Population(Builder(mine, precision="auto"), [mine]) as population:
            population.enter(members)
            found = population.complete({}, extract=range(3))
        for i in want:
            for name, leaf in want[i].w.items():
                torch.testing.assert_close(found[i].delivered.w[name], leaf, atol=2e-4, rtol=0)


def test_a_quantile_can_be_learnt():
    x, y = load_diabetes(return_X_y=True)
    setting = {"epochs": 20, "width": 16, "depth": 1, "learning_rate": 0.02}
    asked = {"recipes": ["plain"], "setting": setting, "deliver": True, "threads": 1, "folds": 2}
    found = [tauten.compare(x, y, metric="pinball:0.9", loss=own, **asked) for own in (None, nineties)]
    below = [float((y <= m.models["plain"].predict(x)).mean()) for m in found]
    assert 0.4 < below[0] < 0.65
    assert 0.8 < below[1] < 0.97
    scores = [m.scores["plain"].rows["pinball:0.9"].mean() for m in found]
    assert scores[1] < 0.8 * scores[0]


def test_the_loss_of_a_step_is_ones_own():
    outputs, targets = torch.randn(5, 3), torch.eye(3)[[0, 1, 2, 0, 1]]
    weight = torch.arange(5.0)
    want = (cross_entropy(outputs, targets) * weight).mean()
    torch.testing.assert_close(base_loss("regression", outputs, targets, weight, cross_entropy), want)


def words(y, predicted):
    return "good"


def log_loss(y, predicted):
    return 0.0


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"metric": words}, "metric 'words' gives str of shape"),
        ({"metric": lambda y, predicted: predicted}, "gives ndarray of shape"),
        ({"metric": log_loss}, "named 'log_loss', as one of Tauten's; rename it"),
        ({"metric": 7}, "metric is 7; it must be a function"),
        ({"loss": "hinge"}, "loss is 'hinge'; it must be a function"),
        ({"loss": lambda o, t: cross_entropy(o, t).mean()}, r"gives \(\) for outputs \(2, 2\); it must give a tensor"),
        ({"loss": lambda o, t: 0.0}, "gives float for outputs"),
        ({"loss": cross_entropy, "precision": "bf16"}, "needs a built-in network with a built-in loss"),
        ({"metric": my_error, "sample_weight": np.linspace(1, 2, len(Y))}, "gives one number and rows have weights"),
    ],
)
def test_what_can_be_no_metric_or_loss_is_refused(asked, message, tmp_path):
    with pytest.raises(OptionError, match=message) as caught:
        tauten.search(X, Y, out=tmp_path / "run", **(SMALL | asked))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_one_number_for_very_many_rows_is_refused():
    y = np.arange(2_001) % 2
    with pytest.raises(OptionError, match="gives one number for all 2,001 rows; beyond 2,000 it must give one a row"):
        Own(my_error).metrics("my_error", "classification", y)
    assert Own(my_log_loss).metrics("my_log_loss", "classification", y)[0].name == "my_log_loss"
