"""Do hidden units trained with dropout depend less on one another?

Three signs of co-adaptation: how strongly units go together, what it costs to take one of them away, and what it costs
to take many away. The last two are what dropout trains for, so a third arm asks whether any penalty would do as well.
"""

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from tauten.draws import derive_seed
from tauten.experiments.claim import COLOURS, Figures, Run, Told, claim, line, shown, sign_of
from tauten.experiments.layers import layers_of, weights
from tauten.experiments.members import SCORES, Floats, estimate, gain, images, over_seeds, scores, trained
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import Technique
from tauten.techniques.dropout import Dropout
from tauten.techniques.l2 import L2
from tauten.tensors import Tree

ARMS: dict[str, tuple[Technique, ...]] = {
    "plain": (),
    "dropout 0.2": (Dropout(p=0.2),),
    "dropout 0.5": (Dropout(p=0.5),),
    "L2 0.001": (L2(strength=0.001),),
}
WIDTH = 128
DIGITS, MNIST = (200, (500, 0, 1297)), (40, (5_000, 0, 5_000))
"""Epochs, and rows that train, choose and judge: of the bundled digits, or of a folder as large as MNIST's."""
REMOVED = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
HALF = REMOVED.index(0.5)
TRIES = 20
"""Random choices of the units that are taken away; their mean is a row's score."""
MEASURES = {
    "correlation": "mean absolute correlation of two units",
    "active": "units active in a row, %",
    "one": "log loss added by taking one unit away",
}


def tell(figures: Figures) -> Told:
    """Each sign for each arm."""
    head = (
        "arm", "test error, %", "log loss", *MEASURES.values(), "error without half of the units, %",
        "error added by that, points", "log loss added by that", "log loss added, less than plain's",
    )  # fmt: skip
    rows = [
        (
            arm,
            shown(own["error"][0], 2, 100),
            shown(own["log_loss"][0], 4),
            shown(own["correlation"], 3),
            shown(own["active"], 1, 100),
            shown(own["one"], 5),
            shown(own["error"][HALF], 2, 100),
            shown(own["added"]["error"], 2, 100, sign=True),
            shown(own["added"]["log_loss"], 4, sign=True),
            shown(own["spared"]["log_loss"], 4, sign=True) if "spared" in own else "",
        )
        for arm, own in figures["arms"].items()
    ]
    how = (
        f"Data: {figures['data']}. One hidden layer of {figures['width']} ReLU units, AdamW at 0.001, batches of 32, "
        f"{figures['epochs']} epochs, {figures['seeds']} seeds; all figures are of the test rows. Correlations are "
        "those of two units' activations over these rows, mean of absolute values over all pairs of units that are not "
        "constant. *One unit away*: mean over all units. *Half away*: what is left is scaled by 2, as in dropout; mean "
        f"of {TRIES} random choices of the units, the same for all arms. Intervals of 95 % over examples and seeds, "
        "those of correlation, activity and one unit over seeds."
    )
    return Told(head, rows, how, reading(figures), _plot(figures))


def reading(figures: Figures) -> str:
    """What each sign says of each arm against plain."""
    plain = figures["arms"]["plain"]
    others = []
    for arm, own in figures["arms"].items():
        if arm != "plain":
            signs = (
                _sign(
                    "the correlation of two units",
                    plain["correlation"],
                    own["correlation"],
                    own["less"]["correlation"],
                    3,
                ),
                _sign("the log loss added by taking one unit away", plain["one"], own["one"], own["less"]["one"], 5),
                _sign("the log loss added by taking half of them away", *_added("log_loss", plain, own), 3),
                _sign("the error added by that", *_added("error", plain, own), 2, 100),
            )
            others.append(f"{arm} {', '.join(signs)}")
    return (
        f"Against plain: {'; '.join(others)}. That a network which was trained with units missing bears it better is "
        "what it was trained for; correlation is the sign that it was not trained for, and a penalty's arm shows which "
        f"of these signs come with any regularization. {_sparser(figures)}Correlations of activations are "
        "one meaning of co-adaptation; the paper defines none."
    )


def _sparser(figures: Figures) -> str:
    """The caution that correlation needs where units are active in fewer rows."""
    arms = figures["arms"]
    fewer = [arm for arm, own in arms.items() if arm != "plain" and sign_of(own["less"]["active"]) > 0]
    shares = ", ".join(f"{arms[arm]['active']['mean']:.0%} with {arm}" for arm in fewer)
    return (
        f"Units are also active in fewer rows ({arms['plain']['active']['mean']:.0%} plain, {shares}), and units that "
        "are rarely on together may correlate less for that alone. "
        if fewer
        else ""
    )


def _added(score: str, plain: Figures, own: Figures) -> tuple[Figures, Figures, Figures]:
    return plain["added"][score], own["added"][score], own["spared"][score]


def _sign(what: str, before: Figures, after: Figures, less: Figures, digits: int, factor: float = 1) -> str:
    """Whether a number is lower than plain's, and by how much."""
    verb = {1: "lowers", 0: "doesn't change beyond chance", -1: "raises"}[sign_of(less)]
    means = " to ".join(f"{own['mean'] * factor:.{digits}f}" for own in (before, after))
    return f"{verb} {what} ({means}{' points' if factor > 1 else ''}, less by {shown(less, digits, factor, sign=True)})"


