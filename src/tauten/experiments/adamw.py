"""AdamW against Adam with an L2 penalty: is the best decay less tied to the best learning rate, and is it better?

The paper takes λ · w off by itself (its equation 12, "decoupled" from the learning rate); torch, Keras and Tauten take
off lr · λ · w. So there are three maps, and the third shows the second's kind of step over the paper's own axis.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure

from tauten.experiments.claim import Figures, Run, Told, claim, shown, sign_of
from tauten.experiments.members import SCORES, Floats, estimate, gain, images, outputs, scores, trained
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.techniques.l2 import L2
from tauten.techniques.weight_decay import WeightDecay

RATES = tuple(10 ** (-3 + i / 3) for i in range(6))
STRENGTHS = {
    "Adam + L2": tuple(10 ** (-5.5 + i / 2) for i in range(8)),
    "AdamW": tuple(10 ** (-2.5 + i / 2) for i in range(8)),
    "AdamW, decay apart": tuple(10 ** (-5.5 + i / 2) for i in range(8)),
}
"""Learning rates at which the network trains well without decay; and by arm λ of the penalty, λ of lr · λ · w, and the
share of w that a step takes off."""
LARGEST = 10.0
"""The technique's bound; a cell that needs more is left out."""
EPOCHS, ROWS = 100, (400, 500, 897)
AXES = {
    "Adam + L2": "penalty λ",
    "AdamW": "decay λ, taken as lr · λ · w",
    "AdamW, decay apart": "decay, taken as λ · w",
}
Cell = tuple[str, int, int]
"""Arm, place of the learning rate, place of the decay."""


def tell(figures: Figures) -> Told:
    """The three maps, what each arm's best is worth, and what a decay costs that was tuned at another rate."""
    arms = figures["arms"]
    head = (
        "arm", "best learning rate", "best decay", "test error there, %", "log loss there",
        "error lost by another rate's decay, points", "log loss lost", "slope of the best decay",
    )  # fmt: skip
    rows = [
        (
            arm,
            f"{own['best']['rate']:.2g}",
            f"{own['best']['decay']:.2g}",
            shown(own["at_best"]["error"], factor=100),
            shown(own["at_best"]["log_loss"], 4),
            shown(own["transfer"]["error"], factor=100),
            shown(own["transfer"]["log_loss"], 4),
            _slope(own),
        )
        for arm, own in arms.items()
    ]
    how = (
        f"Data: {figures['data']}. Network 2 × 64 ReLU units, batches of 32, cosine schedule over {figures['epochs']} "
        f"epochs, {figures['seeds']} seeds a cell. Cells are chosen by validation log loss, figures are of the test "
        "rows. *Lost by another rate's decay*: the decay that is best at one learning rate is used at another, mean "
        "over all ordered pairs of rates, against that rate's own best decay (0: fully separable). *Slope*: of log "
        "best decay against log learning rate, over rates (0: independent, −1: only their product counts). Intervals "
        "of 95 % over examples and seeds, for this training set and these choices."
    )
    return Told(head, rows, how, reading(figures), _plot(figures))


def reading(figures: Figures) -> str:
    """What the maps say of both claims."""
    arms, better, apart = figures["arms"], figures["gain"], figures["separation"]
    verbs = {1: "is better than", 0: "can't be told from", -1: "is worse than"}
    ways = {1: "less than", 0: "neither more nor less beyond chance than", -1: "more than"}
    first = "; ".join(
        f"at its own best, {arm} {verbs[sign_of(own['log_loss'])]} Adam + L2 in log loss "
        f"(gain {shown(own['log_loss'], 4, sign=True)}) and {verbs[sign_of(own['error'])]} it in error "
        f"(gain {shown(own['error'], factor=100, sign=True)} points)"
        for arm, own in better.items()
    )
    second = "; ".join(
        f"with {arm} it loses {ways[sign_of(own['log_loss'])]} with Adam + L2 (saved "
        f"{shown(own['log_loss'], 4, sign=True)} of log loss)"
        for arm, own in apart.items()
    )
    slopes = ", ".join(f"{_slope(own)} for {arm}" for arm, own in arms.items())
    return (
        f"Better: {first}. Separable, told by what a decay loses that was tuned at another learning rate: {second}; "
        f"the best decay moves with the learning rate by a slope of {slopes}, on a grid of half decades, so a slope is "
        "known to some tenths only. The paper's figures are of convolutional "
        "networks on CIFAR-10 over 100 epochs; one small data set can't confirm or refute them."
    )


