"""Selection scores without a leak, lanes with equal shares, and what the finals measure."""

import itertools
import math

import numpy as np
import pytest

from tauten.contest import Contest
from tauten.data import load
from tauten.evidence import interval
from tauten.finals import ladder, shown_interval
from tauten.journal import NAME, Journal
from tauten.metrics import METRICS
from tauten.options import Options
from tauten.recipe import Recipe
from tauten.searching import prepare
from tauten.setting import Setting
from tauten.techniques.early_stopping import EarlyStopping
from tauten.trial import Trial
from tauten.unrecorded import Unrecorded
from tauten.usual import usual

STOPPING = Recipe((EarlyStopping(patience=2),), Setting(epochs=6))


def test_a_fold_is_scored_at_the_epoch_that_the_other_folds_choose():
    curves = {0: [9.0, 8.0, 1.0, 7.0, 7.0, 7.0], 1: [5.0, 4.0, 6.0, 6.0, 6.0, 6.0], 2: [5.0, 2.0, 6.0, 6.0, 6.0, 6.0]}
    trial = Trial(0, "recipes", STOPPING, scores=curves)
    # Fold 0 is best at epoch 3, but folds 1 and 2 stop at epoch 2; fold 1 is scored where 0 and 2 choose, and so on.
    others = {0: 2, 1: 3, 2: 3}
    assert trial.score(curves) == pytest.approx(np.mean([curves[f][e - 1] for f, e in others.items()]))
    assert trial.duration() == 3


def test_without_a_stop_rule_the_last_epoch_counts():
    trial = Trial(0, "recipes", Recipe((), Setting(epochs=3)), scores={0: [3.0, 1.0, 2.0], 1: [3.0, 1.0, 4.0]})
    assert trial.score([0, 1]) == 3.0
    assert trial.duration() == 3


def test_with_one_split_the_stopping_part_decides_and_the_score_does_not():
    trial = Trial(0, "recipes", STOPPING, scores={0: [1.0, 2.0, 3.0, 9.0]}, stops={0: [5.0, 5.0, 4.0, 6.0]})
    assert trial.score([0]) == 3.0
    assert trial.duration() == 3


def test_a_fold_that_is_alone_is_scored_at_its_last_epoch_not_at_its_minimum():
    assert Trial(0, "recipes", STOPPING, scores={0: [3.0, 1.0, 2.0]}).score([0]) == 2.0


def test_a_sick_fold_makes_the_trial_infinitely_bad():
    assert Trial(0, "recipes", Recipe(), scores={0: [1.0], 1: [math.nan]}).score([0, 1]) == math.inf


def test_plain_gets_an_equal_share_of_gradient_evaluations():
    prepared = prepare(load("wine"), Options(trials=40, setting={"epochs": 8, "width": 8, "depth": 1}))
    prepared.contest.run(Unrecorded(), lambda _: None)
    spent = {k: lane.spent for k, lane in prepared.contest.racing.lanes.items()}
    assert 0.6 < spent["plain"] / spent["recipes"] < 1.4
    assert len(prepared.contest.racing.entered("plain")) > 5


def test_the_first_members_are_plain_usual_and_every_technique_alone():
    prepared = prepare(
        load("wine"), Options(trials=60, setting={"epochs": 2, "width": 4}, techniques=("dropout", "l2", "sam"))
    )
    prepared.contest.run(Unrecorded(), lambda _: None)
    racing = prepared.contest.racing
    assert racing.entered("plain")[0].recipe == Recipe((), prepared.contest.setting)
    first = racing.entered("recipes")
    assert first[0].recipe == usual(prepared.contest.setting)
    assert [t.recipe.names for t in first[1:4]] == [("dropout",), ("l2",), ("sam",)]


def test_usual_and_plain_are_trained_to_the_end_though_others_are_better():
    prepared = prepare(load("wine"), Options(trials=30, setting={"epochs": 4, "width": 16}))
    prepared.contest.run(Unrecorded(), lambda _: None)
    racing = prepared.contest.racing
    for trial in (racing.entered("plain")[0], racing.entered("recipes")[0]):
        assert sorted(trial.scores) == [0, 1, 2, 3, 4]
        assert all(len(c) == trial.recipe.setting.epochs for c in trial.scores.values())


