"""Is a dropout network the average of all networks that its masks make?

Weight scaling (all units, none dropped) is one pass; the ensemble's predictions are averaged over masks, geometrically
as the theory has it, or arithmetically as one does by drawing masks. With one hidden layer under a softmax the
geometric average over all masks is weight scaling exactly, because the mean of the outputs goes through the last
linear map; with more layers it is not.
"""

import itertools
from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from tauten.draws import derive_seed
from tauten.experiments.claim import COLOURS, Figures, Run, Told, claim, line, shown, sign_of
from tauten.experiments.layers import layers_of, weights
from tauten.experiments.members import SCORES, estimate, gain, images, over_seeds, scores, trained
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.techniques.dropout import Dropout
from tauten.tensors import Tree

RATE = 0.5
TINY = {"1 hidden layer of 10": (1, 10), "2 hidden layers of 5": (2, 5)}
"""Depth and width: all 2^N masks of N hidden units are tried."""
WIDE, WIDTH, DEPTH = "2 hidden layers of 128", 128, 2
MASKS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
EXACT = 1e-9
"""Of a probability in float64: what only rounding leaves."""
ROWS, EPOCHS = (500, 0, 1297), 100
SCALING, GEOMETRIC, ARITHMETIC = "weight scaling", "geometric mean", "arithmetic mean"


def tell(figures: Figures) -> Told:
    """Weight scaling and averages of masks for each network."""
    head = (
        "network", "prediction", "masks", "test error, %", "log loss", "log loss gained on weight scaling",
        "rows with weight scaling's class, %", "largest difference of a probability",
    )  # fmt: skip
    rows = [
        (
            net,
            own["kind"],
            f"{own['masks']:,}" if own["masks"] else "–",
            shown(own["error"], 2, 100),
            shown(own["log_loss"], 4),
            shown(own["gain"]["log_loss"], 4, sign=True) if "gain" in own else "",
            shown(own["agreement"], 2, 100) if "agreement" in own else "",
            f"{own['off']:.1e}" if "off" in own else "",
        )
        for net, found in figures["networks"].items()
        for own in found
    ]
    how = (
        f"Data: {figures['data']}. Dropout {RATE:g} on ReLU layers, {figures['seeds']} seeds; figures are of the test "
        "rows. In the tiny networks all masks are tried, weighted by their probability; in the wide one masks are "
        "drawn, anew for every row. Predictions are worked out in float64 from the trained weights. Intervals of 95 % "
        "over examples and seeds; of the agreement over seeds. The largest difference is over all test rows, classes "
        "and seeds."
    )
    return Told(head, rows, how, reading(figures), _plot(figures))


def reading(figures: Figures) -> str:
    """What is exact, what is nearly so, and how many masks an average needs."""
    exact, deep = (_of(figures, net, GEOMETRIC) for net in TINY)
    shallow = _of(figures, next(iter(TINY)), ARITHMETIC)
    drawn = [own for own in figures["networks"][WIDE] if own["kind"] == ARITHMETIC]
    enough = next((own["masks"] for i, own in enumerate(drawn) if all(_not_worse(o) for o in drawn[i:])), None)
    last = drawn[-1]
    verbs = {1: "is better than", 0: "can't be told from", -1: "is worse than"}
    return (
        f"With one hidden layer the geometric mean over all {exact['masks']:,} masks is weight scaling to "
        f"{exact['off']:.0e} of a probability, {'as' if exact['off'] < EXACT else 'against what'} the theory says; "
        f"the arithmetic mean is not (up to {shallow['off']:.2f} off). With two layers the geometric mean over all "
        f"{deep['masks']:,} is off by up to {deep['off']:.2f}, yet names the same class in "
        f"{deep['agreement']['mean'] * 100:.1f} % of the rows. In the wide network one drawn mask errs in "
        f"{shown(drawn[0]['error'], 2, 100)} % of the rows and weight scaling in "
        f"{shown(_of(figures, WIDE, SCALING)['error'], 2, 100)} %; "
        + (
            f"from {enough} masks on their average is no longer worse in error beyond chance"
            if enough
            else "even the largest average is worse in error"
        )
        + f"; the average of {last['masks']} agrees with weight scaling on {last['agreement']['mean'] * 100:.1f} % of "
        f"the rows, {verbs[sign_of(last['gain']['error'])]} it in error (gain "
        f"{shown(last['gain']['error'], 2, 100, sign=True)} points) and {verbs[sign_of(last['gain']['log_loss'])]} it "
        f"in log loss (gain {shown(last['gain']['log_loss'], 4, sign=True)}). This is about prediction: that training "
        "with dropout trains an ensemble whose members share weights is not tested by it."
    )


def _not_worse(own: Figures) -> bool:
    return sign_of(own["gain"]["error"]) >= 0


def _of(figures: Figures, net: str, kind: str) -> Figures:
    found: Figures = next(own for own in figures["networks"][net] if own["kind"] == kind)
    return found


