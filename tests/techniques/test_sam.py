import pytest
import torch
import torch.nn.functional as F

from tauten.draws import Draws
from tauten.engines.stacked import Stacked
from tauten.member import Member
from tauten.recipe import Recipe
from tauten.techniques.dropout import Dropout
from tauten.techniques.sam import SAM
from tauten.testing import engine_for, problem, small_setting

RHO, P, STEPS = [0.05, 0.5], 0.3, 15
NAMES = ("hidden0.weight", "hidden0.bias", "out.weight", "out.bias")


def loss_of(w, x, y, mask):
    h = torch.tanh(x @ w[0] + w[1])
    return F.cross_entropy((h * mask / (1 - P)) @ w[2] + w[3], y)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_it_is_the_two_pass_step(optimizer):
    """Full batch, two members; the mask of a step is the same in both of its passes."""
    source = problem(40, 6, 3, "classification")
    setting = small_setting(9, 1, optimizer, batch_size=64, activation="tanh", learning_rate=0.02)
    members = [Member(i, Recipe((SAM(rho=rho), Dropout(p=P)), setting), 5 + i) for i, rho in enumerate(RHO)]
    engine = engine_for(members[0], [source], Stacked())
    engine.admit(members)
    starts = [engine.extract(i).w for i in range(2)]
    engine.run(STEPS)
    n = len(source.train)
    for i, rho in enumerate(RHO):
        w = [starts[i][k].clone().requires_grad_() for k in NAMES]
        reference = torch.optim.SGD(w, lr=0.02, momentum=0.9) if optimizer == "sgd" else torch.optim.Adam(w, lr=0.02)
        for step in range(STEPS):
            seed = torch.tensor(5 + i)
            order = Draws(seed, torch.tensor(step), "order").permutation(n)
            x = source.inputs[source.train][order]
            y = source.targets[source.train].argmax(-1)[order]
            drop = Draws(seed, torch.tensor(step), "step/dropout/activation/0").bernoulli(P, torch.zeros(n, 9))
            mask = (~drop).float()
            first = torch.autograd.grad(loss_of(w, x, y, mask), w)
            norm = torch.sqrt(sum(g.square().sum() for g in first))
            risen = [(v + rho * g / norm).detach().requires_grad_() for v, g in zip(w, first, strict=True)]
            second = torch.autograd.grad(loss_of(risen, x, y, mask), risen)
            for v, g in zip(w, second, strict=True):
                v.grad = g
            reference.step()
        for k, v in zip(NAMES, w, strict=True):
            torch.testing.assert_close(engine.extract(i).w[k], v.detach(), rtol=0, atol=5e-5)
