"""The corrected resampled t against its formula and against the plain t test."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tauten.errors import DataError, OptionError
from tauten.evidence import corrected_difference

REPEATABLE = settings(derandomize=True, deadline=None)
D = np.array([0.031, 0.012, -0.004, 0.025, 0.018, 0.009, 0.040, -0.011, 0.022, 0.015])


def test_formula_written_out():
    found = corrected_difference(D, 1 / 4, level=0.9)
    mean = sum(D) / 10
    variance = sum((d - mean) ** 2 for d in D) / 9
    standard_error = ((1 / 10 + 1 / 4) * variance) ** 0.5
    assert found.mean == pytest.approx(mean)
    assert found.standard_error == pytest.approx(standard_error)
    assert found.high == pytest.approx(mean + stats.t.ppf(0.95, 9) * standard_error)
    assert found.low == pytest.approx(mean - stats.t.ppf(0.95, 9) * standard_error)
    assert found.p == pytest.approx(stats.t.sf(mean / standard_error, 9))


def test_independent_test_sets_give_the_ordinary_t_test():
    wanted = stats.ttest_1samp(D, 0, alternative="greater")
    assert corrected_difference(D, 0).p == pytest.approx(wanted.pvalue)


@REPEATABLE
@given(st.floats(0, 1), st.floats(0.01, 1))
def test_more_overlap_is_less_certain(ratio, more):
    assert corrected_difference(D, ratio + more).low < corrected_difference(D, ratio).low


def test_no_difference_is_no_difference():
    found = corrected_difference(np.zeros(5), 0.25)
    assert (found.mean, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["n_models"] == 5


def test_unusable_input_is_refused():
    with pytest.raises(DataError, match="at least 2 models"):
        corrected_difference([0.1], 0.25)
    with pytest.raises(DataError, match="not finite"):
        corrected_difference([0.1, np.nan], 0.25)
    for ratio in (-0.1, float("inf"), float("nan")):
        with pytest.raises(OptionError, match="n_test / n_train"):
            corrected_difference(D, ratio)
