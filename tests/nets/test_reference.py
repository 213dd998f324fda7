"""Networks as people write them, through preflight and a few epochs of a population: laws 1, 2, 8 and 9."""

import math
import re

import pytest
import torch
import torch.nn.functional as F
from reference import CLASSES, PRETRAINED, ROWS, SINGLE, STACKED, Tied, frozen_backbone, mlp
from torch import nn

from tauten.builder import Builder
from tauten.engines.single import Single
from tauten.engines.slots import Resident, SlotEngine
from tauten.engines.step import averaged
from tauten.engines.vmapped import Vmapped
from tauten.member import Group, Member, Source, one_hot
from tauten.nets.module import STACKED as STACKED_STEP
from tauten.nets.module import ModuleNet
from tauten.population import Population
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.techniques.dropout import Dropout
from tauten.techniques.ema import EMA
from tauten.techniques.weight_decay import WeightDecay
from tauten.testing import distance, same_bits

SETTING = Setting(batch_size=8, epochs=2, learning_rate=1e-3)
EPOCHS = SETTING.epochs
RECIPE = Recipe((Dropout(p=0.3), WeightDecay(strength=0.1)), SETTING)
PLAIN = Recipe((), SETTING)
BOTH = {**STACKED, **SINGLE}


def source_of(shape, **beside):
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(ROWS, *shape, generator=g), torch.randint(CLASSES, (ROWS,), generator=g)
    return Source(x, one_hot(y, CLASSES), torch.arange(ROWS * 4 // 5), "classification", **beside)


def engine_of(build, source, members, lift, slots=2):
    """An engine of so many slots with these members in it."""
    net, group = ModuleNet(build, source.inputs[:2]), Group.of(members[0], source)
    engine = SlotEngine(group, net, Resident([source]), lift, slots)
    engine.admit(members)
    return engine


def trained(build, source, members, lift, steps, slots=2):
    """What each delivers after so many steps."""
    engine = engine_of(build, source, members, lift, slots)
    engine.run(steps)
    return {m.id: engine.extract(m.id) for m in members}


@pytest.mark.parametrize("name", STACKED)
def test_what_can_be_stacked_keeps_the_laws(name):
    build, shape = STACKED[name]
    source = source_of(shape)
    builder = Builder(source, build)
    assert builder.module.obstacle is None
    assert isinstance(builder.lift(builder.net(Recipe()), 32), Vmapped)
    one, other, plain = Member(0, RECIPE, 5), Member(1, RECIPE, 6), Member(2, PLAIN, 7)
    steps = EPOCHS * 4
    together = trained(build, source, [one, other], Vmapped(), steps)
    assert not same_bits(together[0], together[1])
    # Law 2 as promised for modules: the same bits beside another neighbour, in the same slot of as many.
    assert same_bits(together[0], trained(build, source, [one, plain], Vmapped(), steps)[0])
    # Law 1: off is absent, and neighbours that drop out don't change it.
    off = Recipe((Dropout(p=0.0), WeightDecay(strength=0.0)), SETTING)
    want = trained(build, source, [Member(3, PLAIN, 9)], Vmapped(), 3)[3]
    assert same_bits(want, trained(build, source, [Member(3, off, 9), other], Vmapped(), 3)[3])
    # Law 9: one at a time, to tolerance. By SGD, since a key's bias has no true gradient and Adam steps by its noise.
    pair = [Member(i, RECIPE.with_setting(optimizer="sgd", learning_rate=0.1), 5 + i) for i in (0, 1)]
    for after, tolerance in ((1, 2e-6), (5, 2e-4)):
        stacked, single = (trained(build, source, pair, lift, after) for lift in (Vmapped(), Single()))
        for id in (0, 1):
            parts = [averaged(d.w, d.buffers) for d in (stacked[id], single[id])]
            assert distance(*parts) <= tolerance, f"{name} after {after} steps: {distance(*parts):.1e}"


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("lstm", r"layer 'rnn', LSTM\(5, 6"),
        ("control flow", r"the module itself, Deciding: it takes a number out of a tensor .* or decides by one"),
        ("item", r"the module itself, Counting: it takes a number out of a tensor"),
        ("spectral norm", r"layer '0\.parametrizations\.weight\.0', _SpectralNorm"),
        ("weight norm", r"layer '0\.parametrizations\.weight\.0', _WeightNorm"),
    ],
)
def test_what_cannot_be_stacked_trains_one_at_a_time_and_says_so(name, layer):
    build, shape = SINGLE[name]
    source = source_of(shape)
    builder = Builder(source, build)
    note = builder.module.note
    assert note.startswith("the module can't be stacked, so its members train one at a time: ")
    assert re.search(layer, note), note
    assert isinstance(builder.lift(builder.net(Recipe()), 32), Single)
    members = [Member(i, r, 5 + i, epochs=EPOCHS) for i, r in enumerate((RECIPE, PLAIN))]
    with Population(builder, [source]) as population:
        population.enter(members)
        both = population.complete({}, extract=[0, 1])
    for m in members:
        alone = trained(build, source, [m], Single(), EPOCHS * 4)[m.id]
        assert same_bits(both[m.id].delivered, alone)


