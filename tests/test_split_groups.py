"""Groups: nobody on two sides, every row scored once, shares as near as groups let them be, chosen by content alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from tauten.bundles import alike, holders
from tauten.data import from_arrays, load
from tauten.errors import DataError
from tauten.split import folds, holdout, one_split, selection_plan

steady = settings(deadline=None, max_examples=100, derandomize=True)


@st.composite
def grouped(draw, task=None):
    """Targets with groups of unlike sizes; each of three classes is in at least three of them."""
    sizes = draw(st.lists(st.integers(1, 12), min_size=10, max_size=30))
    groups = np.repeat(np.arange(len(sizes)), sizes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    task = task or draw(st.sampled_from(["classification", "regression"]))
    if task == "regression":
        return task, rng.normal(size=len(groups)) + 3 * rng.normal(size=len(sizes))[groups], groups
    pure = draw(st.booleans())
    y = groups % 3 if pure else rng.integers(0, 3, len(groups))
    y[np.searchsorted(groups, np.arange(9))] = np.arange(9) % 3
    return task, y, groups


def sides(groups, *parts):
    """The groups that two parts share."""
    own = [set(groups[rows].tolist()) for rows in parts]
    return {g for i, a in enumerate(own) for b in own[i + 1 :] for g in a & b}


@given(grouped(), st.integers(2, 5), st.integers(0, 2**32))
@steady
def test_folds_keep_groups_whole_and_score_every_row_once(case, k, seed):
    task, y, groups = case
    k = selection_plan(y, task, k, groups=groups).folds
    splits = folds(y, task, k, seed, groups)
    np.testing.assert_array_equal(np.sort(np.concatenate([s.score for s in splits])), np.arange(len(y)))
    largest = np.bincount(groups).max()
    for split in splits:
        assert split.score.size
        assert not sides(groups, split.train, split.score)
        np.testing.assert_array_equal(np.sort(np.concatenate([split.train, split.score])), np.arange(len(y)))
        assert abs(split.score.size - len(y) / k) <= 1.5 * largest
        if task == "classification" and k > 2:
            assert set(y[split.train]) == set(y)


@given(grouped(), st.integers(0, 2**32))
@steady
def test_one_split_keeps_groups_whole(case, seed):
    task, y, groups = case
    split = one_split(y, task, seed, groups=groups)
    parts = (split.train, split.score, split.stop)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(y)))
    assert not sides(groups, *parts)
    assert all(part.size for part in parts)
    assert abs(split.score.size - 0.2 * len(y)) <= 1.5 * np.bincount(groups).max()


@given(grouped(), st.sampled_from([0.1, 0.2, 0.4]), st.integers(0, 2**32))
@steady
def test_a_grouped_holdout_is_chosen_by_content(case, fraction, seed):
    task, y, groups = case
    rng = np.random.default_rng(seed)
    table = from_arrays(rng.normal(size=(len(y), 2)), y, task=task)
    dev, held = holdout(table.row_hashes(), table.y, task, fraction, groups)
    np.testing.assert_array_equal(np.sort(np.concatenate([dev, held])), np.arange(len(y)))
    assert held.size
    assert not sides(groups, dev, held)
    assert abs(held.size - fraction * len(y)) <= 1.5 * np.bincount(groups).max()
    if task == "classification":
        assert holders(groups[dev], y[dev])[1].min() >= 2
        assert len(set(y[dev])) == 3
    order, renamed = rng.permutation(len(y)), rng.permutation(groups.max() + 1)[groups]
    shuffled = table.take(order)
    _, again = holdout(shuffled.row_hashes(), shuffled.y, task, fraction, renamed[order])
    assert sorted(order[again].tolist()) == held.tolist()


def test_classes_are_balanced_as_well_as_scikit_learn_does_it():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 60, 600)
    y = (rng.random(600) < rng.beta(0.5, 1.5, 60)[groups]).astype(np.int64)

    def spread(scored):
        return np.std([y[rows].mean() for rows in scored])

    ours = [spread([s.score for s in folds(y, "classification", 5, seed, groups)]) for seed in range(20)]
    theirs = [
        spread([test for _, test in StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(y, y, groups)])
        for seed in range(20)
    ]
    assert np.mean(ours) <= np.mean(theirs)


def test_copies_of_a_row_are_on_one_side():
    base = load("wine").take(np.r_[0:178, 0:60, 0:20])
    copies = alike(base.row_hashes(), base.y)
    assert copies.max() + 1 == 178
    for split in folds(base.y, "classification", 5, 3, copies):
        assert not sides(copies, split.train, split.score)
        assert abs(split.score.size - 258 / 5) <= 3


def test_a_class_of_one_row_copied_keeps_its_rows_apart():
    hashes, y = np.array([1, 1, 1, 2, 3, 3], np.uint64), np.array([0, 0, 0, 1, 1, 1])
    copies = alike(hashes, y)
    assert len(set(copies[:3])) == 3
    assert copies[4] == copies[5] != copies[3]
    assert selection_plan(y, "classification", groups=copies).folds == 2


def test_too_few_groups_are_refused_or_lower_the_folds():
    y = np.arange(40) % 2
    plan = selection_plan(y, "classification", groups=np.arange(40) // 10)
    assert (plan.folds, plan.warnings) == (4, ("4 folds instead of 5: class 0 is in 4 groups of rows",))
    plan = selection_plan(y / 3, "regression", groups=np.arange(40) // 20)
    assert (plan.folds, plan.warnings) == (2, ("2 folds instead of 5: there are 2 groups of rows",))
    with pytest.raises(DataError, match="class 0 is in one group"):
        selection_plan(y, "classification", groups=y)
    with pytest.raises(DataError, match=r"form 1 group\(s\)"):
        selection_plan(y / 3, "regression", groups=np.zeros(40))
    with pytest.raises(DataError, match="none of 2 groups can be held out"):
        holdout(np.arange(40, dtype=np.uint64), y, "classification", 0.2, np.arange(40) // 20)
    with pytest.raises(DataError, match="at least 3"):
        one_split(y, "classification", 0, groups=np.arange(40) // 20)


def test_several_targets_are_stratified():
    rng = np.random.default_rng(0)
    labels = (rng.random((500, 3)) < [0.5, 0.2, 0.04]).astype(float)
    rare = [int(labels[s.score, 2].sum()) for s in folds(labels, "multilabel", 5, 0)]
    assert max(rare) - min(rare) <= 1
    numbers = rng.normal(size=(500, 1)) + 0.1 * rng.normal(size=(500, 2))
    means = [numbers[s.score].mean() for s in folds(numbers, "regression", 5, 0)]
    assert np.std(means) < 0.5 * numbers.std() / 10, "random folds of 100 rows spread by σ / 10"
    dev, held = holdout(rng.integers(0, 2**63, 500).astype(np.uint64), labels, "multilabel")
    assert (dev.size, held.size) == (400, 100)
