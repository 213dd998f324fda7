"""One standard error: the simplest candidate not clearly behind."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tauten.errors import DataError, OptionError
from tauten.evidence import one_standard_error

REPEATABLE = settings(derandomize=True, deadline=None)
BASE = np.array([0.50, 0.40, 0.60, 0.45, 0.55])
NOISE = np.array([0.02, -0.02, 0.01, -0.01, 0.0])


def test_a_simpler_candidate_within_one_standard_error_wins():
    # The differences' standard deviation is 0.0158; times (1/5 + 1/4) ** 0.5 = 0.671 that is 0.0106.
    scores = [BASE, BASE + NOISE + 0.0105, BASE + NOISE + 0.0107]
    choice = one_standard_error(scores, [4, 2, 0], test_train_ratio=1 / 4)
    assert (choice.index, choice.best, choice.within) == (1, 0, (0, 1))
    assert choice.reasons[0] == "best mean; 4 techniques"
    assert choice.reasons[1].endswith("2 techniques; chosen")
    assert choice.reasons[2].startswith("beyond one standard error of the best: behind by 0.0107")


def test_pairing_matters_more_than_spread():
    # Folds differ by 0.2, the candidates by the same 0.01 in every fold: clearly behind, however spread the folds.
    assert one_standard_error([BASE, BASE + 0.01], [3, 0], test_train_ratio=1 / 4).index == 0


def test_equal_candidates_the_simplest_then_the_first():
    assert one_standard_error([BASE, BASE, BASE], [3, 1, 1], test_train_ratio=1 / 4).index == 1


def test_equally_simple_candidates_the_better_mean():
    scores = [BASE, BASE + NOISE + 0.005, BASE + NOISE + 0.003]
    assert one_standard_error(scores, [3, 1, 1], test_train_ratio=1 / 4).index == 2


def test_direction():
    scores = np.stack([BASE, BASE + NOISE + 0.005, BASE - 0.3])
    lower = one_standard_error(scores, [2, 1, 0], test_train_ratio=1 / 4)
    greater = one_standard_error(-scores, [2, 1, 0], test_train_ratio=1 / 4, greater_is_better=True)
    assert lower == greater
    assert lower.index == 2


def test_one_cell_has_no_standard_error():
    assert one_standard_error([[0.3], [0.31], [0.3]], [2, 0, 1], test_train_ratio=1 / 4).within == (0, 2)


@REPEATABLE
@given(st.integers(1, 8), st.integers(2, 10), st.integers(0, 1000))
def test_order_of_candidates_and_cells_is_irrelevant(candidates, cells, seed):
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((candidates, cells))
    techniques = rng.integers(0, 4, candidates)
    rows, columns = rng.permutation(candidates), rng.permutation(cells)
    choice = one_standard_error(scores, techniques.tolist(), test_train_ratio=0.25)
    other = one_standard_error(scores[rows][:, columns], techniques[rows].tolist(), test_train_ratio=0.25)
    assert rows[other.index] == choice.index
    assert techniques[choice.index] <= techniques[choice.best]


def test_unusable_input_is_refused():
    with pytest.raises(DataError, match="2 technique counts"):
        one_standard_error([BASE], [1, 2], test_train_ratio=0.25)
    with pytest.raises(DataError, match="not finite"):
        one_standard_error([BASE, BASE * np.nan], [1, 2], test_train_ratio=0.25)
    with pytest.raises(DataError, match="shape"):
        one_standard_error(np.zeros((0, 3)), [], test_train_ratio=0.25)
    with pytest.raises(OptionError, match="test_train_ratio is -1"):
        one_standard_error([BASE], [1], test_train_ratio=-1)
