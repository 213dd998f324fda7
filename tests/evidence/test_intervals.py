"""Paired two-way intervals: hand-computed tables, one-way references, invariances, degenerate input."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import optimize, stats

from tauten.errors import DataError, OptionError
from tauten.evidence import compare, grade, interval, time_blocks, too_small, variance_components

REPEATABLE = settings(derandomize=True, deadline=None)
TABLES = st.tuples(st.integers(2, 30), st.integers(1, 8), st.integers(0, 10_000))


def arms(size):
    n, seeds, seed = size
    rng = np.random.default_rng(seed)
    difficulty = rng.standard_normal((n, 1))
    a = difficulty + rng.standard_normal((n, seeds)) + 0.3 * rng.standard_normal((1, seeds))
    b = difficulty + rng.standard_normal((n, seeds)) - 0.2
    return a, b


def figures(d):
    return np.array([d.mean, d.low, d.high, d.p, d.df, d.standard_error])


def test_hand_computed_table_with_all_three_components():
    # Row means 2.5, 4.5, 5; column means 3, 5; sums of squares 7, 6, 3 with 2, 1, 2 degrees of freedom.
    parts = variance_components([[1, 4], [3, 6], [5, 5]])
    assert parts.examples == pytest.approx((3.5 - 1.5) / 2)
    assert parts.seeds == pytest.approx((6 - 1.5) / 3)
    assert parts.residual == pytest.approx(1.5)
    assert parts.standard_error == pytest.approx((1 / 3 + 1.5 / 2 + 1.5 / 6) ** 0.5)
    assert parts.df == pytest.approx(8**2 / (3.5**2 / 2 + 6**2 / 1 + 1.5**2 / 2))


def test_hand_computed_table_whose_seed_component_is_cut():
    # Mean squares 6, 1.5 and 2: seeds below the residual, so the variance of the mean is 6 / 6 with 2 df.
    found = compare([[1, 2], [3, 6], [5, 4]], np.zeros((3, 2)))
    assert (found.mean, found.standard_error, found.df) == pytest.approx((3.5, 1.0, 2.0))
    # Row means 1.5, 4.5, 4.5: the mean's third moment is (−8 + 1 + 1) / 3³; a proof takes half as much again.
    a = -6 / 27
    assert found.p == pytest.approx(max(stats.t.sf(3.5, 2), stats.t.sf(hall(3.5, 1.5 * a), 2)))
    assert hall(3.5 - found.low, a) == pytest.approx(stats.t.ppf(0.975, 2))
    assert found.high == pytest.approx(3.5 + stats.t.ppf(0.975, 2))
    assert variance_components([[1, 2], [3, 6], [5, 4]]).seeds == 0


def test_both_components_cut_leaves_the_residual():
    parts = variance_components([[1, -1, 0], [0, 1, -1], [-1, 0, 1]])
    assert (parts.examples, parts.seeds) == (0, 0)
    assert parts.residual == pytest.approx(6 / 4)
    assert parts.standard_error == pytest.approx((1.5 / 9) ** 0.5)
    assert parts.df == pytest.approx(4)


@REPEATABLE
@given(TABLES.filter(lambda size: size[1] > 1))
def test_components_written_out_long_hand(size):
    d = np.subtract(*arms(size))
    n, seeds = d.shape
    mean = sum(d[i, j] for i in range(n) for j in range(seeds)) / (n * seeds)
    row = [sum(d[i, j] for j in range(seeds)) / seeds for i in range(n)]
    column = [sum(d[i, j] for i in range(n)) / n for j in range(seeds)]
    ms_e = seeds * sum((m - mean) ** 2 for m in row) / (n - 1)
    ms_s = n * sum((m - mean) ** 2 for m in column) / (seeds - 1)
    ms_r = sum((d[i, j] - row[i] - column[j] + mean) ** 2 for i in range(n) for j in range(seeds))
    ms_r /= (n - 1) * (seeds - 1)
    examples, of_seeds = max((ms_e - ms_r) / seeds, 0), max((ms_s - ms_r) / n, 0)
    variance = examples / n + of_seeds / seeds + ms_r / (n * seeds)
    parts = variance_components(d)
    assert (parts.examples, parts.seeds, parts.residual) == pytest.approx((examples, of_seeds, ms_r), abs=1e-12)
    assert parts.standard_error == pytest.approx(variance**0.5)
    assert min(n, seeds) - 1 <= parts.df <= (n - 1) + (seeds - 1) + (n - 1) * (seeds - 1) + 1e-9


def symmetric(n, seed):
    """Scores whose differences, a − b, have no skewness."""
    rng = np.random.default_rng(seed)
    half, difficulty = rng.standard_normal((n // 2, 1)), rng.standard_normal((n, 1))
    return difficulty + np.concatenate([half, 0.4 - half]), difficulty


def test_one_seed_without_skewness_is_the_paired_t_test_and_says_so():
    a, b = symmetric(60, 3)
    wanted = stats.ttest_rel(a[:, 0], b[:, 0], alternative="greater")
    both_sides = stats.ttest_rel(a[:, 0], b[:, 0]).confidence_interval(0.9)
    for found in (compare(a, b, level=0.9), compare(a[:, 0], b[:, 0], level=0.9)):
        assert (found.p, found.df) == pytest.approx((wanted.pvalue, 59))
        assert (found.low, found.high) == pytest.approx((both_sides.low, both_sides.high))
        assert found.n_seeds == 1
        assert found.note.startswith("one seed")


def hall(t, a):
    """Hall's transformation, written as the cube that it is."""
    return ((1 + a * t / 3) ** 3 - 1) / a + a / 6


