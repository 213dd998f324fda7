import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from tauten.engines.stacked import Stacked
from tauten.member import Member
from tauten.recipe import Recipe
from tauten.technique import Here
from tauten.techniques.clip_norm import ClipNorm
from tauten.techniques.l2 import L2
from tauten.testing import engine_for, problem, small_setting

LR = 0.1


def here(lr):
    nothing = torch.zeros(0)
    return Here({}, nothing, nothing, {}, lr, lambda x, name: x)


def clipped_by_torch(leaves, limit):
    parameters = [nn.Parameter(torch.zeros_like(g)) for g in leaves]
    for p, g in zip(parameters, leaves, strict=True):
        p.grad = g.clone()
    if limit:
        clip_grad_norm_(parameters, limit)
    return [p.grad for p in parameters]


def test_each_members_gradient_is_clipped_as_torch_does():
    random = torch.Generator().manual_seed(0)
    g = {"weight": torch.randn(4, 6, 3, generator=random), "bias": torch.randn(4, 3, generator=random)}
    limits = [0.0, 0.5, 3.0, 100.0]
    got = ClipNorm().with_values({"limit": torch.tensor(limits)}).gradient(g, {}, here(torch.zeros(4)))
    for i, limit in enumerate(limits):
        want = clipped_by_torch([g["weight"][i], g["bias"][i]], limit)
        torch.testing.assert_close([got["weight"][i], got["bias"][i]], want, atol=1e-6, rtol=1e-6)
        one = ClipNorm().with_values({"limit": torch.tensor(limit)})
        alone = one.gradient({k: v[i] for k, v in g.items()}, {}, here(torch.tensor(0.0)))
        assert all(torch.equal(alone[k], got[k][i]) for k in g)
    assert all(torch.equal(got[k][i], g[k][i]) for k in g for i in (0, 3))


def test_a_gradient_of_zero_stays_zero():
    got = (
        ClipNorm().with_values({"limit": torch.tensor(1.0)}).gradient({"w": torch.zeros(5)}, {}, here(torch.tensor(1)))
    )
    assert torch.equal(got["w"], torch.zeros(5))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_training_is_the_usual_loop(optimizer):
    source = problem(40, 6, 3, "classification")
    recipe = Recipe(
        (ClipNorm(limit=0.2), L2(strength=0.05)), small_setting(1, 0, optimizer, batch_size=64, learning_rate=LR)
    )
    engine = engine_for(Member(0, recipe, 5), [source], Stacked())
    engine.admit([Member(0, recipe, 5)])
    start = engine.extract(0).w
    model = nn.Linear(6, 3)
    model.load_state_dict({"weight": start["out.weight"].T, "bias": start["out.bias"]})
    usual = (
        torch.optim.SGD(model.parameters(), LR, 0.9) if optimizer == "sgd" else torch.optim.Adam(model.parameters(), LR)
    )
    x, y = source.inputs[source.train], source.targets[source.train]
    engine.run(8)
    norms = []
    for _ in range(8):
        usual.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y) + 0.05 * model.weight.square().sum()
        loss.backward()
        norms.append(float(clip_grad_norm_(model.parameters(), 0.2)))
        usual.step()
    assert max(norms) > 0.2
    end = engine.extract(0).w
    torch.testing.assert_close(end["out.weight"].T, model.weight.detach(), atol=2e-5, rtol=0)
    torch.testing.assert_close(end["out.bias"], model.bias.detach(), atol=2e-5, rtol=0)


def test_attached_it_is_the_usual_loop():
    source, model, other = problem(32, 6, 3, "classification"), nn.Linear(6, 3), nn.Linear(6, 3)
    other.load_state_dict(model.state_dict())
    setting = small_setting(1, 0, "sgd", learning_rate=LR, momentum=0.5)
    run = Recipe((ClipNorm(limit=0.1),), setting).attach(model, task="classification", classes=3)
    optimizer = torch.optim.SGD(other.parameters(), LR, 0.5)
    for x, y in zip(source.inputs.split(8), source.targets.split(8), strict=True):
        run.loss(x, y).backward()
        run.step()
        optimizer.zero_grad()
        nn.functional.cross_entropy(other(x), y).backward()
        assert clip_grad_norm_(other.parameters(), 0.1) > 0.1
        optimizer.step()
    torch.testing.assert_close(run.deliver().weight, other.weight, atol=1e-6, rtol=0)
