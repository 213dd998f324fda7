import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tauten.draws import Draws, derive_seed
from tauten.errors import ModelError
from tauten.nets.base import Net, Pass
from tauten.nets.kinds import kernels_of, kinds_of, tied
from tauten.nets.module import ModuleNet
from tauten.nets.places import Places
from tauten.techniques.dropout import Dropout
from tauten.techniques.weight_decay import WeightDecay

EXAMPLE = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))


class Functional(nn.Module):
    """Activations as functions and as methods, and a layer used twice."""

    def __init__(self):
        super().__init__()
        self.first, self.again, self.norm = nn.Linear(6, 8), nn.Linear(8, 8), nn.LayerNorm(8)
        self.last = nn.Linear(8, 3)

    def forward(self, x):
        h = F.relu(self.first(x))
        h = self.again(h).tanh()
        h = torch.sigmoid(self.norm(self.again(h)))
        return self.last(h)


def sequential():
    return nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 5, bias=False), nn.GELU(), nn.Linear(5, 3)
    )


@pytest.mark.parametrize(("build", "places"), [(Functional, 3), (sequential, 2), (lambda: nn.Linear(6, 3), 0)])
def test_every_hidden_activation_is_a_place(build, places):
    net = ModuleNet(build, EXAMPLE)
    assert net.layers == places
    assert net.outputs == 3
    assert isinstance(net, Net)


@pytest.mark.parametrize("build", [Functional, sequential])
def test_without_techniques_it_is_the_module(build):
    net = ModuleNet(build, EXAMPLE)
    w, buffers = net.init([5, 6])
    for i, seed in enumerate((5, 6)):
        torch.manual_seed(derive_seed("build", seed))
        module = build()
        own = [{k: v[i] for k, v in tree.items()} for tree in (w, buffers)]
        out, after = net.forward(*own, EXAMPLE, Pass((), Draws(torch.tensor(1), torch.tensor(0), "step")))
        torch.testing.assert_close(out, module.train()(EXAMPLE))
        for k, v in module.named_buffers():
            torch.testing.assert_close(after[k], v)
        evaluated, unchanged = net.forward(own[0], after, EXAMPLE, Pass((), None))
        torch.testing.assert_close(evaluated, module.eval()(EXAMPLE))
        assert all(torch.equal(unchanged[k], after[k]) for k in after)


def test_techniques_act_after_the_activations():
    net = ModuleNet(Functional, EXAMPLE)
    w, buffers = ({k: v[0] for k, v in tree.items()} for tree in net.init([5]))
    draws = Draws(torch.tensor(1), torch.tensor(0), "step")
    technique = Dropout().with_values({"p": torch.tensor([0.5, 0.0, 0.25])})
    out, _ = net.forward(w, buffers, EXAMPLE, Pass((technique,), draws))
    module = net.load(w, buffers)
    masks = [
        (~Draws(torch.tensor(1), torch.tensor(0), f"step/dropout/activation/{i}").bernoulli(p, torch.zeros(4, 8)))
        / (1 - p)
        for i, p in enumerate((0.5, 0.0, 0.25))
    ]
    h = torch.relu(module.first(EXAMPLE)) * masks[0]
    h = torch.tanh(module.again(h)) * masks[1]
    h = torch.sigmoid(module.norm(module.again(h))) * masks[2]
    torch.testing.assert_close(out, module.last(h))


def test_penalties_act_on_matrices_but_not_on_biases_and_norms():
    assert set(ModuleNet(Functional, EXAMPLE).kernels) == {"first.weight", "again.weight", "last.weight"}
    assert set(ModuleNet(sequential, EXAMPLE).kernels) == {"0.weight", "3.weight", "5.weight"}


def test_with_each_kernel_stands_the_axis_of_its_units():
    layers = {"plain": nn.Linear(2, 5), "filters": nn.Conv1d(2, 5, 3), "up": nn.ConvTranspose1d(2, 5, 3)}
    axes = kernels_of(nn.ModuleDict(layers | {"words": nn.Embedding(5, 2), "pairs": nn.Bilinear(2, 3, 5)}))
    assert axes == {"plain.weight": 0, "filters.weight": 0, "up.weight": 1, "words.weight": 0, "pairs.weight": 0}
    shapes = {name: p.shape for name, p in nn.ModuleDict(layers).named_parameters()}
    assert all(shapes[name][axes[name]] == 5 for name in ("plain.weight", "filters.weight", "up.weight"))


def test_making_it_leaves_the_stream_of_draws_alone():
    net = ModuleNet(sequential, EXAMPLE)
    torch.manual_seed(3)
    want = torch.rand(4)
    torch.manual_seed(3)
    net.init([1, 2, 3])
    assert torch.equal(torch.rand(4), want)


