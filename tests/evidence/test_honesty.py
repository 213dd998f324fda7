"""The ten rules of honesty of DESIGN.md, rule by rule, on whole searches where that can be.

What a rule's parts need in detail is tested beside them: test_intervals.py and test_bootstrap.py (6), test_ablation.py
(7), test_bias_variance.py (8), test_calibration.py and test_traits.py (9), test_simulate.py (10).
"""

import dataclasses
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import tauten
from tauten import searching
from tauten.builder import Builder
from tauten.cells import Arm, Trainer
from tauten.data import from_arrays, load
from tauten.draws import derive_seed
from tauten.evidence import (
    ablation,
    bias_variance,
    calibration,
    compare,
    corrected_difference,
    grade,
    one_standard_error,
)
from tauten.evidence.simulate import SHARES, simulate
from tauten.evidence.verdict import FEWEST_SEEDS
from tauten.finals import Finals
from tauten.folds import Development
from tauten.metrics import METRICS
from tauten.options import Options
from tauten.recipe import Recipe
from tauten.result import result_of
from tauten.searching import Phase, find, prepare
from tauten.setting import Setting
from tauten.split import selection_plan
from tauten.technique import technique
from tauten.trial import Trial
from tauten.unrecorded import Unrecorded

QUICK = {"epochs": 4, "width": 16, "depth": 1, "learning_rate": 0.01}


class Diary(Unrecorded):
    """A record that also remembers what was trained in which phase, and when the holdout was opened."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def append(self, kind, payload, key=None, *, sync=True):
        self.lines.append((kind, payload))


@dataclasses.dataclass
class Told:
    """A search as it ran: what it found, its diary, and the folds and cells of every phase of its finals."""

    found: object
    lines: list
    cells: dict


def search(table, monkeypatch, held=None, **options):
    """`held` marks the holdout's rows, where a test holds the split fixed."""
    diary, cells = Diary(), {}

    class Watched(Trainer):
        def scores(self, phase, folds, asked, means=False):
            cells.setdefault(phase.split("/")[0], []).append((list(folds), list(asked)))
            diary.lines.append(("cells", phase))
            return super().scores(phase, folds, asked, means)

    def watch(event):
        if isinstance(event, Phase):
            diary.lines.append(("phase", event.name))

    small = {"trials": 5, "sampler": "random", "setting": QUICK, "techniques": ("dropout", "l2"), "threads": 1}
    chosen = Options(**{**small, **options})
    with monkeypatch.context() as patch:
        patch.setattr(searching, "Trainer", Watched)
        if held is not None:
            patch.setattr(searching, "holdout", lambda *_: (np.flatnonzero(~held), np.flatnonzero(held)))
        found = find(prepare(table, chosen), diary, watch)
    return Told(found, diary.lines, cells)


@pytest.fixture(scope="module")
def patch():
    with pytest.MonkeyPatch.context() as context:
        yield context


@pytest.fixture(scope="module")
def wine(patch):
    return search(load("wine"), patch)


def without(figures, *names):
    """Nested figures less those of these names."""
    if isinstance(figures, dict):
        return {key: without(value, *names) for key, value in figures.items() if key not in names}
    return figures


# ---- 1: the holdout is sealed, opened once, and nothing else has seen it ----


def test_1_holdout_rows_change_the_holdout_figures_and_not_a_bit_of_anything_else(patch):
    table = load("wine")
    held = np.zeros(len(table.y), dtype=bool)
    held[::5] = True
    frame, labels = table.frame.copy(), table.y.copy()
    # Far outside of every other value, and under other labels.
    frame.loc[held] = frame[held].to_numpy() * -30 + 1000
    labels[held] = (labels[held] + 1) % 3
    told = [
        search(dataclasses.replace(table, frame=f, y=y), patch, held)
        for f, y in ((table.frame, table.y), (frame, labels))
    ]
    clocks = ("seconds", "race_seconds", "train_seconds_ratio", "cost", "data_hash")
    texts = [json.loads(json.dumps(result_of(t.found).evidence, default=str)) for t in told]
    ours = ("holdout", "agreement", "warnings", *clocks)
    first, second = (without(text, *ours, "traits") for text in texts)
    assert first == second
    assert texts[0]["plain"]["holdout"] != texts[1]["plain"]["holdout"]
    for one, other in zip(
        told[0].found.model.delivered.w.values(), told[1].found.model.delivered.w.values(), strict=True
    ):
        assert np.array_equal(one, other)
    for arm in ("plain", "usual", "chosen"):
        own, changed = (t.found.finals[arm].rows for t in told)
        assert all(np.array_equal(own[name], changed[name], equal_nan=True) for name in own)


