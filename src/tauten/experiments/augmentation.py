"""Moving the images or dropping units out: which of the two helps a network more that has seen a thousand digits?

A control turns every image by any angle: augmentation is knowledge of what may change without changing the class, and
here that knowledge is wrong.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from tauten.errors import DataError
from tauten.experiments.claim import COLOURS, Figures, Run, Told, claim, shown, sign_of
from tauten.experiments.members import SCORES, Images, estimate, gain, images, outputs, scores, trained
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import Technique
from tauten.techniques.dropout import Dropout
from tauten.techniques.rotation import Rotation
from tauten.techniques.shear import Shear
from tauten.techniques.shift import Shift
from tauten.techniques.zoom import Zoom

AFFINE: tuple[Technique, ...] = (Rotation(), Shift(), Zoom(), Shear())
PLAIN, WIDTH = "plain", 512
ARMS: dict[str, tuple[Technique, ...]] = {
    PLAIN: (),
    "dropout 0.2": (Dropout(p=0.2),),
    "dropout 0.5": (Dropout(p=0.5),),
    "affine": AFFINE,
    "affine, dropout 0.2": (Dropout(p=0.2), *AFFINE),
    "turned any way": (Rotation(degrees=180.0),),
}
PAIRS = (("affine", "dropout 0.2"), ("affine", "dropout 0.5"), ("affine, dropout 0.2", "affine"))
EPOCHS = (25, 100)
TRAIN = 1_000
DIGITS_TEST, TEST = 797, 10_000
"""Rows that judge: all that the bundled digits have left, or as many as MNIST's own test set has."""


def tell(figures: Figures) -> Told:
    """Each arm at each length, with what it gains over plain of the same length."""
    head = ("techniques", "epochs", "test error, %", "gain over plain, points", "log loss", "gain over plain")
    rows = [
        (
            arm,
            f"{epochs}",
            shown(own["error"], 2, 100),
            shown(own["over"]["error"], 2, 100, sign=True) if "over" in own else "",
            shown(own["log_loss"], 3),
            shown(own["over"]["log_loss"], 3, sign=True) if "over" in own else "",
        )
        for arm, cells in figures["arms"].items()
        for epochs, own in zip(figures["epochs"], cells, strict=True)
    ]
    how = (
        f"Data: {figures['data']}. Network 2 × {figures['width']} ReLU units without skip connections, AdamW at 0.001 "
        f"without decay, a cosine schedule over the whole length, batches of 100, {figures['seeds']} seeds. *Affine*: "
        f"every image, each time it is seen, is {_moves(figures['affine'])}, by amounts of its own. Nothing is tuned: "
        "dropout has two rates, all else the values of its card. *Turned any way*: rotation alone, by up to 180°. "
        "Gains are plain − technique, positive where the technique is better, paired by test row and seed. Intervals "
        "of 95 % over examples and seeds, for this training set."
    )
    return Told(head, rows, how, reading(figures), _plot(figures))


def _moves(affine: Mapping[str, float]) -> str:
    return (
        f"turned by up to {affine['rotation']:g}°, shifted by up to {affine['shift'] * 100:g} % of its side, made up "
        f"to {affine['zoom'] * 100:g} % larger or smaller, and sheared by up to {affine['shear']:g}°"
    )


def reading(figures: Figures) -> str:
    """Which of the two is better, whether both are, and what wrong knowledge and length do; at the longest training."""
    arms, longest = figures["arms"], figures["epochs"][-1]
    verbs = {1: "beats", 0: "can't be told from", -1: "is worse than"}
    said = "; ".join(
        f"{one['arm']} {verbs[sign_of(one['error'])]} {one['base']} in error (gain "
        f"{shown(one['error'], 2, 100, sign=True)} points) and {verbs[sign_of(one['log_loss'])]} it in log loss "
        f"({shown(one['log_loss'], 3, sign=True)})"
        for one in figures["gains"]
    )
    gains = ", ".join(
        f"{shown(cells[-1]['over']['error'], 2, 100, sign=True)} points with {arm}"
        for arm, cells in arms.items()
        if arm != PLAIN
    )
    short, long = (cell["error"]["mean"] * 100 for cell in (arms["affine"][0], arms["affine"][-1]))
    first, last = (cell["error"]["mean"] * 100 for cell in (arms[PLAIN][0], arms[PLAIN][-1]))
    turned = sign_of(arms["turned any way"][-1]["over"]["error"])
    wrong = {
        1: "even helps",
        0: "makes no difference to the error beyond chance",
        -1: "adds errors",
    }
    return (
        f"After {longest} epochs: {said}. Over plain the error falls by {gains}. From {figures['epochs'][0]} to "
        f"{longest} epochs the error goes from {short:.2f} to {long:.2f} % with affine and from {first:.2f} to "
        f"{last:.2f} % without anything: an augmented network goes on meeting images it has not seen. What may be "
        f"done to an image is knowledge of the data; wrong knowledge, turning it any way, {wrong[turned]} (gain "
        f"{shown(arms['turned any way'][-1]['over']['error'], 2, 100, sign=True)} points). The paper's networks "
        "are convolutional ones on photographs; this is one network without convolutions on one training set."
    )


