"""The Parzen estimator is a density, is sampled as it says, and its proposals lie near the good ones."""

import numpy as np
import pytest
from scipy.stats import truncnorm

from tauten.tpe import Parzen, propose


@pytest.mark.parametrize("n", [0, 1, 5, 40])
def test_the_density_integrates_to_one(n):
    points = np.column_stack([np.random.default_rng(n).random(n), np.arange(n) % 3])
    grid = (np.arange(4000) + 0.5) / 4000
    total = sum(
        np.exp(Parzen(points, [0, 3]).log_density(np.column_stack([grid, np.full(4000, k)]))).mean() for k in range(3)
    )
    assert total == pytest.approx(1, abs=1e-4)


def test_the_density_of_one_point_is_the_formula():
    x, point = 0.3, 0.7
    expected = 0.5 * sum(
        truncnorm.pdf(x, (0 - m) / s, (1 - m) / s, loc=m, scale=s) for m, s in ((point, 1 / 3), (0.5, 1.0))
    )
    # One point in one dimension: its width would be 0.2, and is no less than a third of the range.
    assert np.exp(Parzen(np.array([[point]]), [0]).log_density(np.array([[x]])))[0] == pytest.approx(expected)


def test_samples_follow_the_density():
    points = np.array([[0.1, 0.0], [0.15, 0.0], [0.9, 2.0]])
    parzen = Parzen(points, [0, 3])
    drawn = parzen.sample(np.random.default_rng(0), 40_000)
    grid = (np.arange(400) + 0.5) / 400
    for code in range(3):
        density = np.exp(parzen.log_density(np.column_stack([grid, np.full(400, code)])))
        own = drawn[drawn[:, 1] == code, 0]
        for low in (0.0, 0.25, 0.5, 0.75):
            inside = (grid >= low) & (grid < low + 0.25)
            share = ((own >= low) & (own < low + 0.25)).sum() / len(drawn)
            assert share == pytest.approx(density[inside].sum() / 400, abs=0.01)


def test_proposals_are_near_the_good_and_away_from_the_rest():
    rng = np.random.default_rng(0)
    good = np.column_stack([rng.normal(0.3, 0.02, 20), np.ones(20)])
    rest = np.column_stack([rng.random(200), rng.integers(0, 2, 200)])
    found = np.array([propose(np.random.default_rng(i), good, rest, [0, 2]) for i in range(50)])
    assert np.abs(found[:, 0] - 0.3).mean() < 0.15
    assert found[:, 1].mean() > 0.9


def test_with_nothing_known_proposals_cover_the_cube():
    none = np.empty((0, 2))
    found = np.array([propose(np.random.default_rng(i), none, none, [0, 4]) for i in range(200)])
    assert set(found[:, 1]) == {0.0, 1.0, 2.0, 3.0}
    assert found[:, 0].min() < 0.1
    assert found[:, 0].max() > 0.9
