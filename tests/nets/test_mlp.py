import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from tauten.builder import Builder
from tauten.member import Member
from tauten.nets.base import Net, Pass
from tauten.nets.mlp import MLP, pad_to
from tauten.population import Population
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.techniques.batch_norm import BatchNorm
from tauten.techniques.rotation import Rotation
from tauten.testing import problem, same_bits, small_setting

PLAIN = Pass((), None)


def unstacked(net, tree, i):
    return net.unpadded({k: v[i] for k, v in tree.items()})


@pytest.mark.parametrize(("width", "wide"), [(1, 32), (31, 32), (32, 32), (33, 64)])
def test_widths_are_padded(width, wide):
    assert pad_to(width) == wide


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "tanh"])
def test_forward_is_the_formula(depth, skip, activation):
    net = MLP(5, 3, Setting(width=7, depth=depth, activation=activation, skip=skip))
    w, buffers = net.init([1, 2])
    x = torch.randn(2, 11, 5, generator=torch.Generator().manual_seed(0))
    out, _ = net.forward(w, buffers, x, PLAIN)
    assert out.shape == (2, 11, 3)
    act = {"relu": F.relu, "gelu": F.gelu, "silu": F.silu, "tanh": torch.tanh}[activation]
    for i in range(2):
        own, h = unstacked(net, w, i), x[i]
        for layer in range(depth):
            z = act(h @ own[f"hidden{layer}.weight"] + own[f"hidden{layer}.bias"])
            h = h + z if skip and layer > 0 else z
        torch.testing.assert_close(out[i], h @ own["out.weight"] + own["out.bias"], rtol=1e-5, atol=1e-5)
        alone, _ = net.forward({k: v[i] for k, v in w.items()}, {}, x[i], PLAIN)
        torch.testing.assert_close(out[i], alone, rtol=1e-5, atol=1e-5)


def test_weights_start_as_those_of_nn_linear():
    net = MLP(50, 10, Setting(width=80, depth=2))
    w = net.unpadded({k: v[0] for k, v in net.init([3])[0].items()})
    for name, fan_in in (("hidden0", 50), ("hidden1", 80), ("out", 80)):
        bound = 1 / math.sqrt(fan_in)  # torch.nn.Linear.reset_parameters
        law = stats.uniform(-bound, 2 * bound)
        for part in ("weight", "bias"):
            assert stats.kstest(w[f"{name}.{part}"].flatten().double().numpy(), law.cdf).pvalue > 0.001


def test_a_start_depends_on_the_seed_alone():
    net = MLP(5, 3, Setting(width=7))
    together, alone, other = net.init([1, 2, 9])[0], net.init([2])[0], net.init([3])[0]
    for k in together:
        assert torch.equal(together[k][1], alone[k][0])
        assert not torch.equal(alone[k], other[k])


def test_padding_is_zero_and_stays_zero_through_a_pass_and_its_gradient():
    norm = BatchNorm()
    for structure in ((), (norm,)):
        net = MLP(5, 3, Setting(width=7, depth=2, activation="gelu"), structure)
        w, buffers = net.init([1, 2])
        leaves = {k: v.clone().requires_grad_() for k, v in w.items()}
        out, after = net.forward(leaves, buffers, torch.ones(2, 6, 5).cumsum(1), Pass(structure, None))
        out.square().sum().backward()
        for tree in (w, after, {k: v.grad for k, v in leaves.items()}):
            for k, v in net.mask(tree).items():
                torch.testing.assert_close(v, tree[k], rtol=0, atol=0)
        inside = net.mask({k: torch.ones_like(v) for k, v in w.items()})
        for k, v in inside.items():
            assert v[0].sum() == unstacked(net, w, 0)[k].numel()


def test_unpadded_and_padded_are_inverse():
    net = MLP(5, 3, Setting(width=7))
    w = {k: v[0] for k, v in net.init([1])[0].items()}
    logical = net.unpadded(w)
    assert logical["hidden0.weight"].shape == (5, 7)
    assert logical["out.bias"].shape == (3,)
    again = net.padded(logical)
    assert all(torch.equal(again[k], w[k]) for k in w)


def test_under_batch_norm_hidden_biases_are_left_out_and_only_matrices_are_kernels():
    net = MLP(5, 3, Setting(width=7, depth=2), [BatchNorm()])
    w, buffers = net.init([1])
    assert "hidden0.bias" not in w
    assert "out.bias" in w
    assert set(net.kernels) == {"hidden0.weight", "hidden1.weight", "out.weight"}
    assert set(buffers) == {f"hidden{i}.batch_norm.{k}" for i in (0, 1) for k in ("mean", "variance")}


def test_it_keeps_the_protocol():
    assert isinstance(MLP(5, 3, Setting()), Net)


def test_images_are_laid_out_flat_whichever_engine_trains():
    """The same bits as for the table of their pixels; techniques that change images train beside."""
    images = problem(30, 4, 3, "classification", data="images")
    table = dataclasses.replace(images, inputs=images.inputs.flatten(1))
    plain = Recipe((), small_setting(9, 2, net="mlp"))
    members = [Member(0, plain, 3, epochs=2), Member(1, Recipe((Rotation(),), plain.setting), 3, epochs=2)]

    def trained(source, members, native):
        with Population(Builder(source, native=native), [source]) as population:
            population.enter(members)
            rows = {m.id: torch.arange(30) for m in members}
            return population.complete(rows, extract=rows)

    for native in (True, False):
        flat, whole = trained(table, members[:1], native), trained(images, members, native)
        assert same_bits(flat[0].delivered, whole[0].delivered)
        assert torch.equal(flat[0].outputs, whole[0].outputs)
        assert not same_bits(whole[0].delivered, whole[1].delivered)
