"""What the benchmarks of search compute: times to a quality, and the race replayed; peers train the same network."""

import dataclasses
import doctest
import sys
from math import inf
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import arena
import lean
import quality
import replay
import rungs
import time_to_quality
from quality import Scored

from tauten.engines.stacked import Stacked
from tauten.folds import Fold
from tauten.member import Member
from tauten.race import ladder as present_ladder
from tauten.racing import SHIFTS, SLOTS
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import technique
from tauten.testing import engine_for, problem, small_setting

SETTING = small_setting(7, 3, batch_size=18, epochs=2)


def recipe(*names, **values):
    return Recipe(tuple(technique(n).from_dict(values.get(n, {})) for n in names), SETTING)


def fold_of(source):
    score = torch.arange(len(source.train), len(source.inputs))
    return Fold(source, score, None, None, None)


@pytest.mark.parametrize("module", [quality, replay, rungs])
def test_examples_in_docstrings(module):
    assert doctest.testmod(module).attempted
    assert doctest.testmod(module).failed == 0


def test_as_good_is_strict_and_may_allow_standard_errors():
    theirs = Scored(120, (0.2, 0.4, 0.3))
    mine = Scored(1, (0.21, 0.43, 0.32))
    assert not quality.as_good(mine, theirs)
    # Differences 0.01, 0.03, 0.02: mean 0.02, standard deviation 0.01, standard error 0.00577.
    assert not quality.as_good(mine, theirs, errors=3.4)
    assert quality.as_good(mine, theirs, errors=3.5)
    assert not quality.as_good(Scored(1, ()), theirs)
    assert not quality.as_good(mine, Scored(120, ()))


def test_times_of_runs_that_fall_back_or_never_arrive():
    target = Scored(120, (0.4,))
    fell = [Scored(1, (0.3,)), Scored(2, (0.5,))]
    assert quality.first_time(fell, target) == 1
    assert quality.lasting_time(fell, target) == inf
    never = [Scored(1, (0.9,))]
    assert quality.typical([fell, never], [target], quality.first_time) == inf
    assert quality.typical([fell, fell, never], [target], quality.first_time) == 1
    assert quality.geometric_mean([8.0, 0.0]) == 0.0


def part(contender, repeat, *incumbents, **more):
    found = [{"seconds": s, "replicates": " ".join(map(str, values))} for s, *values in incumbents]
    return {"data": "digits", "contender": contender, "repeat": repeat, "budget": 120.0, "incumbents": found, **more}


def test_rows_against_a_hand_made_race():
    delivered = part("", 0, (9, 0.5, 0.5), (16, 0.3, 0.3))["incumbents"]
    found = [
        part("tauten", 0, (1, 0.9, 0.7), (4, 0.3, 0.3), delivered=delivered),
        part("optuna", 0, (10, 0.5, 0.5), (60, 0.3, 0.4)),
        part("random", 0, (30, 0.8, 0.9)),
    ]
    optuna, random = time_to_quality.rows(found)
    assert (optuna["peer"], optuna["race"], optuna["lasting"], optuna["delivered"]) == ("optuna", 4, 4, 16)
    assert (optuna["ratio"], optuna["own"]) == (30, 15)
    assert (random["peer"], random["race"], random["delivered"]) == ("random", 1, 9)
    # The best peer is the one that takes longest to reach.
    assert "30.0 times less" in time_to_quality.verdict([optuna, random])
    with pytest.raises(SystemExit, match="unlike budgets"):
        time_to_quality.rows([*found, {**part("skorch", 0), "budget": 5.0}])


def test_thinned_incumbents_keep_the_last_and_never_gain_time():
    many = [{"seconds": float(s)} for s in range(1, 101)]
    kept = time_to_quality.thinned(many, 100.0)
    assert len(kept) <= time_to_quality.MOST
    assert kept[-1] == many[-1]
    assert kept == sorted(kept, key=lambda i: i["seconds"])
    assert time_to_quality.thinned(many[:5], 100.0) == many[:5]


def test_parts_are_named_once_and_the_long_ones_run_once():
    names = time_to_quality.parts(3)
    assert len(set(names)) == len(names) == 5 * (4 * 3 + 1) + len(time_to_quality.TWICE)
    assert [n for n in names if "adult" in n and not n.endswith("_0")] == [f"{n}_1" for n in time_to_quality.TWICE]


@pytest.mark.parametrize("names", [(), ("batch_norm",)])
def test_the_lean_loop_takes_the_step_of_the_engine(names):
    """Same start, one batch of all rows: the same weights after a step, with everything that draws nothing."""
    source = problem(22, 5, 3, "classification")
    own = recipe(*names, "l2", "weight_decay", "label_smoothing", l2={"strength": 0.05}, weight_decay={"strength": 2.0})
    member = Member(0, own, seed=1, epochs=2)
    engine = engine_for(member, [source], Stacked())
    engine.admit([member])
    before = engine.extract(0).w
    net = lean.Net(5, 3, own)
    pairs = [(f"hidden{i}", layer) for i, layer in enumerate(net.hidden)] + [("out", net.out)]
    with torch.no_grad():
        for name, layer in pairs:
            layer.weight.copy_(before[f"{name}.weight"].T)
            if layer.bias is not None:
                layer.bias.copy_(before[f"{name}.bias"])
    kernels, others = lean.grouped(net)
    assert len(kernels) == 4
    groups = [{"params": kernels, "weight_decay": 2.0}, {"params": others}]
    optimizer = torch.optim.AdamW(groups, own.setting.learning_rate, weight_decay=0.0)
    step = lean._stepper(own, net, kernels, optimizer)
    rows = source.train
    assert len(rows) <= own.setting.batch_size, "one batch holds all rows, so that their order makes no difference"
    engine.run(1)
    step(source.inputs[rows], source.targets[rows], own.setting.learning_rate)
    after = engine.extract(0).w
    for name, layer in pairs:
        torch.testing.assert_close(layer.weight.T, after[f"{name}.weight"], rtol=1e-4, atol=2e-5)
        assert not torch.equal(after[f"{name}.weight"], before[f"{name}.weight"])


