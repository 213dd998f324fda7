"""Early stopping against L2: the same path where the loss is quadratic, and how far that carries to a network.

On mean squared error with curvature Σ = XᵀX/n, gradient descent from 0 has after τ steps the coefficients
(I − (I − 2·lr·Σ)^τ) Σ⁻¹c, and ridge (Σ + λI)⁻¹c, c = Xᵀy/n: alike where 1/λ = 2·lr·τ, which is the time run.
"""

import numpy as np
import torch
from matplotlib.figure import Figure

from tauten.draws import derive_seed
from tauten.engines.block import Completed
from tauten.experiments.claim import COLOURS, Figures, Run, Told, claim, line, numbered, shown, sign_of
from tauten.experiments.members import (
    SCORES,
    Floats,
    Images,
    estimate,
    gain,
    images,
    outputs,
    over_seeds,
    scores,
    trained,
)
from tauten.member import Source
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.techniques.l2 import L2

STEPS = tuple(2**i for i in range(14))
"""Of the linear model, where it is stopped."""
RATE, ROWS, INPUTS, NOISE = 0.05, 60, 30, 1.0
CONVERGED, FAST = 5_000, 0.9
"""Steps and momentum by which the linear model with a penalty comes to rest: momentum changes the way, not the end."""
EPOCHS, NETWORK_RATE, NETWORK_ROWS, WRONG = tuple(2**i for i in range(10)), 0.1, (400, 500, 897), 0.2
BOUND = 1.69
"""Of the risk of gradient flow to that of ridge at 1/λ = t, proved by Ali, Kolter & Tibshirani 2019."""


def tell(figures: Figures) -> Told:
    """Both models beside each other, and what was seen."""
    linear, network = figures["linear"], figures["network"]
    head = ("", "linear model, risk", "network, test log loss", "network, test error, %")
    rows = [
        ("trained to the end", *_row(linear["end"], network["end"])),
        ("stopped at its best", *_row(linear["stopped"], network["stopped"])),
        ("L2 at its best", *_row(linear["penalized"], network["penalized"])),
        (
            "stopped less L2",
            shown(linear["difference"], 4, sign=True),
            shown(network["difference"]["log_loss"], 4, sign=True),
            shown(network["difference"]["error"], factor=100, sign=True),
        ),
        ("2 · rate · steps of the best stop", f"{linear['best_time']:.3g}", f"{network['best_time']:.3g}", ""),
        ("1/λ of the best L2", f"{linear['best_inverse']:.3g}", f"{network['best_inverse']:.3g}", ""),
        ("largest ratio of both at 1/λ = 2 · rate · steps", f"{linear['ratio']:.3f}", f"{network['ratio']:.3f}", ""),
    ]
    how = (
        f"Linear model: {ROWS} rows of {INPUTS} inputs whose variances fall from 1 to 0.01, true coefficients and "
        f"noise normal, new inputs and noise for each of {figures['seeds']} seeds, full batches, rate {RATE:g}; what "
        "the random start contributes is taken off by a second member with the same seed and targets of 0. Risk: "
        "expected squared error without the noise, at the stop or λ with the lowest mean risk over seeds, chosen by "
        "that same risk; the coefficients agree with the formulas of descent and of ridge to "
        f"{max(linear['off_descent'], linear['off_ridge']):.0e} of their norm. Network: {figures['data']}; a fifth of "
        f"the training labels wrong, 128 ReLU units, plain gradient descent at {NETWORK_RATE:g}, batches of 32, for "
        f"{figures['epochs'][-1]} epochs; epoch and λ chosen by validation log loss. Steps and 1/λ are tried in "
        "factors of 2; the book's α is 2λ. Intervals of 95 %: over data sets for the linear model, over "
        "examples and seeds for the network, for these choices."
    )
    return Told(head, rows, how, reading(figures), _plot(figures))


