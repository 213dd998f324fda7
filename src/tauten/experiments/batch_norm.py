"""Batch norm: what the size of the batch does to it, how fast it lets a network learn, and its gradients by depth.

The statistics of a batch are a noise whose variance falls with the batch's size, and that noise is what regularizes
(Luo et al. 2019); at a batch of all rows there is none. Every size takes the same number of steps here, so that the
sizes differ in noise and not in how far they come.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from torch import Tensor

from tauten.draws import Draws, derive_seed
from tauten.engines.block import Completed
from tauten.engines.step import base_loss
from tauten.experiments.claim import COLOURS, Figures, Run, Told, claim, line, shown, sign_of
from tauten.experiments.members import SCORES, Images, estimate, gain, images, outputs, over_seeds, scores, trained
from tauten.nets.base import Pass
from tauten.nets.mlp import MLP
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import Technique
from tauten.techniques.batch_norm import BatchNorm

ARMS: dict[str, tuple[Technique, ...]] = {"plain": (), "batch norm": (BatchNorm(),)}
ROWS, STEPS, SIZES = (512, 0, 1285), 1_024, (8, 16, 32, 64, 128, 256, 512)
SIZED = Setting(width=128, depth=2, skip=False, learning_rate=1e-3)
NOISELESS = 1e-3
COMPANIES = 8
"""Shuffles in which a row meets other rows, for the noise that they give it."""
RATES, FAST_STEPS, TRAINS = tuple(2.0**i for i in range(-9, 6)), 400, 0.05
"""A network trains at a learning rate if it errs on less than this share of its training rows after so many steps."""
FAST = Setting(width=128, depth=4, skip=False, optimizer="sgd", batch_size=64)
DEPTHS = (2, 5, 10, 20)
DEEP = Setting(width=128, skip=False, batch_size=128)


def tell(figures: Figures) -> Told:
    """All three parts in one table."""
    how = (
        f"Data: {figures['data']}. Differences are plain − batch norm: positive where batch norm is lower. By batch "
        f"size: 2 × 128 ReLU units, AdamW at 0.001, {figures['steps']:,} steps at every size. *Noise*: standard "
        "deviation of a training row's outputs over batches of other company, by batch statistics, over the standard "
        f"deviation of all outputs. *Largest rate*: by factors of 2, the largest at which SGD with momentum 0.9 errs "
        f"on less than {TRAINS:.0%} of its training rows after {figures['fast']['steps']} steps of 64; means and "
        "intervals of its logarithm. *Gradient norm*: of a layer's weights, no skip connections, weights uniform "
        f"within ±1/√fan-in, a batch of {DEEP.batch_size}; geometric means. {figures['seeds']} seeds; intervals of "
        "95 %, of scores over examples and seeds, of the others over seeds."
    )
    head = ("what", "at", "plain", "batch norm", "difference")
    return Told(head, _rows(figures), how, reading(figures), _plot(figures))


def _rows(figures: Figures) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for what, key, digits, factor in (
        ("test error, %", "error", 2, 100),
        ("test log loss", "log_loss", 4, 1),
        ("gap: test − training log loss", "gap", 4, 1),
        ("noise of a row's outputs from its batch", "noise", 4, 1),
    ):
        for own in figures["sizes"]:
            two = [shown(own[arm][key], digits, factor) if key in own[arm] else "0" for arm in ARMS]
            less = shown(own["less"][key], digits, factor, sign=True) if key in own["less"] else ""
            rows.append((what, f"batch of {own['size']}", *two, less))
    two = [_power(2, figures["rates"][arm]) for arm in ARMS]
    layers = f"{figures['fast']['depth']} layers, SGD"
    rows.append(("largest learning rate that trains", layers, *two, f"factor {_power(2, figures['rates']['more'])}"))
    for own in figures["depths"]:
        two = [_power(10, own[arm]["ratio"]) for arm in ARMS]
        rows.append(("gradient norm at the start, first over last hidden layer", f"{own['depth']} layers", *two, ""))
    return rows


def reading(figures: Figures) -> str:
    """What was seen of each of the three claims."""
    return f"{_regularizes(figures)} {_learns_fast(figures)} {_flows(figures)} One small data set and one network."


def _regularizes(figures: Figures) -> str:
    sized = figures["sizes"]
    small, large = sized[0], sized[-1]
    best = {arm: min(sized, key=lambda own: own[arm]["log_loss"]["mean"])["size"] for arm in ARMS}
    at = {way: [str(own["size"]) for own in sized if sign_of(own["less"]["log_loss"]) == way] for way in (1, -1)}
    better, worse = (f"batches of {', '.join(own)}" if own else "no size" for own in at.values())
    trend = {1: "more", 0: "neither more nor less beyond chance", -1: "less"}[sign_of(figures["trend"])]
    return (
        f"As a regularizer: its noise falls from {small['batch norm']['noise']['mean']:.3f} at batches of "
        f"{small['size']} to {large['batch norm']['noise']['mean']:.3f} at {large['size']}; in test log loss it is "
        f"better than plain at {better} and worse at {worse}, and it gains {trend} at {small['size']} than at "
        f"{large['size']} (gain less gain {shown(figures['trend'], 4, sign=True)}). {_from_noise(large)} The lowest "
        f"test log loss is at {best['batch norm']} with it and at {best['plain']} without, the lowest of several sizes "
        "and so a lucky one; plain changes with the size too, which is why gains are compared."
    )


def _learns_fast(figures: Figures) -> str:
    rates = figures["rates"]
    more = {1: "batch norm trains at", 0: "no difference beyond chance is seen:", -1: "plain trains at higher rates:"}
    return (
        f"Learning rates: {more[sign_of(rates['more'])]} {_power(2, rates['more'])} times the largest rate that trains "
        "plain, on a grid of factors of 2."
    )


def _flows(figures: Figures) -> str:
    deepest, ways = figures["depths"][-1], {1: "grow", 0: "keep their size", -1: "fade"}
    plain, normed = (deepest[arm]["ratio"] for arm in ARMS)
    return (
        f"Gradients at the start: over {deepest['depth']} layers the first layer's norm is {_power(10, plain)} times "
        f"the last's without and {_power(10, normed)} times with batch norm: without they {ways[sign_of(plain)]}, with "
        f"it they {ways[sign_of(normed)]} towards the first layer; without, that is a matter of the start too, and "
        "other starts mend it."
    )


def _from_noise(large: Figures) -> str:
    """Whether the gain needs the noise: there is none at a batch of all rows."""
    noise, gained = large["batch norm"]["noise"]["mean"], sign_of(large["less"]["log_loss"])
    if noise >= NOISELESS:
        return "Even the largest batch has that noise, so the gain can't be told from it."
    way = {1: "a gain remains", 0: "no gain beyond chance remains", -1: "it is worse"}[gained]
    source = "does not come from that noise here" if gained > 0 else "may come from that noise"
    return f"Where the batch is all rows and the noise is gone, {way}: what batch norm gains {source}."


def _list(sizes: Sequence[str]) -> str:
    return ("batches of " + ", ".join(sizes)) if sizes else "no size"


def _power(base: int, found: Figures) -> str:
    """A logarithm as the number itself."""
    mean, low, high = (f"{base ** found[key]:.2g}" for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


@claim(
    "batch-norm",
    source="Ioffe & Szegedy 2015, ICML, arXiv:1502.03167; Luo et al. 2019, ICLR, arXiv:1809.00846",
    says="batch norm regularizes, less with larger batches; it allows higher learning rates; and gradients flow "
    "through deep networks with it",
    tell=tell,
)
def batch_norm(
    run: Run,
    *,
    sizes: Sequence[int] = SIZES,
    steps: int = STEPS,
    rates: Sequence[float] = RATES,
    fast_steps: int = FAST_STEPS,
    depths: Sequence[int] = DEPTHS,
    rows: tuple[int, int, int] = ROWS,
) -> Figures:
    """Batch norm: regularization against batch size, usable learning rates, gradients by depth."""
    data = images(run.data, *rows)
    n = len(data.train)
    recipes: dict[tuple[str, str, float], Recipe] = {}
    for arm, techniques in ARMS.items():
        for size in sizes:
            epochs = math.ceil(steps / math.ceil(n / size))
            recipes["size", arm, size] = Recipe(techniques, SIZED).with_setting(batch_size=size, epochs=epochs)
        for rate in rates:
            epochs = math.ceil(fast_steps / math.ceil(n / FAST.batch_size))
            recipes["rate", arm, rate] = Recipe(techniques, FAST).with_setting(learning_rate=rate, epochs=epochs)
    asked = torch.cat([data.train, data.test])
    done = trained(run, "batch-norm", recipes, [data.source], asked, extract=True)
    by_size = [_sized(size, data, {arm: done["size", arm, size] for arm in ARMS}) for size in sizes]
    losses = [{arm: own[arm].pop("losses") for arm in ARMS} for own in by_size]
    first, last = (own["plain"] - own["batch norm"] for own in (losses[0], losses[-1]))
    largest = {arm: largest_rates({rate: done["rate", arm, rate] for rate in rates}, data) for arm in ARMS}
    return {
        "data": data.note,
        "steps": steps,
        "fast": {"steps": fast_steps, "depth": FAST.depth},
        "sizes": by_size,
        "trend": gain(first, last),
        "rates": {
            **{arm: over_seeds(found) for arm, found in largest.items()},
            "more": over_seeds(np.subtract(largest["batch norm"], largest["plain"])),
        },
        "depths": [{"depth": depth, **{arm: gradients_of(run, data, arm, depth) for arm in ARMS}} for depth in depths],
    }


def _sized(size: int, data: Images, done: Mapping[str, Sequence[Completed]]) -> dict[str, Any]:
    """Scores, gap and noise of both arms at one batch size."""
    n = len(data.train)
    found: dict[str, Any] = {"size": size}
    tested, gaps = {}, {}
    for arm, own in done.items():
        out = outputs(own)
        tested[arm] = scores(out[:, n:], data.targets[data.test])
        trained_on = scores(out[:, :n], data.targets[data.train])["log_loss"].mean(0)
        gaps[arm] = tested[arm]["log_loss"].mean(0) - trained_on
        found[arm] = {
            **{s: estimate(tested[arm][s]) for s in SCORES},
            "gap": over_seeds(gaps[arm]),
            "losses": tested[arm]["log_loss"],
        }
    found["batch norm"]["noise"] = over_seeds(noise_of(size, data, done["batch norm"]))
    found["less"] = {s: gain(tested["plain"][s], tested["batch norm"][s]) for s in SCORES} | {
        "gap": over_seeds(gaps["plain"] - gaps["batch norm"])
    }
    return found


def noise_of(size: int, data: Images, done: Sequence[Completed]) -> list[float]:
    """How much a training row's outputs depend on the other rows of its batch, one number a seed."""
    technique, n = BatchNorm(), len(data.train)
    net = MLP(data.inputs.shape[1], data.targets.shape[1], SIZED, [technique])
    orders = [np.random.default_rng(i).permutation(n)[: n - n % size] for i in range(COMPANIES)]
    found = []
    for one in done:
        assert one.delivered is not None
        w, buffers = net.padded(one.delivered.w), net.padded(one.delivered.buffers)
        shuffled = torch.full((COMPANIES, n, data.targets.shape[1]), torch.nan)
        for i, order in enumerate(orders):
            for batch in torch.split(torch.from_numpy(order), size):
                at = Pass([technique], _draws())
                shuffled[i, batch] = net.forward(w, buffers, data.inputs[data.train[batch]], at)[0]
        out = shuffled.double().numpy()
        found.append(float(np.nanmean(np.nanstd(out, axis=0)) / np.nanstd(out)))
    return found


