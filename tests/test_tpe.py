"""The Parzen estimator is a density, is sampled as it says, and its proposals lie near the good ones."""

import numpy as np
import pytest
from scipy.stats import truncnorm

from tauten.sampler import make_sampler
from tauten.setting import Setting
from tauten.space import SHARE_ON, Space
from tauten.technique import techniques
from tauten.tpe import Parzen, propose

NAMES = ("dropout", "early_stopping", "input_noise", "l1", "l2", "label_smoothing", "mixup", "weight_decay")
SPACE = Space(Setting(epochs=40), tuple(techniques()[name] for name in NAMES))


@pytest.mark.parametrize("n", [0, 1, 5, 40])
def test_the_density_integrates_to_one(n):
    points = np.column_stack([np.random.default_rng(n).random(n), np.arange(n) % 3])
    grid = (np.arange(4000) + 0.5) / 4000
    total = sum(
        np.exp(Parzen(points, [0, 3]).log_density(np.column_stack([grid, np.full(4000, k)]))).mean() for k in range(3)
    )
    assert total == pytest.approx(1, abs=1e-4)


def test_the_density_of_one_point_is_the_formula():
    x, point = 0.3, 0.7
    expected = 0.5 * sum(
        truncnorm.pdf(x, (0 - m) / s, (1 - m) / s, loc=m, scale=s) for m, s in ((point, 1 / 3), (0.5, 1.0))
    )
    # One point in one dimension: its width would be 0.2, and is no less than a third of the range.
    assert np.exp(Parzen(np.array([[point]]), [0]).log_density(np.array([[x]])))[0] == pytest.approx(expected)


def test_samples_follow_the_density():
    points = np.array([[0.1, 0.0], [0.15, 0.0], [0.9, 2.0]])
    parzen = Parzen(points, [0, 3])
    drawn = parzen.sample(np.random.default_rng(0), 40_000)
    grid = (np.arange(400) + 0.5) / 400
    for code in range(3):
        density = np.exp(parzen.log_density(np.column_stack([grid, np.full(400, code)])))
        own = drawn[drawn[:, 1] == code, 0]
        for low in (0.0, 0.25, 0.5, 0.75):
            inside = (grid >= low) & (grid < low + 0.25)
            share = ((own >= low) & (own < low + 0.25)).sum() / len(drawn)
            assert share == pytest.approx(density[inside].sum() / 400, abs=0.01)


def test_proposals_are_near_the_good_and_away_from_the_rest():
    rng = np.random.default_rng(0)
    good = np.column_stack([rng.normal(0.3, 0.02, 20), np.ones(20)])
    rest = np.column_stack([rng.random(200), rng.integers(0, 2, 200)])
    found = np.array([propose(np.random.default_rng(i), good, rest, [0, 2]) for i in range(50)])
    assert np.abs(found[:, 0] - 0.3).mean() < 0.15
    assert found[:, 1].mean() > 0.9


def test_with_nothing_known_proposals_cover_the_cube():
    none = np.empty((0, 2))
    found = np.array([propose(np.random.default_rng(i), none, none, [0, 4]) for i in range(200)])
    assert set(found[:, 1]) == {0.0, 1.0, 2.0, 3.0}
    assert found[:, 0].min() < 0.1
    assert found[:, 0].max() > 0.9


class Hidden:
    """A landscape over the space: each technique has a gain, and each of its numbers a best place; lower is better."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.gain = dict(zip(NAMES, rng.normal(0, 0.3, len(NAMES)), strict=True))
        self.best = {d.key: rng.uniform(0.1, 0.9) for d in SPACE.dimensions}

    def __call__(self, places):
        def miss(key):
            return (places[key] - self.best[key]) ** 2

        score = 2 * miss("setting.learning_rate") + 0.15 * (2 - places["setting.duration"])
        for name in NAMES:
            if places[f"{name}.on"] < SHARE_ON:
                score -= self.gain[name] * (1 - 3 * sum(miss(d.key) for d in SPACE.own[name]))
        return score


def by_ours(hidden, seed, n, kind="tpe"):
    sampler, found = make_sampler(kind, SPACE, seed), []
    for i in range(n):
        point = SPACE.point(sampler.ask())
        found.append(hidden({d.key: x for d, x in zip(SPACE.dimensions, point, strict=True)}))
        sampler.tell(i, 0, found[-1], finished=True)
    return min(found)


def by_optuna(hidden, seed, n):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        def place(d):
            known = range(len(d.options))
            return trial.suggest_categorical(d.key, known) if d.options else trial.suggest_float(d.key, 0, 1)

        places = {d.key: place(d) for d in SPACE.common}
        for name in NAMES:
            if places[f"{name}.on"] < SHARE_ON:
                places |= {d.key: place(d) for d in SPACE.own[name]}
        return hidden(places)

    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, n_startup_trials=16)
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=n)
    return study.best_value


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*experimental feature")
def test_it_finds_as_good_ones_as_optuna_and_better_ones_than_chance():
    worlds = [Hidden(seed) for seed in range(8)]
    ours, chance, theirs = (
        np.mean([search(hidden, i, 150) for i, hidden in enumerate(worlds)])
        for search in (by_ours, lambda *a: by_ours(*a, kind="random"), by_optuna)
    )
    assert ours < chance - 0.05
    assert ours < theirs + 0.05
