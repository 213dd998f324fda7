import math

import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from tauten.builder import Builder
from tauten.draws import Draws
from tauten.engines.native import bf16
from tauten.engines.single import Single
from tauten.engines.stacked import Stacked
from tauten.engines.vmapped import Vmapped
from tauten.errors import RecipeError
from tauten.member import Member, Source, one_hot
from tauten.nets.base import Net, Pass
from tauten.nets.built_in import built_in
from tauten.nets.convnet import ConvNet
from tauten.nets.mlp import MLP
from tauten.options import Options
from tauten.population import Population
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.techniques.batch_norm import BatchNorm
from tauten.techniques.dropout import Dropout
from tauten.testing import distance, problem, same_bits, small_setting, trained

PLAIN = Pass((), None)


def images(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


class Seen(Pass):
    """Remembers the shapes that techniques are shown."""

    def __init__(self):
        super().__init__((), None)
        self.units, self.rows = [], []

    def activated(self, h):
        assert h.is_contiguous()
        self.units.append(tuple(h.shape))
        return h

    def normalized(self, h, prefix, w, buffers):
        self.rows.append(tuple(h.shape))
        return h, buffers


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "tanh"])
@pytest.mark.parametrize(("depth", "skip"), [(0, True), (2, True), (1, False)])
def test_forward_is_the_formula(depth, skip, activation):
    net = ConvNet((2, 9, 6), 3, Setting(width=10, depth=depth, activation=activation, skip=skip))
    w, _ = net.init([1, 2])
    x = images(2, 4, 2, 9, 6)
    out, _ = net.forward(w, {}, x, PLAIN)
    assert out.shape == (2, 4, 3)
    act = {"relu": F.relu, "gelu": F.gelu, "silu": F.silu, "tanh": torch.tanh}[activation]
    for i in range(2):
        own, h = {k: v[i] for k, v in w.items()}, x[i]
        for stage in range(3):
            for layer in range(1 + depth):
                name = f"stage{stage}.{layer}"
                z = F.conv2d(h, own[f"{name}.weight"], own[f"{name}.bias"], padding=1)
                if layer == 0 and stage < 1:
                    z = F.max_pool2d(z, 2, ceil_mode=True)
                h = h + act(z) if skip and layer else act(z)
        assert h.shape == (4, 10, 5, 3)
        want = h.movedim(1, -1).flatten(1) @ own["out.weight"] + own["out.bias"]
        torch.testing.assert_close(out[i], want, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(out[i], net.forward(own, {}, x[i], PLAIN)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("colours", [(), (1,), (3,)])
def test_techniques_see_units_along_the_last_axis_and_norms_see_pixels_as_rows(colours):
    net = ConvNet((*colours, 21, 17), 3, Setting(width=8, depth=1), [BatchNorm()])
    w, buffers = net.init([1, 2])
    for leading in ((2,), ()):
        seen = Seen()
        own = w if leading else {k: v[0] for k, v in w.items()}
        net.forward(own, buffers, images(*leading, 5, *colours, 21, 17), seen)
        sizes = [(11, 9, 2)] * 2 + [(6, 5, 4)] * 2 + [(3, 3, 8)] * 2
        assert seen.units == [(*leading, 5, *size) for size in sizes]
        assert seen.rows == [(*leading, 5 * h * w, c) for h, w, c in sizes]
    assert net.layers == 6


def test_an_image_of_one_pixel_passes():
    net = ConvNet((1, 1), 2, Setting(width=4, depth=1))
    assert net.forward({k: v[0] for k, v in net.init([1])[0].items()}, {}, images(3, 1, 1), PLAIN)[0].shape == (3, 2)


def test_channels_double_from_stage_to_stage_and_never_vanish():
    for width, want in ((64, [16, 32, 64]), (3, [1, 1, 3]), (1, [1, 1, 1])):
        net = ConvNet((1, 8, 8), 2, Setting(width=width, depth=0))
        w = net.init([0])[0]
        assert [w[f"stage{i}.0.weight"].shape[1] for i in range(3)] == want


def test_weights_start_as_those_of_torch():
    net = ConvNet((3, 16, 16), 10, Setting(width=32, depth=1))
    w = {k: v[0] for k, v in net.init([3])[0].items()}
    for name, fan_in in (("stage1.0", 8 * 9), ("stage2.1", 32 * 9), ("out", 32 * 16)):
        bound = 1 / math.sqrt(fan_in)  # torch.nn.Conv2d.reset_parameters, torch.nn.Linear.reset_parameters
        law = stats.uniform(-bound, 2 * bound)
        for part in ("weight", "bias"):
            assert stats.kstest(w[f"{name}.{part}"].flatten().double().numpy(), law.cdf).pvalue > 0.001


def test_a_start_depends_on_the_seed_alone():
    net = ConvNet((1, 6, 6), 3, Setting(width=8))
    together, alone, other = net.init([1, 2, 9])[0], net.init([2])[0], net.init([3])[0]
    for k in together:
        assert torch.equal(together[k][1], alone[k][0])
        assert not torch.equal(alone[k], other[k])


def test_under_batch_norm_hidden_biases_are_left_out_and_kernels_are_filters_and_the_last_matrix():
    net = ConvNet((1, 6, 6), 3, Setting(width=8, depth=1), [BatchNorm()])
    w, buffers = net.init([1])
    assert "stage0.0.bias" not in w
    assert "out.bias" in w
    assert net.kernels == {**{f"stage{s}.{i}.weight": 0 for s in range(3) for i in range(2)}, "out.weight": 1}
    assert all(
        w[k].shape[1 + axis] == (3 if k == "out.weight" else [2, 4, 8][int(k[5])]) for k, axis in net.kernels.items()
    )
    assert set(buffers) == {
        f"stage{s}.{i}.batch_norm.{k}" for s in range(3) for i in range(2) for k in ("mean", "variance")
    }


def test_it_keeps_the_protocol():
    net = ConvNet((1, 6, 6), 3, Setting(width=8))
    assert isinstance(net, Net)
    w = {k: v[0] for k, v in net.init([1])[0].items()}
    assert all(torch.equal(v, w[k]) for tree in (net.mask(w), net.padded(net.unpadded(w))) for k, v in tree.items())


@pytest.mark.parametrize("techniques", [(), (BatchNorm(), Dropout())], ids=["plain", "with techniques"])
def test_the_ways_to_carry_it_over_members_agree(techniques):
    source = problem(40, (3, 9, 7), 3, "classification")
    members = [Member(i, Recipe(techniques, small_setting(12, 1)), seed=i) for i in range(3)]
    single = trained(members, source, Single(), 5)
    for lift in (Stacked(), Vmapped()):
        for id, got in trained(members, source, lift, 5).items():
            assert distance(got.w | got.buffers, single[id].w | single[id].buffers) < 2e-4


def test_images_take_the_convnet_unless_asked_for_an_mlp():
    kinds = {"auto": ConvNet, "convnet": ConvNet, "mlp": MLP}
    for net, kind in kinds.items():
        assert isinstance(built_in((1, 6, 6), 3, Setting(net=net), ()), kind)
    assert isinstance(built_in((36,), 3, Setting(), ()), MLP)
    source = problem(20, 5, 3, "classification")
    member = Member(0, Recipe((), Setting(net="convnet")), seed=0)
    with (
        Population(Builder(source), [source]) as crowd,
        pytest.raises(RecipeError, match=r"setting\.net is 'convnet' and rows are lists of numbers; give images"),
    ):
        crowd.enter([member])


@pytest.mark.parametrize("native", [False, True])
def test_an_mlp_on_images_is_one_on_their_pixels(native):
    source = problem(40, (2, 4, 3), 3, "classification")
    flat = Source(source.inputs.flatten(1), source.targets, source.train, source.task)
    ends = []
    for data in (source, flat):
        with Population(Builder(data, native=native), [data]) as crowd:
            crowd.enter([Member(0, Recipe((), small_setting(8, 2, net="mlp")), seed=5)])
            crowd.advance()
            ends.append(crowd.extract(0))
    assert same_bits(*ends)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_population_of_convnets_and_mlps_keeps_everyones_bits(threads):
    source = problem(40, (2, 6, 5), 3, "classification")
    setting = small_setting(12, 1)
    recipes = [Recipe((), setting), Recipe((BatchNorm(),), setting), Recipe((Dropout(),), setting)]
    recipes.append(recipes[0].with_setting(net="mlp"))
    members = [Member(i, recipes[i % 4], seed=i, epochs=3) for i in range(10)]
    rows = {m.id: torch.arange(40) for m in members}
    with Population(Builder(source), [source], threads=threads) as crowd:
        crowd.enter(members)
        together = crowd.complete(rows, rows)
    for member in members[:4]:
        with Population(Builder(source), [source], block=1) as alone:
            alone.enter([member])
            want = alone.complete(rows, rows)[member.id]
        assert same_bits(together[member.id].delivered, want.delivered)
        assert torch.equal(together[member.id].outputs, want.outputs)


def test_it_learns_digits():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    source = Source(
        torch.tensor(x, dtype=torch.float32).reshape(-1, 1, 8, 8) / 8 - 1,
        one_hot(y, 10),
        torch.arange(1200),
        "classification",
    )
    setting = Setting(width=32, depth=1, epochs=5, learning_rate=0.005, batch_size=64, schedule="cosine")
    member = Member(0, Recipe((), setting), seed=1, epochs=5)
    with Population(Builder(source), [source]) as crowd:
        crowd.enter([member])
        out = crowd.complete({0: torch.arange(1200, len(y))})[0].outputs
    right = (out.argmax(1).numpy() == y[1200:]).mean()
    assert right > 0.9, right


def test_convnets_train_one_by_one_and_are_shared_out_over_all_threads():
    builder = Builder(problem(20, (1, 6, 6), 3, "classification"))
    net = builder.net(Recipe((), Setting(width=8)))
    assert isinstance(builder.lift(net, 32), Single)
    assert [builder.block(net, members, 4) for members in (3, 10, 400)] == [1, 3, 32]


def test_half_the_precision_is_for_training_passes_only_and_rounds_the_convolutions():
    x = images(6, 2, 12, 12)
    half, full = (ConvNet((2, 12, 12), 3, Setting(width=16, depth=1), (), p) for p in ("bf16", "fp32"))
    w = {k: v[0].requires_grad_() for k, v in half.init([1])[0].items()}
    training = Pass((), Draws(torch.tensor(1), torch.tensor(0), "step"))
    found = []
    for net in (half, full):
        out = net.forward(w, {}, x, training)[0]
        found.append((out, torch.autograd.grad(out.square().sum(), list(w.values()))))
    (rounded, own), (exact, want) = found
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - exact).abs().max() < 0.01 * exact.abs().max()
    for a, b in zip(own, want, strict=True):
        assert F.cosine_similarity(a.flatten(), b.flatten(), 0) > 0.99
    assert torch.equal(half.forward(w, {}, x, PLAIN)[0], full.forward(w, {}, x, PLAIN)[0])


def test_a_search_of_images_takes_bf16_where_the_processor_has_it():
    source = problem(20, (1, 6, 6), 3, "classification")
    assert Builder(source, precision="auto").precision == ("bf16" if bf16() else "fp32")
    assert Builder(source).precision == "fp32"


def test_a_search_of_images_begins_with_a_small_convnet_and_leaves_an_mlp_its_size():
    own = Options(trials=3).setting_for(640, "images")
    assert (own.width, own.depth, own.learning_rate, own.schedule) == (64, 1, 0.005, "warm_cosine")
    assert Options(trials=3, setting={"width": 32}).setting_for(640, "images").width == 32
    # A module of one's own may be a pretrained one, which such a rate would spoil.
    module = Options(trials=3).setting_for(640, "images", own_module=True)
    assert (module.learning_rate, module.schedule) == (Setting().learning_rate, "constant")
    for asked in ({}, {"net": "mlp"}):
        large = Options(trials=3, setting=asked).setting_for(640, "images" if asked else "tables")
        assert (large.width, large.depth) == (Setting().width, Setting().depth)
