"""A population against its members trained one by one in plain torch: nn.Module, torch.optim, autograd, and a loop.

Only the random draws (order of the rows, masks, noise, partners and shares of mixup) are taken from `Draws`; every
formula is written out here a second time.

Tolerance: 100 steps in float32. Each step differs by rounding (1e-7 relative), and Adam, which divides by the
gradient's own size, carries that on at the size of the step; smooth activations and rates at which training is stable
keep it from growing. Here they agree to 1e-5; 5e-5 leaves room for another processor's products. The members
themselves move by 0.03 at the least, most by 0.1 to 1.
"""

import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tauten.builder import Builder
from tauten.draws import Draws, derive_seed
from tauten.member import Member
from tauten.population import Population
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import techniques
from tauten.testing import problem

KINDS = techniques()
STEPS, TOLERANCE = 100, 5e-5
ACTIVATIONS = {"tanh": torch.tanh, "gelu": F.gelu, "silu": F.silu, "relu": torch.relu}


class PlainMLP(nn.Module):
    """The built-in network as a person would write it."""

    def __init__(self, inputs, outputs, setting, norm):
        super().__init__()
        widths = [inputs, *[setting.width] * setting.depth]
        self.hidden = nn.ModuleList(nn.Linear(a, b, bias=not norm) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(setting.width, momentum=norm.momentum) if norm else nn.Identity() for _ in self.hidden
        )
        self.out = nn.Linear(widths[-1], outputs)
        self.act, self.skip = ACTIVATIONS[setting.activation], setting.skip

    def forward(self, x, drop):
        h = x
        for i, (linear, norm) in enumerate(zip(self.hidden, self.norms, strict=True)):
            z = drop(self.act(norm(linear(h))), i)
            h = h + z if self.skip and i else z
        return self.out(h)


class PlainConvNet(nn.Module):
    """The built-in convnet as a person would write it."""

    def __init__(self, channels, outputs, setting, norm):
        super().__init__()
        widths = [channels, setting.width // 4, setting.width // 2, setting.width]
        stages = [[a, *[b] * setting.depth] for a, b in pairwise(widths)]
        self.stages = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(i, o, 3, padding=1, bias=not norm) for i in inputs)
            for inputs, o in zip(stages, widths[1:], strict=True)
        )
        self.norms = nn.ModuleList(
            nn.ModuleList(nn.BatchNorm2d(o, momentum=norm.momentum) if norm else nn.Identity() for _ in inputs)
            for inputs, o in zip(stages, widths[1:], strict=True)
        )
        self.out = nn.LazyLinear(outputs)
        self.act, self.skip = ACTIVATIONS[setting.activation], setting.skip

    def forward(self, x, drop):
        h, place = x, 0
        for convs, norms in zip(self.stages, self.norms, strict=True):
            for i, (conv, norm) in enumerate(zip(convs, norms, strict=True)):
                z = conv(h)
                if i == 0 and min(h.shape[2:]) > 4:
                    z = F.max_pool2d(z, 2, ceil_mode=True)
                z = drop(self.act(norm(z)).permute(0, 2, 3, 1), place).permute(0, 3, 1, 2)
                h, place = (h + z if self.skip and i else z), place + 1
        return self.out(h.permute(0, 2, 3, 1).flatten(1))


class Hooked(nn.Module):
    """A user's module with dropout written behind its activations, by forward hooks."""

    def __init__(self, module):
        super().__init__()
        self.module = module
        self.places = [m for m in module.modules() if isinstance(m, nn.GELU | nn.Tanh)]

    def forward(self, x, drop):
        hooks = [m.register_forward_hook(lambda _, __, out, i=i: drop(out, i)) for i, m in enumerate(self.places)]
        out = self.module(x)
        for hook in hooks:
            hook.remove()
        return out


