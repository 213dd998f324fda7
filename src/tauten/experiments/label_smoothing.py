"""Label smoothing: what it does to accuracy, log loss and calibration, with and without the right temperature."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.optimize import minimize_scalar

from tauten.evidence import expected_calibration_error, log_losses
from tauten.experiments.claim import COLOURS, Figures, Run, Told, claim, line, shown, sign_of
from tauten.experiments.members import Floats, images, outputs, over_seeds, trained
from tauten.influence import softmax
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.techniques.label_smoothing import LabelSmoothing

EPSILONS = (0.0, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4)
CASES = {"15 epochs": (15, 0.0), "150 epochs": (150, 0.0), "150 epochs, a fifth of the labels wrong": (150, 0.2)}
"""Epochs, and the share of training labels that are wrong: three ways to be too unsure, about right and too sure."""
DIGITS, MNIST = (400, 500, 897), (1_000, 2_000, 10_000)
"""Rows that train, choose and judge: of the bundled digits, or of a folder as large as MNIST's."""
USUAL = 0.1
MEASURES = {
    "error": ("test error, %", 100.0),
    "log_loss": ("log loss", 1.0),
    "ece": ("ECE, %", 100.0),
    "sureness": ("confidence − accuracy, points", 100.0),
    "ece_scaled": ("ECE with its temperature, %", 100.0),
    "temperature": ("temperature", 1.0),
}
PLOTTED = ("error", "log_loss", "ece", "sureness")


def tell(figures: Figures) -> Told:
    """One row for each case and ε."""
    head = ("case", "ε", *(label for label, _ in MEASURES.values()))
    rows = [
        (
            case,
            f"{epsilon:g}",
            *(shown(own[m], 3 if factor == 1 else 2, factor) for m, (_, factor) in MEASURES.items()),
        )
        for case, cells in figures["cells"].items()
        for epsilon, own in zip(figures["epsilons"], cells, strict=True)
    ]
    how = (
        f"Data: {figures['data']}. Network 2 × 128 ReLU units, Adam at 0.001, batches of 32, {figures['seeds']} seeds. "
        "Test and validation labels are as they come. "
        "ECE: expected calibration error in 15 equal bins of confidence (Guo et al. 2017, arXiv:1706.04599); with few "
        "rows it is above 0 even for a calibrated network. Temperature: the number that logits are divided by, fitted "
        "on the validation rows. Intervals of 95 % over seeds, for these rows."
    )
    return Told(head, rows, how, reading(figures), _plot(figures))


def reading(figures: Figures) -> str:
    """What the usual ε did to error, log loss and ECE in each case, against no smoothing."""
    verbs = {-1: "raises", 0: "makes no difference beyond chance to", 1: "lowers"}
    names = {"error": "the error", "log_loss": "the log loss", "ece": "ECE", "ece_scaled": "ECE"}

    def said(own: Figures, m: str) -> str:
        by = shown(own[m], 4 if m == "log_loss" else 2, MEASURES[m][1], sign=True)
        return f"{verbs[sign_of(own[m])]} {names[m]} ({by})"

    parts = []
    for case, cells in figures["cells"].items():
        own = figures["gains"][case]
        best = int(np.argmin([cell["ece"]["mean"] for cell in cells]))
        lowest, scaled = shown(cells[best]["ece"], 2, 100), shown(cells[0]["ece_scaled"], 2, 100)
        plain, usual = cells[0]["sureness"]["mean"] * 100, cells[figures["usual"]]["sureness"]["mean"] * 100
        parts.append(
            f"{case}: ε = {figures['epsilons'][figures['usual']]:g} "
            f"{', '.join(said(own, m) for m in ('error', 'log_loss', 'ece'))}; confidence less accuracy goes from "
            f"{plain:+.2f} to {usual:+.2f} points, ECE is lowest at ε = {figures['epsilons'][best]:g} ({lowest} %, "
            f"where a temperature alone leaves {scaled} %), and with each network's own temperature smoothing "
            f"{said(own, 'ece_scaled')}"
        )
    return (
        f"Against no smoothing (gains, positive where lower): {'. '.join(parts)}. The paper's networks are larger and, "
        "unsmoothed, surer than they have a right to be; a network whose confidence less accuracy is 0 or below has "
        "nothing that smoothing could mend."
    )


