import pytest
import torch
from torch import nn

from tauten.engines.single import Single
from tauten.engines.slots import Resident, SlotEngine
from tauten.engines.stacked import Stacked
from tauten.engines.vmapped import Vmapped
from tauten.member import Group, Member
from tauten.nets.module import ModuleNet
from tauten.partners import in_order
from tauten.recipe import Recipe
from tauten.techniques.ema import EMA
from tauten.techniques.l1 import L1
from tauten.techniques.max_norm import MaxNorm
from tauten.techniques.weight_decay import WeightDecay
from tauten.testing import problem, small_setting, trained

LIMIT = 0.6
"""Units start at a norm of about 0.58, so some are above and some below."""


def after_one_step(techniques, optimizer, seed=5):
    source = problem(40, 6, 3, "classification")
    recipe = Recipe(techniques, small_setting(9, 2, optimizer))
    return trained([Member(0, recipe, seed)], source, Stacked(), 1)[0].w


def bounded(w, axis, limit=LIMIT):
    """What torch makes of it; some units are above the limit, others not."""
    want = torch.renorm(w, 2, axis, limit)
    changed = (want != w).movedim(axis, 0).flatten(1).any(1)
    assert changed.any()
    assert not changed.all()
    return want


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_it_is_torchs_renorm_of_each_units_incoming_weights(optimizer):
    plain, got = after_one_step((), optimizer), after_one_step((MaxNorm(limit=LIMIT),), optimizer)
    for name in ("hidden0.weight", "hidden1.weight"):
        torch.testing.assert_close(got[name], bounded(plain[name], 1), atol=1e-6, rtol=0)
    torch.testing.assert_close(got["out.weight"], torch.renorm(plain["out.weight"], 2, 1, LIMIT), atol=1e-6, rtol=0)
    assert all(torch.equal(got[k], plain[k]) for k in plain if k.endswith(".bias"))


def test_it_acts_after_decay_and_shrinkage():
    others = (L1(strength=0.5), WeightDecay(strength=2.0))
    assert [t.name for t in in_order((MaxNorm(), *others))] == ["weight_decay", "l1", "max_norm"]
    plain, got = after_one_step(others, "sgd"), after_one_step((*others, MaxNorm(limit=0.5)), "sgd")
    torch.testing.assert_close(got["hidden0.weight"], bounded(plain["hidden0.weight"], 1, 0.5), atol=1e-6, rtol=0)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_no_unit_is_ever_longer_and_each_member_has_its_own_limit(optimizer):
    source, limits = problem(40, 6, 3, "classification"), [0.0, 0.3, 1.0]
    setting = small_setting(9, 2, optimizer, learning_rate=0.1)
    members = [Member(i, Recipe((EMA(decay=0.9), MaxNorm(limit=c)), setting), 3) for i, c in enumerate(limits)]
    delivered = trained(members, source, Stacked(), 40)
    longest = [max(float(v.norm(dim=0).max()) for k, v in d.w.items() if "weight" in k) for d in delivered.values()]
    assert longest[0] > 1.0
    assert 0.29 < longest[1] <= 0.3 * (1 + 1e-6)
    assert 0.9 < longest[2] <= 1.0 * (1 + 1e-6)


@pytest.mark.parametrize("lift", [Vmapped, Single])
def test_engines_agree_where_it_binds(lift):
    source = problem(23, 5, 3, "classification")
    members = [
        Member(i, Recipe((MaxNorm(limit=c),), small_setting(7, 2)), 40 + i) for i, c in enumerate((0.0, 0.3, 0.5))
    ]
    want, got = (trained(members, source, by, 5, slots=4) for by in (Stacked(), lift()))
    for id in want:
        torch.testing.assert_close(got[id].w, want[id].w, atol=2e-4, rtol=0)
    assert float(got[1].w["hidden1.weight"].norm(dim=0).max()) <= 0.3 * (1 + 1e-6)


class Small(nn.Module):
    """A layer of each kind, the units of which lie along different axes."""

    def __init__(self):
        super().__init__()
        self.narrow, self.wide = nn.Conv2d(1, 4, 3), nn.ConvTranspose2d(4, 5, 3)
        self.last = nn.Linear(5 * 36, 3)

    def forward(self, x):
        return self.last(torch.relu(self.wide(torch.relu(self.narrow(x.reshape(-1, 1, 6, 6))))).flatten(1))


def module_step(techniques):
    """Weights of two members of a user's module after one step."""
    source = problem(40, 36, 3, "classification")
    recipe = Recipe(techniques, small_setting(1, 0, learning_rate=0.003))
    members = [Member(i, recipe, i) for i in range(2)]
    net = ModuleNet(Small, source.inputs[:2])
    engine = SlotEngine(Group.of(members[0], source), net, Resident([source]), Vmapped(), 2)
    engine.admit(members)
    engine.run(1)
    return [engine.extract(i).w for i in range(2)]


def test_in_a_module_the_units_lie_where_its_layers_have_them():
    for plain, got in zip(module_step(()), module_step((MaxNorm(limit=LIMIT),)), strict=True):
        for name, axis in (("narrow.weight", 0), ("wide.weight", 1), ("last.weight", 0)):
            torch.testing.assert_close(got[name], torch.renorm(plain[name], 2, axis, LIMIT), atol=1e-6, rtol=0)
        assert any(not torch.equal(got[k], plain[k]) for k in got)
        assert torch.equal(got["narrow.bias"], plain["narrow.bias"])


def test_attached_it_is_the_usual_loop_with_renorm():
    source, model, other = problem(32, 36, 3, "classification"), Small(), Small()
    other.load_state_dict(model.state_dict())
    setting = small_setting(1, 0, "sgd", learning_rate=0.1, momentum=0.5)
    run = Recipe((MaxNorm(limit=LIMIT),), setting).attach(model, task="classification", classes=3)
    optimizer = torch.optim.SGD(other.parameters(), 0.1, 0.5)
    for x, y in zip(source.inputs.split(8), source.targets.split(8), strict=True):
        run.loss(x, y).backward()
        run.step()
        optimizer.zero_grad()
        nn.functional.cross_entropy(other(x), y).backward()
        optimizer.step()
        with torch.no_grad():
            for layer, axis in ((other.narrow, 0), (other.wide, 1), (other.last, 0)):
                layer.weight.copy_(torch.renorm(layer.weight, 2, axis, LIMIT))
    for got, want in zip(run.deliver().parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(got, want, atol=2e-6, rtol=0)
