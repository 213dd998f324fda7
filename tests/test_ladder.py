"""Where few trainings are affordable: fine-tuning what was pretrained on other classes, by a ladder."""

import itertools
import json
from typing import ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import nn

from tauten.api import load_builder
from tauten.contest import Contest
from tauten.data import of_arrays
from tauten.journal import NAME, Journal
from tauten.ladder import FEW, FEW_SLOTS, MOVE, likely_first, steps
from tauten.member import Member
from tauten.options import Options
from tauten.population import Population
from tauten.race import LANES
from tauten.recipe import Recipe
from tauten.searching import Note, find, prepare
from tauten.setting import Setting
from tauten.space import Space
from tauten.technique import technique, techniques
from tauten.unrecorded import Unrecorded
from tauten.usual import usual

DIGITS = load_digits()
NET = """
from pathlib import Path
from safetensors.torch import load_file
from torch import nn

def build():
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 24), nn.ReLU(),
        nn.Linear(24, 5),
    )
    net.load_state_dict(load_file(Path(__file__).with_name("weights.safetensors")), strict=False)
    return net
"""
SINGLES = ("rotation", "shift", "dropout", "weight_decay")


def parts(first):
    """Images and labels of five classes."""
    rows = (DIGITS.target >= first) & (DIGITS.target < first + 5)
    return DIGITS.images[rows, None].astype("float32"), DIGITS.target[rows] - first


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """The folder of a network that knows the digits 0 to 4, less its last layer."""
    folder = tmp_path_factory.mktemp("pretrained")
    (folder / "net.py").write_text(NET)
    save_file({}, folder / "weights.safetensors")
    torch.manual_seed(0)
    net = load_builder(f"{folder}/net.py:build")()
    images, labels = (torch.from_numpy(part) for part in parts(0))
    images = (images - images.mean()) / images.std()
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()
    assert (net(images).argmax(1) == labels).float().mean() > 0.97
    save_file({k: v for k, v in net.state_dict().items() if not k.startswith("6.")}, folder / "weights.safetensors")
    return folder


def tuned(pretrained, **options):
    """A search that fine-tunes it to the digits 5 to 9, on 200 images."""
    images, labels = parts(5)
    asked = {"threads": 1, "folds": 2, "techniques": SINGLES, "setting": {"epochs": 3}, **options}
    return prepare(of_arrays(images[:200], labels[:200].astype(str)), Options(**asked), builder(pretrained))


def builder(pretrained):
    return load_builder(f"{pretrained}/net.py:build")


def test_every_member_starts_from_the_pretrained_weights(pretrained):
    prepared, known = tuned(pretrained, trials=5), builder(pretrained)().state_dict()
    recipes = [Recipe(), usual(Setting()), *(Recipe((technique(name)(),)) for name in SINGLES)]
    frozen = [r.with_setting(learning_rate=1e-7, epochs=1) for r in recipes]
    with Population(prepared.builder, [f.source for f in prepared.contest.folds]) as population:
        population.enter([Member(i, r, seed=i, source=i % 2) for i, r in enumerate(frozen)])
        population.advance()
        found = [population.extract(i).w for i in range(len(frozen))]
    for w in found:
        for name in ("0.weight", "0.bias", "4.weight", "4.bias"):
            torch.testing.assert_close(w[name], known[name], atol=1e-5, rtol=0)
    # The last layer knew other classes and starts anew, for each seed otherwise.
    assert not any(torch.allclose(a["6.weight"], b["6.weight"], atol=1e-3) for a, b in itertools.pairwise(found))


def test_a_ladder_goes_from_plain_over_single_techniques_to_combinations(pretrained):
    prepared = tuned(pretrained, trials=FEW - 1)
    contest = prepared.contest
    contest.run(Unrecorded(), lambda _: None)
    plains, (first, *steps) = (contest.racing.entered(lane) for lane in ("plain", "recipes"))
    assert contest.sampler == "ladder"
    assert [t.recipe.names for t in plains] == [()] * 5
    changed = [[k for k, v in t.recipe.setting.to_dict().items() if v != getattr(contest.setting, k)] for t in plains]
    assert changed == [[], ["schedule"], *[["learning_rate", "schedule"]] * 3]
    assert first.recipe == usual(contest.setting)
    names = [t.recipe.names for t in steps]
    practice = {"shift", "weight_decay"}
    first_steps = [practice, practice ^ {"rotation"}, practice ^ {"shift"}, practice ^ {"dropout"}]
    assert list(map(set, names[:5])) == [*first_steps, practice ^ {"weight_decay"}]
    # Then something tried is changed in one place, to what was not tried before.
    tried = [first.recipe, *(t.recipe for t in steps)]
    assert len(tried) > 6
    for i, recipe in enumerate(tried[6:], 6):
        assert any(places(recipe, other) == 1 for other in tried[:i])
        assert recipe not in tried[:i]
    # The first steps are at the cards' values, in the setting that suits plain best.
    cards = {technique(name)() for name in SINGLES}
    best = min(plains, key=lambda t: t.score([0]))
    for trial in steps[:5]:
        assert cards >= set(trial.recipe.techniques)
        assert trial.recipe.setting == best.recipe.with_setting(epochs=contest.setting.epochs).setting
    assert all(list(t.scores) == [0] for t in contest.racing.trials.values()), "one fold is enough to rank"


