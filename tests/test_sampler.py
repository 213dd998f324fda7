"""Samplers propose valid recipes, repeat themselves, learn, and follow a person's grid."""

import pytest

from tauten.errors import OptionError
from tauten.sampler import Space, make_sampler, parse_grid
from tauten.setting import Setting
from tauten.technique import techniques

SPACE = Space(Setting(epochs=40), tuple(techniques().values()))


def asked(kind, seed, n=30, score=lambda r: len(r.techniques)):
    sampler = make_sampler(kind, SPACE, seed)
    found = []
    for i in range(n):
        found.append(sampler.ask(i))
        sampler.tell(i, 0, float(score(found[-1])), finished=i % 3 == 0)
    return found


@pytest.mark.parametrize("kind", ["tpe", "random"])
def test_a_seed_repeats_itself_and_another_differs(kind):
    assert asked(kind, 1) == asked(kind, 1)
    assert asked(kind, 1) != asked(kind, 2)


@pytest.mark.parametrize("kind", ["tpe", "random"])
def test_values_lie_in_the_ranges_to_search(kind):
    for recipe in asked(kind, 3):
        assert recipe.setting.epochs in (10, 20, 40)
        assert 3e-4 <= recipe.setting.learning_rate <= 1e-2
        for t in recipe.techniques:
            for key, spec in t.hyperparameters().items():
                low, high = spec.range
                assert low <= getattr(t, key) <= high


def test_tpe_learns_where_the_good_ones_are():
    def score(recipe):
        return abs(recipe.setting.learning_rate - 0.001) * 1000 + ("dropout" not in recipe.names)

    def late(kind):
        return sum(sum(map(score, asked(kind, seed, 60, score)[30:])) for seed in range(3))

    assert late("tpe") < 0.7 * late("random")


def test_every_technique_is_tried_and_plain_space_holds_none():
    assert {name for r in asked("random", 0, 60) for name in r.names} == set(techniques())
    plain = make_sampler("tpe", SPACE.plain(), 0)
    assert all(plain.ask(i).names == () for i in range(10))


def test_a_sick_trial_does_not_end_the_study():
    sampler = make_sampler("tpe", SPACE, 0)
    sampler.ask(0)
    sampler.tell(0, 0, None, finished=False)
    assert sampler.ask(1) is not None


def test_a_grid_gives_every_combination_once_and_leaves_off_values_out():
    sampler = make_sampler("grid", SPACE, 0, parse_grid(["dropout.p=0,0.5", "setting.depth=1, 2"]))
    recipes = []
    while (recipe := sampler.ask(len(recipes))) is not None:
        recipes.append((recipe.names, recipe.setting.depth))
    assert recipes == [((), 1), ((), 2), (("dropout",), 1), (("dropout",), 2)]


@pytest.mark.parametrize("line", ["dropout", "dropout.p", "dropout.p=", "=3", "dropout.q=1", "setting.colour=1"])
def test_a_grid_that_cannot_be_read_is_refused(line):
    with pytest.raises(OptionError, match="grid"):
        parse_grid([line])