def _draws() -> Draws:
    """What a training pass asks for; batch norm draws nothing."""
    zero = torch.zeros((), dtype=torch.int64)
    return Draws(zero, zero, "batch-norm")


def largest_rates(done: Mapping[float, Sequence[Completed]], data: Images) -> list[float]:
    """log₂ of the largest rate that trains, one a seed; the factor below the smallest where none does."""
    n = len(data.train)
    errors = {
        rate: scores(outputs(own)[:, :n], data.targets[data.train])["error"].mean(0) for rate, own in done.items()
    }
    lowest = min(done) / 2
    seeds = range(len(next(iter(errors.values()))))
    return [math.log2(max((r for r, own in errors.items() if own[seed] < TRAINS), default=lowest)) for seed in seeds]


def gradients_of(run: Run, data: Images, arm: str, depth: int) -> Figures:
    """Norms of the gradient of each hidden layer's weights at the start, log₁₀, over seeds; nothing is trained."""
    techniques = ARMS[arm]
    setting = Recipe((), DEEP).with_setting(depth=depth).setting
    net = MLP(data.inputs.shape[1], data.targets.shape[1], setting, techniques)
    w, buffers = net.init([derive_seed("batch-norm", seed) for seed in range(run.seeds)])
    rows = data.train[: DEEP.batch_size]
    x = data.inputs[rows].expand(run.seeds, -1, -1)
    leaves = {name: leaf.detach().requires_grad_() for name, leaf in w.items()}
    out, _ = net.forward(leaves, buffers, x, Pass(techniques, _draws()))
    kernels = [leaves[f"hidden{i}.weight"] for i in range(depth)]
    loss = base_loss("classification", out, data.targets[rows].expand(run.seeds, -1, -1))
    norms = torch.stack([_norm(g) for g in torch.autograd.grad(loss.sum(), kernels)])
    return {
        "norms": [over_seeds(layer.tolist()) for layer in norms],
        "ratio": over_seeds((norms[0] - norms[-1]).tolist()),
    }


