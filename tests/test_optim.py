"""Optimizers of a stack against torch.optim, one member at a time."""

import pytest
import torch

from tauten import optim

RATES = [0.3, 0.05, 0.001]
MOMENTA = [0.9, 0.0, 0.5]
SHAPES = {"weight": (6, 4), "bias": (4,)}
STEPS = 100


def start():
    g = torch.Generator().manual_seed(0)
    w = {k: torch.randn(len(RATES), *shape, generator=g) for k, shape in SHAPES.items()}
    # Gradients of very different sizes, of a loss that no optimizer knows.
    pulls = {k: torch.randn(STEPS, len(RATES), *s, generator=g) * torch.logspace(-4, 1, 4) for k, s in SHAPES.items()}
    return w, pulls


def gradient(w, pull):
    """Depends on the weights, so that an error of one step shows in the next."""
    return torch.tanh(w) + pull


REFERENCE = {
    "sgd": lambda p, lr, momentum: torch.optim.SGD(p, lr=lr, momentum=momentum),
    "adam": lambda p, lr, momentum: torch.optim.Adam(p, lr=lr),
    "adamw": lambda p, lr, momentum: torch.optim.AdamW(p, lr=lr, weight_decay=0.0),
}


@pytest.mark.parametrize("kind", REFERENCE)
def test_a_hundred_steps_are_those_of_torch(kind):
    w, pulls = start()
    ours, state = dict(w), optim.init(kind, w)
    lr, momentum = torch.tensor(RATES), torch.tensor(MOMENTA)
    for t in range(STEPS):
        g = {k: gradient(ours[k], pulls[k][t]) for k in ours}
        ours, state, _ = optim.step(kind, ours, g, state, lr, momentum, torch.full((len(RATES),), t))
    for i in range(len(RATES)):
        params = {k: v[i].clone().requires_grad_() for k, v in w.items()}
        reference = REFERENCE[kind](list(params.values()), RATES[i], MOMENTA[i])
        for t in range(STEPS):
            for k, p in params.items():
                p.grad = gradient(p.detach(), pulls[k][t][i])
            reference.step()
        for k, p in params.items():
            torch.testing.assert_close(ours[k][i], p.detach(), rtol=2e-5, atol=2e-5)
            assert (p.detach() - w[k][i]).abs().min() > 1e-3, "the reference should have moved"


def test_members_may_stand_at_different_steps():
    w, pulls = start()
    lr, momentum = torch.tensor(RATES), torch.tensor(MOMENTA)
    own = {k: v[:1] for k, v in w.items()}
    state = optim.init("adam", own)
    for t in range(5):
        g = {k: pulls[k][t][:1] for k in own}
        own, state, _ = optim.step("adam", own, g, state, lr[:1], momentum[:1], torch.tensor([t]))
    joined = {k: torch.cat([own[k], w[k][1:2]]) for k in own}
    fresh = optim.init("adam", {k: v[1:2] for k, v in w.items()})
    both = {leaf: {k: torch.cat([state[leaf][k], fresh[leaf][k]]) for k in own} for leaf in state}
    g = {k: pulls[k][5][:2] for k in own}
    together, _, _ = optim.step("adam", joined, g, both, lr[:2], momentum[:2], torch.tensor([5, 0]))
    for i, (before, its, count) in enumerate([(own, state, 5), ({k: v[1:2] for k, v in w.items()}, fresh, 0)]):
        part = slice(i, i + 1)
        alone, _, _ = optim.step(
            "adam", before, {k: v[part] for k, v in g.items()}, its, lr[part], momentum[part], torch.tensor([count])
        )
        for k in own:
            assert torch.equal(together[k][part], alone[k])


def test_state_may_be_written_over_without_another_bit():
    w, pulls = start()
    lr, momentum = torch.tensor(RATES), torch.tensor(MOMENTA)
    weights, state = [dict(w), dict(w)], [optim.init("adam", w), optim.init("adam", w)]
    for t in range(5):
        g = {k: pulls[k][t] for k in w}
        count = torch.full((len(RATES),), t)
        before = weights[1], {k: v.clone() for k, v in weights[1].items()}
        for i, reuse in enumerate((False, True)):
            old = state[i]
            weights[i], state[i], scale = optim.step("adam", weights[i], g, old, lr, momentum, count, reuse)
            assert all((state[i][part][k] is old[part][k]) == reuse for part in old for k in w)
        assert all(torch.equal(weights[0][k], weights[1][k]) for k in w)
        assert all(torch.equal(state[0][part][k], state[1][part][k]) for part in state[0] for k in w)
        assert all(torch.equal(before[0][k], before[1][k]) for k in w), "weights stay: hooks compare old and new"
        assert scale["bias"].shape == w["bias"].shape


