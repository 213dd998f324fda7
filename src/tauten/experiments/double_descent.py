"""Does a wider network first get worse and then better again, and does regularization take the hump away?

One hidden layer on few images of which a fifth are taken for another class, trained long after it has learnt them by
heart. The hump stands where the network becomes just able to.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from tauten.draws import derive_seed
from tauten.experiments.claim import COLOURS, Figures, Run, Told, claim, line, shown, sign_of
from tauten.experiments.members import Floats, estimate, gain, images, outputs, over_seeds, scores, trained
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import Technique
from tauten.techniques.dropout import Dropout
from tauten.techniques.l2 import L2

WIDTHS = (2, 4, 6, 8, 11, 16, 23, 32, 64, 128, 256)
ARMS: dict[str, tuple[Technique, ...]] = {
    "plain": (),
    "L2 0.001": (L2(strength=0.001),),
    "L2 0.004": (L2(strength=0.004),),
    "dropout 0.5": (Dropout(p=0.5),),
}
ROWS, NOISE, EPOCHS = (500, 400, 897), 0.2, 3_000
BY_HEART = 0.01
"""Training error, noisy labels included, below which a network has learnt its rows by heart."""


def tell(figures: Figures) -> Told:
    """The largest rise of each arm and the fall after it."""
    head = (
        "arm", "error learnt by heart from width", "largest rise: from width", "to width",
        "test error before, %", "test error on top, %", "rise, points", "rise less than plain's, points",
        "test error at the largest width, %", "fall after the top, points",
    )  # fmt: skip
    rows = [
        (
            arm,
            str(own["by_heart"] or "none"),
            str(own["from"]),
            str(own["to"]),
            shown(own["before"], 1, 100),
            shown(own["top"], 1, 100),
            shown(own["rise"], 1, 100, sign=True),
            shown(own["removed"], 1, 100, sign=True) if "removed" in own else "",
            shown(own["last"], 1, 100),
            shown(own["fall"], 1, 100, sign=True),
        )
        for arm, own in figures["arms"].items()
    ]
    how = (
        f"Data: {figures['data']}; {figures['noise']:.0%} of the training rows are taken for another class, drawn "
        f"anew for each of {figures['seeds']} seeds; test labels are clean. One hidden ReLU layer, Adam at 0.003 with "
        f"a cosine schedule, batches of 128, {figures['epochs']:,} epochs. *Largest rise*: the two widths, in this "
        "order, between which the error on the validation rows rises most; what is told of them is measured on the "
        f"test rows. *Learnt by heart*: training error, wrong labels included, below {BY_HEART:.0%}. Intervals of "
        "95 % over examples and seeds, each for itself."
    )
    return Told(head, rows, how, reading(figures), _plot(figures))


def reading(figures: Figures) -> str:
    """What was seen of the hump, and what each technique left of it."""
    arms = figures["arms"]
    plain, widest = arms["plain"], figures["widths"][-1]
    rises, falls = sign_of(plain["rise"]) > 0, sign_of(plain["fall"]) > 0
    seen = {
        (True, True): "double descent is seen",
        (True, False): "a rise is seen, but no second descent beyond chance",
        (False, True): "no rise beyond chance is seen, so no double descent",
        (False, False): "neither rise nor second descent is seen beyond chance",
    }[rises, falls]
    place = (
        f"the rows are learnt by heart from width {plain['by_heart']} on ({plain['parameters']:,} weights for "
        f"{figures['n_train']} rows)"
        if plain["by_heart"]
        else "no width learns the rows by heart"
    )
    others = "; ".join(_other(arm, own) for arm, own in arms.items() if arm != "plain")
    return (
        f"Without regularization {seen}: from width {plain['from']} to {plain['to']} the test error goes from "
        f"{shown(plain['before'], 1, 100)} to {shown(plain['top'], 1, 100)} % (rise "
        f"{shown(plain['rise'], 1, 100, sign=True)} points), and at width {widest} it is "
        f"{shown(plain['last'], 1, 100)} % (fall {shown(plain['fall'], 1, 100, sign=True)} points); {place}. {others}. "
        "The strengths were given, not tuned, and they also change how low the curve lies as a whole; this is one "
        "small data set with a fifth of its labels wrong, and without wrong labels the hump may be too small to see."
    )


def _other(arm: str, own: Mapping[str, Figures]) -> str:
    removed, rise = sign_of(own["removed"]), sign_of(own["rise"])
    left = "none beyond chance is left" if rise <= 0 else f"{shown(own['rise'], 1, 100, sign=True)} points are left"
    how = {1: "takes away", 0: "takes away nothing beyond chance of", -1: "adds to"}[removed]
    amount = f"{shown(own['removed'], 1, 100, sign=True)} points of " if removed > 0 else ""
    return f"{arm} {how} {amount}the rise, {left}, and its error at the largest width is {shown(own['last'], 1, 100)} %"


@claim(
    "double-descent",
    source="Belkin et al. 2019, PNAS 116:15849-15854; Nakkiran et al. 2020, ICLR, arXiv:1912.02292; Nakkiran et al. "
    "2021, ICLR, arXiv:2003.01897",
    says="test error first falls with a network's size, rises to a peak where training error reaches 0, and falls "
    "again beyond; optimal regularization mitigates it",
    tell=tell,
)
def double_descent(
    run: Run, *, widths: Sequence[int] = WIDTHS, epochs: int = EPOCHS, rows: tuple[int, int, int] = ROWS
) -> Figures:
    """Test error against width with noisy labels: the hump where training error reaches 0, and what removes it."""
    data = images(run.data, *rows)
    setting = Setting(depth=1, batch_size=128, epochs=epochs, learning_rate=3e-3, schedule="cosine")
    recipes = {
        (arm, width): Recipe(techniques, setting).with_setting(width=width)
        for arm, techniques in ARMS.items()
        for width in widths
    }
    sources = [data.mislabelled(NOISE, derive_seed("wrong labels", seed)) for seed in range(run.seeds)]
    asked = torch.cat([data.validation, data.test, data.train])
    done = trained(run, "double-descent", recipes, sources, asked, of=lambda _, seed: seed)
    chosen: dict[tuple[str, int], float] = {}
    tested: dict[tuple[str, int], Floats] = {}
    heart: dict[tuple[str, int], list[float]] = {}
    for key, own in done.items():
        out = outputs(own)
        validation, test, train = torch.split(out, [len(data.validation), len(data.test), len(data.train)], dim=1)
        chosen[key] = float(scores(validation, data.targets[data.validation])["error"].mean())
        tested[key] = scores(test, data.targets[data.test])["error"]
        heart[key] = [
            float((out.argmax(-1) != source.targets[data.train].argmax(-1)).float().mean())
            for out, source in zip(train, sources, strict=True)
        ]
    arms = {arm: curve_of(arm, widths, chosen, tested, heart) for arm in ARMS}
    inputs, classes = data.inputs[0].numel(), data.targets.shape[1]
    for figures in arms.values():
        figures["parameters"] = figures["by_heart"] and (inputs + 1 + classes) * figures["by_heart"] + classes
    return {
        "data": data.note, "n_train": len(data.train), "noise": NOISE, "epochs": epochs, "widths": list(widths),
        "arms": arms,
    }  # fmt: skip


def curve_of(
    arm: str,
    widths: Sequence[int],
    chosen: Mapping[tuple[str, int], float],
    tested: Mapping[tuple[str, int], Floats],
    heart: Mapping[tuple[str, int], Sequence[float]],
) -> Figures:
    """One arm's curve, and its largest rise: found on validation rows, measured on test rows."""
    pairs = [(a, b) for i, a in enumerate(widths) for b in widths[i + 1 :]]
    low, top = max(pairs, key=lambda pair: chosen[arm, pair[1]] - chosen[arm, pair[0]])
    plain = max(pairs, key=lambda pair: chosen["plain", pair[1]] - chosen["plain", pair[0]])
    rise = tested[arm, top] - tested[arm, low]
    own = {
        "by_heart": next((w for w in widths if np.mean(heart[arm, w]) < BY_HEART), None),
        "from": low,
        "to": top,
        "before": estimate(tested[arm, low]),
        "top": estimate(tested[arm, top]),
        "last": estimate(tested[arm, widths[-1]]),
        "rise": gain(tested[arm, top], tested[arm, low]),
        "fall": gain(tested[arm, top], tested[arm, widths[-1]]),
        "test": [estimate(tested[arm, w]) for w in widths],
        "train": [over_seeds(heart[arm, w]) for w in widths],
    }
    if arm != "plain":
        own["removed"] = gain(tested["plain", plain[1]] - tested["plain", plain[0]], rise)
    return own


def _plot(figures: Figures) -> Figure:
    widths = figures["widths"]
    figure = Figure(figsize=(8.4, 4.2), layout="constrained")
    both = figure.subplots(1, 2)
    titles = {"test": "test error, %", "train": "training error, wrong labels included, %"}
    for axis, (part, title) in zip(both, titles.items(), strict=True):
        for colour, (arm, own) in zip(COLOURS, figures["arms"].items(), strict=False):
            line(axis, widths, own[part], 100, color=colour, label=arm)
        if figures["arms"]["plain"]["by_heart"]:
            axis.axvline(figures["arms"]["plain"]["by_heart"], color="0.5", linestyle=":", linewidth=1)
        axis.set_xscale("log", base=2)
        axis.set_xticks(widths, [str(w) for w in widths])
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set(title=title, xlabel="width (dotted: plain has learnt its rows by heart)", ylim=(0, None))
    both[0].legend(frameon=False, fontsize="small")
    return figure