@REPEATABLE
@given(st.integers(10, 200), st.integers(0, 1000), st.sampled_from([0.5, 0.8, 0.95, 0.99]))
def test_the_interval_holds_both_and_p_is_the_less_certain(n, seed, level):
    gains = 1.5 - np.random.default_rng(seed).lognormal(size=n)
    student, ends = stats.ttest_1samp(gains, 0.0), stats.ttest_1samp(gains, 0.0).confidence_interval(level)
    a = stats.skew(gains) / n**0.5 * (1 - 1 / n) ** 1.5
    error = gains.std(ddof=1) / n**0.5
    found = compare(gains, np.zeros(n), level=level)
    q = stats.t.ppf((1 + level) / 2, n - 1)
    # Each end is the farther of Student's and Hall's.
    assert found.low == pytest.approx(min(ends.low, _end(gains.mean(), error, a, q)))
    assert found.high == pytest.approx(max(ends.high, _end(gains.mean(), error, a, -q)))
    certain = [student.statistic, hall(student.statistic, 1.5 * a)]
    wanted = 0.0 if certain[0] * certain[1] <= 0 else min(certain, key=abs)
    assert found.p == pytest.approx(stats.t.sf(wanted, n - 1))


def _end(mean, error, a, q):
    """The gain whose t, transformed, is q: by search, as the transformation is monotone."""
    t = optimize.brentq(lambda t: hall(t, a) - q, -1e4, 1e4, xtol=1e-12)
    return mean - t * error


def test_a_few_heavy_losses_take_the_proof_away():
    gains = np.array([1.1] * 56 + [-3.0, -5.0, -8.0, -12.0])
    assert stats.ttest_1samp(gains, 0.0, alternative="greater").pvalue < 0.05
    assert compare(gains, np.zeros(60)).p > 0.05
    assert compare(np.zeros(60), gains).p == pytest.approx(1 - compare(gains, np.zeros(60)).p)


def test_seeds_that_all_say_the_same_add_nothing():
    a, b = arms((60, 1, 4))
    once, thrice = compare(a, b), compare(np.repeat(a, 3, axis=1), np.repeat(b, 3, axis=1))
    assert figures(thrice) == pytest.approx(figures(once))
    assert thrice.note == ""


