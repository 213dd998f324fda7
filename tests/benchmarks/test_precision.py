"""How the benchmark of bf16 compares rankings: against SciPy, by hand, and on recipes that are really trained."""

import doctest
import sys
from math import inf
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import precision
import ranking
from arena import Arena
from ranking import OTHER, OWN, SAME, YARDSTICK

from tauten.engines.native import bf16
from tauten.sampler import make_sampler


def draws(fp32_a, fp32_b, bf16_a, bf16_b):
    keys = (("fp32", "A"), ("fp32", "B"), ("bf16", "A"), ("bf16", "B"))
    return {key: np.array(own, dtype=float) for key, own in zip(keys, (fp32_a, fp32_b, bf16_a, bf16_b), strict=True)}


def test_examples_in_docstrings():
    assert doctest.testmod(ranking).attempted
    assert doctest.testmod(ranking).failed == 0


def test_tau_is_that_of_scipy_for_samples_with_copies_and_ties():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 8, (2, 12)).astype(float)
    a[3] = b[3] = a[7] = inf
    weights = np.vstack([np.ones(12), rng.multinomial(12, [1 / 12] * 12, 20)])
    expected = []
    for row in weights.astype(int):
        # inf replaced by a number above all others: SciPy's own treatment of inf is not what is compared.
        copies = [np.repeat(np.where(np.isinf(own), 99, own), row) for own in (a, b)]
        expected.append(kendalltau(*copies).statistic)
    np.testing.assert_allclose(ranking.taus(a, b, weights), expected, atol=1e-12)


def test_each_kind_of_pair_by_hand():
    # Orders: 123 and 132 in fp32, 123 and 321 in bf16; of three pairs one, none, three, two are turned round.
    found = ranking.agreements(draws([1, 2, 3], [1, 3, 2], [1, 2, 3], [3, 2, 1]), np.ones((1, 3)))
    told = {kind: float(rows[0]) for kind, rows in found.items()}
    assert told[YARDSTICK] == pytest.approx(1 / 3)
    assert told[SAME] == pytest.approx((1 - 1 / 3) / 2)
    assert told[OTHER] == pytest.approx((-1 + 1 / 3) / 2)
    assert told[OWN] == pytest.approx(-1)


def test_the_best_third_is_no_single_draw_s_choice():
    own = draws([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], [9, 2, 3, 1, 5, inf])
    assert ranking.best_third(own).tolist() == [0, 1]
    own = draws([1, 2, 3, 4], [3, 2, 1, 4], [1, 2, 3, 4], [4, 1, 2, 3])
    assert ranking.best_third(own).tolist() == [1]


def test_winners_and_regret_by_hand():
    own = draws([1, 2, 3, 9], [1, 2, 5, 9], [2, 1, 3, 9], [1, 2, 3, inf])
    found = ranking.winners(own, np.ones((1, 4)))
    assert found["another"] == 0.5
    assert found["fp32"] == 0.0
    # bf16's winner from A is recipe 1: by fp32 from B one above the best, whose median is 2.5 above it; from B none.
    assert found["bf16"] == pytest.approx((1 / 2.5 + 0) / 2)
    # Where the first recipe is not in the sample, both precisions choose the second.
    found = ranking.winners(own, np.array([[0, 1, 1, 2]]))
    assert found == {"another": 0.0, "fp32": 0.0, "bf16": 0.0}


def test_changes_leave_out_who_diverged():
    found = ranking.changes(draws([1, 2, 4, 1], [1, 2.5, 4, 1], [1.5, 2, 4, inf], [1.5, 2.5, 4, 1]), np.ones((1, 4)))
    assert found["mean"].tolist() == pytest.approx([(0.25 + 0 + 0) / 3])
    assert (found["precision"], found["seed"]) == (0.0, 0.0)
    weights = np.array([[2, 1, 0, 7]])
    assert ranking.changes(draws([1, 2, 4, 1], [1, 2, 4, 1], [1.5, 2, 4, inf], [1.5, 2, 4, 1]), weights)[
        "mean"
    ] == pytest.approx([2 * 0.25 / 3])


def test_the_verdict_sees_noise_beyond_another_seed_s():
    rng = np.random.default_rng(1)
    true = rng.random(99)
    seed_a, seed_b, rounding = rng.normal(0, 0.05, (3, 99))
    fp32 = [true + seed_a, true + seed_b]
    mild = draws(*fp32, true + seed_a + 0.1 * rounding, true + seed_b - 0.1 * rounding)
    assert "It holds: the smallest difference is +" in ranking.verdict(ranking.rankings({"made": mild}))
    # In the best third noise of this size is most of what there is, for either pair.
    wild = draws(*fp32, true + seed_a + 8 * rounding, true + seed_b - 8 * rounding)
    assert "It does not hold: made, all recipes" in ranking.verdict(ranking.rankings({"made": wild}))


@pytest.mark.skipif(not bf16(), reason="the processor has no AVX512-BF16, or no library was built")
def test_draws_are_paired_and_do_not_depend_on_chunks(monkeypatch):
    arena = Arena.of("diabetes", 0, {"epochs": 2}, techniques=None)
    sampler = make_sampler("random", arena.space, 0)
    recipes = [sampler.build(sampler.ask()) for _ in range(3)]
    together = precision.measure(recipes, arena.folds, 1)
    monkeypatch.setattr(precision, "CHUNK", 2)
    apart = precision.measure(recipes, arena.folds, 2)
    assert together["recipes"] == apart["recipes"]
    assert together["diverged"] == {"fp32": 0, "bf16": 0}
    assert {p: len(own) for p, own in apart["rates"].items()} == {"fp32": 4, "bf16": 4}
    found = precision.draws_of(together)
    rounding = np.abs(found["bf16", "A"] / found["fp32", "A"] - 1)
    assert (rounding < 0.02).all()
    assert (rounding > 0).any()
    assert (np.abs(found["fp32", "B"] / found["fp32", "A"] - 1) > rounding).all()