def _norm(gradient: Tensor) -> Tensor:
    """log₁₀ of each member's Euclidean norm (M,), float64 so that what has faded is still there."""
    norm: Tensor = torch.linalg.vector_norm(gradient.double().flatten(1), dim=1)
    return norm.log10()


def _plot(figures: Figures) -> Figure:
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    axes = figure.subplots(2, 2)
    sizes = [own["size"] for own in figures["sizes"]]
    panels = ((axes[0, 0], "log_loss", "test log loss"), (axes[0, 1], "gap", "gap: test − training log loss"))
    for axis, key, title in panels:
        for colour, arm in zip(COLOURS, ARMS, strict=False):
            line(axis, sizes, [own[arm][key] for own in figures["sizes"]], color=colour, label=arm)
        axis.set(title=title)
    line(axes[1, 0], sizes, [own["batch norm"]["noise"] for own in figures["sizes"]], color=COLOURS[1])
    axes[1, 0].set(title="noise of a row's outputs from its batch", ylim=(0, None))
    for axis in (axes[0, 0], axes[0, 1], axes[1, 0]):
        axis.set_xscale("log", base=2)
        axis.set_xticks(sizes, [str(size) for size in sizes])
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xlabel("batch size")
    for style, own in zip(("-", "--", "-.", ":"), reversed(figures["depths"]), strict=False):
        for colour, arm in zip(COLOURS, ARMS, strict=False):
            layers = range(1, own["depth"] + 1)
            label = f"{own['depth']} layers" if arm == "plain" else None
            line(axes[1, 1], layers, own[arm]["norms"], color=colour, linestyle=style, label=label)
    axes[1, 1].set(title="gradient norm at the start, log₁₀, by depth", xlabel="hidden layer")
    axes[1, 1].xaxis.get_major_locator().set_params(integer=True)
    for axis in (axes[0, 0], axes[1, 1]):
        axis.legend(frameon=False, fontsize="small")
    return figure
