"""L1's exact zeros as a choice of features: against scikit-learn's Lasso, and in a network with irrelevant inputs.

The irrelevant inputs of the network are the digits' own pixels with their rows shuffled, so each looks like a real one
and says nothing. An input is dropped where every weight that leaves it is exactly 0.
"""

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tauten.draws import derive_seed
from tauten.engines.block import Completed
from tauten.experiments.claim import COLOURS, Figures, Run, Told, claim, line, shown, sign_of
from tauten.experiments.members import (
    SCORES,
    Floats,
    Images,
    estimate,
    gain,
    images,
    outputs,
    over_seeds,
    scores,
    trained,
)
from tauten.member import Source
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import Technique
from tauten.techniques.l1 import L1
from tauten.techniques.l2 import L2

KINDS: Mapping[str, type[L1] | type[L2]] = {"L1": L1, "L2": L2}
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""λ of the linear model, as shares of the one that leaves no coefficient."""
LINEAR_ROWS, INPUTS, RELEVANT, NOISE, STEPS = 80, 40, 8, 1.0, 4_000
STRENGTHS = tuple(10 ** (-5 + i / 3) for i in range(10))
COPIES, EPOCHS, ROWS = (0, 1, 4, 8), 60, (300, 600, 897)
"""How many irrelevant inputs stand beside each pixel that varies."""
VARIES = 0.1
"""Standard deviation, as a share of black to white, above which a pixel is said to vary."""

LINES = (("irrelevant", "irrelevant inputs", "-"), ("weights", "their weights", "--"), ("relevant", "pixels", ":"))


def tell(figures: Figures) -> Told:
    """One row for each penalty and strength, on the largest number of irrelevant inputs."""
    network, linear = figures["network"], figures["linear"]
    head = (
        "penalty", "λ", "irrelevant inputs dropped, %", "their weights exactly 0, %", "pixels dropped, %",
        "test error, %", "log loss",
    )  # fmt: skip
    rows = [
        (
            kind,
            f"{strength:.2g}",
            shown(cell["irrelevant"], 1, 100),
            shown(cell["weights"], 1, 100),
            shown(cell["relevant"], 1, 100),
            shown(cell["error"], factor=100),
            shown(cell["log_loss"], 4),
        )
        for kind, cells in network["cells"].items()
        for strength, cell in zip(figures["strengths"], cells, strict=True)
    ]
    how = (
        f"Data: {figures['data']}; beside the {network['varying']} pixels that vary (standard deviation above "
        f"{VARIES:g}) {network['counts'][-1]} irrelevant inputs. Network: 64 ReLU "
        f"units, Adam at 0.003 on a cosine, batches of 32, {figures['epochs']} epochs, {figures['seeds']} seeds; "
        "strengths are chosen by validation log loss. Linear model: "
        f"{LINEAR_ROWS} rows, {RELEVANT} of {INPUTS} inputs relevant, a new data set for each seed, trained by plain "
        f"gradient descent for {STEPS} full batches; Tauten's λ is twice Lasso's α. At λ = {linear['shares'][-2]:g} of "
        f"the largest, {shown(linear['zeros'][-2], 1, 100)} % of irrelevant coefficients are exactly 0. Intervals of "
        "95 %: over seeds, and for error and log loss over examples and seeds, for these choices."
    )
    return Told(head, rows, how, reading(figures), _plot(figures))


def reading(figures: Figures) -> str:
    """Whether zeros are exact and the right ones, and what they are worth."""
    linear, network = figures["linear"], figures["network"]
    best, gains = network["best"], network["gain"]
    l1, l2 = (best[kind][-1] for kind in KINDS)
    dropped = max(cell["irrelevant"]["mean"] for cell in network["cells"]["L2"])
    lowest = {kind: min(c["error"]["mean"] for c in cells) * 100 for kind, cells in network["cells"].items()}
    verbs = {1: "lower than", 0: "not to be told from", -1: "higher than"}
    worth = "; ".join(
        f"with {count} irrelevant inputs its log loss is {verbs[sign_of(own['log_loss'])]} L2's (gain "
        f"{shown(own['log_loss'], 4, sign=True)}), and its error {verbs[sign_of(own['error'])]} L2's (gain "
        f"{shown(own['error'], factor=100, sign=True)} points)"
        for count, own in zip(network["counts"], gains, strict=True)
    )
    return (
        f"The linear model agrees with scikit-learn's Lasso to {linear['off']:.0e} of its largest coefficient, and of "
        f"{linear['all']} coefficients {linear['unlike']} are zero in one and not in the other. In the network with "
        f"the most irrelevant inputs, at the strength that validation chooses, L1 drops "
        f"{shown(l1['irrelevant'], 1, 100)} % of them, with {shown(l1['weights'], 1, 100)} % of their weights exactly "
        f"0, and {shown(l1['relevant'], 1, 100)} % of the pixels that vary; L2 drops "
        f"{shown(l2['irrelevant'], 1, 100)} % at its own best, and at most {dropped * 100:.1f} % at any strength. "
        f"L1's worth against L2, each at the strength of its best log loss: {worth}. Beside the most irrelevant inputs "
        f"the lowest error at any strength is {lowest['L1']:.1f} % with L1 and {lowest['L2']:.1f} % with L2. "
        "Ng's theorem is on how the number of rows needed grows for logistic regression; a few numbers of inputs and "
        "one of rows show a tendency, not a growth."
    )


@claim(
    "l1-features",
    source="Tibshirani 1996, J. R. Stat. Soc. B 58:267-288; Ng 2004, ICML, 'Feature selection, L1 vs. L2 "
    "regularization, and rotational invariance'",
    says="L1 sets coefficients to exactly 0 and so chooses features, which pays where many inputs are irrelevant; L2 "
    "does not",
    tell=tell,
)
def l1_features(
    run: Run,
    *,
    strengths: tuple[float, ...] = STRENGTHS,
    copies: tuple[int, ...] = COPIES,
    epochs: int = EPOCHS,
    rows: tuple[int, int, int] = ROWS,
) -> Figures:
    """L1 as feature selection: exact zeros at irrelevant inputs, against Lasso and against L2."""
    data = images(run.data, *rows)
    return {
        "data": data.note,
        "strengths": list(strengths),
        "copies": list(copies),
        "epochs": epochs,
        "linear": _linear(run),
        "network": _network(run, data, strengths, copies, epochs),
    }


def _linear(run: Run) -> Figures:
    from sklearn.linear_model import Lasso

    problems = [_problem(seed) for seed in range(run.seeds)]
    # The smallest λ that leaves no coefficient: twice the largest |xᵀy| / n.
    largest = [2 * float(np.abs(x.T @ y).max()) / len(x) for x, y in problems]
    setting = Setting(depth=0, optimizer="sgd", momentum=0.0, learning_rate=0.05, batch_size=LINEAR_ROWS, epochs=STEPS)
    recipes = {
        (i, seed): Recipe((L1(strength=share * largest[seed]),), setting)
        for i, share in enumerate(SHARES)
        for seed in range(run.seeds)
    }
    sources = [
        Source(torch.from_numpy(x).float(), torch.from_numpy(y).float()[:, None], torch.arange(len(x)), "regression")
        for x, y in problems
    ]
    one = Run(1, run.data, run.threads, run.progress)
    done = trained(one, "l1-features", recipes, sources, torch.arange(1), of=lambda key, _: key[1], extract=True)
    zeros, off, unlike = np.zeros((len(SHARES), run.seeds)), 0.0, 0
    for (i, seed), (own,) in done.items():
        x, y = problems[seed]
        w = _first(own)[:, 0]
        wanted = Lasso(alpha=SHARES[i] * largest[seed] / 2, fit_intercept=False, tol=1e-10, max_iter=100_000).fit(x, y)
        off = max(off, float(np.abs(w - wanted.coef_).max() / np.abs(wanted.coef_).max()))
        unlike += int(((w == 0) != (wanted.coef_ == 0)).sum())
        zeros[i, seed] = (w[RELEVANT:] == 0).mean()
    return {
        "shares": list(SHARES),
        "zeros": [over_seeds(own) for own in zeros],
        "off": off,
        "unlike": unlike,
        "all": len(SHARES) * run.seeds * INPUTS,
    }


def _problem(seed: int) -> tuple[Floats, Floats]:
    """Standardized inputs (n, d), of which the first few matter, and centred targets (n,)."""
    random = np.random.default_rng(derive_seed("l1-features data", seed))
    x = random.standard_normal((LINEAR_ROWS, INPUTS))
    x = (x - x.mean(0)) / x.std(0)
    y = x[:, :RELEVANT] @ random.choice([-1.0, 1.0], RELEVANT) + NOISE * random.standard_normal(LINEAR_ROWS)
    return x, y - y.mean()


def _first(done: Completed) -> Floats:
    """Weights (inputs, units) of the first layer."""
    assert done.delivered is not None
    w = done.delivered.w
    found: Floats = w.get("hidden0.weight", w["out.weight"]).double().numpy()
    return found


def _network(run: Run, data: Images, strengths: tuple[float, ...], copies: tuple[int, ...], epochs: int) -> Figures:
    varies = (data.inputs[data.train].std(0) > VARIES).nonzero()[:, 0].numpy()
    sources = [widened(data, varies, count, max(copies)) for count in copies]
    setting = Setting(
        width=64, depth=1, optimizer="adam", learning_rate=3e-3, schedule="cosine", batch_size=32, epochs=epochs
    )
    techniques: dict[str, list[Technique]] = {
        kind: [make(strength=s) for s in strengths] for kind, make in KINDS.items()
    }
    recipes = {
        (kind, place, i): Recipe((technique,), setting)
        for kind, own in techniques.items()
        for place in range(len(copies))
        for i, technique in enumerate(own)
    }
    both = torch.cat([data.validation, data.test])
    done = trained(run, "l1-features", recipes, sources, both, of=lambda key, _: key[1], extract=True)
    n, chosen, tested = len(data.validation), {}, {}
    for key, own in done.items():
        out = outputs(own)
        chosen[key] = float(scores(out[:, :n], data.targets[data.validation])["log_loss"].mean())
        tested[key] = scores(out[:, n:], data.targets[data.test])
    best = {
        (kind, place): int(np.argmin([chosen[kind, place, i] for i in range(len(strengths))]))
        for kind in KINDS
        for place in range(len(copies))
    }
    pixels = data.inputs.shape[1]

    def cell(kind: str, place: int, i: int) -> Figures:
        zeros = [_first(one) == 0 for one in done[kind, place, i]]
        dropped, fake = [own.all(1) for own in zeros], slice(pixels, pixels + copies[place] * len(varies))
        shares = {"relevant": over_seeds([float(own[varies].mean()) for own in dropped])}
        if copies[place]:
            shares["irrelevant"] = over_seeds([float(own[fake].mean()) for own in dropped])
            shares["weights"] = over_seeds([float(own[fake].mean()) for own in zeros])
        return {**shares, **{s: estimate(tested[kind, place, i][s]) for s in SCORES}}

    return {
        "varying": len(varies),
        "counts": [count * len(varies) for count in copies],
        "cells": {kind: [cell(kind, len(copies) - 1, i) for i in range(len(strengths))] for kind in KINDS},
        "best": {kind: [cell(kind, place, best[kind, place]) for place in range(len(copies))] for kind in KINDS},
        "best_strength": {kind: [strengths[best[kind, place]] for place in range(len(copies))] for kind in KINDS},
        "gain": [
            {
                s: gain(tested["L2", place, best["L2", place]][s], tested["L1", place, best["L1", place]][s])
                for s in SCORES
            }
            for place in range(len(copies))
        ],
    }


def widened(data: Images, varies: NDArray[np.int64], count: int, room: int) -> Source:
    """The images beside `count` shuffled copies of each pixel that varies; every copied column by itself.

    Columns of 0 fill up the room of the largest, since members of one population have inputs of one width; they say
    nothing and get no gradient.
    """
    random = np.random.default_rng(2)
    pixels = data.inputs.numpy()
    shuffled = [random.permuted(pixels[:, varies], axis=0) for _ in range(count)]
    empty = np.zeros((len(pixels), (room - count) * len(varies)), dtype=np.float32)
    inputs = torch.from_numpy(np.concatenate([pixels, *shuffled, empty], axis=1))
    return Source(inputs, data.targets, data.train, "classification")


def _plot(figures: Figures) -> Figure:
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    linear, network = figures["linear"], figures["network"]
    line(left, linear["shares"], linear["zeros"], 100, color=COLOURS[0], label="Tauten, same as Lasso's")
    left.set(title="linear model", xlabel="λ / largest λ", ylabel="irrelevant coefficients exactly 0, %", xscale="log")
    for colour, (kind, cells) in zip(COLOURS, network["cells"].items(), strict=False):
        for place, words, style in LINES if kind == "L1" else LINES[:1]:
            found = [cell[place] for cell in cells]
            line(middle, figures["strengths"], found, 100, color=colour, linestyle=style, label=f"{kind}, {words}")
        line(right, network["counts"], [cell["error"] for cell in network["best"][kind]], 100, color=colour, label=kind)
    middle.set(
        title=f"network, {network['counts'][-1]} irrelevant inputs",
        xlabel="λ",
        ylabel="exactly 0, %",
        xscale="log",
    )
    right.set(title="network, each at its best λ", xlabel="irrelevant inputs", ylabel="test error, %")
    middle.legend(frameon=False, fontsize="small")
    right.legend(frameon=False, fontsize="small")
    return figure
