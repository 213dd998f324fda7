"""A time budget decides on replicates, by time alone, and keeps to what was recorded."""

import dataclasses
import itertools

import pytest
from sklearn.datasets import load_digits
from torch import nn

from tauten.budget import AIM, OUTSIDE, Budget, Costs, Pace
from tauten.data import of_arrays
from tauten.finals import ladder, left_out
from tauten.journal import Journal
from tauten.options import Options
from tauten.searching import prepare

COSTS = Costs([100.0] * 6, [80.0] * 2, 90.0, 100.0, 80.0, ablation=360.0, folds=5, whole=1.25, holdout=50.0)


@pytest.fixture
def clocked(tmp_path):
    """A journal whose clock is set by hand."""
    now = [0.0]
    with Journal.create(tmp_path / "run", {}, clock=lambda: now[0]) as journal:
        yield journal, now


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("folds", [1, 2, 3, 5, 10])
def test_plans_grow_from_short_over_full_to_long(folds, few):
    plans = ladder(folds, few)
    assert plans[0].name == "short"
    assert [p.name for p in plans if p.name in ("short", "full")] == ["short", "full"]
    for before, after in itertools.pairwise(plans):
        a, b = (dataclasses.astuple(p)[1:] for p in (before, after))
        assert all(x <= y for x, y in zip(a, b, strict=True))
        assert a != b


def test_what_a_plan_needs_is_counted_by_hand():
    plan = ladder(5)[0]
    # Finals A: 1 replicate x 5 folds x (6 x 100 + 2 x 80 + 90); B: 4 x 5 x 270; ablation 1 x 5 x 360; whole: 10 x 270.
    gradients = 5 * 850 + 20 * 270 + 5 * 360 + 10 * 270 * 1.25 + 50
    assert Budget(60.0, 0.0, 5).needs(plan, COSTS, Pace(10.0, 0.5)) == pytest.approx(gradients / 10 + 6 * 0.5)


def test_the_shortest_finals_of_few_trainings_are_a_third_of_those_of_many():
    few, many = (Budget(60.0, 0.0, 5, few=own) for own in (True, False))
    costs = dataclasses.replace(COSTS, held=2.0)
    # No finals A, no ablation; B: 3 x 5 x 270; whole: 3 x 270; of the holdout each seed's share.
    gradients = 15 * 270 + 3 * 270 * 1.25 + 50 + 3 * 2.0
    assert few.needs(few.plans[0], costs, Pace(10.0, 0.5)) == pytest.approx(gradients / 10 + 3 * 0.5)
    assert few.intended(costs, Pace(1e9, 0.0)) == few.plans[1], "time for finals A is left"
    assert 2.5 * few.needs(few.plans[0], COSTS, Pace(1.0, 0.0)) < many.needs(many.plans[0], COSTS, Pace(1.0, 0.0))


def test_the_longest_plan_that_fits_is_taken(clocked):
    journal, now = clocked
    budget, pace = Budget(60.0, 1.0, 5), Pace(1000.0, 0.01)
    for key, used in enumerate((0.0, 20.0, 30.0, 40.0)):
        now[0] = used
        left = AIM * 60 - OUTSIDE - 1.0 - used
        assert budget.left(journal) == pytest.approx(left)
        plan = budget.plan(journal, COSTS, pace, "finals A")
        longer = [p for p in budget.plans if p.finals_b > plan.finals_b]
        assert budget.needs(plan, COSTS, pace) <= left or plan == budget.plans[0], key
        assert not longer or budget.needs(longer[0], COSTS, pace) > left


def test_corrections_change_only_what_is_still_to_come(clocked):
    journal, _ = clocked
    budget, taken = Budget(60.0, 0.0, 5), ladder(5)[2]
    after_a = budget.plan(journal, COSTS, Pace(1e6, 0.0), "finals B", taken)
    assert (after_a.finals_a, after_a.finals_b) == (taken.finals_a, 30)
    slow = budget.plan(journal, COSTS, Pace(1.0, 0.0), "finals B", taken)
    assert (slow.finals_a, slow.finals_b) == (taken.finals_a, 4)
    late = budget.plan(journal, COSTS, Pace(1.0, 0.0), "finals B", taken, done=8)
    assert (late.finals_a, late.finals_b) == (taken.finals_a, 8)
    after_b = budget.plan(journal, COSTS, Pace(1e6, 0.0), "ablation", slow)
    assert dataclasses.replace(after_b, ablation=slow.ablation) == slow
    assert after_b.ablation == slow.finals_b


def test_a_recorded_plan_is_kept_whatever_the_clock_says(clocked):
    journal, _ = clocked
    budget = Budget(60.0, 0.0, 5)
    plan = budget.plan(journal, COSTS, Pace(1000.0, 0.0), "finals A")
    journal.close()
    with Journal.resume(journal.path.parent, clock=lambda: 1e6) as again:
        assert budget.plan(again, COSTS, Pace(1.0, 0.0), "finals A") == plan


def test_without_a_budget_it_is_the_full_plan_and_nothing_is_recorded(clocked):
    journal, _ = clocked
    budget = Budget(None, 0.0, 5)
    assert budget.plan(journal, COSTS, Pace(1.0, 0.0), "finals A").name == "full"
    assert journal.path.read_text().count("\n") == 1


def test_an_overrun_is_said():
    budget = Budget(20.0, 0.0, 5)
    assert budget.overrun(20.9) is None
    assert "took 30 s of a budget of 20 s" in budget.overrun(30.0)
    assert Budget(None, 0.0, 5).overrun(1e6) is None


def test_what_a_budget_left_out_is_one_sentence():
    short, cheap = ladder(5)[0], ladder(5, few=True)
    assert left_out(ladder(5)[-1], True) == left_out(cheap[3], True) == []
    assert left_out(short, True) == [
        "the budget allowed the short plan of finals: 4 replicates; a longer one gives more certainty."
    ]
    (told,) = left_out(cheap[0], True)
    assert told.startswith("the budget allowed the short plan of finals: 3 replicates, no finals A (")
    assert "no ablation (what each ingredient gains is not known)" in told
    assert "ablation" not in left_out(cheap[0], False)[0]
    assert "finals A (" not in left_out(cheap[2], True)[0]


def test_what_comes_last_is_counted_for_the_setting_of_a_module_of_ones_own():
    """A built-in convnet would have batches of 32, at which these members would be stacked, and probed in company."""
    images = load_digits().images[:1500, None].astype("float32").repeat(3, 2).repeat(3, 3)
    options = Options(budget=10.0, threads=2)

    def build():
        return nn.Sequential(nn.Conv2d(1, 24, 5), nn.ReLU(), nn.Flatten(), nn.Linear(9600, 10))

    contest = prepare(of_arrays(images, load_digits().target[:1500]), options, build).contest
    size = sum(p.numel() for p in build().parameters())
    assert contest.setting.batch_size == 64
    # Two arms, three times by turns, two times twelve batches, of one member on one of two threads.
    assert contest._fixed[2] == 2 * 3 * 2 * 12 * 2 * size
