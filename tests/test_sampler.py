"""Samplers propose valid recipes, repeat themselves, learn, can be brought back from what was asked and told."""

import numpy as np
import pytest

from tauten.errors import OptionError
from tauten.sampler import RECENT, make_sampler, parse_grid
from tauten.setting import Setting
from tauten.space import Space
from tauten.technique import techniques

SPACE = Space(Setting(epochs=40), tuple(techniques().values()))


def dialogue(kind, seed, n=40, score=lambda r: len(r.techniques), rungs=3):
    """The values of so many asks; scores come eight asks late, some at deeper rungs than others, some of them sick."""
    sampler, found = make_sampler(kind, SPACE, seed), []
    for i in range(n):
        found.append(sampler.ask())
        if i >= 8:
            old = i - 8
            told = None if rungs > 1 and old % 11 == 10 else float(score(sampler.build(found[old])))
            sampler.tell(old, old % rungs, told, finished=rungs > 1 and old % 7 == 0)
    return found


def asked(kind, seed, n=40, **how):
    return [SPACE.build(values) for values in dialogue(kind, seed, n, **how)]


@pytest.mark.parametrize(
    ("base", "falling"), [("constant", "cosine"), ("cosine", "cosine"), ("warm_cosine", "warm_cosine")]
)
def test_schedules_to_try_are_the_constant_one_and_the_base_s_own_way_down(base, falling):
    space = Space(Setting(epochs=40, schedule=base), SPACE.techniques)
    rng = np.random.default_rng(0)
    proposed = [space.values(space.random(rng)) for _ in range(20)]
    assert {values["setting.schedule"] for values in proposed} == {"constant", falling}
    assert all(space.values(space.point(values)).keys() == values.keys() for values in proposed)
    other = {s.schedule for s in space.neighbours() if s.schedule != base}
    assert other == {"cosine" if base == "constant" else "constant"}


@pytest.mark.parametrize("kind", ["tpe", "random"])
def test_a_seed_repeats_itself_and_another_differs(kind):
    assert dialogue(kind, 1) == dialogue(kind, 1)
    assert dialogue(kind, 1) != dialogue(kind, 2)


@pytest.mark.parametrize("kind", ["tpe", "random", "grid"])
def test_a_sampler_that_recalls_goes_on_as_the_one_that_asked(kind):
    grid = parse_grid(["dropout.p=0.1,0.2,0.3,0.4,0.5", "l2.strength=0.01,0.02,0.03,0.04,0.05,0.06,0.07"])
    one, two = (make_sampler(kind, SPACE, 3, grid if kind == "grid" else None) for _ in range(2))
    for i in range(30):
        values = one.ask(hasty=i == 5)
        two.recall(values)
        if i >= 4:
            for sampler in (one, two):
                sampler.tell(i - 4, i % 2, float(i % 5), finished=False)
    assert [one.ask() for _ in range(4)] == [two.ask() for _ in range(4)]


@pytest.mark.parametrize("kind", ["tpe", "random"])
def test_values_lie_in_the_ranges_to_search(kind):
    for recipe in asked(kind, 3):
        assert recipe.setting.epochs in (5, 10, 20, 40)
        assert 3e-4 <= recipe.setting.learning_rate <= 1e-2
        for t in recipe.techniques:
            for key, spec in t.hyperparameters().items():
                low, high = spec.range
                assert low <= getattr(t, key) <= high


def test_values_are_plain_and_make_the_same_point_again():
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = SPACE.values(SPACE.random(rng))
        assert {type(v) for v in values.values()} <= {str, float, int}
        point = SPACE.point(values)
        assert np.allclose(SPACE.point(SPACE.values(point)), point, equal_nan=True)
        assert SPACE.build(SPACE.values(point)).names == SPACE.build(values).names
        on = {d.key for name in SPACE.build(values).names for d in SPACE.own[name]}
        assert {d.key for d, x in zip(SPACE.dimensions, point, strict=True) if x == x} == on | {
            d.key for d in SPACE.common
        }


def test_the_ends_of_whole_numbers_are_as_likely_as_the_middle():
    patience = next(d for d in SPACE.dimensions if d.key == "early_stopping.patience")
    low, high = (int(v) for v in patience.spec.range)
    found = [patience.value((i + 0.5) / 2900) for i in range(2900)]
    assert {v: found.count(v) for v in found} == dict.fromkeys(range(low, high + 1), 100)


def test_tpe_learns_where_the_good_ones_are():
    def score(recipe):
        return abs(recipe.setting.learning_rate - 0.001) * 1000 + ("dropout" not in recipe.names)

    def late(kind):
        return sum(sum(map(score, asked(kind, seed, 80, score=score, rungs=1)[40:])) for seed in range(3))

    assert late("tpe") < 0.7 * late("random")


def test_what_tpe_looks_at_is_bounded():
    """The old ones of the rest are forgotten: other values there, and the next ask is the same."""

    def after(old_rate):
        sampler = make_sampler("tpe", SPACE, 0)
        rng = np.random.default_rng(0)
        for i in range(RECENT + 100):
            values = dict(SPACE.values(SPACE.random(rng)))
            if i < 40:
                values["setting.learning_rate"] = old_rate
            sampler.recall(values)
            sampler.tell(i, 0, 9.0 if i < 40 else float(rng.random()), finished=False)
        return sampler.ask()

    assert after(0.001) == after(0.009)


def test_hasty_asks_follow_no_model():
    sampler = make_sampler("tpe", SPACE, 0)
    for i in range(60):
        values = sampler.ask()
        sampler.tell(i, 0, abs(values["setting.learning_rate"] - 0.001), finished=False)

    def spread(hasty):
        rates = [sampler.ask(hasty)["setting.learning_rate"] for _ in range(40)]
        return np.std(np.log(rates))

    assert spread(hasty=False) < 0.8 * spread(hasty=True)


def test_every_technique_is_tried_and_plain_space_holds_none():
    assert {name for r in asked("random", 0, 120) for name in r.names} == set(techniques())
    plain = make_sampler("tpe", SPACE.plain(), 0)
    assert all(plain.build(plain.ask()).names == () for _ in range(10))


def test_a_sick_trial_does_not_end_the_search():
    sampler = make_sampler("tpe", SPACE, 0)
    for i in range(30):
        sampler.ask()
        sampler.tell(i, 0, None, finished=False)
    assert sampler.ask() is not None


def test_a_grid_gives_every_combination_once_and_leaves_off_values_out():
    sampler = make_sampler("grid", SPACE, 0, parse_grid(["dropout.p=0,0.5", "setting.depth=1, 2"]))
    recipes = []
    while (values := sampler.ask()) is not None:
        recipe = sampler.build(values)
        recipes.append((recipe.names, recipe.setting.depth))
    assert recipes == [((), 1), ((), 2), (("dropout",), 1), (("dropout",), 2)]


@pytest.mark.parametrize("line", ["dropout", "dropout.p", "dropout.p=", "=3", "dropout.q=1", "setting.colour=1"])
def test_a_grid_that_cannot_be_read_is_refused(line):
    with pytest.raises(OptionError, match="grid"):
        parse_grid([line])
