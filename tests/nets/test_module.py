import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tauten.draws import Draws, derive_seed
from tauten.errors import ModelError
from tauten.nets.base import Net, Pass
from tauten.nets.module import ModuleNet, kernels_of
from tauten.techniques.dropout import Dropout

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


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (Reassigning, "buffer 'seen' is reassigned in forward"),
        (lambda: nn.Sequential(nn.Linear(6, 3), nn.Dropout(0.5)), r"layer '1' is Dropout\(p=0.5.*technique dropout"),
        (lambda: nn.Linear(5, 3), r"can't take a batch of shape \(4, 6\)"),
        (lambda: 7, r"build\(\) returned int; it must return a torch.nn.Module"),
    ],
)
def test_what_cannot_be_trained_faithfully_is_refused(build, message):
    with pytest.raises(ModelError, match=message):
        ModuleNet(build, EXAMPLE)


def test_a_dropout_layer_that_is_off_is_no_obstacle():
    assert ModuleNet(lambda: nn.Sequential(nn.Linear(6, 3), nn.Dropout(0.0)), EXAMPLE).outputs == 3


def test_recurrent_modules_are_known_not_to_map():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.last = nn.GRU(6, 4, batch_first=True), nn.Linear(4, 3)

        def forward(self, x):
            return self.last(self.rnn(x.unsqueeze(1))[0][:, -1])

    assert not ModuleNet(Recurrent, EXAMPLE).mappable
    assert ModuleNet(sequential, EXAMPLE).mappable
