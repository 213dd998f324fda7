"""The curves of the dropout experiment: training and validation, both arms side by side, the gap shaded."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from tauten.experiments.arms import ARMS

COLOURS = {"train": "#1f6f8b", "validation": "#c1440e"}
SCALES = (("log loss", "log_loss"), ("accuracy, %", "error"))


def draw(path: Path, held: Mapping[int, Sequence[Mapping[str, Any]]], protocol: str, name: str) -> None:
    """Write a PNG: for each number of rows (largest first) loss and accuracy, one column an arm.

    `held` maps the number of training rows to the parts of its seeds; the seeds that were trained longest are drawn.
    Lines are means over seeds, bands ± one standard deviation.
    """
    sizes = sorted((n for n in held if held[n]), reverse=True)
    figure = Figure(figsize=(9, 5.2 * len(sizes)), layout="constrained")
    axes = figure.subplots(2 * len(sizes), len(ARMS), sharex=False, sharey="row", squeeze=False)
    for i, n in enumerate(sizes):
        longest = max(part["epochs"] for part in held[n])
        parts = [part for part in held[n] if part["epochs"] == longest]
        for j, (label, score) in enumerate(SCALES):
            for k, arm in enumerate(ARMS):
                values = {
                    place: np.array([part["curves"][arm][f"{place}_{score}"] for part in parts]) for place in COLOURS
                }
                if score == "error":
                    values = {place: (1 - error) * 100 for place, error in values.items()}
                _panel(axes[2 * i + j, k], values)
                axes[2 * i + j, k].set_title(f"{arm}, {n:,} rows, {len(parts)} seeds" if j == 0 else "")
            axes[2 * i + j, 0].set_ylabel(label)
    axes[0, 0].legend(frameon=False, fontsize="small")
    for axis in axes[-1]:
        axis.set_xlabel("epoch")
    validated = "the test set" if protocol == "usual" else "the last sixth of the training rows"
    figure.suptitle(f"{name}, {protocol} protocol: validation is {validated}")
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _panel(axis: Axes, curves: Mapping[str, NDArray[np.float64]]) -> None:
    """One panel; curves (seeds, epochs) by place."""
    means = {}
    for place, values in curves.items():
        epochs = np.arange(1, values.shape[1] + 1)
        means[place], spread = values.mean(0), values.std(0, ddof=min(1, len(values) - 1))
        axis.plot(epochs, means[place], color=COLOURS[place], label=place, linewidth=1.5)
        axis.fill_between(
            epochs, means[place] - spread, means[place] + spread, color=COLOURS[place], alpha=0.3, linewidth=0
        )
    axis.fill_between(epochs, means["train"], means["validation"], color="0.85", label="gap", linewidth=0, zorder=0)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.spines[["top", "right"]].set_visible(False)