def test_the_lean_loop_learns_with_every_technique_and_stops_early():
    source = problem(120, 6, 3, "classification")
    labels = source.inputs[:, :3].argmax(1)
    source = dataclasses.replace(source, targets=torch.nn.functional.one_hot(labels, 3).float())
    setting = Setting(epochs=40, batch_size=16, width=16, learning_rate=0.01)
    for name in arena.TECHNIQUES:
        own = Recipe((technique(name)(),), setting)
        *_, last = lean.train(own, fold_of(source), 0)
        assert last < 0.8, name


def test_the_lean_loop_stops_early_on_noise():
    setting = Setting(epochs=400, batch_size=16, width=16, learning_rate=0.01)
    patient = Recipe((technique("early_stopping").from_dict({"patience": 3}),), setting)
    scores = list(lean.train(patient, fold_of(problem(60, 6, 3, "classification")), 0))
    assert len(scores) == 1
    assert scores[0] < 1.3


def test_a_pruned_trial_ends_where_it_is_told_to():
    source = problem(60, 4, 2, "classification")
    asked = []

    def pruned(step, score):
        asked.append(step)
        return step == 4

    own = Recipe((), Setting(epochs=8, batch_size=16, width=8))
    folds = [fold_of(source)] * 3
    assert lean.cross_validate(own, folds, 0, pruned) is None
    assert asked == [0, 1, 2, 3, 4]
    assert lean.cross_validate(own, folds, 0, lambda *_: False) > 0


def flat(value, epochs=8, folds=5, cost=2, truth=None):
    """A recipe whose curves stand at one value."""
    own = Recipe((), Setting(epochs=epochs))
    return replay.Recorded(own, ((value,) * epochs,) * folds, cost, value if truth is None else truth)


def test_the_replay_s_present_ladder_is_that_of_the_race():
    for full, folds in ((40, 5), (33, 5), (7, 2), (3, 1)):
        assert replay.ladder(1 / 4, (1,), full, folds) == present_ladder(full, folds)


def test_replay_of_one_recipe_costs_its_whole_training():
    pool = replay.Pool([flat(0.5)], full=8)
    done = pool.replay([0], replay.ladder(0.25, (2,), 8, 5), 3, inf)
    assert done == ((0,), 8 * 5 * 2, 1)
    assert pool.training == 8 * 5 * 2


def test_replay_finds_the_best_and_drops_the_rest_early():
    values = np.random.default_rng(0).permutation(60) / 60 + 0.1
    pool = replay.Pool([flat(v) for v in values], full=8)
    rungs_ = replay.ladder(0.25, (2,), 8, 5)
    done = pool.replay(range(60), rungs_, 3, inf)
    assert done.leaders[0] == int(values.argmin())
    assert pool.regret(done.leaders) == 0.0
    # One round of a budget that is spent at once: as many as fit into the slots, two folds each.
    assert done.spent < 0.4 * 60 * pool.training
    assert pool.replay(range(60), rungs_, 3, 1.0).entered == SHIFTS * SLOTS // 2


def test_replay_of_short_and_of_sick_recipes():
    sick = dataclasses.replace(flat(0.1), curves=((0.1, float("nan"), *[0.1] * 6),) + ((0.1,) * 8,) * 4)
    short, full = flat(0.2, epochs=2), flat(0.3)
    pool = replay.Pool([sick, short, full], full=8)
    done = pool.replay([0, 1, 2], replay.ladder(0.25, (1,), 8, 5), 2, inf)
    assert done.leaders[0] == 1
    assert 0 not in done.leaders


def test_regret_is_measured_by_the_truth():
    pool = replay.Pool([flat(0.1, truth=0.6), flat(0.2, truth=0.2), flat(0.3, truth=0.4)], full=8)
    assert pool.regret([0]) == pytest.approx(2.0)
    assert pool.regret([0, 1]) == 0.0
    assert pool.regret([]) == 1.0
    assert rungs.correlation(pool, 1.0, 5) == pytest.approx(-1 / 3)


def test_recorded_curves_go_round_and_are_reproducible(monkeypatch, tmp_path):
    monkeypatch.setattr(rungs.record, "FIGURES", tmp_path)
    monkeypatch.setattr(rungs, "CHUNK", 3)
    for _ in range(2):
        rungs.run("diabetes", "diabetes", 4, 1, "tiny")
    assert sorted(p.name for p in (tmp_path / "tiny").iterdir()) == ["diabetes_000.json", "diabetes_003.json"]
    pool = rungs.pools("tiny")["diabetes"]
    assert len(pool.recorded) == 4
    assert all(len(r.curves) == 5 and len(r.curves[0]) == r.recipe.setting.epochs for r in pool.recorded)
    # Root mean squared errors in the target's own units; its standard deviation is 77.
    assert all(45 < r.truth < 200 for r in pool.recorded)