@claim(
    "adamw",
    source="Loshchilov & Hutter 2019, ICLR, arXiv:1711.05101, figures 1 and 2",
    says="decoupled decay makes the choice of the decay more independent of the learning rate, and generalizes better "
    "than an L2 penalty under Adam",
    tell=tell,
)
def adamw(
    run: Run,
    *,
    rates: Sequence[float] = RATES,
    strengths: Mapping[str, Sequence[float]] = STRENGTHS,
    epochs: int = EPOCHS,
    rows: tuple[int, int, int] = ROWS,
) -> Figures:
    """AdamW against Adam + L2: maps of learning rate × decay, and how far one can be tuned without the other."""
    data = images(run.data, *rows)
    cells = _cells(rates, strengths, epochs)
    both = torch.cat([data.validation, data.test])
    done = trained(run, "adamw", cells, [data.source], both)
    out = {cell: outputs(own) for cell, own in done.items()}
    n = len(data.validation)
    chosen = {
        cell: float(scores(own[:, :n], data.targets[data.validation])["log_loss"].mean()) for cell, own in out.items()
    }
    tested = {cell: scores(own[:, n:], data.targets[data.test]) for cell, own in out.items()}
    arms, moved, best = {}, {}, {}
    for arm, own in strengths.items():
        at = {i: min((c for c in cells if c[:2] == (arm, i)), key=chosen.__getitem__) for i in range(len(rates))}
        top = min(at.values(), key=chosen.__getitem__)
        best[arm], moved[arm] = tested[top], lost(at, tested)
        arms[arm] = {
            "decays": list(own),
            "best": {"rate": rates[top[1]], "decay": own[top[2]]},
            "best_decays": [own[cell[2]] for cell in at.values()],
            "slope": slope(rates, [own[cell[2]] for cell in at.values()]),
            "at_best": {s: estimate(best[arm][s]) for s in SCORES},
            "transfer": {s: estimate(moved[arm][s]) for s in SCORES},
            "map": {
                s: [
                    [float(tested[arm, i, j][s].mean()) if (arm, i, j) in cells else None for j in range(len(own))]
                    for i in range(len(rates))
                ]
                for s in SCORES
            },
        }
    first, *others = strengths
    return {
        "data": data.note,
        "epochs": epochs,
        "rates": list(rates),
        "arms": arms,
        "gain": {arm: {s: gain(best[first][s], best[arm][s]) for s in SCORES} for arm in others},
        "separation": {arm: {s: gain(moved[first][s], moved[arm][s]) for s in SCORES} for arm in others},
    }


def _cells(rates: Sequence[float], strengths: Mapping[str, Sequence[float]], epochs: int) -> dict[Cell, Recipe]:
    cells: dict[Cell, Recipe] = {}
    for arm, own in strengths.items():
        for (i, rate), (j, strength) in itertools.product(enumerate(rates), enumerate(own)):
            decay = strength / rate if arm.endswith("apart") else strength
            if decay <= LARGEST:
                technique = L2(strength=decay) if arm == "Adam + L2" else WeightDecay(strength=decay)
                setting = Setting(
                    width=64, depth=2, skip=False, batch_size=32, schedule="cosine", epochs=epochs, learning_rate=rate
                )
                cells[arm, i, j] = Recipe((technique,), setting)
    return cells


def lost(at: Mapping[int, Cell], tested: Mapping[Cell, Mapping[str, Floats]]) -> dict[str, Floats]:
    """Scores (R, seeds) lost where a rate takes another rate's best decay, mean over the pairs that were trained."""
    pairs = [
        (own, taken)
        for i, own in at.items()
        for j, other in at.items()
        if i != j and (taken := (own[0], own[1], other[2])) in tested
    ]
    return {s: np.mean([tested[taken][s] - tested[own][s] for own, taken in pairs], axis=0) for s in SCORES}


def slope(rates: Sequence[float], decays: Sequence[float]) -> float:
    """Of log decay against log rate, by least squares."""
    return float(np.polyfit(np.log10(rates), np.log10(decays), 1)[0])


def _slope(own: Figures) -> str:
    # Adding 0 turns −0.00 into +0.00.
    return f"{round(own['slope'], 2) + 0.0:+.2f}"


def _plot(figures: Figures) -> Figure:
    arms = figures["arms"]
    figure = Figure(figsize=(4.2 * len(arms), 4.4), layout="constrained")
    grids = [np.array(own["map"]["error"], dtype=float) * 100 for own in arms.values()]
    low = min(float(np.nanmin(grid)) for grid in grids)
    for axis, (arm, own), grid in zip(np.atleast_1d(figure.subplots(1, len(arms))), arms.items(), grids, strict=True):
        # Past three times the best all is merely bad, and would eat up the colours.
        image = axis.imshow(grid, cmap="viridis_r", vmin=low, vmax=3 * low, origin="lower", aspect="auto")
        for (i, j), error in np.ndenumerate(grid):
            if np.isfinite(error):
                colour = "white" if error > 2 * low else "black"
                axis.text(j, i, f"{error:.1f}", ha="center", va="center", fontsize=7, color=colour)
        places = [own["decays"].index(decay) for decay in own["best_decays"]]
        axis.plot(places, range(len(places)), "o-", color="#c1440e", markerfacecolor="none", markersize=17, lw=0.8)
        axis.set_xticks(
            range(len(own["decays"])), [f"{float(f'{d:.1g}'):g}" for d in own["decays"]], rotation=60, fontsize=8
        )
        axis.set_yticks(range(len(figures["rates"])), [f"{r:.2g}" for r in figures["rates"]], fontsize=8)
        axis.set(title=arm, xlabel=AXES.get(arm, "decay"))
    figure.axes[0].set_ylabel("learning rate")
    figure.colorbar(image, ax=figure.axes, label="test error, % (rings: best decay of a rate)", shrink=0.8)
    return figure
