"""What regularization does to bias and to variance: dropout and weight decay against their strength.

`tauten.bias_variance` does the work: on a known truth with labels drawn anew, where bias, variance and noise are
told apart, and on real images with halves of the rows, where noise stands under bias.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from tauten.biasvariance import BiasVariance, bias_variance
from tauten.experiments.claim import COLOURS, Figures, Run, Told, claim, line, shown
from tauten.experiments.members import images

Floats = npt.NDArray[np.float64]
STRENGTHS = {
    "dropout": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "weight_decay": (0.0, 0.03, 0.1, 0.3, 1.0, 2.0, 4.0, 7.0, 10.0),
}
TRUTH, IMAGES = "a known truth", "images"
SETTINGS = {
    TRUTH: {"epochs": 500, "width": 128, "depth": 2, "batch_size": 32, "learning_rate": 3e-3},
    IMAGES: {"epochs": 50, "width": 128, "depth": 2, "batch_size": 32, "learning_rate": 3e-3},
}
ROWS, JUDGED, NOISE, PICTURES = 60, 300, 0.5, 1_797
PARTS = ("error", "bias", "variance")
DRAWS = 4
"""Draws of the labels for each seed: a known truth is cheap, and little data varies much."""


def tell(figures: Figures) -> Told:
    """Plain, the strength with the lowest error and the strongest, of each technique on each problem."""
    head = ("problem", "technique", "strength", "error", "bias (images: and noise)", "variance")
    rows = []
    for found in figures["decompositions"]:
        for place, word in _places(found).items():
            parts = found["strengths"][place]
            rows.append(
                (
                    found["problem"],
                    found["technique"],
                    f"{parts['value']:g}{word}",
                    *(shown(parts[part], 4) for part in PARTS),
                )
            )
    how = (
        f"Known truth: {figures['rows']} inputs of 4 numbers, y = sin(2 x₁) + x₂ x₃ + noise of {figures['noise']:g}; "
        f"{DRAWS * figures['seeds']} draws of the labels, {JUDGED} other inputs judged, squared error, of which the "
        f"noise is {figures['noise'] ** 2:g}. Images, {figures['pictures']:,} of {figures['data']}: {figures['seeds']} "
        "partitions into halves, each half predicts the other, log loss. Networks 2 × 128 units, AdamW at 0.003; start "
        "and batch order are part of the variance. Parts sum to the error. Intervals of 95 % over draws or partitions, "
        "for these inputs; each for itself."
    )
    return Told(head, rows, how, reading(figures), _plot(figures))


def _places(found: Figures) -> dict[int, str]:
    """Which strengths the table holds, and what is said of them."""
    lowest, last = _lowest(found), len(found["strengths"]) - 1
    words = {0: " (off)", lowest: " (lowest error)", last: ""}
    if lowest == 0:
        words[0] = " (off, lowest error)"
    return dict(sorted(words.items()))


def _lowest(found: Figures) -> int:
    return int(np.argmin([parts["error"]["mean"] for parts in found["strengths"]]))


def reading(figures: Figures) -> str:
    """What the strongest and the best did to both parts, for each technique on each problem."""
    clauses = "; ".join(_clause(found) for found in figures["decompositions"])
    return (
        f"{clauses[0].upper()}{clauses[1:]}. Two strengths are told apart only where their intervals don't meet, which "
        "is stricter than a paired test; the lowest error of several is a lucky one; and on real data variance is "
        "understated, because halves share rows, and noise can't be told from bias."
    )


def _clause(found: Figures) -> str:
    off, last = found["strengths"][0], found["strengths"][-1]
    best = found["strengths"][_lowest(found)]
    inside = 0 < _lowest(found) < len(found["strengths"]) - 1
    error = {-1: "lower than", 0: "not apart from", 1: "higher than"}[_apart(off["error"], best["error"])]
    ways = [
        f"{part} {_way(off[part], last[part])} ({off[part]['mean']:.3f} to {last[part]['mean']:.3f})"
        for part in ("variance", "bias")
    ]
    where = "in between" if inside else "at an end"
    at_best = ", ".join(f"{part} {_way(off[part], best[part])} (to {best[part]['mean']:.3f})" for part in PARTS[1:])
    return (
        f"on {found['problem']}, from no {found['technique']} to {last['value']:g}, {' and '.join(ways)}"
        f"{_between(found)}; the error is lowest {where}, at {best['value']:g}, {error} without "
        f"({off['error']['mean']:.3f} to {best['error']['mean']:.3f}), and there {at_best}"
    )


def _between(found: Figures) -> str:
    """That variance does not go one way, where it is higher in between than at both ends."""
    strengths = found["strengths"]
    top = max(strengths, key=lambda parts: float(parts["variance"]["mean"]))
    higher = all(_apart(end["variance"], top["variance"]) > 0 for end in (strengths[0], strengths[-1]))
    return f", though variance rises to {top['variance']['mean']:.3f} on the way, at {top['value']:g}" if higher else ""


def _apart(first: Mapping[str, float], second: Mapping[str, float]) -> int:
    """1 where the second is higher with its whole interval, −1 where it is lower."""
    return int(second["low"] > first["high"]) - int(second["high"] < first["low"])


def _way(first: Mapping[str, float], second: Mapping[str, float]) -> str:
    return {1: "rises", 0: "doesn't change beyond its intervals", -1: "falls"}[_apart(first, second)]


@claim(
    "bias-variance",
    source="Geman, Bienenstock & Doursat 1992, Neural Computation 4:1-58; Heskes 1998, Neural Computation 10:1425-1433",
    says="regularization lowers variance at the price of bias, and the error is lowest where they balance",
    tell=tell,
)
def bias_and_variance(
    run: Run, *, strengths: Mapping[str, Sequence[float]] = STRENGTHS, epochs: Mapping[str, int] | None = None
) -> Figures:
    """Bias and variance against the strength of dropout and of weight decay, on a known truth and on images."""
    data = images(run.data, PICTURES, 0, 0)
    random = np.random.default_rng(0)
    x, test = random.uniform(-1.5, 1.5, (ROWS, 4)), random.uniform(-1.5, 1.5, (JUDGED, 4))
    pictures, codes = (part[data.train.numpy()] for part in (data.inputs.numpy(), data.labels))
    found = []
    for technique, values in strengths.items():
        for name, setting in SETTINGS.items():
            run.progress(f"bias-variance: {technique} on {name}")
            setting = setting if epochs is None else {**setting, "epochs": epochs[name]}
            own: dict[str, Any] = {"technique": technique, "values": values, "setting": setting, "threads": run.threads}
            if name == TRUTH:
                known: dict[str, Any] = {
                    "truth": expected,
                    "noise": NOISE,
                    "test": test,
                    "replicates": DRAWS * run.seeds,
                }
                measured = bias_variance(x, **known, **own)
            else:
                measured = bias_variance(pictures, codes, replicates=run.seeds, **own)
            found.append(_figures(name, technique.replace("_", " "), measured))
    return {
        "data": data.note.split(";")[0],
        "pictures": PICTURES,
        "rows": ROWS,
        "noise": NOISE,
        "decompositions": found,
    }


def expected(x: Floats) -> Floats:
    """E[y | x] (n,) for x (n, 4)."""
    y: Floats = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2]
    return y


def _figures(name: str, technique: str, measured: BiasVariance) -> Figures:
    loss, parts = next(iter(measured.losses.items()))
    strengths = []
    for value, own in zip(measured.strength.values, parts, strict=True):
        if own is not None:
            held = {"error": own.error, "bias": own.bias or own.bias_and_noise, "variance": own.variance}
            ends = {k: {"mean": v.mean, "low": v.low, "high": v.high} for k, v in held.items()}
            strengths.append({"value": value, **ends})
    return {"problem": name, "technique": technique, "loss": loss, "strengths": strengths}


def _plot(figures: Figures) -> Figure:
    found = figures["decompositions"]
    figure = Figure(figsize=(9, 3.4 * ((len(found) + 1) // 2)), layout="constrained")
    for axis, own in zip(figure.subplots((len(found) + 1) // 2, 2, squeeze=False).flat, found, strict=False):
        # Places of equal distance: strengths by factors and their 0 share no scale.
        x = range(len(own["strengths"]))
        for colour, part in zip(COLOURS, PARTS, strict=False):
            label = "bias + noise" if part == "bias" and own["problem"] == IMAGES else part
            line(axis, x, [parts[part] for parts in own["strengths"]], color=colour, label=label)
        axis.set(
            title=f"{own['technique']} on {own['problem']}",
            xlabel=f"strength of {own['technique']}",
            ylabel=own["loss"],
            ylim=(0, None),
        )
        axis.set_xticks(x, [f"{parts['value']:g}" for parts in own["strengths"]])
        axis.legend(frameon=False, fontsize="small")
    return figure
