"""Bias, variance and noise against truths written out by hand or known in closed form."""

import numpy as np
import pytest

from tauten.errors import DataError
from tauten.evidence.bias_variance import cross_entropy, squared_error


def means(found):
    return {k: getattr(found, k).mean for k in ("error", "variance", "bias_and_noise")}


def test_squared_error_by_hand():
    """Row 1: predictions 1, 2, 6 (mean 3, variance 7), label 1. Row 2: 0, 0, 3 (mean 1, variance 3), label 4."""
    found = squared_error([[1, 0], [2, 0], [6, 3]], [1, 4])
    assert means(found) == pytest.approx(
        {
            "error": ((0 + 1 + 25) / 3 + (16 + 16 + 1) / 3) / 2,
            "variance": (7 + 3) / 2,
            "bias_and_noise": ((3 - 1) ** 2 - 7 / 3 + (1 - 4) ** 2 - 3 / 3) / 2,
        }
    )
    assert found.bias is None
    assert found.noise is None
    assert (found.n_rows, found.n_models) == (2, 3)


def test_the_intervals_of_the_variance_are_the_jackknifes_by_hand():
    f = np.random.default_rng(0).normal(size=(6, 4))
    found = squared_error(f, np.zeros(4))
    whole = f.var(axis=0, ddof=1).mean()
    left_out = [np.delete(f, m, axis=0).var(axis=0, ddof=1).mean() for m in range(6)]
    pseudo = 6 * whole - 5 * np.array(left_out)
    assert found.variance.mean == pytest.approx(whole)
    half = 2.570582 * pseudo.std(ddof=1) / np.sqrt(6)
    assert found.variance.high - whole == pytest.approx(half, rel=1e-6)


def test_far_from_zero_no_digits_are_lost():
    f = np.random.default_rng(1).normal(size=(5, 30))
    near, far = squared_error(f, np.zeros(30)), squared_error(f + 1e7, np.full(30, 1e7))
    assert far.variance.mean == pytest.approx(near.variance.mean, rel=1e-6)


@pytest.mark.parametrize("models", [3, 20])
def test_with_the_truth_all_three_are_unbiased_and_intervals_cover(models):
    """Models miss by 0.7 and scatter by 1.5: without taking variance / M off, 3 would show bias² 1.24, not 0.49."""
    random = np.random.default_rng(models)
    runs = [squared_error(0.7 + 1.5 * random.normal(size=(models, 50)), np.zeros(50), noise=0.3) for _ in range(1000)]
    for key, true in {"bias": 0.49, "variance": 2.25, "bias_and_noise": 0.79, "error": 3.04}.items():
        parts = [getattr(run, key) for run in runs]
        means = np.array([p.mean for p in parts])
        assert abs(means.mean() - true) < 3 * means.std() / len(runs) ** 0.5, key
        covered = np.mean([p.low <= true <= p.high for p in parts])
        assert covered >= 0.93, (key, covered)


def test_with_the_truth_they_sum_to_what_fresh_labels_cost():
    random = np.random.default_rng(9)
    truth, f = random.normal(size=40_000), random.normal(size=(5, 1))
    predictions = truth * 0.8 + f
    labels = truth + 0.6 * random.normal(size=40_000)
    found = squared_error(predictions, truth, noise=0.36)
    measured = ((predictions - labels) ** 2).mean(axis=0)
    error = measured.std() / 200
    assert abs(found.bias.mean + found.variance.mean + found.noise - measured.mean()) < 3 * error


def test_cross_entropy_by_hand():
    """Two classes, so logits and sigmoids: the geometric mean has the mean logit."""
    logits, y = np.array([-1.0, 0.5, 2.0]), np.array([[1.0, 0.0]])
    p = 1 / (1 + np.exp(-logits))
    central = 1 / (1 + np.exp(-logits.mean()))
    found = cross_entropy(np.log(np.stack([p, 1 - p], -1))[:, None], y)

    def spread_of(p):
        c = np.exp(np.log(p).mean()) / (np.exp(np.log(p).mean()) + np.exp(np.log(1 - p).mean()))
        return (c * np.log(c / p) + (1 - c) * np.log((1 - c) / (1 - p))).mean()

    # −log p̄ is what the uncorrected bias would be: error − variance with the variance's plain formula.
    assert -np.log(central) == pytest.approx(found.error.mean - spread_of(p))
    corrected = 3 * spread_of(p) - 2 * np.mean([spread_of(np.delete(p, i)) for i in range(3)])
    assert found.variance.mean == pytest.approx(corrected)
    assert found.bias_and_noise.mean + found.variance.mean == pytest.approx(-np.log(p).mean())


def test_of_few_models_the_central_prediction_of_all_is_recovered():
    """Logits N(1, 1) between two classes, true probability 0.6: integrals over a million models against 4."""
    random = np.random.default_rng(5)
    q = np.array([[0.6, 0.4]])

    def logs(logits):
        return np.stack([-np.log1p(np.exp(-logits)), -np.log1p(np.exp(logits))], -1)[:, None]

    many = logs(random.normal(1, 1, 10**6)).mean(0)
    normal = many - np.log(np.exp(many).sum(-1, keepdims=True))
    variance = -float(np.log(np.exp(many).sum(-1)).mean())
    bias = float((q * (np.log(q) - normal)).sum())
    runs = [cross_entropy(logs(random.normal(1, 1, 4)), q, truth=True) for _ in range(3000)]
    got = np.array([[r.bias.mean, r.variance.mean] for r in runs])
    np.testing.assert_allclose(got.mean(0), [bias, variance], atol=3 * got.std(0).max() / 3000**0.5 + 0.002)
    assert runs[0].noise == pytest.approx(-(0.6 * np.log(0.6) + 0.4 * np.log(0.4)))
    plain = variance * 3 / 4
    assert abs(got.mean(0)[1] - plain) > 0.02, "the test could not tell the uncorrected variance"


@pytest.mark.parametrize("truth", [False, True])
def test_the_parts_sum_to_the_error(truth):
    random = np.random.default_rng(7)
    p = random.dirichlet([1, 2, 3], size=(6, 11))
    y = random.dirichlet([1, 1, 1], size=11) if truth else np.eye(3)[random.integers(0, 3, 11)]
    found = cross_entropy(np.log(p), y, truth=truth)
    measured = -(y * np.log(p)).sum(-1).mean()
    assert found.error.mean == pytest.approx(measured)
    assert found.bias_and_noise.mean + found.variance.mean == pytest.approx(measured)
    if truth:
        assert found.bias.mean + found.noise + found.variance.mean == pytest.approx(measured)


@pytest.mark.parametrize(
    ("predictions", "targets", "says"),
    [
        ([[1.0], [2.0]], [0.0], "at least 3"),
        ([[1.0], [2.0], [3.0]], [0.0, 1.0], "shape"),
        ([[1.0], [np.nan], [3.0]], [0.0], "not finite"),
    ],
)
def test_what_can_not_be_taken_apart_is_refused(predictions, targets, says):
    with pytest.raises(DataError, match=says):
        squared_error(predictions, targets)


def test_numbers_that_are_no_log_probabilities_are_refused():
    with pytest.raises(DataError, match="log_softmax"):
        cross_entropy(np.zeros((3, 2, 2)), np.eye(2))