def test_1_the_holdout_is_opened_once_after_every_arm_is_trained(wine):
    kinds = [kind for kind, _ in wine.lines]
    assert kinds.count("holdout opened") == 1
    before, after = wine.lines[: kinds.index("holdout opened")], wine.lines[kinds.index("holdout opened") + 1 :]
    assert [name for kind, name in before if kind == "phase"][-2:] == ["training", "holdout"]
    assert "cells" not in [kind for kind, _ in after]
    assert {name for kind, name in after if kind == "phase"} <= {"traits"}
    assert dict(wine.lines)["holdout opened"]["arms"] == ["chosen", "plain", "usual"]


def test_1_no_seed_and_no_order_of_rows_shops_for_a_holdout():
    x, y = load_digits(return_X_y=True)
    x, y = x[:400], y[:400]
    order = np.random.default_rng(0).permutation(400)

    def held(features, labels, seed):
        table = from_arrays(features, labels)
        rows = prepare(table, Options(trials=3, seed=seed)).sealed.open(lambda: None)
        return Counter(map(bytes, features[rows]))

    assert held(x, y, 0) == held(x, y, 1) == held(x[order], y[order], 0)


# ---- 2: no leak through folds, early stopping or labels ----


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 5), st.booleans())
def test_2_early_stopping_never_scores_on_the_fold_it_stopped_on(seed, folds, stopping_part):
    rng, epochs = np.random.default_rng(seed), 15
    rule = technique("early_stopping").from_dict({"patience": 3})
    trial = Trial(0, "recipes", Recipe((rule,), Setting(epochs=epochs)))
    others = {f: (1 + rng.random(epochs)).tolist() for f in range(1, folds)}
    if stopping_part:
        trial.stops = {f: (1 + rng.random(epochs)).tolist() for f in range(folds)}
    taken = set()
    for own in (np.arange(epochs), -np.arange(epochs), rng.permutation(epochs)):
        # Every epoch of the fold has a score of its own, which tells the epoch that was taken.
        trial.scores = {0: own.tolist(), **others}
        taken.add(int(np.flatnonzero(own == trial.score([0]))[0]))
    assert len(taken) == 1


def test_2_shuffled_training_labels_are_chance_on_the_holdout(patch):
    x, y = load_digits(return_X_y=True)
    x, y = x[:300], y[:300]
    held = np.arange(300) >= 150
    accuracy = {}
    for shuffled in (False, True):
        labels = y.copy()
        if shuffled:
            labels[~held] = np.random.default_rng(0).permutation(labels[~held])
        asked = {"setting": {**QUICK, "epochs": 12, "width": 32}, "trials": 3, "techniques": ("l2",)}
        found = search(from_arrays(x, labels), patch, held, **asked).found
        accuracy[shuffled] = {arm: 1 - float(rows["accuracy"].mean()) for arm, rows in found.holdout.items()}
    # A tenth on average; rows of one digit are right or wrong together, so it spreads more than single rows would.
    assert all(share < 0.2 for share in accuracy[True].values()), accuracy
    assert all(share > 0.5 for share in accuracy[False].values()), accuracy


def test_2_a_fold_is_preprocessed_by_its_training_rows_alone():
    table = load("wine")
    split = Development.of(table, selection_plan(table.y, table.task)).partition("honest")[0]
    inputs = []
    for factor in (1.0, -50.0):
        frame = table.frame.copy()
        frame.iloc[split.score] = frame.iloc[split.score].to_numpy() * factor
        changed = dataclasses.replace(table, frame=frame)
        fold = Development.of(changed, selection_plan(table.y, table.task)).fold(split)
        inputs.append(fold.source.inputs.numpy())
    assert np.array_equal(inputs[0][split.train], inputs[1][split.train])
    assert not np.array_equal(inputs[0][split.score], inputs[1][split.score])


# ---- 3: the best of many is lucky, so each phase of the finals has folds and seeds of its own ----


def test_3_finals_a_and_b_share_no_seed_and_no_partition_with_each_other_or_the_race(wine):
    seeds = {phase: {c.seed for _, cells in own for c in cells} for phase, own in wine.cells.items()}
    first = next(name for name in seeds if name.startswith("finals A"))
    second = [name for name in seeds if name.startswith("finals B")]
    race = {derive_seed("race", 0, fold) for fold in range(10)}
    assert not seeds[first] & set().union(*(seeds[name] for name in second))
    assert not race & set().union(*seeds.values())

    def partitions(names):
        return {tuple(f.score.tolist()) for name in names for folds, _ in wine.cells[name] for f in folds}

    raced = {tuple(f.score.tolist()) for f in _race_folds(load("wine"))}
    assert raced
    assert not partitions([first]) & partitions(second)
    assert not raced & partitions([first, *second])


