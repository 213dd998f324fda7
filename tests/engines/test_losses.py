"""The loss of every task, with rows' weights, on every engine: torch's own, and the mixture of weighted losses."""

import pytest
import torch
import torch.nn.functional as F

from tauten.draws import Draws
from tauten.engines.native import able
from tauten.engines.single import Single
from tauten.engines.stacked import Stacked
from tauten.engines.step import base_loss, changed
from tauten.engines.vmapped import Vmapped
from tauten.member import Member, Source
from tauten.recipe import Recipe
from tauten.technique import TASKS
from tauten.techniques.class_weights import ClassWeights
from tauten.techniques.label_smoothing import LabelSmoothing
from tauten.techniques.mixup import Mixup
from tauten.testing import NATIVE, engine_for, problem, same_bits, small_setting, trained

LIFTS = [Stacked, Vmapped, Single, *([lambda: NATIVE] if able(Recipe()) else [])]
OF_TORCH = {
    "classification": lambda out, y: F.cross_entropy(out, y, reduction="none"),
    "multilabel": lambda out, y: F.binary_cross_entropy_with_logits(out, y, reduction="none").mean(-1),
    "regression": lambda out, y: F.mse_loss(out, y, reduction="none").mean(-1),
}


@pytest.mark.parametrize("scale", [1.0, 60.0])
@pytest.mark.parametrize("task", TASKS)
def test_values_and_gradients_are_torchs(task, scale):
    source = problem(50, 4, 3, task, weighted=True)
    out = (scale * torch.randn(50, 3, generator=torch.Generator().manual_seed(1))).requires_grad_()
    for weight in (None, source.weights):
        want = OF_TORCH[task](out, source.targets)
        want = (want if weight is None else want * weight).mean()
        got = base_loss(task, out, source.targets, weight)
        torch.testing.assert_close(got, want)
        (a,), (b,) = torch.autograd.grad(got, out), torch.autograd.grad(want, out)
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("lift", LIFTS)
@pytest.mark.parametrize("task", TASKS)
def test_an_engines_loss_is_torchs_over_weighted_rows(task, lift):
    source = problem(60, 4, 3, task, weighted=True)
    member = Member(0, Recipe((), small_setting(9, 1, batch_size=64)), 5)
    engine = engine_for(member, [source], lift())
    engine.admit([member])
    out = engine.evaluate({0: source.train})[0]
    want = (OF_TORCH[task](out, source.targets[source.train]) * source.weights[source.train]).mean()
    assert abs(engine.run(1)[0] - float(want)) < 1e-6


@pytest.mark.parametrize("task", TASKS)
def test_mixed_rows_are_mixtures_of_weighted_losses(task):
    """Σ over a row's two parts of share · weight · loss, up to what doesn't depend on the output."""
    source = problem(32, 4, 3, task, weighted=True)
    x, y, w = source.inputs, source.targets, source.weights
    r, mixup = Draws(torch.tensor(3), torch.tensor(0), "step"), Mixup(alpha=1.0)
    bound = mixup.with_values({"alpha": torch.tensor(1.0)})
    new_x, new_y, new_w = changed((bound,), r, x, y, w)
    own = r.at("mixup/batch")
    partner, share = own.at("partner").permutation(32), own.at("share").beta(torch.tensor(1.0), y)
    torch.testing.assert_close(new_x, share[:, None] * x + (1 - share[:, None]) * x[partner])
    out = torch.randn(32, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    parts = share * w * OF_TORCH[task](out, y) + (1 - share) * w[partner] * OF_TORCH[task](out, y[partner])
    (want,) = torch.autograd.grad(parts.mean(), out)
    (got,) = torch.autograd.grad(base_loss(task, out, new_y, new_w), out)
    torch.testing.assert_close(got, want)
    assert float((want - torch.autograd.grad((OF_TORCH[task](out, y) * w).mean(), out)[0]).abs().max()) > 0.01


@pytest.mark.parametrize("lift", LIFTS)
def test_weights_of_one_are_none(lift):
    source = problem(40, 4, 3, "classification")
    ones = Source(source.inputs, source.targets, source.train, source.task, torch.ones(40))
    recipe = Recipe((Mixup(alpha=0.5), LabelSmoothing(), ClassWeights()), small_setting(9, 1))
    a, b = (trained([Member(0, recipe, 1)], s, lift(), 5)[0] for s in (source, ones))
    for name in a.w:
        torch.testing.assert_close(a.w[name], b.w[name], atol=1e-5, rtol=0)


@pytest.mark.parametrize("lift", LIFTS)
def test_a_row_of_weight_two_is_a_row_twice(lift):
    """Full batches without momentum: doubling a weight and repeating the row give one gradient."""
    source = problem(24, 4, 3, "multilabel")
    weights = torch.ones(24)
    weights[5] = 2
    rows = torch.cat([torch.arange(24), torch.tensor([5])])
    once = Source(source.inputs, source.targets, torch.arange(24), source.task, weights * 24 / 25)
    twice = Source(source.inputs[rows], source.targets[rows], torch.arange(25), source.task)
    a, b = (
        trained(
            [Member(0, Recipe((), small_setting(9, 1, "sgd", momentum=0.0, batch_size=len(s.train))), 1)], s, lift(), 3
        )[0]
        for s in (once, twice)
    )
    for name in a.w:
        torch.testing.assert_close(a.w[name], b.w[name], atol=1e-6, rtol=0)


def test_class_weights_count_weighted_rows():
    """Where weights have balanced the classes already, nothing is left to do."""
    source = problem(40, 4, 3, "classification")
    counts = source.targets[source.train].sum(0)
    balanced = (source.targets @ (len(source.train) / (3 * counts))).contiguous()
    weighted = Source(source.inputs, source.targets, source.train, source.task, balanced)
    with_it, without = (
        trained([Member(0, Recipe(t, small_setting(9, 1)), 1)], weighted, Stacked(), 5)[0]
        for t in ((ClassWeights(),), ())
    )
    for name in without.w:
        torch.testing.assert_close(with_it.w[name], without.w[name], atol=1e-5, rtol=0)
    assert not same_bits(without, trained([Member(0, Recipe((), small_setting(9, 1)), 1)], source, Stacked(), 5)[0])
