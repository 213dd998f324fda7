"""The crossed bootstrap: against the two-way interval where that is right, DeLong's test, and simulated truth."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from tauten.errors import DataError, OptionError
from tauten.evidence import bootstrap_compare, compare, grade


def accuracy(y, guess):
    return float((y == guess).mean())


def area(y, score):
    """The area under the ROC curve by midranks."""
    ranks, positive = stats.rankdata(score), y == 1
    m = int(positive.sum())
    return float((ranks[positive].sum() - m * (m + 1) / 2) / (m * (len(y) - m)))


def arms(n, seeds, common, seed, gain=0.0):
    """Labels and the scores of two arms: of examples, seeds and a residual; b is better by `gain`."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.4).astype(int)
    signal = y[:, None] + rng.normal(size=(n, 1))

    def arm(strength):
        own = strength * (1 + common * rng.normal(size=(1, seeds)))
        return own * signal + rng.normal(size=(n, seeds)) + 0.5 * rng.normal(size=(n, 1))

    return y, arm(1.0), arm(1.0 + gain)


@pytest.mark.parametrize(("seeds", "common"), [(10, 0.0), (5, 0.3), (8, 1.0), (1, 0.0)])
def test_it_is_the_two_way_interval_where_the_metric_is_a_mean(seeds, common):
    y, a, b = arms(300, seeds, common, 1, gain=0.5)
    a, b = (a > 0.5).astype(int), (b > 0.5).astype(int)
    found = bootstrap_compare(accuracy, a, b, y, stratify=False, draws=2999)
    wanted = compare(a == y[:, None], b == y[:, None], greater_is_better=True)
    assert found.mean == pytest.approx(wanted.mean)
    assert found.standard_error == pytest.approx(wanted.standard_error, rel=0.06)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=0.15 * wanted.standard_error)
    assert found.df == pytest.approx(wanted.df, rel=0.2)
    assert (found.n_examples, found.n_seeds, found.note) == (300, seeds, wanted.note)


def test_one_seed_of_auc_is_delongs_variance():
    y, a, b = arms(300, 1, 0.0, 2, gain=0.5)
    placements = []
    for score in (a[:, 0], b[:, 0]):
        above = (score[y == 1, None] > score[None, y == 0]).astype(float)
        placements.append((above.mean(1), above.mean(0)))
    gains = [after - before for before, after in zip(*placements, strict=True)]
    wanted = sum(g.var(ddof=1) / len(g) for g in gains) ** 0.5
    found = bootstrap_compare(roc_auc_score, a, b, y)
    assert found.mean == pytest.approx(gains[0].mean())
    assert found.standard_error == pytest.approx(wanted, rel=0.08)


def test_balanced_accuracy_within_classes_is_the_weighted_mean_of_their_variances():
    y, a, b = arms(400, 1, 0.0, 3, gain=0.5)
    a, b = (a > 0.8).astype(int), (b > 0.8).astype(int)
    gains = [((b == y[:, None]).astype(float) - (a == y[:, None]))[y == k, 0] for k in (0, 1)]
    found = bootstrap_compare(balanced_accuracy_score, a, b, y)
    assert found.mean == pytest.approx(np.mean([g.mean() for g in gains]))
    assert found.standard_error == pytest.approx(sum(g.var() / len(g) / 4 for g in gains) ** 0.5, rel=0.08)


def test_probabilities_of_many_classes_are_passed_on_whole():
    rng = np.random.default_rng(4)
    y = np.arange(90) % 3
    p = rng.dirichlet(np.ones(3), size=(90, 4))
    better = (p + np.eye(3)[y][:, None]) / 2
    found = bootstrap_compare(lambda t, s: roc_auc_score(t, s, multi_class="ovr"), p, better, y, draws=99)
    assert found.low > 0
    assert grade(found) == "proved"


def test_direction_seed_and_identity():
    y, a, b = arms(120, 3, 0.1, 5, gain=1.0)
    found = bootstrap_compare(area, a, b, y, draws=199)
    other = bootstrap_compare(area, b, a, y, draws=199)
    assert (other.mean, other.low, other.high) == pytest.approx((-found.mean, -found.high, -found.low))
    loss = bootstrap_compare(lambda t, s: 1 - area(t, s), a, b, y, draws=199, greater_is_better=False)
    assert (loss.low, loss.p) == pytest.approx((found.low, found.p))
    assert found == bootstrap_compare(area, a, b, y, draws=199)
    assert found != bootstrap_compare(area, a, b, y, draws=199, seed=1)
    same = bootstrap_compare(area, a, a, y, draws=99)
    assert (same.mean, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_whole_clusters_are_drawn():
    y, a, b = arms(200, 4, 0.0, 6, gain=0.5)
    a, b = (a > 0.5).astype(int), (b > 0.5).astype(int)
    codes = np.arange(200) // 5
    found = bootstrap_compare(accuracy, a, b, y, clusters=codes, draws=1999)
    wanted = compare(a == y[:, None], b == y[:, None], greater_is_better=True, clusters=codes)
    assert found.standard_error == pytest.approx(wanted.standard_error, rel=0.07)
    assert (found.n_examples, found.n_clusters) == (200, 40)


def test_a_rare_class_is_said():
    y, a, b = arms(100, 3, 0.0, 7)
    y = np.where(np.arange(100) < 9, 1, 0)
    assert "9 examples of the rarest class" in bootstrap_compare(area, a, b, y, draws=99).note


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"outputs_a": np.zeros((5, 2))}, DataError, r"outputs_a has shape \(5, 2\)"),
        ({"outputs_b": np.zeros((60, 3))}, DataError, "2 seeds and outputs_b 3"),
        ({"labels": np.zeros((60, 2))}, DataError, r"labels of shape \(60, 2\)"),
        ({"metric": lambda y, s: float("nan")}, DataError, "not finite on 99 of 99"),
        ({"draws": 20}, OptionError, "draws is 20"),
        ({"level": 95}, OptionError, "level is 95"),
        ({"labels": np.arange(60) // 5, "clusters": np.arange(60) // 5}, DataError, "lack a class"),
    ],
)
def test_unusable_input_is_refused(change, error, words):
    given = {
        "metric": accuracy, "outputs_a": np.zeros((60, 2)), "outputs_b": np.zeros((60, 2)),
        "labels": np.arange(60) % 2, "draws": 99,
    }  # fmt: skip
    with pytest.raises(error, match=words):
        bootstrap_compare(**{**given, **change})
