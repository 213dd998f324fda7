"""Time: whatever scores a network is later than whatever taught it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tauten.errors import DataError
from tauten.split import folds, holdout, one_split, selection_plan

steady = settings(deadline=None, max_examples=100, derandomize=True)
# Times with and without ties, in any order; at least eight distinct ones.
timed = st.builds(
    lambda few, seed: np.random.default_rng(seed).permutation(np.r_[0:8, few]).astype(np.float64),
    st.lists(st.integers(-20, 40), min_size=12, max_size=150),
    st.integers(0, 2**32),
)


def most_at_once(time):
    return np.unique(time, return_counts=True)[1].max()


@given(timed, st.sampled_from([0.1, 0.2, 0.4]))
@steady
def test_the_holdout_is_the_latest_part(time, fraction):
    hashes, y = np.arange(len(time), dtype=np.uint64), np.arange(len(time)) % 2
    dev, held = holdout(hashes, y, "classification", fraction, time=time)
    np.testing.assert_array_equal(np.sort(np.concatenate([dev, held])), np.arange(len(time)))
    assert time[dev].max() < time[held].min()
    assert abs(held.size - fraction * len(time)) <= most_at_once(time)
    order = np.random.default_rng(0).permutation(len(time))
    _, again = holdout(hashes[order], y[order], "classification", fraction, time=time[order])
    assert sorted(order[again].tolist()) == held.tolist()


@given(timed, st.integers(2, 7), st.integers(0, 2**32))
@steady
def test_folds_are_expanding_windows(time, k, seed):
    y = np.arange(len(time)) / 7
    splits = folds(y, "regression", k, seed, time=time)
    assert len(splits) == k
    for split in splits:
        assert split.train.size
        assert split.score.size
        assert time[split.train].max() < time[split.score].min()
        np.testing.assert_array_equal(split.train, np.flatnonzero(time < time[split.score].min()))
    assert [s.train.size for s in splits] == sorted((s.train.size for s in splits), reverse=True)
    scored = np.concatenate([s.score for s in splits])
    assert len(np.unique(scored)) == len(scored), "a row is scored twice"
    earliest = splits[-1].train
    np.testing.assert_array_equal(np.sort(np.concatenate([scored, earliest])), np.arange(len(y)))
    other = folds(y, "regression", k, seed + 1, time=time)
    np.testing.assert_array_equal(earliest, other[-1].train)
    order = np.random.default_rng(0).permutation(len(time))
    for split, again in zip(splits, folds(y[order], "regression", k, seed, time=time[order]), strict=True):
        assert sorted(order[again.score].tolist()) == split.score.tolist()


@given(timed, st.integers(0, 2**32))
@steady
def test_one_split_stops_between_training_and_scoring(time, seed):
    split = one_split(np.arange(len(time)) % 2, "classification", seed, time=time)
    assert split.stop is not None
    assert time[split.train].max() < time[split.stop].min()
    assert time[split.stop].max() < time[split.score].min()
    assert split.train.size + split.stop.size + split.score.size == len(time)


def test_windows_are_about_equal_and_differ_between_partitions():
    y, time = np.arange(1200) / 7, np.random.default_rng(0).permutation(1200)
    first, second = (folds(y, "regression", 5, seed, time=time) for seed in (0, 1))
    assert {s.score.size for s in first} != {s.score.size for s in second}
    for splits in (first, second):
        assert splits[-1].train.size == 200
        assert all(100 <= s.score.size <= 300 for s in splits)


def test_shares_without_ties_are_exact():
    time = np.arange(100)[::-1]
    y = np.arange(100) % 2
    assert holdout(np.zeros(100, np.uint64), y, "classification", time=time)[1].tolist() == list(range(20))
    split = one_split(y, "classification", 0, time=time)
    assert (split.train.size, split.stop.size, split.score.size) == (70, 10, 20)


def test_few_times_lower_the_folds_or_are_refused():
    y = np.arange(30) / 7
    plan = selection_plan(y, "regression", time=np.arange(30) // 10)
    assert (plan.folds, plan.warnings) == (2, ("2 folds instead of 5: the rows have 3 distinct times",))
    # A class of one row is no obstacle: nothing is dealt out by class.
    assert selection_plan(np.r_[np.zeros(29, int), 1], "classification", time=np.arange(30)).folds == 5
    with pytest.raises(DataError, match="holds 1 distinct time"):
        holdout(np.zeros(30, np.uint64), y, "regression", time=np.zeros(30))
    with pytest.raises(DataError, match="holds 2 distinct times: expected at least 3"):
        one_split(y, "regression", 0, time=np.arange(30) // 15)
