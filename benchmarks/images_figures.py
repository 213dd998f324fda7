"""What docs/results.md says and shows of `images`: accuracies with intervals, the recipes, and which targets hold."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import record
from images import CONTENDERS, DATA
from images_data import SEED
from matplotlib import rc_context
from matplotlib.figure import Figure

TITLES = {"mnist": "MNIST, {:,}", "fashion": "Fashion-MNIST, {:,}", "full": "Fashion-MNIST, all {:,}"}
NAMES = {"chosen": "Tauten, chosen", "plain": "plain, tuned by the same search"}
TARGETS = {"mnist": 0.975, "fashion": 0.885, "full": 0.94}
"""Accuracy wanted of what the search chose."""
HEAD = """## Images

    python benchmarks/images.py run --images DIR
    python benchmarks/datasets.py table

Few training images, a stratified draw (seed {seed}) out of the published training part, and the published 10,000 test
images, which no search and no choice sees. Everyone has the built-in convnet ({net}). *Tauten* searches on all
cores, its sealed holdout among the training images; *Optuna* (TPE and its MedianPruner, one process
per core) has as long for the same techniques and settings, as far as a lean PyTorch loop has them ({lean}), and all
training images for its folds. *By hand* is batch norm, dropout 0.5 before the last layer, label smoothing 0.1, flips
for clothes (a mirrored digit is another sign), AdamW at 0.001 with a cosine schedule over 100 epochs (20 of all
images); nothing was tuned. Every recipe is then trained by Tauten on all training images, the same seeds for all:
accuracy on the test images, mean and 95 % interval over test images and seeds.
"""
PICTURE = """![Accuracy on the test images, a row for each contender](figures/images.svg)
"""
VIEWS = """### What a recipe does to images

What the network sees in eight steps of training, beside the image as it is; mixed classes are named with their
shares. A recipe that a search wrote, `runs/NAME/recipe.toml`, is looked at in the same way:

    tauten preview DIR/mnist --recipe examples/recipes/affine.toml --rows 5 --views 8 --out preview-affine.png

![Digits turned, moved, scaled and sheared](figures/preview-affine.png)

    tauten preview DIR/fashion_mnist --recipe examples/recipes/clothes.toml --rows 5 --views 8 --out preview-clothes.png