def _race_folds(table):
    return prepare(table, Options(trials=5, setting=QUICK, techniques=("dropout", "l2"), threads=1)).contest.folds


def test_3_finals_b_test_the_one_that_finals_a_chose(wine):
    names = [
        {c.arm.name for _, cells in own for c in cells} for phase, own in wine.cells.items() if "finals B" in phase
    ]
    assert names[0] == {"chosen", "plain", "usual"}


def test_3_the_residual_is_reported(wine):
    found = wine.found
    gap = found.differences["plain"].mean - found.differences["holdout"].mean
    assert found.agreement.residual == pytest.approx(gap)
    assert f"residual {gap:+.3g}" in found.agreement.sentence


# ---- 4: of those within one standard error, the fewest techniques ----


def test_4_of_candidates_within_one_standard_error_the_one_with_fewest_techniques_is_chosen():
    table = load("wine")
    development = Development.of(table, selection_plan(table.y, table.task))
    builder = Builder(development.whole().source)
    metrics = [METRICS["log_loss"]]
    plan = tauten.finals.ladder(5)[0]
    setting = Setting(**{**QUICK, "epochs": 30})
    few, many = (
        Recipe(tuple(technique(name).from_dict(own) for name, own in chosen.items()), setting)
        for chosen in ({"l2": {"strength": 1e-4}}, {"l2": {"strength": 1e-4}, "input_noise": {"sigma": 0.3}})
    )
    hopeless = Recipe((), dataclasses.replace(setting, learning_rate=1e-6))
    arms = [Arm("many", many, 30), Arm("few", few, 30), Arm("hopeless", hopeless, 30)]
    bites = 0
    for seed in range(4):
        trainer = Trainer(builder, Unrecorded(), metrics, 1, lambda _: None)
        finals = Finals(development, trainer, metrics, seed)
        chosen, _, choice = finals.choose(arms, [Arm("plain", Recipe((), setting), 30)], plan)
        within = {arms[i].name for i in choice.within}
        assert "hopeless" not in within
        assert chosen.name == ("few" if "few" in within else "many")
        bites += arms[choice.best].name == "many" and "few" in within
    assert bites, "the rule had nothing to do; take other seeds"


def test_4_the_standard_error_is_that_of_the_paired_corrected_difference():
    rng = np.random.default_rng(0)
    picked = Counter()
    for _ in range(300):
        scores = rng.normal(size=(1, 10)) + 0.3 * rng.normal(size=(4, 10)) + rng.uniform(0, 0.4, (4, 1))
        counts = rng.permutation(4)
        best = int(scores.mean(1).argmin())
        within = [best]
        for c in set(range(4)) - {best}:
            d = scores[c] - scores[best]
            if d.mean() <= (1 / 10 + 0.25) ** 0.5 * d.std(ddof=1):
                within.append(c)
        wanted = min(within, key=lambda c: counts[c])
        assert one_standard_error(scores, counts.tolist(), test_train_ratio=0.25).index == wanted
        picked[wanted == best] += 1
    assert min(picked.values()) > 30


# ---- 5: the verdict is that of finals B, and without evidence the answer is plain ----


def test_5_the_verdict_is_finals_b_alone_and_without_evidence_plain_is_delivered(wine):
    found = wine.found
    rows = {arm: scores.rows["log_loss"] for arm, scores in found.finals.items()}
    d = compare(rows["plain"], rows["chosen"])
    assert (found.differences["plain"].mean, found.differences["plain"].p) == pytest.approx((d.mean, d.p))
    assert found.verdict.name == grade(d)
    # Four epochs under dropout and decay are too few, so usual is worse here, and nothing else was found.
    assert found.verdict.name == "no evidence"
    assert found.model.recipe == found.plain.recipe
    assert "the answer is plain" in found.verdict.sentence


@pytest.mark.parametrize(
    ("p", "name"), [(0.049, "proved"), (0.051, "likely"), (0.199, "likely"), (0.201, "no evidence")]
)
def test_5_proved_is_one_sided_95_percent_and_likely_80(p, name):
    found = compare(np.ones((60, 10)), np.ones((60, 10)))
    assert grade(dataclasses.replace(found, p=p)) == name


