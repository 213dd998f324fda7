"""Every trait's formula against values worked out by hand or by NumPy."""

import itertools

import numpy as np
import pytest

from tauten.errors import DataError
from tauten.evidence.jackknife import jackknife, pairs, spread
from tauten.evidence.traits import co_adaptation, disagreements, distances, gini, participation, zeros


def test_disagreement_is_the_share_of_rows_with_unlike_classes():
    got = disagreements([[0, 0, 1, 2], [0, 1, 1, 2], [2, 2, 2, 2]])
    assert got.tolist() == [[0, 0.25, 0.75], [0.25, 0, 0.75], [0.75, 0.75, 0]]


def test_distance_of_probabilities_and_of_numbers():
    p = [[[0.5, 0.3, 0.2], [1, 0, 0]], [[0.2, 0.3, 0.5], [0, 0.5, 0.5]]]
    assert distances(p)[0, 1] == pytest.approx((0.3 + 1.0) / 2)
    assert distances([[1.0, 5.0], [2.0, 2.0]]).tolist() == [[0, 2], [2, 0]]


def test_pairs_give_the_mean_over_all_pairs_and_its_jackknife():
    d = distances(np.random.default_rng(0).normal(size=(5, 9)))
    every = list(itertools.combinations(range(5), 2))
    whole = np.mean([d[a, b] for a, b in every])
    without = [np.mean([d[a, b] for a, b in every if i not in (a, b)]) for i in range(5)]
    np.testing.assert_allclose(pairs(d), jackknife(whole, without))
    assert spread(pairs(d)).mean == pytest.approx(whole)


def test_the_interval_of_a_disagreement_covers_over_seeds():
    """Members who each err on a row of their own at random: two disagree on 2 p (1 − p) of the rows."""
    random = np.random.default_rng(3)
    rate = random.uniform(0, 0.5, size=40)
    true = float((2 * rate * (1 - rate)).mean())
    found = [spread(pairs(disagreements(random.random((10, 40)) < rate))) for _ in range(600)]
    assert np.mean([f.mean for f in found]) == pytest.approx(true, abs=0.005)
    assert np.mean([f.low <= true <= f.high for f in found]) >= 0.93


def test_one_member_has_no_interval():
    assert spread([3.0]).low is None
    with pytest.raises(DataError, match="empty"):
        spread([])
    with pytest.raises(DataError, match="at least 3"):
        pairs([[0, 1], [1, 0]])


def test_gini_by_its_definition_as_mean_difference():
    w = np.random.default_rng(1).normal(size=50)
    a = np.abs(w)
    assert gini(w) == pytest.approx(np.abs(a[:, None] - a).sum() / (2 * 50 * 50 * a.mean()))
    assert gini(3e5 * w) == pytest.approx(gini(w))
    assert gini([0, 0]) == 0


def test_participation_counts_the_weights_that_carry_the_norm():
    assert participation([3, -3, 3, 0, 0, 0]) == pytest.approx(0.5)
    assert participation([1, 2]) == pytest.approx((1 + 4) ** 2 / (2 * (1 + 16)))
    assert participation(np.random.default_rng(2).normal(size=10**6)) == pytest.approx(1 / 3, abs=2e-3)
    assert participation([0, 0, 0]) == 0
    assert participation([1e-200, 1e-200]) == pytest.approx(1)


def test_zeros_are_exact_ones():
    assert zeros([[0.0, -0.0], [1e-300, 2.0]]) == 0.5


def test_co_adaptation_is_the_mean_absolute_correlation_of_units_that_vary():
    h = np.random.default_rng(4).normal(size=(30, 4))
    h[:, 2] += 2 * h[:, 0]
    r = np.abs(np.corrcoef(h, rowvar=False))
    want = np.mean([r[a, b] for a, b in itertools.combinations(range(4), 2)])
    assert co_adaptation(h) == pytest.approx(want)
    dead = np.column_stack([h, np.zeros(30), np.full(30, 0.1)])
    assert co_adaptation(dead) == pytest.approx(want)
    assert co_adaptation(dead[:, 3:]) is None
    assert co_adaptation(np.column_stack([h[:, 0], -h[:, 0]])) == pytest.approx(1)


@pytest.mark.parametrize("call", [disagreements, distances, gini, participation, zeros])
def test_what_is_not_finite_is_refused(call):
    with pytest.raises(DataError, match="not finite"):
        call(np.array([[1.0, np.nan]]))