def test_what_comes_back_is_a_module_of_the_users_class():
    net = ModuleNet(Functional, EXAMPLE)
    w, buffers = ({k: v[0] for k, v in tree.items()} for tree in net.init([5]))
    module = net.load(w, buffers)
    assert type(module) is Functional
    assert not module.training
    assert all(torch.equal(v, w[k]) for k, v in module.named_parameters())


class Reassigning(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 3)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen = self.seen + 1
        return self.linear(x)


class Noisy(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x) if self.training else x


class Flattened(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 1)

    def forward(self, x):
        return self.linear(x).squeeze(-1)


class Remembering(nn.Module):
    """Python state that changes what it computes, which members would share."""

    def __init__(self):
        super().__init__()
        self.linear, self.calls = nn.Linear(6, 3), 0

    def forward(self, x):
        self.calls += 1
        return self.linear(x) / self.calls


def by_another_stream():
    module = nn.Linear(6, 3)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(np.random.default_rng().normal(size=(3, 6))))
    return module


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (Reassigning, "buffer 'seen' is reassigned in forward"),
        (
            lambda: nn.Sequential(nn.Linear(6, 3), nn.AlphaDropout(0.5)),
            r"layer '1', AlphaDropout.*draws random numbers",
        ),
        (
            lambda: nn.Sequential(Noisy(), nn.Linear(6, 3)),
            r"layer '0', Noisy\(\) draws random numbers in its forward pass",
        ),
        (Remembering, "the module draws random numbers"),
        (by_another_stream, r"build\(\) gives another 'weight' each time under one torch.manual_seed"),
        (lambda: nn.Linear(5, 3), r"can't take a batch of shape \(4, 6\) \(the module itself, Linear: mat1"),
        (lambda: nn.Sequential(nn.Linear(6, 4), nn.Linear(5, 3)), r"\(layer '1', Linear\(in_features=5, .*: mat1"),
        (Flattened, r"gives \(4,\) for a batch of shape \(4, 6\); it must give \(rows, outputs\)"),
        (lambda: nn.GRU(6, 3), r"the module gives tuple for a batch"),
        (lambda: nn.Linear(6, 3).requires_grad_(False), "no parameter of the module requires a gradient"),
        (lambda: nn.LazyLinear(3), "lazy layers"),
        (lambda: 7, r"build\(\) returned int; it must return a torch.nn.Module"),
    ],
)
def test_what_cannot_be_trained_faithfully_is_refused(build, message):
    with pytest.raises(ModelError, match=message):
        ModuleNet(build, EXAMPLE)


class DropPath(nn.Module):
    """timm's layer: a row's branch is dropped; its own draws must never happen."""

    def __init__(self, drop_prob):
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x):
        raise AssertionError("it was not taken over")


class Dropping(nn.Module):
    """Every kind of dropout of its own, as layers and as a function."""

    def __init__(self):
        super().__init__()
        self.path, self.channels, self.units = DropPath(0.3), nn.Dropout2d(0.2), nn.Dropout(0.5, inplace=True)
        self.last = nn.Linear(6, 3)

    def forward(self, x):
        h = torch.relu(x) + self.path(x)
        h = self.channels(h.reshape(-1, 2, 3, 1)).flatten(1)
        return self.last(F.dropout(input=self.units(h), p=0.1, training=self.training))


def test_dropout_of_its_own_is_taken_over():
    net = ModuleNet(Dropping, EXAMPLE)
    assert [(p.layer, p.call, p.units, p.rate) for p in net.survey.places] == [
        ("path", "DropPath", (1,), 0.3),
        ("channels", "dropout2d", (2, 1, 1), 0.2),
        ("units", "dropout", (6,), 0.5),
        ("", "dropout", (6,), 0.1),
    ]
    assert [p.call for p in net.survey.activations] == ["relu"]
    w, buffers = ({k: v[0] for k, v in tree.items()} for tree in net.init([5]))
    draws = Draws(torch.tensor(1), torch.tensor(0), "step")
    rates = (0.5, 0.4, 0.25, 0.6)
    out, _ = net.forward(w, buffers, EXAMPLE, Pass((Dropout().with_values({"p": torch.tensor(rates)}),), draws))
    masks = [
        (~Draws(torch.tensor(1), torch.tensor(0), f"step/dropout/activation/{i}").bernoulli(p, torch.zeros(shape)))
        / (1 - p)
        for i, (p, shape) in enumerate(zip(rates, ((4, 1), (4, 2, 1, 1), (4, 6), (4, 6)), strict=True))
    ]
    h = torch.relu(EXAMPLE) + EXAMPLE * masks[0]
    h = (h.reshape(-1, 2, 3, 1) * masks[1]).flatten(1) * masks[2] * masks[3]
    torch.testing.assert_close(out, h @ w["last.weight"].T + w["last.bias"])
    # Plain is the network without any technique: nothing is dropped, nothing is drawn.
    for at in (Pass((), draws), Pass((), None)):
        plain = (torch.relu(EXAMPLE) + EXAMPLE) @ w["last.weight"].T + w["last.bias"]
        torch.testing.assert_close(net.forward(w, buffers, EXAMPLE, at)[0], plain)
    with pytest.raises(AssertionError, match="not taken over"):
        Dropping()(EXAMPLE)