@claim(
    "dropout-ensemble",
    source="Srivastava et al. 2014, JMLR 15:1929-1958, sections 1 and 7.5; Baldi & Sadowski 2013, NIPS 26:2814-2822",
    says="a network trained with dropout, all its units kept, predicts like the average of the exponentially many "
    "networks that its masks make",
    tell=tell,
)
def dropout_ensemble(
    run: Run, *, masks: Sequence[int] = MASKS, epochs: int = EPOCHS, rows: tuple[int, int, int] = ROWS
) -> Figures:
    """Dropout as an ensemble: averages over masks against weight scaling, all 2^N of them in a tiny network."""
    data = images(run.data, *rows)
    shapes = {**TINY, WIDE: (DEPTH, WIDTH)}
    recipes = {
        (net, arm): Recipe(
            (Dropout(p=RATE),) if arm == "dropout" else (),
            Setting(depth=depth, width=width, skip=False, batch_size=32, epochs=epochs),
        )
        for net, (depth, width) in shapes.items()
        for arm in ("plain", "dropout")
    }
    done = trained(run, "dropout-ensemble", recipes, [data.source], data.test, extract=True)
    x, y = data.inputs[data.test], data.targets[data.test]
    networks = {}
    for net, (depth, width) in shapes.items():
        plain, w = (weights(done[net, arm]) for arm in ("plain", "dropout"))
        scaled = layers_of(w, x)[-1].log_softmax(-1)
        averages = enumerated(w, x, depth, width) if net in TINY else drawn_masks(w, x, masks)
        networks[net] = [
            _row("plain training", 0, layers_of(plain, x)[-1].log_softmax(-1), y),
            _row(SCALING, 0, scaled, y),
            *(_row(kind, count, average, y, scaled) for kind, count, average in averages),
        ]
    return {"data": data.note, "epochs": epochs, "networks": networks}


def enumerated(w: Tree, x: Tensor, depth: int, width: int) -> list[tuple[str, int, Tensor]]:
    """Both averages over every mask: log-probabilities (seeds, R, K)."""
    geometric, arithmetic = [], []
    every = torch.tensor(list(itertools.product((0.0, 1.0), repeat=depth * width)), dtype=torch.float64)
    weight = torch.where(every > 0, 1 - RATE, RATE).prod(1)[:, None, None]
    for seed in range(len(w["out.bias"])):
        own = {name: leaf[seed] for name, leaf in w.items()}
        log, total = torch.zeros(()), torch.zeros(())
        # A few masks at a time bound the memory.
        for some, share in zip(torch.split(every, 256), torch.split(weight, 256), strict=True):
            kept = [part.unsqueeze(1) / (1 - RATE) for part in torch.split(some, width, 1)]
            logs = layers_of(own, x, kept)[-1].log_softmax(-1)
            log, total = log + (share * logs).sum(0), total + (share * logs.exp()).sum(0)
        geometric.append(log.log_softmax(-1))
        arithmetic.append(total.log())
    return [
        (GEOMETRIC, len(every), torch.stack(geometric)),
        (ARITHMETIC, len(every), torch.stack(arithmetic)),
    ]


def drawn_masks(w: Tree, x: Tensor, masks: Sequence[int]) -> list[tuple[str, int, Tensor]]:
    """The arithmetic mean over so many drawn masks, the first being part of the more."""
    random = torch.Generator().manual_seed(derive_seed("dropout-ensemble masks") % 2**63)
    shape = (DEPTH, len(w["out.bias"]), len(x), w["out.weight"].shape[-2])
    total, found = torch.zeros(()), []
    for count in range(1, max(masks) + 1):
        kept = (torch.rand(shape, generator=random) >= RATE) / (1 - RATE)
        total = total + layers_of(w, x, kept.unbind())[-1].softmax(-1)
        if count in masks:
            found.append((ARITHMETIC, count, (total / count).log()))
    return found


def _row(kind: str, masks: int, logs: Tensor, y: Tensor, scaled: Tensor | None = None) -> Figures:
    own = scores(logs, y)
    found: Figures = {"kind": kind, "masks": masks, **{s: estimate(own[s]) for s in SCORES}}
    if scaled is not None:
        before = scores(scaled, y)
        same = (logs.argmax(-1) == scaled.argmax(-1)).double().mean(-1)
        found["gain"] = {s: gain(before[s], own[s]) for s in SCORES}
        found["agreement"] = over_seeds(same.tolist())
        found["off"] = float((logs.exp() - scaled.exp()).abs().max())
    return found


def _plot(figures: Figures) -> Figure:
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    found = figures["networks"][WIDE]
    drawn = [own for own in found if own["kind"] == ARITHMETIC]
    masks = [own["masks"] for own in drawn]
    panels = (
        ("error", "test error, %", 100),
        ("log_loss", "log loss", 1),
        ("agreement", "same class as weight scaling, %", 100),
    )
    for axis, (score, title, factor) in zip(figure.subplots(1, 3), panels, strict=True):
        line(axis, masks, [own[score] for own in drawn], factor, color=COLOURS[0], label="average of masks")
        for colour, own in zip(COLOURS[1:], found[1::-1], strict=False):
            if score in own:
                axis.axhline(own[score]["mean"] * factor, color=colour, linestyle="--", label=own["kind"])
        axis.set_title(title, fontsize="medium")
        axis.set_xlabel("masks averaged")
        axis.set_xscale("log", base=2)
        axis.set_xticks(masks, [str(count) for count in masks], fontsize=8)
    figure.axes[0].legend(frameon=False, fontsize="small")
    return figure
