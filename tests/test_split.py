"""Splits: every row once, every class where it must be, and a holdout that nobody can choose."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tauten.data import from_arrays, load
from tauten.errors import DataError, OptionError, RunError
from tauten.split import Sealed, SelectionPlan, folds, holdout, one_split, selection_plan

steady = settings(deadline=None, max_examples=100, derandomize=True)

# Class sizes of two and more, then the codes in any order.
classed = st.lists(st.integers(2, 30), min_size=2, max_size=6).flatmap(
    lambda sizes: st.permutations([c for c, size in enumerate(sizes) for _ in range(size)]).map(np.array)
)
valued = st.lists(st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0]), min_size=10, max_size=120).map(np.array)
either = st.one_of(st.tuples(st.just("classification"), classed), st.tuples(st.just("regression"), valued))


def counts(y, rows):
    return np.bincount(y[rows], minlength=y.max() + 1)


@given(either, st.integers(2, 10), st.integers(0, 2**32))
@steady
def test_folds_partition_the_rows(case, k, seed):
    task, y = case
    k = min(k, len(y))
    splits = folds(y, task, k, seed)
    assert len(splits) == k
    np.testing.assert_array_equal(np.sort(np.concatenate([split.score for split in splits])), np.arange(len(y)))
    for split in splits:
        assert split.stop is None
        np.testing.assert_array_equal(np.sort(np.concatenate([split.train, split.score])), np.arange(len(y)))
    sizes = [split.score.size for split in splits]
    assert max(sizes) - min(sizes) <= 1
    if task == "classification":
        per_class = np.array([counts(y, split.score) for split in splits])
        assert (np.ptp(per_class, axis=0) <= 1).all()
        assert all((counts(y, split.train) > 0).all() for split in splits)


@given(either, st.integers(0, 2**32))
@steady
def test_one_split_has_three_disjoint_parts(case, seed):
    task, y = case
    split = one_split(y, task, seed)
    assert split.stop is not None
    parts = np.concatenate([split.train, split.score, split.stop])
    np.testing.assert_array_equal(np.sort(parts), np.arange(len(y)))
    if task == "classification":
        assert (counts(y, split.train) > 0).all()
        for rows, fraction in ((split.score, 0.2), (split.stop, 0.1)):
            assert (counts(y, rows) <= np.floor(fraction * np.bincount(y)) + 1).all()


def test_one_split_takes_its_fractions_of_each_class():
    y = np.repeat([0, 1, 2], [600, 300, 100])
    split = one_split(y, "classification", seed=1)
    assert [counts(y, part).tolist() for part in (split.score, split.stop)] == [[120, 60, 20], [60, 30, 10]]


def test_one_split_leaves_a_training_row_of_a_class_of_two():
    y = np.repeat([0, 1], 2)
    split = one_split(y, "classification", seed=0, score=0.25, stop=0.25)
    assert split.stop is not None
    assert [counts(y, part).tolist() for part in (split.train, split.score, split.stop)] == [[1, 1], [1, 0], [0, 1]]


def test_regression_folds_see_the_whole_range_of_the_target():
    y = load("diabetes").y
    spread = [np.std([y[s.score].mean() for s in folds(y, "regression", 5, seed)]) for seed in range(50)]
    rng = np.random.default_rng(0)
    at_random = [np.std([p.mean() for p in np.array_split(rng.permutation(y), 5)]) for _ in range(50)]
    assert np.mean(spread) < 0.35 * np.mean(at_random)


def test_seeds_choose_and_repeat():
    y = load("wine").y
    first, same, other = (folds(y, "classification", 5, seed)[0].score.tolist() for seed in (3, 3, 4))
    assert first == same != other
    assert one_split(y, "classification", 3).train.tolist() != one_split(y, "classification", 4).train.tolist()


@st.composite
def tables_with_copies(draw):
    base = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1)), min_size=12, max_size=80))
    # A few rows without a copy, so that there is always one that fits in the holdout.
    rows = np.array([*base, *((100 + i, i % 2) for i in range(20))])
    order = np.array(draw(st.permutations(range(len(rows)))))
    return rows, order, draw(st.sampled_from(["classification", "regression"]))


@given(tables_with_copies(), st.sampled_from([0.1, 0.2, 0.5]))
@steady
def test_holdout_is_chosen_by_content(case, fraction):
    rows, order, task = case
    table = from_arrays(rows[:, :1], rows[:, 1], task=task)
    dev, held = holdout(table.row_hashes(), table.y, task, fraction)
    np.testing.assert_array_equal(np.sort(np.concatenate([dev, held])), np.arange(len(rows)))
    assert held.size <= round(fraction * len(rows)) + 1
    shuffled = table.take(order)
    _, held_again = holdout(shuffled.row_hashes(), shuffled.y, task, fraction)
    assert sorted(order[held_again].tolist()) == held.tolist()
    kept_out = {tuple(row) for row in rows[held]}
    assert kept_out.isdisjoint({tuple(row) for row in rows[dev]}), "copies on both sides"


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "wine", "diabetes"])
def test_holdout_is_a_stratified_fifth(name):
    table = load(name)
    dev, held = holdout(table.row_hashes(), table.y, table.task)
    assert held.size == round(0.2 * len(table.y))
    assert dev.dtype == held.dtype == np.int64
    if table.classes:
        np.testing.assert_allclose(counts(table.y, held), 0.2 * np.bincount(table.y), atol=1)
    else:
        assert abs(np.median(table.y[held]) - np.median(table.y)) < 0.15 * table.y.std()


def test_holdout_takes_the_smallest_hashes_first():
    # A larger holdout of the same rows holds the smaller one: the order is the hash's, not the fraction's.
    table = load("digits")
    small, large = (set(holdout(table.row_hashes(), table.y, "classification", f)[1].tolist()) for f in (0.1, 0.3))
    assert small < large


def test_holdout_keeps_two_of_a_class_for_development():
    y = np.repeat([0, 1, 2], [20, 3, 2])
    dev, _ = holdout(np.arange(25, dtype=np.uint64), y, "classification", 0.5)
    assert counts(y, dev).tolist() == [10, 2, 2]


@pytest.mark.parametrize("fraction", [0, -0.1, 0.51, 1, float("nan")])
def test_holdout_fraction_is_bounded(fraction):
    with pytest.raises(OptionError, match=r"fraction is .*: expected more than 0 and at most 0\.5"):
        holdout(np.arange(20, dtype=np.uint64), np.arange(20) % 2, "classification", fraction)


def test_a_holdout_of_nothing_is_refused():
    with pytest.raises(DataError, match="no row of 10 can be held out"):
        holdout(np.arange(10, dtype=np.uint64), np.arange(10) // 2, "classification")


@pytest.mark.parametrize(
    ("n", "plan"),
    [
        (1_999, SelectionPlan(5, 2)),
        (2_000, SelectionPlan(5, 1)),
        (19_999, SelectionPlan(5, 1)),
        (20_000, SelectionPlan(1, 1)),
    ],
)
def test_plan_by_rows(n, plan):
    assert selection_plan(np.arange(n) % 2, "classification") == plan
    assert selection_plan(np.arange(n) / 7, "regression") == plan


def test_plan_by_wish_and_by_the_smallest_class():
    y = np.repeat([0, 1], [100, 3])
    assert selection_plan(y, "classification") == SelectionPlan(3, 2, ("3 folds instead of 5: class 1 has 3 rows",))
    assert selection_plan(y, "classification", folds=3) == SelectionPlan(3, 2)
    assert selection_plan(y, "classification", folds=1) == SelectionPlan(1, 1)
    assert selection_plan(y, "classification", folds=8, classes=("a", "b")).warnings == (
        "3 folds instead of 8: class 'b' has 3 rows",
    )
    assert selection_plan(np.linspace(0, 1, 12), "regression", folds=10) == SelectionPlan(10, 2)
    for k in (0, 104):
        with pytest.raises(OptionError, match=rf"number of folds is {k}: expected 1 \(one split\) to 103"):
            selection_plan(y, "classification", folds=k)


def test_a_class_of_one_row_is_refused():
    y = np.repeat([0, 1, 2], [20, 1, 9])
    with pytest.raises(
        DataError, match="class 'rare' has a single row: expected at least two, one to train and one to"
    ):
        selection_plan(y, "classification", classes=("often", "rare", "some"))
    for split in (lambda: folds(y, "classification", 5, 0), lambda: one_split(y, "classification", 0)):
        with pytest.raises(DataError, match="class 1 has a single row"):
            split()


def test_options_are_bounded():
    y = np.arange(20) % 2
    for k in (1, 21):
        with pytest.raises(OptionError, match=f"number of folds is {k}: expected 2 to 20"):
            folds(y, "classification", k, 0)
    for score, stop in ((0, 0.1), (0.2, 0), (0.4, 0.2)):
        with pytest.raises(OptionError, match="expected both above 0, together at most"):
            one_split(y, "classification", 0, score, stop)


def test_sealed_opens_once_and_only_after_the_journal():
    rows, journal = np.array([2, 4, 7]), list[str]()
    sealed = Sealed(rows)
    assert len(sealed) == 3

    def full_disk() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        sealed.open(full_disk)
    assert sealed.open(lambda: journal.append("opened")).tolist() == [2, 4, 7]
    with pytest.raises(RunError, match="opened a second time"):
        sealed.open(lambda: journal.append("opened"))
    assert journal == ["opened"]


def test_sealed_has_no_side_door():
    rows = np.array([2, 4, 7])
    sealed = Sealed(rows)
    rows[0] = 0
    public = [name for name in dir(sealed) if not name.startswith("_")]
    assert public == ["open"]
    assert "4" not in repr(type(sealed)) + repr(sealed).split(" at ")[0]
    assert not hasattr(sealed, "__dict__")
    for leave in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(RunError, match="copied or stored"):
            leave(sealed)
    assert sealed.open(lambda: None).tolist() == [2, 4, 7]