@claim(
    "augmentation",
    source="Hernández-García & König 2018, arXiv:1806.03852",
    says="data augmentation alone does as well as dropout and weight decay or better, above all with few training rows",
    tell=tell,
)
def augmentation(
    run: Run,
    *,
    lengths: Sequence[int] = EPOCHS,
    width: int = WIDTH,
    train: int = TRAIN,
    test: int | None = None,
) -> Figures:
    """Augmentation against dropout on 1,000 images: each alone, both, and an augmentation that is wrong."""
    data = squared(images(run.data, train, 0, test or (DIGITS_TEST if run.data is None else TEST)))
    cells = {(arm, epochs): recipe_of(arm, epochs, width) for arm in ARMS for epochs in lengths}
    done = trained(run, "augmentation", cells, [data.source], data.test)
    found = {key: scores(outputs(own), data.targets[data.test]) for key, own in done.items()}
    arms = {
        arm: [
            {s: estimate(found[arm, e][s]) for s in SCORES}
            | ({"over": {s: gain(found[PLAIN, e][s], found[arm, e][s]) for s in SCORES}} if arm != PLAIN else {})
            for e in lengths
        ]
        for arm in ARMS
    }
    last = lengths[-1]
    return {
        "data": data.note,
        "width": width,
        "epochs": list(lengths),
        "affine": {t.name: value for t in AFFINE for value in t.to_dict().values()},
        "arms": arms,
        "gains": [
            {"arm": arm, "base": base, **{s: gain(found[base, last][s], found[arm, last][s]) for s in SCORES}}
            for arm, base in PAIRS
        ],
    }


def squared(data: Images) -> Images:
    """The rows as images (n, 1, side, side), which is what may be moved."""
    side = math.isqrt(data.inputs.shape[1])
    if side * side != data.inputs.shape[1]:
        raise DataError(f"the images have {data.inputs.shape[1]} pixels: expected square ones, so cut them to squares")
    return dataclasses.replace(data, inputs=data.inputs.reshape(-1, 1, side, side))


def recipe_of(arm: str, epochs: int, width: int) -> Recipe:
    setting = Setting(
        net="mlp", width=width, depth=2, skip=False, learning_rate=1e-3, schedule="cosine", batch_size=100,
        epochs=epochs,
    )  # fmt: skip
    return Recipe(ARMS[arm], setting)


def _plot(figures: Figures) -> Figure:
    """Test error of each arm at each length, the best at the top."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    lengths, arms = figures["epochs"], figures["arms"]
    names = sorted(arms, key=lambda arm: arms[arm][-1]["error"]["mean"])
    for axis, (score, factor, label) in zip(
        figure.subplots(1, 2, sharey=True),
        (("error", 100.0, "test error, %"), ("log_loss", 1.0, "test log loss")),
        strict=True,
    ):
        for i, (epochs, colour) in enumerate(zip(lengths, reversed(COLOURS[: len(lengths)]), strict=True)):
            mean, low, high = (
                np.array([arms[arm][i][score][key] for arm in names]) * factor for key in ("mean", "low", "high")
            )
            places = np.arange(len(names)) + (len(lengths) - 1 - 2 * i) * 0.12
            axis.errorbar(
                mean, places, xerr=[mean - low, high - mean], fmt="o", markersize=4, capsize=2, color=colour,
                label=f"{epochs} epochs",
            )  # fmt: skip
        axis.set_xlabel(label)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="x", color="0.9")
        axis.set_axisbelow(True)
    figure.axes[0].set_yticks(range(len(names)), names)
    figure.axes[0].invert_yaxis()
    figure.axes[1].legend(frameon=False, fontsize="small")
    return figure