def names_in_torch(delivered):
    """Tauten's names and shapes of the built-in network, as those of PlainMLP or PlainConvNet."""
    tensors = {}
    words = {"scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"}
    for name, v in (delivered.w | delivered.buffers).items():
        layer, last = name.rsplit(".", 1)
        own = layer.removesuffix(".batch_norm")
        if own != layer:
            tensors[f"norms.{own.removeprefix('hidden').removeprefix('stage')}.{words[last]}"] = v
        else:
            named = layer.replace("hidden", "hidden.").replace("stage", "stages.")
            tensors[f"{named}.{last}"] = v.T if v.ndim == 2 else v
    return tensors


def optimizer_for(net, recipe):
    """torch.optim with a decay group for matrices, where torch has the recipe's decay."""
    setting = recipe.setting
    kernels = [p for p in net.parameters() if p.ndim >= 2]
    others = [p for p in net.parameters() if p.ndim == 1]
    l2, decay = recipe.get("l2"), recipe.get("weight_decay")
    if setting.optimizer == "sgd":
        amount = 2 * l2.strength if l2 else 0.0
        groups = [{"params": kernels, "weight_decay": amount}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.SGD(groups, lr=setting.learning_rate, momentum=setting.momentum)
    kind = torch.optim.AdamW if decay else torch.optim.Adam
    amount = decay.strength if decay else 0.0
    groups = [{"params": kernels, "weight_decay": amount}, {"params": others, "weight_decay": 0.0}]
    return kind(groups, lr=setting.learning_rate)


def train_plainly(net, member, source):
    """STEPS steps of one network in an ordinary loop; its state dict, averaged where the recipe says so."""
    recipe, setting, seed = member.recipe, member.recipe.setting, torch.tensor(member.seed)
    n, size = len(source.train), setting.batch_size
    get = recipe.get
    optimizer = optimizer_for(net, recipe)
    average = {k: v.clone() for k, v in net.state_dict().items()}
    length = setting.epochs * math.ceil(n / size)

    laps = math.ceil(STEPS * size / n)
    order = torch.cat([Draws(seed, torch.tensor(lap), "order").permutation(n) for lap in range(laps)])

    def draws(step, site):
        return Draws(seed, torch.tensor(step), f"step/{site}")

    for step in range(STEPS):
        if setting.schedule == "cosine":
            for group in optimizer.param_groups:
                group["lr"] = setting.learning_rate * 0.5 * (1 + math.cos(math.pi * min(step / length, 1)))
        rows = order[step * size : (step + 1) * size]
        x, y = (t[source.train][rows] for t in (source.inputs, source.targets))
        if mixup := get("mixup"):
            partner = draws(step, "mixup/batch/partner").permutation(size)
            share = draws(step, "mixup/batch/share").beta(mixup.alpha, y)
            x, y = (s * t + (1 - s) * t[partner] for t in (x, y) for s in [share.reshape(size, *[1] * (t.ndim - 1))])
        if noise := get("input_noise"):
            x = x + noise.sigma * draws(step, "input_noise/batch").normal(x)
        smoothing = get("label_smoothing")

        def drop(h, place, step=step):
            if not (dropout := get("dropout")):
                return h
            p = dropout.p[place] if isinstance(dropout.p, tuple) else dropout.p
            zero = draws(step, f"dropout/activation/{place}").bernoulli(p, h)
            return torch.where(zero, 0.0, h) / (1 if dropout.form == "classic" else 1 - p)

        def loss_now(x=x, y=y, drop=drop, smoothing=smoothing):
            out = net(x, drop)
            if source.task == "regression":
                loss = F.mse_loss(out, y)
            else:
                loss = F.cross_entropy(out, y, label_smoothing=smoothing.epsilon if smoothing else 0.0)
            if get("l2") and setting.optimizer != "sgd":
                loss = loss + get("l2").strength * sum(p.square().sum() for p in net.parameters() if p.ndim >= 2)
            return loss

        optimizer.zero_grad()
        loss_now().backward()
        if sam := get("sam"):
            buffers = {k: v.clone() for k, v in net.named_buffers()}
            steps = [(p, p.detach().clone(), p.grad.clone()) for p in net.parameters()]
            norm = torch.sqrt(sum(g.square().sum() for _, _, g in steps))
            with torch.no_grad():
                for p, _, g in steps:
                    p.add_(sam.rho * g / norm)
            optimizer.zero_grad()
            loss_now().backward()
            with torch.no_grad():
                for p, before, _ in steps:
                    p.copy_(before)
                for k, v in net.named_buffers():
                    v.copy_(buffers[k])
        optimizer.step()
        if ema := get("ema"):
            d = min(ema.decay, (1 + step) / (10 + step))
            for k, v in net.state_dict().items():
                average[k] = d * average[k] + (1 - d) * v if v.is_floating_point() else v.clone()
    return average if get("ema") else net.state_dict()


def recipe(setting, **chosen):
    values = {name: {} if v is True else v for name, v in chosen.items()}
    return Recipe(tuple(KINDS[name].from_dict(v) for name, v in values.items()), setting)


SIZES = {"width": 13, "depth": 2, "batch_size": 16, "epochs": 20}
ADAM = Setting(optimizer="adam", learning_rate=0.005, activation="tanh", **SIZES)
ADAMW = Setting(optimizer="adamw", learning_rate=0.003, activation="gelu", schedule="cosine", **SIZES)
SGD = Setting(optimizer="sgd", learning_rate=0.02, momentum=0.8, activation="silu", skip=False, **SIZES)
SGD_SKIP = Setting(optimizer="sgd", learning_rate=0.01, momentum=0.8, activation="silu", **SIZES)
NORM = {"batch_norm": {"momentum": 0.2}}
CLASSES = [
    recipe(ADAM),
    recipe(ADAM, dropout={"p": 0.3}, l2={"strength": 0.01}),
    recipe(ADAM, mixup={"alpha": 0.4}, label_smoothing={"epsilon": 0.1}, ema={"decay": 0.9}),
    recipe(ADAMW, weight_decay={"strength": 0.5}, input_noise={"sigma": 0.3}),
    recipe(ADAMW, weight_decay={"strength": 0.5}, dropout={"p": (0.1, 0.6)}, **NORM),
    recipe(ADAMW, mixup=True, dropout=True, label_smoothing=True, ema=True, weight_decay=True, **NORM),
    recipe(SGD, l2={"strength": 0.02}),
    recipe(SGD.from_dict({**SGD.to_dict(), "learning_rate": 0.1, "momentum": 0.0}), dropout={"p": 0.2}),
    recipe(SGD, l2={"strength": 0.02}, ema={"decay": 0.95}, input_noise=True, **NORM),
    recipe(SGD, dropout={"p": 0.4, "form": "classic"}),
    recipe(SGD, sam={"rho": 0.1}, dropout={"p": 0.2}),
    recipe(ADAM, sam={"rho": 0.05}, l2={"strength": 0.01}, ema=True, **NORM),
]
NUMBERS = [recipe(s, **c) for s in (ADAM, SGD) for c in ({}, {"mixup": {"alpha": 1.0}, "dropout": True}, NORM)]


def population(builder, source, members):
    """What each member starts from and delivers after STEPS steps, all trained together."""
    with Population(builder, [source]) as crowd:
        crowd.enter(members)
        starts = {m.id: crowd.extract(m.id) for m in members}
        for _ in range(STEPS // math.ceil(len(source.train) / SIZES["batch_size"])):
            crowd.advance()
        return starts, {m.id: crowd.extract(m.id) for m in members}


def assert_same(got, want):
    for k, v in got.items():
        torch.testing.assert_close(v, want[k], rtol=TOLERANCE, atol=TOLERANCE, msg=lambda m, k=k: f"{k}: {m}")


@pytest.mark.parametrize(("task", "recipes"), [("classification", CLASSES), ("regression", NUMBERS)])
def test_the_built_in_network_trains_as_in_plain_torch(task, recipes):
    source = problem(97, 7, 3, task)  # 77 training rows: the last batch of an order reaches into the next
    members = [Member(i, r, seed=100 + i, epochs=20) for i, r in enumerate(recipes)]
    starts, ends = population(Builder(source), source, members)
    for m in members:
        net = PlainMLP(7, 3, m.recipe.setting, m.recipe.get("batch_norm"))
        start = names_in_torch(starts[m.id])
        missing = net.load_state_dict(start, strict=False)
        assert not missing.unexpected_keys
        assert all(k.endswith("num_batches_tracked") for k in missing.missing_keys)
        assert_same(names_in_torch(ends[m.id]), train_plainly(net, m, source))
        assert max(float((v - start[k]).abs().max()) for k, v in names_in_torch(ends[m.id]).items()) > 0.03


IMAGES = [
    recipe(ADAM),
    recipe(ADAMW, weight_decay={"strength": 0.5}, dropout={"p": 0.2}, mixup=True, **NORM),
    recipe(SGD, l2={"strength": 0.02}, ema={"decay": 0.9}, input_noise=True),
    recipe(SGD_SKIP, dropout={"p": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)}, **NORM),
]


def test_the_built_in_convnet_trains_as_in_plain_torch():
    source = problem(97, (2, 7, 10), 3, "classification")
    small = {"width": 10, "depth": 1}
    members = [Member(i, r.with_setting(**small), seed=300 + i, epochs=20) for i, r in enumerate(IMAGES)]
    starts, ends = population(Builder(source), source, members)
    for m in members:
        net = PlainConvNet(2, 3, m.recipe.setting, m.recipe.get("batch_norm"))
        net.out(torch.zeros(1, 4 * 5 * 10))
        start = names_in_torch(starts[m.id])
        missing = net.load_state_dict(start, strict=False)
        assert not missing.unexpected_keys
        assert all(k.endswith("num_batches_tracked") for k in missing.missing_keys)
        assert_same(names_in_torch(ends[m.id]), train_plainly(net, m, source))
        assert max(float((v - start[k]).abs().max()) for k, v in names_in_torch(ends[m.id]).items()) > 0.03


def build():
    """Without a bias before batch norm: its true gradient is zero, and Adam would blow up the rounding of it."""
    return nn.Sequential(
        nn.Linear(7, 11, bias=False), nn.BatchNorm1d(11), nn.GELU(), nn.Linear(11, 9), nn.Tanh(), nn.Linear(9, 3)
    )


MODULES = [
    recipe(ADAMW, weight_decay={"strength": 0.5}),
    recipe(ADAMW, dropout={"p": (0.1, 0.5)}, mixup={"alpha": 0.4}),
    recipe(ADAM, l2={"strength": 0.01}, ema={"decay": 0.9}, label_smoothing=True),
    recipe(SGD, l2={"strength": 0.02}, dropout={"p": 0.3}),
    recipe(SGD, input_noise={"sigma": 0.2}, ema={"decay": 0.9}),
    recipe(SGD, sam={"rho": 0.1}, dropout={"p": 0.3}),
]


def test_a_users_module_trains_as_in_plain_torch():
    source = problem(97, 7, 3, "classification")
    members = [Member(i, r, seed=200 + i, epochs=20) for i, r in enumerate(MODULES)]
    starts, ends = population(Builder(source, build), source, members)
    for m in members:
        torch.manual_seed(derive_seed("build", m.seed))
        net = build()
        for k, v in (starts[m.id].w | starts[m.id].buffers).items():
            assert torch.equal(net.state_dict()[k], v)
        got = ends[m.id].w | ends[m.id].buffers
        assert got.keys() == net.state_dict().keys()
        want = train_plainly(Hooked(net), m, source)
        assert_same(got, {k.removeprefix("module."): v for k, v in want.items()})