@REPEATABLE
@given(TABLES, st.floats(-5, 5), st.floats(0.1, 10))
def test_shift_scale_order_and_direction(size, shift, scale):
    a, b = arms(size)
    found = compare(a, b)
    rng = np.random.default_rng(size[2])
    rows, columns = rng.permutation(a.shape[0]), rng.permutation(a.shape[1])
    assert figures(compare(a + shift, b + shift)) == pytest.approx(figures(found), rel=1e-6, abs=1e-9)
    assert figures(compare(a[rows][:, columns], b[rows][:, columns])) == pytest.approx(figures(found), abs=1e-9)
    assert figures(compare(-a, -b, greater_is_better=True)) == pytest.approx(figures(found))
    scaled = compare(scale * a, scale * b)
    assert (scaled.mean, scaled.low, scaled.high) == pytest.approx(
        (scale * found.mean, scale * found.low, scale * found.high), abs=1e-9
    )
    assert (scaled.p, scaled.df) == pytest.approx((found.p, found.df))
    swapped = compare(b, a)
    assert (swapped.mean, swapped.low, swapped.high) == pytest.approx((-found.mean, -found.high, -found.low))
    assert swapped.p == pytest.approx(1 - found.p)


@REPEATABLE
@given(
    hnp.arrays(
        np.float64,
        st.tuples(st.integers(2, 6), st.integers(1, 4)),
        elements=st.floats(-1e100, 1e100),
    )
)
def test_any_finite_scores_give_finite_figures(scores):
    for found in (compare(scores, np.zeros_like(scores)), interval(scores)):
        json.dumps(found.to_json(), allow_nan=False)
        assert found.low <= found.mean <= found.high


def test_identical_arms_differ_by_nothing():
    a, _ = arms((60, 10, 5))
    found = compare(a, a)
    assert (found.mean, found.low, found.high, found.p, found.standard_error) == (0, 0, 0, 1, 0)


def test_a_gain_without_spread_is_certain():
    better = compare(np.full((60, 3), 2.0), np.full((60, 3), 1.5))
    worse = compare(np.full((60, 3), 1.5), np.full((60, 3), 2.0))
    assert (better.low, better.high, better.p) == (0.5, 0.5, 0)
    assert (worse.low, worse.high, worse.p) == (-0.5, -0.5, 1)


def test_one_arm_and_its_metric():
    a, _ = arms((60, 10, 6))
    one = interval(a, level=0.8)
    against_nothing = compare(a, np.zeros_like(a), level=0.8)
    assert (one.mean, one.low, one.high) == (against_nothing.mean, against_nothing.low, against_nothing.high)
    assert one.mean == pytest.approx(a.mean())
    assert json.loads(json.dumps(one.to_json()))["n_seeds"] == 10


def test_too_small_is_said():
    a, b = arms((49, 3, 7))
    assert compare(a, b).note == "too small: 49 examples, at least 50 are needed"
    assert compare(*arms((50, 3, 7))).note == ""
    assert too_small(50, 10) == ""
    assert "9 examples of the rarest class" in too_small(50, 9)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ([1.0, 2.0], [1.0, 2.0, 3.0], "shape"),
        ([[1.0, 2.0]], [[1.0, 2.0]], "at least 2 examples"),
        ([], [], "at least 2 examples"),
        (np.zeros((3, 0)), np.zeros((3, 0)), "1 seed"),
        ([1.0, np.nan], [1.0, 2.0], "1 value"),
        ([1.0, 2.0], [np.inf, -np.inf], "2 value"),
        ([["x"], ["y"]], [["x"], ["y"]], "numbers"),
        (np.zeros((2, 2, 2)), np.zeros((2, 2, 2)), "dimension"),
    ],
)
def test_unusable_scores_are_refused(a, b, words):
    with pytest.raises(DataError, match=words):
        compare(a, b)


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, float("nan")])
def test_level_out_of_range_is_refused(level):
    with pytest.raises(OptionError, match=r"such as 0\.95"):
        compare([1.0, 2.0], [1.0, 2.0], level=level)