def reading(figures: Figures) -> str:
    """Whether both are alike on each model, and at the place where theory has them alike."""
    linear, network = figures["linear"], figures["network"]
    own = network["difference"]["log_loss"]
    words = {1: "is worse than L2", 0: "can't be told from L2", -1: "is better than L2"}
    bound = "within" if linear["ratio"] <= BOUND else "beyond"
    helped = {1: "lowers", 0: "doesn't change beyond chance", -1: "raises"}
    return (
        f"On the quadratic, stopping at its best {words[sign_of(linear['difference'])]} at its best (difference "
        f"{shown(linear['difference'], 4, sign=True)} on a risk of {linear['penalized']['mean']:.4f}); at "
        f"1/λ = 2 · rate · steps its risk is at most {linear['ratio']:.2f} times that of L2, {bound} the proved bound "
        f"of {BOUND}, and the best stop lies at {linear['best_time'] / linear['best_inverse']:.2g} times the place "
        f"that the best λ names. On the network stopping {helped[sign_of(network['gain']['log_loss'])]} the log loss "
        f"of training to the end (gain {shown(network['gain']['log_loss'], 4, sign=True)}) and "
        f"{words[sign_of(own)]} (difference {shown(own, 4, sign=True)}); there its best place is "
        f"{network['best_time'] / network['best_inverse']:.2g} times that of the best λ, and at equal places the log "
        f"losses differ by a factor of up to {network['ratio']:.2f}."
    )


@claim(
    "early-stopping",
    source="Bishop 1995, 'Regularization and complexity control in feed-forward networks'; Goodfellow et al. 2016, "
    "section 7.8; Ali, Kolter & Tibshirani 2019, AISTATS, arXiv:1810.10082",
    says="early stopping acts like an L2 penalty of strength 1 / (learning rate × steps)",
    tell=tell,
)
def early_stopping(
    run: Run,
    *,
    steps: tuple[int, ...] = STEPS,
    epochs: tuple[int, ...] = EPOCHS,
    rows: tuple[int, int, int] = NETWORK_ROWS,
) -> Figures:
    """Early stopping acts like L2: exactly how far on a quadratic, and on a network."""
    data = images(run.data, *rows)
    return {
        "data": data.note,
        "steps": list(steps),
        "epochs": list(epochs),
        "linear": _linear(run, steps),
        "network": _network(run, epochs, data),
    }


def _linear(run: Run, steps: tuple[int, ...]) -> Figures:
    variances = np.geomspace(1, 0.01, INPUTS)
    problems = [problem_of(seed, variances) for seed in range(run.seeds)]
    inverses = [2 * RATE * s for s in steps]
    setting = Setting(depth=0, optimizer="sgd", momentum=0.0, learning_rate=RATE, batch_size=ROWS)
    fast = Recipe((), setting).with_setting(momentum=FAST, epochs=CONVERGED).setting
    recipes = {
        (kind, i, labels): Recipe((), Recipe((), setting).with_setting(epochs=s).setting)
        if kind == "stopped"
        else Recipe((L2(strength=1 / inverses[i]),), fast)
        for kind in ("stopped", "penalized")
        for i, s in enumerate(steps)
        for labels in (0, 1)
    }
    sources = [
        Source(
            torch.from_numpy(x).float(), torch.from_numpy(factor * y).float()[:, None], torch.arange(ROWS), "regression"
        )
        for x, y, _ in problems
        for factor in (0, 1)
    ]
    done = trained(
        run, "early-stopping", recipes, sources, torch.arange(1), of=lambda k, seed: 2 * seed + k[2], extract=True
    )
    found: dict[str, Floats] = {}
    off = {}
    for kind in ("stopped", "penalized"):
        ends = [
            [_coefficients(done[kind, i, 1][s]) - _coefficients(done[kind, i, 0][s]) for s in range(run.seeds)]
            for i in range(len(steps))
        ]
        wanted = [
            [formula(kind, problems[s], steps[i], inverses[i]) for s in range(run.seeds)] for i in range(len(steps))
        ]
        w, exact = np.array(ends), np.array(wanted)
        off[kind] = float((np.linalg.norm(w - exact, axis=-1) / np.linalg.norm(exact, axis=-1)).max())
        truth = np.array([beta for _, _, beta in problems])
        found[kind] = ((w - truth) ** 2 * variances).sum(-1)
    best = {kind: int(risk.mean(1).argmin()) for kind, risk in found.items()}
    at_best = {kind: found[kind][best[kind]] for kind in found}
    return {
        "places": inverses,
        "paths": {kind: [over_seeds(r) for r in risk] for kind, risk in found.items()},
        "end": over_seeds(found["stopped"][-1]),
        **{kind: over_seeds(values) for kind, values in at_best.items()},
        "difference": over_seeds(at_best["stopped"] - at_best["penalized"]),
        "best_time": inverses[best["stopped"]],
        "best_inverse": inverses[best["penalized"]],
        "ratio": float((found["stopped"].mean(1) / found["penalized"].mean(1)).max()),
        "off_descent": off["stopped"],
        "off_ridge": off["penalized"],
    }