@pytest.mark.parametrize("turn", [0, 1, 7])
def test_when_the_time_is_over_the_round_under_way_counts_and_the_protected_go_on(turn):
    prepared = prepare(load("wine"), Options(trials=90, setting={"epochs": 8, "width": 4}))
    racing, rounds, seen = prepared.contest.racing, [], []

    def over():
        rounds.append({id: len(t.scores.get(0, [])) for id, t in racing.trials.items()})
        return len(rounds) > turn

    racing.run(prepared.builder, Unrecorded(), 1, over, seen.append)
    assert racing.race.closed
    assert seen[-1].training == 0
    # Nobody has entered since, and both shifts' trials were scored as often: the last round of neither was thrown away.
    assert len(racing.trials) == len(rounds[turn])
    trained = [max(map(len, t.scores.values()), default=0) for t in racing.trials.values()]
    assert min(trained) >= 1
    for trial in racing.trials.values():
        if trial.protected:
            assert all(len(c) == trial.recipe.setting.epochs for c in trial.scores.values())
            assert sorted(trial.scores) == [0, 1, 2, 3, 4]


def raced(folder, options, over=lambda: False, start=Journal.resume):
    """What a race left behind: each trial's lane, recipe, number of its ask, and scores."""
    prepared = prepare(load("wine"), Options(setting={"epochs": 8, "width": 4}, **options))
    with start(folder) as journal:
        prepared.contest.racing.run(prepared.builder, journal, 2, over, lambda _: None)
        assert not journal.replaying
    return [(t.lane, t.recipe, t.asked, t.scores) for t in prepared.contest.racing.trials.values()]


def create(folder):
    return Journal.create(folder, {})


def test_a_race_against_the_clock_is_the_same_again_from_its_journal(tmp_path):
    """How many recipes were asked for ahead, and how many drawn at random, depends on the clock; and is recorded."""
    rounds = itertools.count()
    first = raced(tmp_path / "run", {"budget": 60.0}, lambda: next(rounds) > 100, create)
    assert len(first) > 100
    assert raced(tmp_path / "run", {"budget": 60.0}) == first


def test_a_race_cut_off_anywhere_goes_on_to_the_same_end(tmp_path):
    first = raced(tmp_path / "run", {"trials": 90}, start=create)
    assert sum(asked is not None for _, _, asked, _ in first) > 60
    lines = (tmp_path / "run" / NAME).read_bytes().splitlines(keepends=True)
    for part in (0.0, 0.3, 0.6, 0.9):
        cut = tmp_path / str(part)
        cut.mkdir()
        (cut / NAME).write_bytes(b"".join(lines[: 1 + int(part * (len(lines) - 1))]))
        assert raced(cut, {"trials": 90}) == first, part


def test_a_budget_too_small_for_the_full_length_shortens_it_and_says_so():
    prepared = prepare(load("wine"), Options(budget=0.2))
    before = prepared.contest.setting.epochs
    prepared.contest.measure(Unrecorded(), 0.0)
    prepared.contest.run(Unrecorded(), lambda _: None)
    assert prepared.contest.setting.epochs < before
    assert f"where {before} would be taken with more time" in prepared.contest.notes[0]
    assert isinstance(prepared.contest, Contest)


@pytest.mark.parametrize("folds", [1, 2, 5])
def test_every_plan_has_ten_trainings_an_arm(folds):
    for plan in (*ladder(folds), *ladder(folds, few=True)):
        assert plan.finals_b * folds >= 10
        # Fewer than three replicates or seeds prove nothing, whatever they show.
        assert min(plan.finals_b, plan.holdout_seeds) >= 3
        assert plan.ablation <= plan.finals_b
    assert {plan.holdout_seeds for plan in ladder(folds)} == {10}
    assert ladder(folds, few=True)[-1] == ladder(folds)[-1]


def test_figures_are_shown_in_the_metrics_own_units():
    rows = np.random.default_rng(0).random((200, 10))
    assert shown_interval(METRICS["rmse"], rows).mean == pytest.approx(rows.mean())
    assert shown_interval(METRICS["accuracy"], rows).mean == pytest.approx(1 - rows.mean())


def test_an_interval_ends_where_no_figure_can_be():
    rows = np.zeros((60, 4))
    rows[0, 0] = 1.0
    assert interval(1 - rows).high > 1.0
    assert shown_interval(METRICS["accuracy"], rows).high == 1.0
    assert shown_interval(METRICS["rmse"], rows).low == 0.0