@pytest.mark.parametrize("name", ["mlp", "vit", "lstm"])
def test_a_sick_member_is_alone(name):
    build, shape = BOTH[name]
    source = source_of(shape)
    lift = Vmapped if name in STACKED else Single
    engine = engine_of(build, source, [Member(0, RECIPE, 5), Member(1, RECIPE, 6)], lift())
    state = engine._live()
    state["w"] = {k: v.index_fill(0, torch.tensor([1]), math.nan) for k, v in state["w"].items()}
    losses = engine.run(8)
    assert math.isnan(losses[1])
    beside = trained(build, source, [Member(0, RECIPE, 5), Member(1, RECIPE, 6)], lift(), 8)[0]
    assert same_bits(engine.extract(0), beside)


@pytest.mark.parametrize("technique", [EMA(decay=0.9), WeightDecay(strength=1.0)])
def test_a_frozen_backbone_stays_to_the_bit_in_every_member(technique):
    build, shape = STACKED["frozen backbone"]
    source = source_of(shape)
    recipe = Recipe((technique,), SETTING)
    done = trained(build, source, [Member(0, recipe, 1), Member(1, recipe, 2)], Vmapped(), 8)
    module = frozen_backbone()
    for delivered in done.values():
        assert set(delivered.w) == {"head.weight", "head.bias"}
        # The statistics of its batch norms too: they stay in evaluation mode, since nothing of them is trained.
        for k in module.state_dict():
            if not k.startswith("head."):
                assert torch.equal(delivered.buffers[k], PRETRAINED[k]), k
    assert not torch.equal(done[0].w["head.weight"], done[1].w["head.weight"])


def test_weights_that_build_loads_are_where_every_member_starts():
    net = mlp()
    want = {k: v.clone() for k, v in net.state_dict().items()}
    source = source_of((6,))

    def build():
        return net

    wrapped = ModuleNet(build, source.inputs[:2])
    w, buffers = wrapped.init([1, 2, 3])
    for i in range(3):
        assert all(torch.equal((w | buffers)[k][i], v) for k, v in want.items())
    done = trained(build, source, [Member(0, RECIPE, 1)], Vmapped(), 4)[0]
    loaded = wrapped.load(done.w, done.buffers)
    assert torch.equal(loaded[0].weight, done.w["0.weight"])
    assert all(torch.equal(v, want[k]) for k, v in net.state_dict().items()), "the person's own module was changed"


def test_tied_weights_stay_tied():
    source = source_of((6,))
    net = ModuleNet(Tied, source.inputs[:2])
    assert set(net.kernels) == {"encode.weight", "head.weight"}
    member = Member(0, PLAIN.with_setting(optimizer="sgd", momentum=0.0, learning_rate=0.1), 1)
    engine = engine_of(Tied, source, [member], Vmapped(), 1)
    rows = engine._order(torch.zeros(1, dtype=torch.int64), 1)[0]
    engine.run(1)
    done = engine.extract(0)
    module = net.load(done.w, done.buffers)
    assert module.again.weight is module.encode.weight
    # By hand: one step of SGD on the first batch, whose gradient sums over both uses.
    w, buffers = net.init([1])
    other = Tied()
    other.load_state_dict({**other.state_dict(), **{k: v[0] for k, v in (w | buffers).items()}})
    F.cross_entropy(other(source.inputs[rows]), source.targets[rows]).backward()
    want = {k: p.detach() - 0.1 * p.grad for k, p in other.named_parameters()}
    for k, v in want.items():
        torch.testing.assert_close(done.w[k], v, atol=1e-6, rtol=1e-5)


def test_a_loss_of_ones_own_is_what_is_trained():
    def focal(out, y):
        p = torch.softmax(out, -1)
        return -(y * (1 - p) ** 2 * p.log()).sum(-1)

    for loss, lift in ((focal, Vmapped), (lambda out, y: focal(out, y) * (2 if out.sum() > 1e9 else 1), Single)):
        source = source_of((6,), loss=loss)
        builder = Builder(source, mlp)
        assert isinstance(builder.lift(builder.net(Recipe()), 32), lift)
        done = trained(mlp, source, [Member(0, RECIPE, 5)], lift(), 4, 1)[0]
        usual = trained(mlp, source_of((6,)), [Member(0, RECIPE, 5)], lift(), 4, 1)[0]
        assert not same_bits(done, usual)


def test_short_steps_are_stacked_and_long_ones_are_not():
    def build():
        return nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 12 * 12, CLASSES))

    source = source_of((3, 16, 16))
    builder = Builder(source, build)
    row = 4 * 3 * 5 * 5 * 12 * 12 + 4 * 12 * 12 * CLASSES
    assert builder.module.multiply_adds == row
    most = STACKED_STEP // row
    for batch, lift, word in ((most, Vmapped, "stacked"), (most + 1, Single, "one at a time")):
        assert isinstance(builder.lift(builder.net(Recipe()), batch), lift)
        assert builder.module.training(batch).startswith(f"members train {word}: ")


def test_a_timm_model_is_taken():
    timm = pytest.importorskip("timm")
    source = source_of((3, 32, 32))

    def build():
        return timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=CLASSES, depth=2, drop_path_rate=0.1)

    net = ModuleNet(build, source.inputs[:2])
    assert any(p.call == "DropPath" for p in net.survey.places)
    members = [Member(0, RECIPE, 5), Member(1, RECIPE, 6)]
    together = trained(build, source, members, Single(), 2)
    assert same_bits(together[0], trained(build, source, members[:1], Single(), 2)[0])