def problem_of(seed: int, variances: Floats) -> tuple[Floats, Floats, Floats]:
    """Centred inputs (n, d) and targets (n,), so that the bias stays where it starts; and the true coefficients."""
    random = np.random.default_rng(derive_seed("early-stopping data", seed))
    x = random.standard_normal((ROWS, INPUTS)) * np.sqrt(variances)
    beta = np.random.default_rng(0).standard_normal(INPUTS)
    y = x @ beta + NOISE * random.standard_normal(ROWS)
    return x - x.mean(0), y - y.mean(), beta


def formula(kind: str, problem: tuple[Floats, Floats, Floats], steps: int, inverse: float) -> Floats:
    x, y, _ = problem
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    c = vectors.T @ (x.T @ y / len(x))
    filtered = (1 - (1 - 2 * RATE * values) ** steps) / values if kind == "stopped" else 1 / (values + 1 / inverse)
    coefficients: Floats = vectors @ (filtered * c)
    return coefficients


def _coefficients(done: Completed) -> Floats:
    assert done.delivered is not None
    found: Floats = done.delivered.w["out.weight"][:, 0].double().numpy()
    return found


def _network(run: Run, epochs: tuple[int, ...], data: Images) -> Figures:
    setting = Setting(depth=1, width=128, optimizer="sgd", momentum=0.0, learning_rate=NETWORK_RATE, batch_size=32)
    places = [2 * NETWORK_RATE * e * -(-len(data.train) // setting.batch_size) for e in epochs]
    plain = Recipe((), setting)
    recipes = {("stopped", i): plain.with_setting(epochs=e) for i, e in enumerate(epochs)} | {
        ("penalized", i): Recipe((L2(strength=1 / place),), plain.with_setting(epochs=epochs[-1]).setting)
        for i, place in enumerate(places)
    }
    both = torch.cat([data.validation, data.test])
    done = trained(run, "early-stopping", recipes, [data.mislabelled(WRONG)], both)
    n = len(data.validation)
    chosen, tested = {}, {}
    for key, own in done.items():
        out = outputs(own)
        chosen[key] = float(scores(out[:, :n], data.targets[data.validation])["log_loss"].mean())
        tested[key] = scores(out[:, n:], data.targets[data.test])
    kinds, last = ("stopped", "penalized"), len(epochs) - 1
    best = {kind: int(np.argmin([chosen[kind, i] for i in range(len(epochs))])) for kind in kinds}
    stopped, penalized = (tested[kind, best[kind]] for kind in kinds)
    end = tested["stopped", last]
    means = np.array([[tested[kind, i]["log_loss"].mean() for i in range(len(epochs))] for kind in kinds])
    return {
        "places": places,
        "paths": {kind: [estimate(tested[kind, i]["log_loss"]) for i in range(len(epochs))] for kind in kinds},
        "end": {s: estimate(end[s]) for s in SCORES},
        "stopped": {s: estimate(stopped[s]) for s in SCORES},
        "penalized": {s: estimate(penalized[s]) for s in SCORES},
        "difference": {s: gain(stopped[s], penalized[s]) for s in SCORES},
        "gain": {s: gain(end[s], stopped[s]) for s in SCORES},
        "best_time": places[best["stopped"]],
        "best_inverse": places[best["penalized"]],
        "ratio": float(np.maximum(means[0] / means[1], means[1] / means[0]).max()),
    }


def _row(linear: Figures, network: Figures) -> tuple[str, str, str]:
    return shown(linear, 4), shown(network["log_loss"], 4), shown(network["error"], factor=100)


def _plot(figures: Figures) -> Figure:
    figure = Figure(figsize=(9, 4), layout="constrained")
    titles = {"linear": ("linear model", "risk"), "network": ("network, a fifth of the labels wrong", "test log loss")}
    words = {"stopped": "stopped after 2 · rate · steps", "penalized": "L2, 1/λ"}
    for axis, (part, (title, label)) in zip(figure.subplots(1, 2), titles.items(), strict=True):
        for colour, kind in zip(COLOURS, words, strict=False):
            line(axis, figures[part]["places"], figures[part]["paths"][kind], color=colour, label=words[kind])
        axis.set(title=title, ylabel=label, xlabel="2 · rate · steps, or 1/λ", xscale="log", yscale="log")
        numbered(axis, "y")
        axis.legend(frameon=False, fontsize="small")
    return figure