def places(recipe, other):
    """In how many techniques, or numbers of the setting, two recipes differ."""
    names = {*recipe.names, *other.names}
    mine, theirs = recipe.setting.to_dict(), other.setting.to_dict()
    return sum(recipe.get(n) != other.get(n) for n in names) + sum(mine[k] != theirs[k] for k in mine)


def test_a_ladder_cut_off_goes_on_to_the_same_end(pretrained, tmp_path):
    def raced(folder, start):
        prepared = tuned(pretrained, trials=14)
        with start(folder) as journal:
            prepared.contest.racing.run(prepared.builder, journal, 1, lambda: False, lambda _: None)
        return [(t.lane, t.recipe, t.scores) for t in prepared.contest.racing.trials.values()]

    first = raced(tmp_path / "run", lambda folder: Journal.create(folder, {}))
    lines = (tmp_path / "run" / NAME).read_bytes().splitlines(keepends=True)
    for part in (0.2, 0.7):
        cut = tmp_path / str(part)
        cut.mkdir()
        (cut / NAME).write_bytes(b"".join(lines[: 1 + int(part * (len(lines) - 1))]))
        check_same(raced(cut, Journal.resume), first)


def check_same(again, first):
    """The same trials; a module's members start anew in other slots, so their scores are the same to tolerance."""
    assert [(lane, recipe) for lane, recipe, _ in again] == [(lane, recipe) for lane, recipe, _ in first]
    for (*_, own), (*_, before) in zip(again, first, strict=True):
        np.testing.assert_allclose(own[0], before[0], rtol=1e-5)


def test_what_a_budget_affords_decides_and_is_said_at_the_start(pretrained):
    few, many = (tuned(pretrained, budget=seconds).contest for seconds in (0.3, 1e6))
    for contest in (few, many):
        contest.measure(Unrecorded(), 0.0)
    assert (few.sampler, many.sampler) == ("ladder", "tpe")
    assert any(note.startswith("few trainings: ladder (beside the shortest finals") for note in few.notes)
    assert not any("ladder" in note for note in many.notes)
    assert few.setting.epochs == many.setting.epochs == 3, "fixed by the person"
    assert tuned(pretrained, trials=FEW).contest.sampler == "tpe"
    assert tuned(pretrained, trials=5, sampler="random").contest.sampler == "random"


class Machine(Contest):
    """A contest on a machine on which a hundred epochs of usual, and of a crowd of everything, take so many seconds."""

    seconds: ClassVar[dict[str, float]] = {}

    def _pace_of(self, recipe, members, batches):
        which = "usual" if recipe == usual(self.setting) else "crowd"
        return self.cost(Recipe((), self.setting), 100) / self.seconds[which]


# The race trains a crowd of everything; the finals, for which a race's length is cut, a few recipes.
@pytest.mark.parametrize(("own", "crowd", "sampler"), [(1.0, 1.0, "tpe"), (1.0, 20.0, "tpe"), (20.0, 20.0, "ladder")])
def test_a_slow_crowd_does_not_cut_the_length_of_a_race(pretrained, own, crowd, sampler):
    images, labels = parts(5)
    prepared = prepare(of_arrays(images[:200], labels[:200].astype(str)), Options(budget=1000.0, threads=1))
    contest = Machine(prepared.options, prepared.development, prepared.builder, prepared.metrics[0])
    Machine.seconds, wanted = {"usual": own, "crowd": crowd}, contest.setting.epochs
    contest.measure(Unrecorded(), 0.0)
    assert contest.sampler == sampler
    assert contest.setting.epochs >= wanted or sampler == "ladder"


