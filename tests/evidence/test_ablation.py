"""Simultaneous gains of ingredients; Holm by hand."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tauten.errors import DataError
from tauten.evidence import ablation, corrected_difference, holm

REPEATABLE = settings(derandomize=True, deadline=None)
RNG = np.random.default_rng(1)
DROPOUT = (RNG.normal(0.03, 0.01, 10), RNG.normal(0.02, 0.01, 10))
DECAY = (RNG.normal(0.0, 0.01, 10), RNG.normal(-0.03, 0.01, 10))
ROWS = [("dropout", *DROPOUT), ("weight_decay", *DECAY), ("nothing", np.zeros(10), np.zeros(10))]


def test_holm_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1 is 0.04, 0.06, 0.06, 0.04; the running maximum lifts the last.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.3]) == pytest.approx([0.3])


@REPEATABLE
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.01, 0.5))
def test_holm_rejects_as_the_step_down_procedure_does(p, alpha):
    rejected = np.zeros(len(p), dtype=bool)
    for step, claim in enumerate(np.argsort(p, kind="stable")):
        if p[claim] * (len(p) - step) > alpha:
            break
        rejected[claim] = True
    assert ((holm(p) <= alpha) == rejected).all()


def test_intervals_are_bonferroni_and_p_is_holm():
    table = ablation(ROWS, test_train_ratio=1 / 4)
    assert [row.technique for row in table] == ["dropout", "weight_decay", "nothing"]
    raw = []
    for d in (*DROPOUT, *DECAY):
        standard_error = (0.1 + 0.25) ** 0.5 * d.std(ddof=1)
        raw.append(2 * stats.t.sf(abs(d.mean()) / standard_error, 9))
    wanted = holm([*raw, 1.0, 1.0])
    found = [gain for row in table for gain in (row.without, row.alone)]
    assert [gain.p for gain in found] == pytest.approx(wanted)
    first = corrected_difference(DROPOUT[0], 1 / 4, level=1 - 0.05 / 6)
    assert (found[0].gain, found[0].low, found[0].high) == pytest.approx((first.mean, first.low, first.high))
    assert (found[4].gain, found[4].low, found[4].high, found[4].p) == (0, 0, 0, 1)


def test_an_ingredient_that_hurts_is_found():
    hurts = ablation(ROWS, test_train_ratio=1 / 4)[1].alone
    assert hurts.high < 0
    assert hurts.p <= 0.05


@REPEATABLE
@given(st.integers(0, 500))
def test_an_interval_without_zero_implies_a_small_p(seed):
    rng = np.random.default_rng(seed)
    rows = [(name, rng.normal(0.5, 0.5, 10), rng.normal(0.3, 0.5, 10)) for name in "abc"]
    for row in ablation(rows, test_train_ratio=1 / 4):
        for gain in (row.without, row.alone):
            assert gain.low <= 0 <= gain.high or gain.p <= 0.05 + 1e-9


def test_json_has_the_report_shape():
    row = json.loads(json.dumps(ablation(ROWS, test_train_ratio=1 / 4)[0].to_json(), allow_nan=False))
    assert set(row) == {"technique", "without", "alone"}
    assert {"gain", "low", "high", "p"} <= set(row["without"])


def test_edges():
    assert ablation([], test_train_ratio=1 / 4) == ()
    with pytest.raises(DataError, match="'dropout' is in the ablation twice"):
        ablation([ROWS[0], ROWS[0]], test_train_ratio=1 / 4)


@pytest.mark.slow
def test_all_intervals_hold_at_once():
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(2000):
        common = rng.standard_normal(10)
        rows = [(name, common + rng.standard_normal(10), rng.standard_normal(10)) for name in "abcd"]
        table = ablation(rows, test_train_ratio=0)
        missed += any(gain.low > 0 or gain.high < 0 for row in table for gain in (row.without, row.alone))
    assert missed / 2000 <= 0.05 + 3 * (0.05 * 0.95 / 2000) ** 0.5