# ---- 6: every claim with its interval, n and trainings ----


def test_6_every_claim_has_an_interval_and_n_and_ten_trainings_an_arm(wine):
    figures = json.loads(json.dumps(result_of(wine.found).evidence, default=str))
    claims = [figures["difference"], figures["difference"]["against_usual"], figures["difference"]["holdout"]]
    claims += [own for arm in ("plain", "usual", "chosen") for own in figures[arm]["finals"].values()]
    for claim in claims:
        assert claim["low"] <= claim["mean"] <= claim["high"]
        assert claim["n_examples"] > 0
        assert claim["n_seeds"] >= FEWEST_SEEDS
    cells = Counter(c.arm.name for name, own in wine.cells.items() if "finals B" in name for _, cs in own for c in cs)
    assert all(cells[arm] >= 10 for arm in ("plain", "usual", "chosen"))
    assert wine.found.holdout["plain"]["log_loss"].shape[1] >= 10


def test_6_of_a_holdout_under_50_rows_only_point_estimates_are_shown(wine):
    figures = result_of(wine.found).evidence
    assert figures["n_holdout"] < 50
    assert all(own["low"] is None for arm in ("plain", "usual", "chosen") for own in figures[arm]["holdout"].values())
    assert any("point estimates" in note for note in figures["warnings"])


# ---- 7: what each ingredient gains, on folds that selected nothing ----


def test_7_every_ingredient_is_taken_out_and_put_alone_on_folds_that_selected_nothing(wine):
    names = wine.found.chosen.recipe.names
    assert [i.technique for i in wine.found.ablation] == list(names)
    asked = [(p, c.arm.name, c.seed) for p, own in wine.cells.items() for _, cells in own for c in cells]
    selecting = {seed for phase, _, seed in asked if phase.startswith("finals A")}
    for name in names:
        for arm in (f"without {name}", f"alone {name}"):
            seeds = {seed for _, who, seed in asked if who == arm}
            assert seeds
            assert not seeds & selecting


def test_7_the_intervals_hold_for_all_ingredients_at_once():
    gains = np.random.default_rng(1).normal(0.1, 0.2, 10)
    alone = corrected_difference(gains, 0.25)
    one, two = (ablation([(f"t{i}", gains, gains) for i in range(m)], test_train_ratio=0.25)[0].without for m in (1, 4))
    assert alone.high - alone.low < one.high - one.low < two.high - two.low


# ---- 8: three parts only where the truth is known ----


def test_8_bias_and_noise_are_told_apart_only_where_the_truth_is_known():
    rng = np.random.default_rng(2)
    truth = rng.normal(size=200)
    predictions = truth + 0.5 + 0.3 * rng.normal(size=(20, 200))
    labels = truth + rng.normal(size=200)
    real = bias_variance.squared_error(predictions, labels)
    assert (real.bias, real.noise) == (None, None)
    known = bias_variance.squared_error(predictions, truth, noise=1.0)
    assert known.bias.mean == pytest.approx(0.25, abs=0.03)
    assert known.variance.mean == pytest.approx(0.09, abs=0.01)
    assert known.bias_and_noise.mean == pytest.approx(known.bias.mean + 1.0)


# ---- 9: the other qualities are measured beside the metric ----


def test_9_calibration_is_measured_beside_the_metric_and_not_assumed(wine):
    for part in ("finals", "holdout"):
        for arm in ("plain", "usual", "chosen"):
            figures = result_of(wine.found).evidence[arm][part]
            assert {"log_loss", "brier", "accuracy"} <= set(figures)
    # Sure and right three times in four: that is what the figure has to show, whatever the accuracy says.
    sure = calibration(np.tile([0.99, 0.01], (400, 1)), (np.arange(400) % 4 == 0).astype(int))
    assert sure.ece == pytest.approx(0.24)
    assert sure.log_loss > calibration(np.tile([0.75, 0.25], (400, 1)), (np.arange(400) % 4 == 0).astype(int)).log_loss


# ---- 10: both errors count ----


@pytest.mark.parametrize("tails", ["normal", "heavy"])
def test_10_without_a_gain_little_is_proved_and_a_gain_of_three_standard_errors_is_found(tails):
    runs = 1000
    allowed = 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
    assert simulate(100, 10, runs=runs, shares=SHARES["all three"], tails=tails).proved <= allowed
    assert simulate(100, 10, runs=runs, shares=SHARES["all three"], tails=tails, gain=3.0).found >= 0.90