def clustered(groups, seed, seeds=4, common=1.0):
    """Scores whose examples share most of their gain with their cluster, in clusters of 2 to 9."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(groups), rng.integers(2, 10, groups))
    gain = common * rng.standard_normal((groups, 1))[codes] + 0.3 * rng.standard_normal((len(codes), seeds))
    return gain, codes


def test_clusters_of_one_example_are_the_examples():
    a, b = arms((60, 5, 8))
    names = np.random.default_rng(0).permutation(60).astype(str)
    assert figures(compare(a, b, clusters=names)) == pytest.approx(figures(compare(a, b)))


def test_equal_clusters_are_compared_by_their_means():
    a, b = arms((120, 5, 9))
    codes = np.tile(np.arange(40), 3)
    means = [x.reshape(3, 40, 5).mean(axis=0) for x in (a, b)]
    found = compare(a, b, clusters=codes)
    assert figures(found) == pytest.approx(figures(compare(*means)))
    assert (found.n_examples, found.n_clusters) == (120, 40)


def test_unequal_clusters_have_the_robust_variance_of_a_ratio():
    gain, codes = clustered(30, 1, seeds=1)
    found = interval(gain, clusters=codes)
    residual = [(gain[codes == g] - gain.mean()).sum() for g in range(30)]
    # The sandwich of a regression on a constant, clusters independent, with the usual G / (G − 1).
    assert found.standard_error == pytest.approx((30 / 29 * np.square(residual).sum()) ** 0.5 / len(gain))
    assert (found.mean, found.df) == pytest.approx((gain.mean(), 29))


def test_clusters_cover_what_rows_alone_do_not():
    rows = whole = 0
    for seed in range(400):
        gain, codes = clustered(40, seed)
        for clusters in (None, codes):
            found = interval(gain, clusters=clusters)
            held = found.low <= 0 <= found.high
            rows, whole = rows + held * (clusters is None), whole + held * (clusters is not None)
    assert rows < 0.75 * 400
    assert whole > 0.93 * 400


def test_few_clusters_prove_nothing():
    gain, codes = clustered(19, 2)
    found = compare(gain + 9, 0 * gain, clusters=codes)
    assert "19 clusters, at least 20" in found.note
    assert grade(found) == "likely"
    gain, codes = clustered(20, 2)
    assert grade(compare(gain + 9, 0 * gain, clusters=codes)) == "proved"


def test_blocks_of_time_are_whole_and_in_order():
    blocks = time_blocks(1000)
    assert np.array_equal(np.bincount(blocks), np.full(100, 10))
    assert (np.diff(blocks) >= 0).all()
    assert set(np.bincount(time_blocks(103, 10))) == {10, 11}
    with pytest.raises(OptionError, match="length of a block is 60: expected 1 to 50"):
        time_blocks(100, 60)


def test_blocks_cover_what_happens_together():
    rng = np.random.default_rng(0)
    held = {True: 0, False: 0}
    for _ in range(300):
        noise = rng.standard_normal(1010)
        gain = np.convolve(noise, np.ones(6), "valid")[:1000]
        for blocked in held:
            found = interval(gain, clusters=time_blocks(1000, 25) if blocked else None)
            held[blocked] += found.low <= 0 <= found.high
    assert held[False] < 0.75 * 300
    assert held[True] > 0.90 * 300


@pytest.mark.parametrize(("clusters", "words"), [([1, 2], "one name for each"), (["a"] * 60, "at least 2 groups")])
def test_unusable_clusters_are_refused(clusters, words):
    a, b = arms((60, 2, 1))
    with pytest.raises(DataError, match=words):
        compare(a, b, clusters=clusters)