@claim(
    "co-adaptation",
    source="Hinton et al. 2012, arXiv:1207.0580; Srivastava et al. 2014, JMLR 15:1929-1958, section 7",
    says="dropout prevents complex co-adaptations, in which a hidden unit is only helpful in the context of several "
    "other specific units",
    tell=tell,
)
def co_adaptation(
    run: Run, *, width: int = WIDTH, epochs: int | None = None, rows: tuple[int, int, int] | None = None
) -> Figures:
    """Dropout against co-adaptation: correlation of hidden units, and the loss when units are taken away."""
    own_epochs, own_rows = DIGITS if run.data is None else MNIST
    epochs = epochs or own_epochs
    data = images(run.data, *(rows or own_rows))
    setting = Setting(depth=1, width=width, batch_size=32, epochs=epochs)
    recipes = {arm: Recipe(techniques, setting) for arm, techniques in ARMS.items()}
    done = trained(run, "co-adaptation", recipes, [data.source], data.test, extract=True)
    x, y = data.inputs[data.test], data.targets[data.test]
    measured = {arm: measured_of(weights(own), x) for arm, own in done.items()}
    without = {arm: without_some(weights(own), x, y) for arm, own in done.items()}
    added = {arm: {s: own[HALF][s] - own[0][s] for s in SCORES} for arm, own in without.items()}
    one = {arm: without_one(weights(own), x, y) for arm, own in done.items()}
    arms = {}
    for arm in ARMS:
        per_seed = {**measured[arm], "one": one[arm]}
        found: Figures = {
            **{s: [estimate(share[s]) for share in without[arm]] for s in SCORES},
            **{name: over_seeds(values) for name, values in per_seed.items()},
            "added": {s: estimate(added[arm][s]) for s in SCORES},
        }
        if arm != "plain":
            before = {**measured["plain"], "one": one["plain"]}
            found["less"] = {name: over_seeds(before[name] - per_seed[name]) for name in MEASURES}
            found["spared"] = {s: gain(added["plain"][s], added[arm][s]) for s in SCORES}
        arms[arm] = found
    return {"data": data.note, "epochs": epochs, "width": width, "removed": list(REMOVED), "arms": arms}


def measured_of(w: Tree, x: Tensor) -> dict[str, Floats]:
    """One number a seed: mean absolute correlation of two units, and the share of units above 0 in a row."""
    h = layers_of(w, x)[0].numpy()
    correlation = []
    for own in h:
        alive = own[:, own.std(0) > 0]
        r = np.corrcoef(alive, rowvar=False)
        correlation.append(np.abs(r[np.triu_indices_from(r, 1)]).mean())
    return {"correlation": np.array(correlation), "active": (h > 0).mean((1, 2))}


def without_some(w: Tree, x: Tensor, y: Tensor) -> list[dict[str, Floats]]:
    """Scores (R, seeds) when a share of the units is taken away and the others make up for it, for each share."""
    h = layers_of(w, x)[0]
    width = h.shape[-1]
    random = np.random.default_rng(derive_seed("co-adaptation removal"))
    orders = [random.permutation(width) for _ in range(TRIES)]
    found = []
    for share in REMOVED:
        gone = round(share * width)
        tries = []
        for order in orders if gone else orders[:1]:
            kept = torch.ones(width, dtype=torch.float64)
            kept[order[:gone]] = 0
            out = h @ (kept[:, None] * w["out.weight"]) * (width / (width - gone)) + w["out.bias"].unsqueeze(-2)
            tries.append(scores(out, y))
        found.append({s: np.mean([own[s] for own in tries], axis=0) for s in SCORES})
    return found


def without_one(w: Tree, x: Tensor, y: Tensor) -> Floats:
    """Log loss added by taking one unit away, mean over units (seeds,)."""
    h, out = layers_of(w, x)
    whole = scores(out, y)["log_loss"].mean(0)
    losses = [
        scores(out - h[..., i : i + 1] * w["out.weight"][:, i : i + 1], y)["log_loss"].mean(0)
        for i in range(h.shape[-1])
    ]
    added: Floats = np.mean(losses, axis=0) - whole
    return added


def _plot(figures: Figures) -> Figure:
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    axes = figure.subplots(1, 3)
    removed = [share * 100 for share in figures["removed"]]
    for colour, (arm, own) in zip(COLOURS, figures["arms"].items(), strict=False):
        line(axes[0], removed, own["error"], 100, color=colour, label=arm)
        line(axes[1], removed, own["log_loss"], color=colour, label=arm)
    for place, (colour, own) in enumerate(zip(COLOURS, figures["arms"].values(), strict=False)):
        found = own["correlation"]
        ends = [[found["mean"] - found["low"]], [found["high"] - found["mean"]]]
        axes[2].errorbar([place], [found["mean"]], ends, fmt="o", color=colour, capsize=3)
    axes[0].set(title="test error, %", xlabel="hidden units taken away, %", ylim=(0, None))
    axes[1].set(title="log loss", xlabel="hidden units taken away, %", ylim=(0, None))
    axes[2].set(title="correlation of two units", ylim=(0, None))
    axes[2].margins(x=0.15)
    axes[2].set_xticks(range(len(figures["arms"])), [arm.replace(" ", "\n") for arm in figures["arms"]])
    axes[2].spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, fontsize="small")
    return figure