def test_at_rate_0_nothing_moves():
    w, pulls = start()
    for kind in REFERENCE:
        zero = torch.zeros(len(RATES))
        new, _, _ = optim.step(kind, w, {k: v[0] for k, v in pulls.items()}, optim.init(kind, w), zero, zero, zero)
        assert all(torch.equal(new[k], w[k]) for k in w)


def test_the_preconditioner_is_what_divides_the_gradient():
    w, pulls = start()
    lr, momentum = torch.tensor(RATES), torch.tensor(MOMENTA)
    g = {k: pulls[k][0] for k in w}
    state = optim.init("sgd", w)
    for t in range(200):  # under a steady gradient a step of momentum comes to lr · g / (1 − momentum)
        new, state, scale = optim.step("sgd", w, g, state, lr, momentum, torch.full((3,), t))
    for k in w:
        for i, m in enumerate(MOMENTA):
            step = RATES[i] * g[k][i] / (1 - m)
            torch.testing.assert_close(RATES[i] * g[k][i] / scale[k][i], step)
            torch.testing.assert_close(w[k][i] - new[k][i], step, rtol=1e-3, atol=1e-5)
    _, state, scale = optim.step("adam", w, g, optim.init("adam", w), lr, momentum, torch.zeros(3))
    for k in w:  # at the first step v̂ is g², so the divisor is |g| + ε
        torch.testing.assert_close(scale[k], g[k].abs() + 1e-8, rtol=1e-5, atol=0)
    _, _, scale = optim.step("adam", w, g, state, lr, momentum, torch.ones(3))
    for k in w:
        torch.testing.assert_close(scale[k], g[k].abs() + 1e-8, rtol=1e-5, atol=0)


def rows_named(g, t):
    """The gradient of a table in a step whose batch names every third row, each member's of its own."""
    there = (torch.arange(6) + torch.arange(len(RATES)).unsqueeze(-1) + t) % 3 == 0
    return g * there.unsqueeze(-1)


@pytest.mark.parametrize("lift", ["stacked", "vmap"])
def test_a_table_is_stepped_as_torch_steps_sparse_gradients(lift):
    w, pulls = start()
    ours, state = dict(w), optim.init("adam", w)
    lr, momentum = torch.tensor(RATES), torch.tensor(MOMENTA)

    def one(*parts):
        return optim.step("adam", *parts, tables=["weight"])[:2]

    take = torch.func.vmap(one) if lift == "vmap" else one
    for t in range(STEPS):
        g = {k: gradient(ours[k], pulls[k][t]) for k in ours}
        g["weight"] = rows_named(g["weight"], t)
        ours, state = take(ours, g, state, lr, momentum, torch.full((len(RATES),), t))
    for i in range(len(RATES)):
        table, bias = (w[k][i].clone().requires_grad_() for k in ("weight", "bias"))
        sparse, dense = torch.optim.SparseAdam([table], lr=RATES[i]), torch.optim.Adam([bias], lr=RATES[i])
        for t in range(STEPS):
            own = rows_named(gradient(table.detach().expand(len(RATES), -1, -1), pulls["weight"][t][i]), t)[i]
            named = own.any(-1).nonzero().T
            table.grad = torch.sparse_coo_tensor(named, own[named[0]], table.shape, check_invariants=True)
            bias.grad = gradient(bias.detach(), pulls["bias"][t][i])
            sparse.step()
            dense.step()
        torch.testing.assert_close(ours["weight"][i], table.detach(), rtol=2e-5, atol=2e-5)
        torch.testing.assert_close(ours["bias"][i], bias.detach(), rtol=2e-5, atol=2e-5)


def test_rows_without_a_gradient_keep_their_bits():
    w, pulls = start()
    lr, momentum, tables = torch.tensor(RATES), torch.tensor(MOMENTA), ["weight"]
    state = optim.init("adam", w)
    w, state, _ = optim.step("adam", w, {k: p[0] for k, p in pulls.items()}, state, lr, momentum, torch.zeros(3))
    g = {k: p[1] for k, p in pulls.items()} | {"weight": rows_named(pulls["weight"][1], 0)}
    there = rows_named(torch.ones_like(w["weight"]), 0).bool()
    new, after, _ = optim.step("adam", w, g, state, lr, momentum, torch.ones(3), tables=tables)
    for one, other in ((new, w), (after["mean"], state["mean"]), (after["square"], state["square"])):
        assert torch.equal((one["weight"] == other["weight"]), ~there)
    every, _, _ = optim.step("adam", w, g, state, lr, momentum, torch.ones(3))
    assert torch.equal(every["weight"][there], new["weight"][there])
    again, later, _ = optim.step("adam", dict(w), g, state, lr, momentum, torch.ones(3), True, tables)
    assert torch.equal(again["weight"], new["weight"])
    assert again["weight"] is w["weight"]
    assert later["mean"]["weight"] is state["mean"]["weight"]
