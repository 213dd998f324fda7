"""A row of weight 3 counts in every figure as the same row three times."""

import numpy as np
import pytest

from tauten.errors import DataError
from tauten.evidence import brier_scores, calibration, expected_calibration_error, reliability
from tauten.evidence.bias_variance import cross_entropy, squared_error
from tauten.evidence.traits import co_adaptation, disagreements, distances
from tauten.evidence.weighted import row_mean, row_shares

random = np.random.default_rng(0)
TIMES = np.array([3, 0, 1, 2, 5, 1, 0, 2])
AT = np.repeat(np.arange(8), TIMES)
P = random.dirichlet([1, 1, 1], size=(4, 8))
LABELS = random.integers(0, 3, size=8)
NUMBERS = random.normal(size=(4, 8))


def close(a, b):
    """Two mappings of figures agree, the number of rows aside."""
    for (name, own), other in zip(a.items(), b.values(), strict=True):
        if isinstance(own, dict):
            close(own, other)
        elif own is None:
            assert other is None, name
        elif name != "n_rows":
            assert own == pytest.approx(other, rel=1e-9), name


def test_bias_and_variance():
    y = random.normal(size=8)
    noise = random.uniform(size=8)
    for own, repeated in (
        (squared_error(NUMBERS, y, weights=TIMES), squared_error(NUMBERS[:, AT], y[AT])),
        (squared_error(NUMBERS, y, noise=noise, weights=TIMES), squared_error(NUMBERS[:, AT], y[AT], noise=noise[AT])),
    ):
        close(own.to_json(), repeated.to_json())
        assert own.n_rows == 8
    for truth, q in ((False, np.eye(3)[LABELS]), (True, random.dirichlet([1, 1, 1], size=8))):
        own = cross_entropy(np.log(P), q, truth=truth, weights=TIMES)
        close(own.to_json(), cross_entropy(np.log(P[:, AT]), q[AT], truth=truth).to_json())
    assert squared_error(NUMBERS, y, weights=TIMES).error.mean != pytest.approx(squared_error(NUMBERS, y).error.mean)


def test_calibration():
    own, repeated = calibration(P[0], LABELS, weights=TIMES), calibration(P[0][AT], LABELS[AT])
    assert (own.log_loss, own.brier, own.ece) == pytest.approx((repeated.log_loss, repeated.brier, repeated.ece))
    for bin, other in zip(own.reliability, repeated.reliability, strict=True):
        assert (bin.confidence is None) == (other.confidence is None), "rows of weight 0 are no rows"
        assert (bin.confidence or 0, bin.accuracy or 0) == pytest.approx((other.confidence or 0, other.accuracy or 0))
    assert expected_calibration_error(P[0], LABELS, weights=TIMES) == own.ece
    assert sum(b.n for b in reliability(P[0], LABELS, weights=TIMES)) == 8
    assert own.brier == pytest.approx(np.average(brier_scores(P[0], LABELS), weights=TIMES))


def test_stability_and_co_adaptation():
    codes = P.argmax(-1)
    np.testing.assert_allclose(disagreements(codes, TIMES), disagreements(codes[:, AT]))
    np.testing.assert_allclose(distances(P, TIMES), distances(P[:, AT]))
    np.testing.assert_allclose(distances(NUMBERS, TIMES), distances(NUMBERS[:, AT]))
    h = NUMBERS.T
    assert co_adaptation(h, TIMES) == pytest.approx(co_adaptation(h[AT]))
    assert co_adaptation(h, TIMES) != pytest.approx(co_adaptation(h))
    only = np.where(TIMES > 0, 1.0, 7.0)
    assert co_adaptation(np.column_stack([h, only]), TIMES) == pytest.approx(co_adaptation(h[AT])), "it does not vary"


def test_only_ratios_of_weights_matter():
    assert float(row_mean([1.0, 2.0, 4.0], row_shares([2, 4, 2], 3))) == 2.25
    np.testing.assert_allclose(row_shares(TIMES, 8), row_shares(TIMES * 7.5, 8))
    assert row_shares(None, 3) is None


@pytest.mark.parametrize("weights", [[1, 2], [1, 2, -1], [0, 0, 0], [[1, 1, 1]], [1, np.nan, 1]])
def test_weights_that_can_not_be_are_refused(weights):
    with pytest.raises(DataError, match="weights"):
        row_shares(weights, 3)


def test_noise_of_other_rows_is_refused():
    with pytest.raises(DataError, match="noise has shape"):
        squared_error(NUMBERS, NUMBERS[0], noise=[1.0, 2.0])
