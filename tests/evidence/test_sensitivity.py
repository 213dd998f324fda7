"""Values within noise of the chosen one, and claims that hold at once."""

import numpy as np
import pytest
from scipy import stats

from tauten.errors import DataError
from tauten.evidence.ablation import ablation, simultaneous
from tauten.evidence.sensitivity import ranges

D = np.array([0.1, -0.1, 0.2, 0.0, -0.05])


def test_simultaneous_intervals_are_bonferronis_and_the_ablation_uses_them():
    claims = [D, D + 1, D - 0.3]
    got = simultaneous(claims, test_train_ratio=0.25)
    error = (1 / 5 + 0.25) ** 0.5 * D.std(ddof=1)
    half = stats.t.ppf(1 - 0.05 / 2 / 3, 4) * error
    for d, gain in zip(claims, got, strict=True):
        assert (gain.low, gain.high) == pytest.approx((d.mean() - half, d.mean() + half))
    (row,) = ablation([("dropout", D, D + 1)], test_train_ratio=0.25)
    assert (row.without, row.alone) == simultaneous([D, D + 1], test_train_ratio=0.25)
    assert simultaneous([], test_train_ratio=0.25) == ()


def test_a_range_ends_where_a_value_can_be_told_apart_for_better_or_worse():
    tried = [
        ("p", 0.3, [(0.5, D - 9), (0.4, D), (0.2, D), (0.1, D + 9), (0.05, D)]),
        ("q", 1.0, [(2.0, D - 9)]),
    ]
    first, second = ranges(tried, test_train_ratio=0.25)
    assert (first.low, first.high) == (0.2, 0.4), "0.05 lies beyond a value that was told apart"
    assert [n.value for n in first.tried] == [0.05, 0.1, 0.2, 0.4, 0.5]
    assert [n.gain.gain for n in first.tried] == pytest.approx(D.mean() + np.array([0, 9, 0, 0, -9]))
    assert (second.low, second.high, second.worst) == (1.0, 1.0, 0.0)
    every = simultaneous([D] * 6, test_train_ratio=0.25)[0]
    assert first.worst == pytest.approx(-every.low), "one level for all values of all numbers"


def test_ranges_hold_at_once():
    """Five values of no effect: in 95 % of runs or more none is told apart."""
    random = np.random.default_rng(0)
    apart = 0
    for _ in range(400):
        shared = random.normal(size=20)
        own = [(float(v), random.normal(size=20) - shared) for v in (1, 2, 4, 5, 6)]
        (found,) = ranges([("p", 3.0, own)], test_train_ratio=0.0)
        apart += (found.low, found.high) != (1.0, 6.0)
    assert apart / 400 <= 0.07


def test_what_is_not_finite_is_refused():
    with pytest.raises(DataError):
        ranges([("p", 1.0, [(2.0, [np.nan, 0.0])])], test_train_ratio=0.25)