def test_a_whole_search_by_a_ladder_says_so(pretrained):
    events = []
    found = find(
        tuned(pretrained, trials=4, techniques=("dropout",), setting={"epochs": 2}), Unrecorded(), events.append
    )
    said = [e.text for e in events if isinstance(e, Note)]
    assert said[0].startswith("members train stacked: a step's forward pass has ")
    assert said[1].startswith("few trainings: ladder (4 trials)")
    assert (found.sampler, found.engine) == ("ladder", "torch, stacked")
    assert [t.recipe.names for t in found.trials if t.lane == "recipes"][1:] == [("dropout",)]


def test_a_rate_that_falls_is_tried_first_and_other_rates_with_it():
    base = Setting(epochs=10)
    falls, *others = Space(base, (), ("learning_rate", "schedule", "epochs")).neighbours()
    assert falls == Setting(epochs=10, schedule="cosine")
    assert [s.learning_rate / base.learning_rate for s in others[:3]] == pytest.approx([3, 1 / 3, 9])
    assert {s.schedule for s in others} == {"cosine"}
    fixed = Space(base, (), ("learning_rate",)).neighbours()
    assert {s.schedule for s in fixed} == {"constant"}
    assert len(fixed) == 3
    falling = Space(falls, (), ("learning_rate", "schedule")).neighbours()
    assert [s.schedule for s in falling] == ["cosine"] * 3 + ["constant"]


def told(recipes):
    return [set(recipe.techniques) for recipe in recipes]


def test_without_practice_every_technique_is_tried_alone_and_the_best_join_the_best_so_far():
    singles = a, b, c, d = [technique(name)() for name in ("mixup", "cutmix", "dropout", "l2")]
    alone = [{t} for t in singles]
    assert told(steps([], singles, Setting(), [])) == alone
    ranked = [Recipe(own) for own in ((c,), (a, d), (b,), (a,))]
    assert told(steps([], singles, Setting(), ranked))[4:6] == [{c, b}, {c, a}]
    ranked = [Recipe(own) for own in ((b, c), (c,), (b,), (a,), (d,))]
    assert told(steps([], singles, Setting(), ranked))[4:6] == [{a, b, c}, {b, c, d}], "not again what it has"


def test_practice_is_tried_first_and_then_with_one_technique_more_or_less():
    practice = shift, decay = technique("shift")(), technique("weight_decay")()
    flip, drop = technique("flip")(), technique("dropout")()
    first = [{shift, decay}, {shift, decay, flip}, {decay}, {shift, decay, drop}, {shift}]
    singles = [flip, shift, drop, decay]
    assert told(steps(practice, singles, Setting(), [])) == first
    # Best without shift, then with flip: both edits together.
    ranked = [Recipe(own) for own in ((decay,), (shift, decay, flip), (shift, decay))]
    assert told(steps(practice, singles, Setting(), ranked))[5:6] == [{decay, flip}]


def test_the_best_recipes_rate_and_numbers_are_moved_within_what_a_search_looks_at():
    recipe = Recipe((technique("shift")(), technique("label_smoothing")(epsilon=0.3)), Setting(learning_rate=0.02))
    rates, moved = [], {}
    for other in list(steps([], [], Setting(), [recipe])):
        if other.setting != recipe.setting:
            rates.append(other.setting.learning_rate)
        (changed,) = [t for t in other.techniques if t not in recipe.techniques] or [None]
        if changed:
            moved.setdefault(changed.name, []).extend(v for k, v in changed.to_dict().items() if k != "over")
    assert rates == pytest.approx([0.02 / 3, 0.06])
    # Shift's share lies between 0.02 and 0.25 on a log scale, label smoothing's between 0.01 and 0.3.
    factor = (0.25 / 0.02) ** MOVE
    assert moved["shift"] == pytest.approx([0.1 / factor, 0.1 * factor])
    assert moved["label_smoothing"] == pytest.approx([0.3 - MOVE * 0.29])


class Timed(Journal):
    """A journal of a machine on which plain training of a hundred epochs takes ten seconds."""

    answers: ClassVar[dict[str, object]] = {}

    def once(self, kind, compute, key=None, *, sync=True):
        answer = self.answers.get(kind)
        return super().once(kind, compute if answer is None else lambda: answer, key, sync=sync)


