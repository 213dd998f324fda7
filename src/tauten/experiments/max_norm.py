"""Dropout, max-norm, both or neither, at learning rates up to where training breaks, as Srivastava et al. used them."""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure

from tauten.experiments.claim import COLOURS, Figures, Run, Told, claim, line, numbered, shown, sign_of
from tauten.experiments.members import SCORES, estimate, gain, images, outputs, scores, trained
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.techniques.dropout import Dropout
from tauten.techniques.max_norm import MaxNorm

RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
LIMITS = (0.5, 1.0, 2.0)
DROP, MOMENTUM, WIDTH = 0.5, 0.95, 256
EPOCHS, ROWS = 100, (400, 500, 897)
ARMS = ("neither", "max-norm", "dropout", "both")
PAIRS = (("max-norm", "neither"), ("dropout", "neither"), ("both", "dropout"), ("both", "max-norm"))


def tell(figures: Figures) -> Told:
    """Each arm at its best, and what joining the two adds."""
    head = ("arm", "learning rate", "limit", "test error, %", "log loss", "error at the largest rate, %")
    rows = [
        (
            arm,
            f"{own['rate']:g}",
            f"{own['limit']:g}" if own["limit"] else "",
            shown(own["at_best"]["error"], factor=100),
            shown(own["at_best"]["log_loss"], 4),
            shown(own["curve"][-1], factor=100),
        )
        for arm, own in figures["arms"].items()
    ]
    how = (
        f"Data: {figures['data']}. Network 2 × {WIDTH} ReLU units, gradient descent with momentum {MOMENTUM:g}, rate "
        f"falling to 0 on a cosine, batches of 32, {figures['epochs']} epochs, {figures['seeds']} seeds; dropout "
        f"{DROP:g} on hidden units; limits {', '.join(f'{c:g}' for c in figures['limits'])} on the incoming weights "
        "of every unit. Learning rate and limit are chosen for each arm by validation log loss, so the arms with "
        "max-norm have more to choose from. What diverged counts as a uniform guess. Intervals of 95 % over examples "
        "and seeds, for this training set and these choices."
    )
    return Told(head, rows, how, reading(figures), _plot(figures))


def reading(figures: Figures) -> str:
    """Which of the four are apart, and at which learning rates."""
    verbs = {1: "lowers the error", 0: "makes no difference to the error beyond chance", -1: "raises the error"}
    said = "; ".join(
        f"{one['arm']} against {one['base']} {verbs[sign_of(one['error'])]} (gain "
        f"{shown(one['error'], factor=100, sign=True)} points; log loss {shown(one['log_loss'], 4, sign=True)})"
        for one in figures["gains"]
    )
    large = "; ".join(f"{own['curve'][-1]['mean'] * 100:.1f} % {arm}" for arm, own in figures["arms"].items())
    return (
        f"Each at its own best: {said}. At the largest learning rate of "
        f"{figures['rates'][-1]:g} the errors are {large}. The paper has on MNIST 1.35 % for max-norm and 1.05 % "
        "with dropout beside it, after a million updates of larger networks."
    )


@claim(
    "max-norm",
    source="Srivastava et al. 2014, JMLR 15:1929-1958, section 5.1",
    says="dropout with a max-norm constraint is better than either alone, since the constraint allows large learning "
    "rates",
    tell=tell,
)
def max_norm(
    run: Run,
    *,
    rates: Sequence[float] = RATES,
    limits: Sequence[float] = LIMITS,
    epochs: int = EPOCHS,
    rows: tuple[int, int, int] = ROWS,
) -> Figures:
    """Dropout and max-norm: each alone, both and neither, over learning rates."""
    data = images(run.data, *rows)
    cells = {
        (arm, i, limit): recipe_of(arm, rate, limit, epochs)
        for arm, (i, rate) in itertools.product(ARMS, enumerate(rates))
        for limit in (limits if arm in ("max-norm", "both") else (0.0,))
    }
    done = trained(run, "max-norm", cells, [data.source], torch.cat([data.validation, data.test]))
    n, chosen, tested = len(data.validation), {}, {}
    for key, own in done.items():
        out = outputs(own)
        chosen[key] = float(scores(out[:, :n], data.targets[data.validation])["log_loss"].mean())
        tested[key] = scores(out[:, n:], data.targets[data.test])
    at = {
        (arm, i): min((k for k in cells if k[:2] == (arm, i)), key=chosen.__getitem__)
        for arm in ARMS
        for i in range(len(rates))
    }
    best = {arm: min((at[arm, i] for i in range(len(rates))), key=chosen.__getitem__) for arm in ARMS}
    return {
        "data": data.note,
        "epochs": epochs,
        "rates": list(rates),
        "limits": list(limits),
        "arms": {
            arm: {
                "rate": rates[best[arm][1]],
                "limit": best[arm][2],
                "at_best": {s: estimate(tested[best[arm]][s]) for s in SCORES},
                "curve": [estimate(tested[at[arm, i]]["error"]) for i in range(len(rates))],
            }
            for arm in ARMS
        },
        "gains": [
            {"arm": arm, "base": base, **{s: gain(tested[best[base]][s], tested[best[arm]][s]) for s in SCORES}}
            for arm, base in PAIRS
        ],
    }


def recipe_of(arm: str, rate: float, limit: float, epochs: int) -> Recipe:
    dropout = (Dropout(p=DROP),) if arm in ("dropout", "both") else ()
    bounded = (MaxNorm(limit=limit),) if limit else ()
    setting = Setting(
        width=WIDTH,
        depth=2,
        skip=False,
        optimizer="sgd",
        momentum=MOMENTUM,
        learning_rate=rate,
        schedule="cosine",
        batch_size=32,
        epochs=epochs,
    )
    return Recipe((*dropout, *bounded), setting)


def _plot(figures: Figures) -> Figure:
    figure = Figure(figsize=(9, 4), layout="constrained")
    curves, best = figure.subplots(1, 2)
    for colour, (arm, own) in zip(COLOURS, figures["arms"].items(), strict=False):
        line(curves, figures["rates"], own["curve"], 100, color=colour, label=arm)
    curves.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="test error at the best limit, %")
    numbered(curves, "x", "y")
    curves.legend(frameon=False, fontsize="small")
    for i, (colour, own) in enumerate(zip(COLOURS, figures["arms"].values(), strict=False)):
        mean, low, high = (own["at_best"]["error"][key] * 100 for key in ("mean", "low", "high"))
        best.errorbar(i, mean, [[mean - low], [high - mean]], marker="o", color=colour, capsize=3)
    best.set_xticks(np.arange(len(figures["arms"])), list(figures["arms"]))
    best.set(ylabel="test error at its best, %")
    best.spines[["top", "right"]].set_visible(False)
    return figure
