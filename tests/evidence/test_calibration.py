"""Calibration measures against scikit-learn on real predictions, and against tables made by hand."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss
from sklearn.naive_bayes import GaussianNB

from tauten.errors import DataError, OptionError
from tauten.evidence import brier_scores, calibration, expected_calibration_error, log_losses, reliability

X, Y = load_digits(return_X_y=True)


@pytest.fixture(scope="module", params=["overconfident", "smooth"])
def predicted(request):
    model = GaussianNB() if request.param == "overconfident" else LogisticRegression(C=1e-3, max_iter=500)
    return model.fit(X[::2], Y[::2]).predict_proba(X[1::2]), Y[1::2]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_log_loss_and_brier_are_scikit_learns(predicted, dtype):
    p, y = predicted[0].astype(dtype), predicted[1]
    found = calibration(p, y)
    assert found.log_loss == pytest.approx(log_loss(y, p, labels=range(10)), rel=1e-5)
    assert found.brier == pytest.approx(brier_score_loss(y, p, labels=range(10), scale_by_half=False), rel=1e-5)


def test_calibration_error_written_out(predicted):
    p, y = predicted
    total = 0.0
    for b in range(15):
        rows = [i for i in range(len(y)) if b / 15 < p[i].max() <= (b + 1) / 15]
        if rows:
            right = sum(p[i].argmax() == y[i] for i in rows)
            total += abs(right - sum(p[i].max() for i in rows)) / len(y)
    assert expected_calibration_error(p, y) == pytest.approx(total)


def test_reliability_by_hand():
    # Confidences 0.6, 0.8, 0.9 and 0.5; right, wrong, right, right (a tie goes to the first class).
    table = reliability([[0.6, 0.4], [0.8, 0.2], [0.1, 0.9], [0.5, 0.5]], [0, 1, 1, 0], bins=4)
    assert [row.n for row in table] == [0, 1, 1, 2]
    assert (table[0].confidence, table[0].accuracy) == (None, None)
    assert (table[3].confidence, table[3].accuracy) == pytest.approx((0.85, 0.5))
    assert (table[1].low, table[1].high, table[1].accuracy) == (0.25, 0.5, 1.0)


def test_perfect_and_impossible_predictions():
    p = np.eye(3)
    right, wrong = calibration(p, [0, 1, 2]), calibration(p, [1, 2, 0])
    assert (right.log_loss, right.brier, right.ece) == (0, 0, 0)
    assert (wrong.brier, wrong.ece) == (2, 1)
    assert wrong.log_loss == pytest.approx(-np.log(2.0**-52))
    assert log_losses(p.astype(np.float32), [1, 2, 0])[0] == pytest.approx(-np.log(2.0**-23))
    assert not np.signbit(log_losses(p, [0, 1, 2])).any()
    assert log_losses([[1, 0]], [1])[0] == pytest.approx(-np.log(2.0**-52))


def test_a_calibrated_sure_thing_and_rounding_above_one():
    p = np.array([[1.0 + 1e-7, 0.0]], dtype=np.float32)
    assert reliability(p, [0])[-1].n == 1
    assert log_losses(p, [0])[0] == 0


def test_json(predicted):
    found = json.loads(json.dumps(calibration(*predicted).to_json(), allow_nan=False))
    assert sum(row["n"] for row in found["reliability"]) == found["n"] == len(predicted[1])


def test_per_row_scores_are_contributions(predicted):
    p, y = predicted
    assert log_losses(p, y).shape == brier_scores(p, y).shape == y.shape


@pytest.mark.parametrize(
    ("p", "y", "words"),
    [
        ([[0.5, 0.6]], [0], "softmax"),
        ([[2.0, -1.0]], [0], "softmax"),
        ([[0.5, 0.5]], [2], "integers 0 to 1"),
        ([[0.5, 0.5]], [-1], "integers 0 to 1"),
        ([[0.5, 0.5]], [0.5], "integers 0 to 1"),
        ([[0.5, 0.5]], [0, 1], "shape"),
        (np.zeros((0, 2)), [], "n ≥ 1"),
        ([0.5, 0.5], [0, 1], "dimension"),
        ([[np.nan, 0.5]], [0], "not finite"),
    ],
)
def test_unusable_input_is_refused(p, y, words):
    for measure in (calibration, log_losses, brier_scores, reliability):
        with pytest.raises(DataError, match=words):
            measure(p, y)


def test_no_bins_are_refused():
    with pytest.raises(OptionError, match="bins is 0"):
        reliability([[0.5, 0.5]], [0], bins=0)