def raced_for(pretrained, seconds, folder, start):
    """A race against the clock, and its trials."""
    own = {"setting": {"batch_size": 80}, "techniques": ("dropout", "weight_decay")}
    contest = tuned(pretrained, budget=seconds, **own).contest
    assert contest.setting.epochs == 100
    Timed.answers = {
        "speed": [contest.cost(Recipe((), contest.setting), 100) / 10, None],
        "left": 0.98 * seconds - 1,
    }
    with start(folder) as journal:
        contest.measure(journal, 0.0)
        plan = contest.run(journal, lambda _: None)
    return contest, plan, [(t.lane, t.recipe, t.scores) for t in contest.racing.trials.values()]


def together(folder, members):
    """How many of the members, one a trial, were at most in training at one time, in both shifts of the race."""
    lines = map(json.loads, (folder / NAME).read_text().splitlines())
    rounds = [{own[0] for own in line["payload"]["members"]} for line in lines if line["kind"] == "round"]
    return max((len((a | b) & set(members)) for a, b in itertools.pairwise(rounds)), default=0)


# Of two folds finals A are one replicate of three candidates, usual and one plain; the shortest finals B are five, so
# ten trainings an arm, and three on twice the rows. Beside them 40 short steps; and at each length three recipes, usual
# and one plain. An epoch takes a tenth of a second, what comes last 115.7:
# (0.98 · 1700 - 1 - 115.7) / 0.1 / (40 + 5 · (2 + 4) + (2 · 5 + (10 + 3 · 2) · 3) · 4) = 51.3 epochs. With less time
# short steps would be shorter than half of the hundred, so there are fewer lengths.
@pytest.mark.parametrize(("seconds", "short", "times"), [(1700.0, 51, (2, 4)), (1010.0, 52, (2,)), (450.0, 33, ())])
def test_against_the_clock_longer_steps_follow_for_recipes_and_plain(pretrained, tmp_path, seconds, short, times):
    contest, plan, told = raced_for(pretrained, seconds, tmp_path / "run", lambda folder: Timed.create(folder, {}))
    assert contest.setting.epochs == short
    longer = {k: [r.setting.epochs for lane, r, _ in told if lane == k and r.setting.epochs > short] for k in LANES}
    lengths = [n * short for n in times]
    assert longer["plain"][: len(lengths)] == sorted(set(longer["recipes"])) == lengths
    # Three recipes; and usual, which may be one of them. What follows changes the best as there is time, side
    # by side.
    assert all(longer["recipes"].count(n) in (3, 4) for n in lengths[:-1])
    assert not lengths or longer["recipes"].count(lengths[-1]) >= 3
    last = [i for i, (_, r, _) in enumerate(told) if times and r.setting.epochs == lengths[-1]]
    after = range(last[0] + 5, len(told)) if last else range(0)
    assert len(after) > 2 or not times
    assert together(tmp_path / "run", after) == min(len(after), 2 * FEW_SLOTS)
    further = [r for lane, r, _ in told if lane == "plain"][5 + len(lengths) :]
    assert not times or all(r.setting.learning_rate != contest.setting.learning_rate for r in further)
    assert all(usual(contest.setting).with_setting(epochs=n) in [recipe for _, recipe, _ in told] for n in lengths)
    assert all(len(scores[0]) == recipe.setting.epochs for _, recipe, scores in told if recipe.setting.epochs > short)
    assert any("the best, usual and plain then got" in note for note in contest.notes) == bool(times)
    assert plan.finals_b >= 5
    assert len(contest.field().candidates) == 3


def test_a_ladder_against_the_clock_cut_off_goes_on_to_the_same_end(pretrained, tmp_path):
    _, _, first = raced_for(pretrained, 1010.0, tmp_path / "run", lambda folder: Timed.create(folder, {}))
    lines = (tmp_path / "run" / NAME).read_bytes().splitlines(keepends=True)
    for part in (0.3, 0.9):
        cut = tmp_path / str(part)
        cut.mkdir()
        (cut / NAME).write_bytes(b"".join(lines[: 1 + int(part * (len(lines) - 1))]))
        check_same(raced_for(pretrained, 1010.0, cut, Journal.resume)[-1], first)


def test_techniques_made_for_the_data_come_first():
    names = [kind.name for kind in likely_first(techniques().values())]
    made = [kind.name for kind in techniques().values() if len(kind.data) == 1]
    assert set(names[: len(made)]) == set(made)
    assert names.index("mixup") < names.index("dropout") < names.index("weight_decay") < names.index("early_stopping")
    assert np.unique(names).tolist() == sorted(names)
