"""Verdicts and the holdout's agreement, on differences computed from scores."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tauten.evidence import compare, grade, holdout_agrees, verdict


def difference(mean, standard_error=1.0, n=100, seeds=10, df=30.0):
    """Return a genuine difference whose figures are then set, so that a p-value can be placed exactly."""
    found = compare(np.zeros((n, seeds)), np.zeros((n, seeds)))
    half = stats.t.ppf(0.975, df) * standard_error
    p = float(stats.t.sf(mean / standard_error, df))
    return replace(found, mean=mean, low=mean - half, high=mean + half, p=p, df=df, standard_error=standard_error)


@pytest.mark.parametrize(
    ("p", "name"),
    [
        (0.0, "proved"),
        (0.05, "proved"),
        (0.0501, "likely"),
        (0.20, "likely"),
        (0.2001, "no evidence"),
        (1.0, "no evidence"),
    ],
)
def test_thresholds(p, name):
    assert grade(replace(difference(0.0), p=p)) == name


def test_little_data_proves_nothing():
    assert grade(difference(9.0)) == "proved"
    assert grade(difference(9.0, seeds=2)) == "likely"
    assert grade(difference(9.0, n=49)) == "likely"


def test_headline_is_against_plain_and_usual_stands_beside_it():
    found = verdict(difference(9.0), difference(1.0))
    assert (found.name, found.against_plain, found.against_usual) == ("proved", "proved", "likely")
    assert found.sentence.startswith("proved: better than plain (gain +9, 95% interval +6.96 to +11, one-sided p < 0")
    assert "better than usual (gain +1" in found.sentence
    assert json.loads(json.dumps(found.to_json()))["against_usual"] == "likely"


def test_worse_than_usual_is_said():
    assert "clearly worse than usual" in verdict(difference(9.0), difference(-3.0)).sentence
    assert "probably worse than usual" in verdict(difference(9.0), difference(-1.0)).sentence
    assert "not distinguishably better or worse than usual" in verdict(difference(9.0), difference(-0.1)).sentence


def test_the_p_value_is_that_of_the_side_that_is_claimed():
    beyond = stats.t(df=30).sf
    said = verdict(difference(9.0), difference(-2.0)).sentence
    assert (
        f"clearly worse than usual (gain -2, 95% interval -4.04 to +0.0423, one-sided p = {beyond(2):.2g} for worse"
        in said
    )
    assert "one-sided p < 0.0001 for worse" in verdict(difference(9.0), difference(-9.0)).sentence
    assert f"one-sided p = {beyond(0.1):.2g}, n" in verdict(difference(9.0), difference(0.1)).sentence
    assert "for worse" not in verdict(difference(9.0), difference(-0.1)).sentence


def test_usual_itself_is_neither_better_nor_worse_than_usual():
    scores = np.random.default_rng(0).random((60, 10))
    found = verdict(compare(scores + 0.1, scores), compare(scores, scores))
    assert found.sentence.endswith("; the same as usual in every score.")


def test_no_evidence_answers_plain_even_when_usual_is_beaten():
    found = verdict(difference(0.1), difference(9.0))
    assert (found.name, found.against_usual) == ("no evidence", "proved")
    assert "the answer is plain" in found.sentence


def test_the_sentence_names_what_is_gained():
    said = verdict(difference(5.0), difference(1.0), "auc").sentence
    assert said.count("gain in auc +") == 2
    assert "gain +5" in verdict(difference(5.0), difference(1.0)).sentence


def test_identical_arms_are_no_evidence():
    same = compare(np.ones((60, 10)), np.ones((60, 10)))
    found = verdict(same, same)
    assert found.name == "no evidence"
    assert "not distinguishably" in found.sentence


def test_the_residual_is_welch_interval():
    rng = np.random.default_rng(0)
    finals, holdout = rng.normal(1, 1, 80), rng.normal(0.4, 2, 60)
    found = holdout_agrees(compare(finals, 0 * finals), compare(holdout, 0 * holdout))
    wanted = stats.ttest_ind(finals, holdout, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert found.residual == pytest.approx(finals.mean() - holdout.mean())
    assert found.agrees == (wanted.low <= 0 <= wanted.high)


def test_agreement_and_disagreement():
    assert holdout_agrees(difference(2.0), difference(1.0)).agrees
    found = holdout_agrees(difference(5.0), difference(-1.0))
    assert not found.agrees
    assert found.sentence.startswith("The holdout disagrees with finals B: gain -1 on the holdout, +5 in finals B")
    assert found.low > 0


def test_a_small_holdout_contradicts_nothing_and_says_so():
    found = holdout_agrees(difference(5.0), difference(-5.0, n=49))
    assert found.agrees
    assert "neither confirm nor contradict" in found.sentence
    assert "too small" in found.sentence
    rng = np.random.default_rng(1)
    of_few = compare(rng.normal(9, 1, 90), np.zeros(90), clusters=np.arange(90) % 19)
    assert "too small: 19 clusters" in holdout_agrees(difference(5.0), of_few).sentence
    assert holdout_agrees(difference(5.0), of_few).agrees
    rare = holdout_agrees(difference(5.0), difference(-5.0), "too small: 4 examples of the rarest class")
    assert rare.agrees
    assert "nor contradict finals B (too small: 4 examples of the rarest class)" in rare.sentence


def test_two_differences_without_spread():
    still = compare(np.ones((60, 3)), np.ones((60, 3)))
    gain = compare(np.ones((60, 3)), np.zeros((60, 3)))
    assert holdout_agrees(still, still).agrees
    assert not holdout_agrees(gain, still).agrees
