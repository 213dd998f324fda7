"""Bias and variance against strength as people see them: a table, a figure, a page."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tauten.evidence.bias_variance import Decomposition
from tauten.evidence.jackknife import Spread
from tauten.experiments.page import page

if TYPE_CHECKING:
    from tauten.biasvariance import BiasVariance

COLOURS = {"error": "#1b2530", "bias_and_noise": "#c1440e", "variance": "#1f6f8b", "bias": "#c1440e"}


def table(found: "BiasVariance") -> str:
    """One Markdown table of the first loss, and how to read it; intervals are 95 %."""
    loss, own = next(iter(found.losses.items()))
    first = next((d for d in own if d), None)
    if first is None:
        return f"Every training with {found.strength.name} diverged; lower the learning rate."
    names = _names(loss, first)
    head = [found.strength.name, *(f"{words} (95 %)" for words in names.values())]
    head += ["noise"] if first.noise is not None else []
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for value, parts in zip(found.strength.values, own, strict=True):
        cells = [f"{value:g}"]
        if parts is None:
            cells += ["diverged", *[""] * (len(head) - 2)]
        else:
            cells += [_cell(getattr(parts, key)) for key in names]
            cells += [f"{parts.noise:.4g}"] if parts.noise is not None else []
        lines.append("| " + " | ".join(cells) + " |")
    notes = [f"note: {warning}" for warning in found.warnings]
    return "\n".join([*lines, "", *_reading(found, loss, first), *notes])


def _names(loss: str, first: Decomposition) -> dict[str, str]:
    bias = "bias" if loss == "log loss" else "bias²"
    names = {"error": loss, "bias_and_noise": f"{bias} + noise", "variance": "variance"}
    return names if first.bias is None else {"error": loss, "bias": bias, "variance": "variance"}


def _cell(part: Spread) -> str:
    return f"{part.mean:.4g} ({part.low:.4g} to {part.high:.4g})"


def _reading(found: "BiasVariance", loss: str, first: Decomposition) -> list[str]:
    known = [(v, d) for v, d in zip(found.strength.values, next(iter(found.losses.values())), strict=True) if d]
    best = min(known, key=lambda pair: pair[1].error.mean)[0]
    rows = f"{first.n_models} networks a row, {first.n_rows:,} rows, each network trained on {found.rows_trained:,}"
    how = f"{loss} is the sum of the parts. {rows} ({found.resampling}), for {found.setting.epochs} epochs."
    which = f"Lowest {loss} here: {found.strength.name} {best:g}; the lowest of several is a lucky one, so prove it."
    apart = (
        "Bias and noise can't be told apart from one label for each row; and training sets that share rows differ "
        "less, so some of what independent ones would show as variance stands under bias."
    )
    over = "Intervals are over other resamples and seeds, for these rows."
    return [how, over, apart, which] if first.bias is None else [how, over, which]


def draw(path: Path, found: "BiasVariance") -> None:
    """Write a PNG: for each loss a panel, lines of error and its parts against strength with their intervals."""
    # matplotlib is slow to import, and a figure is all that needs it.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8 * len(found.losses), 3.8), layout="constrained")
    for axes, (loss, own) in zip(
        figure.subplots(1, len(found.losses), squeeze=False)[0], found.losses.items(), strict=True
    ):
        known = [(v, d) for v, d in zip(found.strength.values, own, strict=True) if d]
        x = np.array([v for v, _ in known])
        for key, words in _names(loss, known[0][1]).items() if known else ():
            parts = [getattr(d, key) for _, d in known]
            axes.plot(x, [p.mean for p in parts], color=COLOURS[key], label=words, marker="o", markersize=3)
            axes.fill_between(x, [p.low for p in parts], [p.high for p in parts], color=COLOURS[key], alpha=0.2, lw=0)
        if known and known[0][1].noise is not None:
            axes.axhline(known[0][1].noise, color="0.5", linestyle=":", label="noise")
        if found.strength.spec.log and len(x) and x.min() > 0:
            axes.set_xscale("log")
        axes.set(xlabel=found.strength.name, ylabel=loss)
        axes.spines[["top", "right"]].set_visible(False)
        if known:
            axes.legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=110, metadata={"Software": None})


def html(found: "BiasVariance", picture: Path) -> str:
    """One self-contained page: the table, its reading, the figure."""
    return page(f"Bias and variance against {found.strength.name}", table(found), [picture])
