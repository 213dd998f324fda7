"""Input noise and other training rows: does a regularized network change less? Every technique at its card's value."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tauten.draws import derive_seed
from tauten.evidence.jackknife import pairs
from tauten.evidence.traits import disagreements, distances
from tauten.experiments.claim import COLOURS, Figures, Run, Told, claim, shown, sign_of
from tauten.experiments.members import Floats, images, outputs, over_seeds, trained
from tauten.influence import softmax
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import Technique
from tauten.techniques.batch_norm import BatchNorm
from tauten.techniques.clip_norm import ClipNorm
from tauten.techniques.dropout import Dropout
from tauten.techniques.ema import EMA
from tauten.techniques.input_noise import InputNoise
from tauten.techniques.l1 import L1
from tauten.techniques.l2 import L2
from tauten.techniques.label_smoothing import LabelSmoothing
from tauten.techniques.max_norm import MaxNorm
from tauten.techniques.mixup import Mixup
from tauten.techniques.sam import SAM
from tauten.techniques.weight_decay import WeightDecay

PLAIN = "plain"
KINDS: tuple[type[Technique], ...] = (
    BatchNorm, ClipNorm, Dropout, EMA, InputNoise, L1, L2, LabelSmoothing, MaxNorm, Mixup, SAM, WeightDecay,
)  # fmt: skip
NOISE = 0.3
"""Standard deviation of what is added to every pixel; black to white is 1."""
EPOCHS, ROWS = 60, (800, 0, 897)
MEASURES = {
    "error": "test error",
    "noisy_error": "error added by noise",
    "noise_disagreement": "share of labels changed by noise",
    "noise_distance": "distance moved by noise",
    "resample_disagreement": "share of labels changed by other rows",
    "resample_distance": "distance moved by other rows",
}


def tell(figures: Figures) -> Told:
    """One row for each technique: each measure of the change, and what of it the technique took away."""
    head = ("technique", *(f"{label}, %" for label in MEASURES.values()))
    rows = [
        (name, *(_cell(own[m], figures["gains"].get(name, {}).get(m)) for m in MEASURES))
        for name, own in figures["techniques"].items()
    ]
    how = (
        f"Data: {figures['data']}. Network 2 × 128 ReLU units, Adam at 0.003 on a cosine, batches of 32, "
        f"{figures['epochs']} epochs; each technique alone at its card's value. {figures['seeds']} replicates: each "
        "trains on a random half of the training rows with its own seed, the same for every technique. Noise: normal, "
        f"standard deviation {figures['noise']:g} of black to white, the same for every technique. Distance: total "
        "variation between the class probabilities before and after. *Other rows*: mean over pairs of replicates. "
        "Intervals of 95 % over replicates (of pairs by the jackknife); ↓ and ↑ mark what is lower or higher than "
        "plain's beyond chance, paired by replicate, each for itself."
    )
    return Told(head, rows, how, reading(figures), _plot(figures))


def reading(figures: Figures) -> str:
    """Which techniques change less than plain, and which more."""
    gains, count = figures["gains"], len(figures["gains"])

    def names(m: str, sign: int) -> str:
        found = [name for name, own in gains.items() if sign_of(own[m]) == sign]
        return f"{len(found)} ({', '.join(found)})" if found else "none"

    said = "; ".join(
        f"{MEASURES[m]} ({figures['techniques'][PLAIN][m]['mean'] * 100:.1f} % plain) is lower with {names(m, 1)} and "
        f"higher with {names(m, -1)}"
        for m in MEASURES
        if m != "error"
    )
    calm = [n for n, own in gains.items() if all(sign_of(own[m]) == 1 for m in MEASURES if m.startswith(("n", "r")))]
    every = f"Lower than plain in every one of these: {', '.join(calm)}." if calm else "None is lower in all of these."
    return (
        f"Of {count} techniques, each alone: the {said}. {every} How far probabilities move also depends on how sure a "
        f"network is of itself; how many labels change does not. Of {count * (len(MEASURES) - 1)} comparisons at 95 % "
        "about one in twenty is chance."
    )


@claim(
    "robustness",
    source="Bishop 1995, Neural Computation 7:108-116 (noise); Bousquet & Elisseeff 2002, JMLR 2:499-526 (stability)",
    says="a regularized network changes less under noise in its input and from one training set to another",
    tell=tell,
)
def robustness(
    run: Run,
    *,
    kinds: Sequence[type[Technique]] = KINDS,
    noise: float = NOISE,
    epochs: int = EPOCHS,
    rows: tuple[int, int, int] = ROWS,
) -> Figures:
    """Noise and resamples: how much less each technique alone lets a network change."""
    data = images(run.data, *rows)
    setting = Setting(
        width=128, depth=2, skip=False, optimizer="adam", learning_rate=3e-3, schedule="cosine", batch_size=32,
        epochs=epochs,
    )  # fmt: skip
    recipes = {PLAIN: Recipe((), setting)} | {kind.name: Recipe((kind(),), setting) for kind in kinds}
    n, test = len(data.inputs), data.test
    random = np.random.default_rng(3)
    shaken = data.inputs[test] + noise * torch.from_numpy(random.standard_normal((len(test), data.inputs.shape[1])))
    inputs = torch.cat([data.inputs, shaken.float()])
    whole = dataclasses.replace(data, inputs=inputs, targets=torch.cat([data.targets, data.targets[test]])).source
    sources = [dataclasses.replace(whole, train=half(data.train, seed)) for seed in range(run.seeds)]
    both = torch.cat([test, torch.arange(n, n + len(test))])
    done = trained(run, "robustness", recipes, sources, both, of=lambda _, seed: seed)
    values = {name: measured(outputs(own).double().numpy(), data.labels[test.numpy()]) for name, own in done.items()}
    return {
        "data": data.note,
        "noise": noise,
        "epochs": epochs,
        "techniques": {name: {m: over_seeds(own[m]) for m in MEASURES} for name, own in values.items()},
        "gains": {
            name: {m: over_seeds(values[PLAIN][m] - own[m]) for m in MEASURES}
            for name, own in values.items()
            if name != PLAIN
        },
    }


def half(train: torch.Tensor, replicate: int) -> torch.Tensor:
    """Half of the rows, without replacement: copied rows would change what regularization does."""
    random = np.random.default_rng(derive_seed("robustness rows", replicate))
    return train[torch.from_numpy(np.sort(random.permutation(len(train))[: len(train) // 2]))]


def measured(out: Floats, labels: NDArray[np.int64]) -> dict[str, Floats]:
    """From logits (replicates, clean rows then noisy ones, K), one number a replicate for each measure."""
    clean, noisy = np.split(softmax(out), 2, axis=1)
    codes, shaken = clean.argmax(-1), noisy.argmax(-1)
    error = (codes != labels).mean(-1)
    return {
        "error": error,
        "noisy_error": (shaken != labels).mean(-1) - error,
        "noise_disagreement": (codes != shaken).mean(-1),
        "noise_distance": np.array([distances([a, b])[0, 1] for a, b in zip(clean, noisy, strict=True)]),
        "resample_disagreement": pairs(disagreements(codes)),
        "resample_distance": pairs(distances(clean)),
    }


def _cell(own: Mapping[str, float], better: Mapping[str, float] | None) -> str:
    marks = {1: " ↓", 0: "", -1: " ↑"}
    return shown(own, 1, 100) + (marks[sign_of(better)] if better else "")


def _plot(figures: Figures) -> Figure:
    """Gains over plain with their intervals, one panel a measure."""
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    shared = [m for m in MEASURES if m not in ("error", "noisy_error")]
    names = list(figures["gains"])
    axes = figure.subplots(1, len(shared), sharey=True)
    for axis, m in zip(axes, shared, strict=True):
        for i, own in enumerate(figures["gains"].values()):
            mean, low, high = (own[m][key] * 100 for key in ("mean", "low", "high"))
            colour = {1: COLOURS[2], 0: "0.5", -1: COLOURS[1]}[sign_of(own[m])]
            axis.errorbar(mean, i, xerr=[[mean - low], [high - mean]], marker="o", color=colour, capsize=2)
        axis.axvline(0, color="0.6", linewidth=0.8)
        axis.set_title(MEASURES[m], fontsize="small")
        axis.set_xlabel("← more   than plain, points   less →", fontsize="small")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    return figure