def test_its_own_rates_are_a_recipe_to_try():
    net = ModuleNet(Dropping, EXAMPLE)
    assert net.at_own_rates([WeightDecay, Dropout]) == [Dropout(p=(0.3, 0.2, 0.5, 0.1))]
    # A drop path's rates begin near 0, below what a recipe may hold.
    assert Dropout.at_rates((0.0, 0.004, 1.0)) == Dropout(p=(0.0, 0.01, 0.95))
    assert Dropout.at_rates((0.5, 0.5)) == Dropout(p=0.5)
    assert ModuleNet(sequential, EXAMPLE).at_own_rates([Dropout]) == []


def test_attention_and_recurrence_never_drop_out_inside():
    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            self.mha = nn.MultiheadAttention(6, 2, dropout=0.5, batch_first=True)
            self.rnn, self.last = nn.GRU(6, 4, 2, batch_first=True, dropout=0.5), nn.Linear(4, 3)

        def forward(self, x):
            h = torch.stack([x, x + 1, x * 2], 1)
            h = h + self.mha(h, h, h)[0]
            h = F.scaled_dot_product_attention(h, h, h, dropout_p=0.5 * self.training, is_causal=True)
            return self.last(self.rnn(h)[0][:, -1])

    net = ModuleNet(Attending, EXAMPLE)
    assert [(p.layer, p.call, p.rate) for p in net.survey.inside] == [
        ("mha", "multi_head_attention_forward", 0.5), ("", "scaled_dot_product_attention", 0.5), ("rnn", "gru", 0.5),
    ]  # fmt: skip
    w, buffers = ({k: v[0] for k, v in tree.items()} for tree in net.init([5]))
    module = net.load(w, buffers)
    draws = Draws(torch.tensor(1), torch.tensor(0), "step")
    torch.testing.assert_close(net.forward(w, buffers, EXAMPLE, Pass((), draws))[0], module(EXAMPLE))


@pytest.mark.parametrize(
    "options", [{}, {"is_causal": True}, {"scale": 0.5}, {"attn_mask": "bool"}, {"attn_mask": "float"}]
)
def test_attention_in_a_stack_is_torchs(options):
    g = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 3, 2, 5, 4, generator=g) for _ in range(3))
    given = dict(options)
    if "attn_mask" in given:
        mask = torch.rand(5, 5, generator=g) > 0.4
        mask[:, 0] = True
        given["attn_mask"] = mask if given["attn_mask"] == "bool" else mask.float()

    def attend(q, k, v):
        with Places(Pass((), None), own=True):
            return F.scaled_dot_product_attention(q, k, v, **given)

    stacked = torch.func.vmap(attend)(q, k, v)
    want = torch.stack([F.scaled_dot_product_attention(*one, **given) for one in zip(q, k, v, strict=True)])
    torch.testing.assert_close(stacked, want)


def test_a_frozen_batch_norm_stays_as_it_is():
    def build():
        net = sequential()
        net[1].requires_grad_(False)
        return net

    net = ModuleNet(build, EXAMPLE)
    w, buffers = ({k: v[0] for k, v in tree.items()} for tree in net.init([5]))
    out, after = net.forward(w, buffers, EXAMPLE, Pass((), Draws(torch.tensor(1), torch.tensor(0), "step")))
    assert all(torch.equal(after[k], buffers[k]) for k in buffers)
    torch.testing.assert_close(out, net.load(w, buffers)(EXAMPLE))


def test_what_does_not_decay_is_told_by_kind():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.words = nn.Parameter(torch.zeros(1, 1, 4)), nn.Embedding(9, 4)
            self.normed = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))
            self.frozen, self.head = nn.Linear(4, 4).requires_grad_(False), nn.Linear(4, 1)
            self.norm, self.again = nn.RMSNorm(4), nn.Linear(4, 9, bias=False)
            self.again.weight = self.words.weight

    assert kinds_of(Tokens()) == {
        "token": "added",
        "words.weight": "decays",
        "normed.bias": "bias",
        "normed.parametrizations.weight.original0": "length",
        "normed.parametrizations.weight.original1": "decays",
        "frozen.weight": "frozen",
        "frozen.bias": "frozen",
        "head.weight": "decays",
        "head.bias": "bias",
        "norm.weight": "norm",
    }
    assert tied(Tokens()) == {"again.weight": "words.weight"}