![Clothes flipped, moved, scaled and mixed](figures/preview-clothes.png)
"""
COLOURS = {"chosen": "#1f6f8b"}


def section(into: str = "images") -> str:
    """The section of docs/results.md; empty where nothing has been measured."""
    found = list(record.load(into).values())
    if not found:
        return ""
    ordered = _ordered(found)
    words = [_head(ordered), PICTURE, *_table(ordered), "", *_recipes(ordered), "", *_targets(ordered)]
    return "\n".join([*words, "", record.sentence(ordered) + ".", "", VIEWS])


def draw(path: Path, into: str = "images") -> None:
    """The picture of the section: each data set's accuracies with intervals, and the target as a line.

    The same figures give the same file.
    """
    found = _ordered(list(record.load(into).values()))
    sets = [name for name in DATA if any(part["data"] == name for part in found)]
    with rc_context({"svg.hashsalt": "images"}):
        figure = Figure(figsize=(9, 2.4), layout="constrained")
        for axis, name in zip(figure.subplots(1, len(sets), squeeze=False)[0], sets, strict=True):
            own = [part for part in found if part["data"] == name]
            arms = {arm: values for part in own for arm, values in part["arms"].items()}
            for place, (arm, values) in enumerate(arms.items()):
                mean, low, high = (100 * values[key] for key in ("mean", "low", "high"))
                colour = COLOURS.get(arm, "#555555")
                axis.errorbar(mean, place, xerr=[[mean - low], [high - mean]], fmt="o", capsize=3, color=colour)
            axis.axvline(100 * TARGETS[name], color="#c1440e", linewidth=1, linestyle=":")
            axis.set(title=f"{TITLES[name].format(own[0]['rows'][0])}; dotted: target", xlabel="test accuracy, %")
            axis.set_yticks(range(len(arms)), [NAMES.get(arm, arm).partition(", tuned")[0] for arm in arms])
            axis.set_ylim(len(arms) - 0.5, -0.5)
            axis.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, metadata={"Date": None})


def _ordered(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(found, key=lambda p: (DATA.index(p["data"]), CONTENDERS.index(p["contender"])))


def _head(found: Sequence[Mapping[str, Any]]) -> str:
    from images_contenders import TECHNIQUES

    nets = {(own["setting"]["width"], own["setting"]["depth"]) for p in found for own in p["recipes"].values()}
    net = " and ".join(f"width {w}, depth {d}" for w, d in sorted(nets))
    return HEAD.format(seed=SEED, net=net, lean=", ".join(name.replace("_", " ") for name in TECHNIQUES))


def _table(found: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["| data | contender | test accuracy, % | seeds | search, s | recipes tried |", "|---" * 6 + "|"]
    for part in found:
        for name, own in part["arms"].items():
            told = part.get("trials") or _tried(part)
            searched = name in ("chosen", "Optuna")
            cells = [TITLES[part["data"]].format(part["rows"][0]), NAMES.get(name, name), _percent(own)]
            cells += [str(len(own["seeds"])), *((f"{part['seconds']:.0f}", str(told)) if searched else ("", ""))]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def _tried(part: Mapping[str, Any]) -> str:
    return f"{part['finished'] + part['pruned']}, {part['pruned']} pruned" if "pruned" in part else ""


def _recipes(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each search chose, and what the verdict of Tauten's was."""
    lines = []
    for part in found:
        for name in ("chosen", "Optuna"):
            if own := part["recipes"].get(name):
                setting = own["setting"]
                inside = "; ".join(ingredient(*item) for item in own["techniques"].items()) or "no technique"
                lines.append(
                    f"- {TITLES[part['data']].format(part['rows'][0])}, {NAMES.get(name, name)}: {inside}; learning "
                    f"rate {setting['learning_rate']:.2g}, {setting['schedule']}, {own['epochs']} epochs of batches of "
                    f"{setting['batch_size']}." + (_verdict(part) if "verdict" in part else "")
                )
    return lines


def _verdict(part: Mapping[str, Any]) -> str:
    """What a search of Tauten's concluded, and how it shared out its time."""
    race, total = (f"{part['phases'][key]:.0f}" for key in ("race", "total"))
    sought = part["metric"].replace("_", " ")
    return (
        f" Searched for {sought}, verdict: {part['verdict']}. Of {total} s the race had {race}; the proof has the most."
    )


def ingredient(name: str, values: Mapping[str, Any]) -> str:
    """A technique with its numbers, in words."""
    numbers = ", ".join(f"{v:.2g}" for v in values.values() if isinstance(v, float | int))
    return f"{name.replace('_', ' ')} {numbers}".strip()


def _targets(found: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["The targets:", ""]
    for part in found:
        if part["contender"] == "tauten":
            own, wanted, gain = part["arms"]["chosen"], TARGETS[part["data"]], part["gain"]
            answer = "met" if own["mean"] >= wanted else "missed"
            lines.append(
                f"- {TITLES[part['data']].format(part['rows'][0])}: at least {100 * wanted:.1f} %: **{answer}**, "
                f"{_percent(own)}; chosen over plain {_percent(gain, '+')} points."
            )
    missing = [
        f"{d}_{c}" for d in DATA for c in CONTENDERS if not any((p["data"], p["contender"]) == (d, c) for p in found)
    ]
    return [*lines, *(["", f"Not run yet: {', '.join(missing)}."] if missing else [])]


def _percent(own: Mapping[str, float], sign: str = "") -> str:
    mean, low, high = (f"{100 * own[key]:{sign}.2f}" for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"