@claim(
    "label-smoothing",
    source="Müller, Kornblith & Hinton 2019, NeurIPS, arXiv:1906.02629, section 3",
    says="label smoothing calibrates a network about as well as temperature scaling does",
    tell=tell,
)
def label_smoothing(
    run: Run,
    *,
    epsilons: Sequence[float] = EPSILONS,
    cases: Mapping[str, tuple[int, float]] = CASES,
    rows: tuple[int, int, int] | None = None,
) -> Figures:
    """Label smoothing and calibration: accuracy, log loss and calibration error against ε."""
    data = images(run.data, *(rows or (DIGITS if run.data is None else MNIST)))
    recipes = {
        (case, epsilon): Recipe(
            (LabelSmoothing(epsilon=epsilon),) if epsilon else (),
            Setting(width=128, depth=2, skip=False, optimizer="adam", batch_size=32, epochs=epochs),
        )
        for case, (epochs, _) in cases.items()
        for epsilon in epsilons
    }
    both = torch.cat([data.validation, data.test])
    sources = [data.mislabelled(share) for _, share in cases.values()]
    places = {case: i for i, case in enumerate(cases)}
    done = trained(run, "label-smoothing", recipes, sources, both, of=lambda key, seed: places[key[0]])
    n, labels = len(data.validation), data.labels[both.numpy()]
    each = {key: [measured(out.double().numpy(), labels, n) for out in outputs(own)] for key, own in done.items()}
    values = {key: {m: np.array([one[m] for one in own]) for m in MEASURES} for key, own in each.items()}
    usual = min(range(len(epsilons)), key=lambda i: abs(epsilons[i] - USUAL))
    return {
        "data": data.note,
        "epsilons": list(epsilons),
        "usual": usual,
        "cells": {case: [{m: over_seeds(values[case, e][m]) for m in MEASURES} for e in epsilons] for case in cases},
        "gains": {
            case: {m: over_seeds(values[case, epsilons[0]][m] - values[case, epsilons[usual]][m]) for m in MEASURES}
            for case in cases
        },
    }


def measured(out: Floats, labels: np.ndarray, n: int) -> dict[str, float]:
    """Measures of one network's logits (n + test, K), of which the first n set the temperature."""
    temperature = temperature_of(out[:n], labels[:n])
    p, scaled, y = softmax(out[n:]), softmax(out[n:] / temperature), labels[n:]
    wrong = p.argmax(-1) != y
    return {
        "error": float(wrong.mean()),
        "log_loss": float(log_losses(p, y).mean()),
        "ece": expected_calibration_error(p, y),
        "sureness": float(p.max(-1).mean() - (1 - wrong.mean())),
        "ece_scaled": expected_calibration_error(scaled, y),
        "temperature": temperature,
    }


def temperature_of(out: Floats, labels: np.ndarray) -> float:
    """What logits (n, K) are divided by for the lowest log loss, between 1/20 and 20."""
    found = minimize_scalar(
        lambda log_t: float(log_losses(softmax(out / np.exp(log_t)), labels).mean()),
        bounds=(-np.log(20), np.log(20)),
        method="bounded",
    )
    return float(np.exp(found.x))


def _plot(figures: Figures) -> Figure:
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    x = np.arange(len(figures["epsilons"]))
    for axis, m in zip(figure.subplots(2, 2).ravel(), PLOTTED, strict=True):
        label, factor = MEASURES[m]
        for colour, (case, cells) in zip(COLOURS, figures["cells"].items(), strict=False):
            line(axis, x, [cell[m] for cell in cells], factor, color=colour, label=case)
            if m == "ece":
                scaled = [cell["ece_scaled"] for cell in cells]
                line(axis, x, scaled, factor, color=colour, linestyle=":")
        if m == "sureness":
            axis.axhline(0, color="0.6", linewidth=0.8)
        axis.set(xlabel="ε", ylabel=label)
        axis.set_xticks(x, [f"{e:g}" for e in figures["epsilons"]])
    figure.axes[0].legend(frameon=False, fontsize="small", loc=(0.02, 0.4))
    figure.axes[2].text(
        0.03, 0.93, "dotted: with its temperature", transform=figure.axes[2].transAxes, fontsize="small"
    )
    return figure
