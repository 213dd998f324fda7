"""Strengths that lose are named, with honest counts, and a race in which nothing matters names hardly any."""

import numpy as np
import pytest
from scipy.stats import hypergeom
from sklearn.datasets import load_digits

import tauten
from tauten.evidence import losing
from tauten.evidence.losing import lost
from tauten.report import render
from tauten.technique import _REGISTRY as REGISTRY

KEYS = ("rotation", "degrees"), ("dropout", "p"), ("mixup", "alpha"), ("blur", "sigma")


def drawn(rng, n):
    return [{name: {key: rng.random()} for name, key in KEYS if rng.random() < 0.5} for _ in range(n)]


def better_half(score):
    return score < np.median(score)


def test_deviations_are_those_of_the_hypergeometric_distribution():
    rng = np.random.default_rng(0)
    inside = np.zeros((1, 40))
    inside[0, :12] = 1
    against = np.zeros((1, 40))
    against[0, 12:31] = 1
    outcome = (rng.random(40) < 0.4).astype(float)
    law = hypergeom(31, int(outcome[:31].sum()), 12)
    want = (outcome[:12].sum() - law.mean()) / law.std()
    assert losing._deviations(outcome[None], inside, against)[0, 0] == pytest.approx(want)


def test_the_range_that_loses_is_named_with_its_counts():
    rng = np.random.default_rng(1)
    recipes = drawn(rng, 80)
    degrees = np.array([own.get("rotation", {}).get("degrees", 0.0) for own in recipes])
    better = better_half(rng.normal(size=80) + 4 * (degrees > 0.6))
    first = lost(recipes, better)[0]
    assert (first.technique, first.key, first.high) == ("rotation", "degrees", degrees.max())
    assert 0.5 < first.low < 0.7
    inside = degrees >= first.low
    others = (degrees > 0) & ~inside
    counts = [int(v) for v in (inside.sum(), better[inside].sum(), others.sum(), better[others].sum())]
    assert [first.tried, first.better, first.others, first.others_better] == counts
    assert lost(recipes, better) == lost(recipes, better)


def test_a_technique_that_loses_at_any_value_is_held_against_the_recipes_without_it():
    rng = np.random.default_rng(2)
    recipes = drawn(rng, 80)
    on = np.array(["mixup" in own for own in recipes])
    found = {own.technique: own for own in lost(recipes, better_half(rng.normal(size=80) + 4 * on))}
    assert found["mixup"].key is None
    assert (found["mixup"].tried, found["mixup"].others) == (on.sum(), (~on).sum())


def test_few_recipes_name_nothing():
    assert lost([{"rotation": {"degrees": float(i)}} for i in range(8)], [True] * 4 + [False] * 4) == []
    assert lost([], []) == []


@pytest.mark.slow
def test_a_race_in_which_nothing_matters_names_a_range_in_one_of_twenty():
    rng, named, races = np.random.default_rng(3), 0, 400
    for _ in range(races):
        named += bool(lost(drawn(rng, 60), better_half(rng.normal(size=60))))
    # Five standard errors of a binomial above the level.
    assert named <= races * losing.LEVEL + 5 * (races * losing.LEVEL * (1 - losing.LEVEL)) ** 0.5


def test_a_search_says_from_where_on_a_six_becomes_a_nine():
    digits = load_digits()
    rows = np.isin(digits.target, (6, 9))

    def turned(quarters):
        return lambda images: images.rot90(round(quarters), (-2, -1))

    kind = tauten.data_technique("turned", turned, low=0.01, high=2.0)
    values = [*np.linspace(0.02, 0.48, 12), *np.linspace(1.52, 1.98, 8)]
    try:
        result = tauten.search(
            digits.images[rows][:, None], digits.target[rows], trials=24, folds=2, threads=1, techniques=[kind],
            sampler="grid", grid={"turned.strength": values}, setting={"net": "mlp", "width": 8, "epochs": 4},
        )  # fmt: skip
    finally:
        del REGISTRY["turned"]
    (found,) = result.evidence["lost"]["ranges"]
    assert (found["technique"], found["key"], found["better"]) == ("turned", "strength", 0)
    assert found["high"] == 1.98
    # All that turn it, and at most a harmless value or two beside them that ended badly for other reasons.
    assert 0.35 < found["low"] <= 1.52
    assert f"turned with strength {found['low']:.4g} to {found['high']:.4g}: 0 of" in render(result.evidence)
