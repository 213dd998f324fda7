import pytest
import torch

from tauten.engines.stacked import Stacked
from tauten.member import Member
from tauten.recipe import Recipe
from tauten.techniques.batch_norm import BatchNorm
from tauten.techniques.weight_decay import WeightDecay
from tauten.testing import engine_for, problem, small_setting

KERNELS = {"hidden0.weight", "hidden1.weight", "out.weight"}


@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_it_is_the_decay_of_torch_adamw(strength):
    """Linear network, full batch; the bias is in a group without decay."""
    source = problem(40, 6, 3, "regression")
    recipe = Recipe((WeightDecay(strength=strength),), small_setting(1, 0, batch_size=64))
    engine = engine_for(Member(0, recipe, 5), [source], Stacked())
    engine.admit([Member(0, recipe, 5)])
    start = engine.extract(0).w
    weight, bias = (start[k].clone().requires_grad_() for k in ("out.weight", "out.bias"))
    groups = [{"params": [weight], "weight_decay": strength}, {"params": [bias], "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, lr=0.01)
    x, y = source.inputs[source.train], source.targets[source.train]
    for _ in range(100):
        reference.zero_grad()
        torch.nn.functional.mse_loss(x @ weight + bias, y).backward()
        reference.step()
    engine.run(100)
    torch.testing.assert_close(engine.extract(0).w["out.weight"], weight.detach(), rtol=0, atol=2e-5)
    torch.testing.assert_close(engine.extract(0).w["out.bias"], bias.detach(), rtol=0, atol=2e-5)
    assert (weight - start["out.weight"]).abs().max() > 0.05


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_it_takes_off_its_formula_and_leaves_biases_and_norms_alone(optimizer):
    source, ends = problem(40, 6, 3, "classification"), []
    for chosen in ((WeightDecay(strength=2.0), BatchNorm()), (BatchNorm(),)):
        recipe = Recipe(chosen, small_setting(12, 2, optimizer, learning_rate=0.1))
        engine = engine_for(Member(0, recipe, 5), [source], Stacked())
        engine.admit([Member(0, recipe, 5)])
        start = engine.extract(0).w
        engine.run(1)
        ends.append(engine.extract(0).w)
    assert start.keys() - KERNELS == {
        "out.bias", *(f"hidden{i}.batch_norm.{k}" for i in (0, 1) for k in ("scale", "shift")),
    }  # fmt: skip
    for k in start:
        if k in KERNELS:
            torch.testing.assert_close(ends[0][k], ends[1][k] - 0.1 * 2.0 * start[k], rtol=0, atol=1e-7)
        else:
            assert torch.equal(ends[0][k], ends[1][k])


def test_it_follows_the_schedule_of_the_learning_rate():
    source = problem(20, 4, 2, "regression")
    recipe = Recipe(
        (WeightDecay(strength=1.0),), small_setting(1, 0, "sgd", batch_size=64, schedule="cosine", epochs=4)
    )
    engine = engine_for(Member(0, recipe, 5), [source], Stacked())
    engine.admit([Member(0, recipe, 5)])
    engine.run(4)
    end = engine.extract(0).w
    engine.run(3)  # past the end the rate, and with it the decay, is 0
    assert torch.equal(engine.extract(0).w["out.weight"], end["out.weight"])
