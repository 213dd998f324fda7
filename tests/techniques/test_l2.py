import torch

from tauten.engines.stacked import Stacked
from tauten.member import Member
from tauten.recipe import Recipe
from tauten.techniques.batch_norm import BatchNorm
from tauten.techniques.l2 import L2
from tauten.techniques.weight_decay import WeightDecay
from tauten.testing import distance, engine_for, problem, small_setting, trained

STRENGTH = 0.03


def delivered(technique, optimizer, steps, momentum=0.0):
    source = problem(40, 6, 3, "classification")
    setting = small_setting(12, 2, optimizer, learning_rate=0.1 if optimizer == "sgd" else 0.01, momentum=momentum)
    return trained([Member(0, Recipe(technique, setting), 5)], source, Stacked(), steps)[0].w


def test_under_plain_sgd_it_is_weight_decay_of_twice_the_strength():
    l2 = delivered((L2(strength=STRENGTH),), "sgd", 50)
    decay = delivered((WeightDecay(strength=2 * STRENGTH),), "sgd", 50)
    none = delivered((), "sgd", 50)
    assert distance(l2, decay) < 1e-5
    assert distance(l2, none) > 0.01


def test_under_adam_it_is_not():
    l2 = delivered((L2(strength=STRENGTH),), "adam", 50)
    decay = delivered((WeightDecay(strength=2 * STRENGTH),), "adam", 50)
    assert distance(l2, decay) > 0.05


def test_it_equals_the_weight_decay_of_torch_sgd():
    """Linear network, full batch, momentum; the bias is in a group without decay."""
    source = problem(40, 6, 3, "regression")
    recipe = Recipe((L2(strength=STRENGTH),), small_setting(1, 0, "sgd", batch_size=64, momentum=0.9))
    engine = engine_for(Member(0, recipe, 5), [source], Stacked())
    engine.admit([Member(0, recipe, 5)])
    start = engine.extract(0).w
    weight, bias = (start[k].clone().requires_grad_() for k in ("out.weight", "out.bias"))
    groups = [{"params": [weight], "weight_decay": 2 * STRENGTH}, {"params": [bias], "weight_decay": 0.0}]
    reference = torch.optim.SGD(groups, lr=0.01, momentum=0.9)
    x, y = source.inputs[source.train], source.targets[source.train]
    for _ in range(50):
        reference.zero_grad()
        torch.nn.functional.mse_loss(x @ weight + bias, y).backward()
        reference.step()
    engine.run(50)
    torch.testing.assert_close(engine.extract(0).w["out.weight"], weight.detach(), rtol=0, atol=1e-5)
    torch.testing.assert_close(engine.extract(0).w["out.bias"], bias.detach(), rtol=0, atol=1e-5)
    assert (weight - start["out.weight"]).abs().max() > 0.05


def test_it_adds_its_formula_to_the_loss_and_leaves_biases_and_norms_alone():
    source = problem(40, 6, 3, "classification")
    setting = small_setting(12, 2, "sgd", learning_rate=0.1)
    start, losses, ends = {}, [], []
    for chosen in ((L2(strength=0.5), BatchNorm()), (BatchNorm(),)):
        recipe = Recipe(chosen, setting)
        engine = engine_for(Member(0, recipe, 5), [source], Stacked())
        engine.admit([Member(0, recipe, 5)])
        start = engine.extract(0).w
        losses.append(engine.run(1)[0])
        ends.append(engine.extract(0).w)
    kernels = {"hidden0.weight", "hidden1.weight", "out.weight"}
    penalty = 0.5 * sum(float(start[k].double().square().sum()) for k in kernels)
    assert abs(losses[0] - losses[1] - penalty) < 1e-4 * penalty
    for k in start:
        want = ends[1][k] - 0.1 * 2 * 0.5 * start[k] if k in kernels else ends[1][k]
        torch.testing.assert_close(ends[0][k], want, rtol=0, atol=1e-6)
