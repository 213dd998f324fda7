"""What regularization did to the networks beside their score: traits of plain's and of the chosen recipe's.

Calibration, stability, robustness, spread of weights, co-adaptation, sparsity, by the formulas of `tauten.evidence`.
All but the stability over resamples are measured on networks trained on all development rows with unlike seeds, on
holdout rows after the opening; nothing is chosen by them. A row counts in them as much as it does in scores.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tauten.draws import derive_seed
from tauten.evidence.calibration import brier_scores, expected_calibration_error, log_losses
from tauten.evidence.jackknife import pairs, spread
from tauten.evidence.traits import co_adaptation, disagreements, distances, gini, participation, zeros
from tauten.evidence.weighted import row_mean, row_shares
from tauten.finals import Scores
from tauten.heldout import Held, Models
from tauten.metrics import Metric
from tauten.model import Model
from tauten.nets.base import Pass
from tauten.technique import Technique
from tauten.tensors import one_thread

Floats = npt.NDArray[np.float64]
Found = dict[str, Floats]
"""Pseudo-values of each trait, one for each seed or replicate."""
NOISE = 0.1
"""Standard deviation of what is added to every number that the network reads; they are standardized."""
ROWS, UNITS = 2_000, 256
"""Holdout rows that are looked at, at most; and units of a layer of which correlations are taken."""
PREDICTION, PROBABILITY = "predicted", "probability"
ARMS = ("plain", "chosen")
NAMES = (
    "log_loss", "brier", "calibration_error", "seed_disagreement", "seed_distance", "resample_disagreement",
    "resample_distance", "noise_loss", "noise_disagreement", "noise_distance", "weight_gini", "weight_participation",
    "weight_zeros", "co_adaptation",
)  # fmt: skip
LABELS = 24
"""Labels of a set of which a float32 can hold every combination."""


def traits(models: Models, held: Held, main: Metric, finals: Mapping[str, Scores], seed: int) -> Any:
    """Every trait of the arms plain and chosen with its change, ready for JSON.

    `finals` holds the scores of finals B by arm, with what `predictions` recorded; it is empty where all replicates
    have one split, and so are no resamples. A trait that can't be told is null, such as one of a network
    that diverged.
    """
    part = _part(held)
    with one_thread():
        own = {arm: _of_networks(models[arm], part, main, seed) | _of_resamples(finals.get(arm)) for arm in ARMS}
    measured = {name: [own[arm].get(name) for arm in ARMS] for name in NAMES if any(name in own[arm] for arm in ARMS)}
    return {
        "rows": len(part.inputs),
        "seeds": len(models["plain"]),
        "noise": NOISE,
        "measured": {name: _before_and_after(*both) for name, both in measured.items()},
    }


class Prediction(Metric):
    """A row's prediction in the place of a score, so that finals record it with the scores."""

    def contributions(
        self,
        out: Tensor | npt.NDArray[np.floating],
        targets: Tensor | npt.NDArray[np.floating],
        scale: float | Floats = 1.0,
        weights: npt.NDArray[np.floating] | None = None,
    ) -> Floats:
        """One number a row (R,), whatever the row weighs."""
        return super().contributions(out, targets, scale)


def predictions(task: str) -> tuple[Metric, ...]:
    """What finals B record for the stability over resamples.

    The predicted class, or set of labels, and the probability of the right one; or the number, as a residual, whose
    differences between networks are the numbers' own.
    """
    if task == "regression":
        return (Prediction(PREDICTION, (task,), lambda out, y, w: (out - y).mean(-1)),)
    return (
        Prediction(PREDICTION, (task,), lambda out, y, w: _codes(out, task)),
        Prediction(PROBABILITY, (task,), lambda out, y, w: _of_the_right(out, y, task)),
    )


def _part(held: Held) -> Held:
    """At most `ROWS` of the rows, always the same."""
    n = len(held.inputs)
    if n <= ROWS:
        return held
    rows = torch.from_numpy(np.sort(np.random.default_rng(n).permutation(n)[:ROWS]))
    own = {name: x[rows] for name, x in held.encodings.items()}
    weights = None if held.weights is None else held.weights[rows.numpy()]
    return dataclasses.replace(
        held, inputs=held.inputs[rows], targets=held.targets[rows], weights=weights, encodings=own
    )


def _before_and_after(plain: Floats | None, chosen: Floats | None) -> dict[str, Any]:
    """Means of both arms and of the paired change, with 95 % intervals over seeds or replicates."""

    def shown(values: Floats | None) -> Any:
        return None if values is None or not np.isfinite(values).all() else spread(values).to_json()

    change = None if plain is None or chosen is None else chosen - plain
    return {"plain": shown(plain), "chosen": shown(chosen), "change": shown(change)}


def _of_networks(models: Sequence[Model], held: Held, main: Metric, seed: int) -> Found:
    """Traits of networks that differ by seed; nothing where one diverged."""
    hidden: list[list[list[Tensor]]] = [[] for _ in models]
    inputs = held.seen(models[0].recipe.setting)
    clean = [m.forward(inputs, partial(_Watched, seen)) for m, seen in zip(models, hidden, strict=True)]
    # What noise on ids of words would tell is nothing about texts.
    noisy = [] if held.layout else [m.forward(_noisy(inputs, seed, s)) for s, m in enumerate(models)]
    if not all(bool(torch.isfinite(out).all()) for out in (*clean, *noisy)):
        return {}
    values = np.stack([_values(out, held) for out in clean])
    found = {"seed_distance": pairs(distances(values, _repeated(held, values.shape[1])))}
    if held.task != "regression":
        found |= _calibration(clean, held)
        codes = np.stack([_codes(_array(out), held.task) for out in clean])
        found["seed_disagreement"] = pairs(disagreements(codes, held.weights))
    if noisy:
        found |= _under_noise(clean, noisy, held, main)
    kernels = [_kernels(m, inputs) for m in models]
    for name, formula in {"weight_gini": gini, "weight_participation": participation, "weight_zeros": zeros}.items():
        found[name] = np.array([_mean(formula, own) for own in kernels])
    correlations = [_correlation(seen, held) for seen in hidden]
    return found | ({} if None in correlations else {"co_adaptation": np.array(correlations, dtype=np.float64)})


def _under_noise(clean: Sequence[Tensor], noisy: Sequence[Tensor], held: Held, main: Metric) -> Found:
    """What noise on the inputs changes in each network's outputs."""
    scored = [[main.losses(out, held.targets, held.unit, held.weights) for out in own] for own in (clean, noisy)]
    values = [np.stack([_values(out, held) for out in own]) for own in (clean, noisy)]
    counted = _repeated(held, values[0].shape[1])
    found = {
        "noise_loss": np.array(scored[1]) - np.array(scored[0]),
        "noise_distance": np.array([distances([a, b], counted)[0, 1] for a, b in zip(*values, strict=True)]),
    }
    if held.task != "regression":
        codes = [np.stack([_codes(_array(out), held.task) for out in own]) for own in (clean, noisy)]
        found["noise_disagreement"] = row_mean(codes[0] != codes[1], row_shares(held.weights, len(codes[0][0])))
    return found


def _of_resamples(scores: Scores | None) -> Found:
    """How far networks of unlike folds and seeds disagree on a row that none of them has seen."""
    if scores is None:
        return {}
    predicted = scores.rows[PREDICTION].T
    if PROBABILITY not in scores.rows:
        return {"resample_distance": pairs(distances(predicted, scores.weights))}
    unlike, apart = disagreements(predicted, scores.weights), distances(scores.rows[PROBABILITY].T, scores.weights)
    return {"resample_disagreement": pairs(unlike), "resample_distance": pairs(apart)}


def _calibration(outputs: Sequence[Tensor], held: Held) -> Found:
    """Log loss, Brier score and expected calibration error of each network; each label of a set is a yes or no."""
    targets = _array(held.targets)
    labels = targets.ravel() if held.task == "multilabel" else targets.argmax(-1)
    counted = _repeated(held, len(labels))
    shares = row_shares(counted, len(labels))
    formulas: dict[str, Callable[[Floats], float | Floats]] = {
        "log_loss": lambda p: row_mean(log_losses(p, labels), shares),
        "brier": lambda p: row_mean(brier_scores(p, labels), shares),
        "calibration_error": lambda p: expected_calibration_error(p, labels, weights=counted),
    }
    each = [_probabilities(_array(out), held.task) for out in outputs]
    if held.task == "multilabel":
        each = [np.stack([1 - p.ravel(), p.ravel()], -1) for p in each]
    return {name: np.array([formula(p) for p in each]) for name, formula in formulas.items()}


def _noisy(inputs: Tensor, seed: int, s: int) -> Tensor:
    """The same noise for every arm, another for each seed."""
    random = torch.Generator().manual_seed(derive_seed("input noise", seed, s))
    return inputs + NOISE * torch.randn(inputs.shape, generator=random)


def _repeated(held: Held, n: int) -> Floats | None:
    """What each of n values counts, where a row has one or several that follow each other."""
    return None if held.weights is None else np.repeat(held.weights, n // len(held.weights))


def _array(values: Tensor) -> Floats:
    return values.double().numpy()


def _values(out: Tensor, held: Held) -> Floats:
    """Class probabilities (n, K); or numbers, the probabilities of labels among them, one after the other (n · K,)."""
    if held.task == "regression":
        return np.ravel(_array(out) * held.unit)
    p = _probabilities(_array(out), held.task)
    return p.ravel() if held.task == "multilabel" else p


def _probabilities(out: Floats, task: str) -> Floats:
    if task == "multilabel":
        return np.asarray(1 / (1 + np.exp(-out)))
    powers = np.exp(out - out.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def _codes(out: Floats, task: str) -> Floats:
    """The predicted class (n,), or a number for the predicted set of labels."""
    if task == "multilabel":
        chosen = out[..., :LABELS] > 0
        return np.asarray((chosen * 2.0 ** np.arange(chosen.shape[-1])).sum(-1))
    return np.asarray(out.argmax(-1), dtype=np.float64)


def _of_the_right(out: Floats, y: Floats, task: str) -> Floats:
    """The probability (n,) of the right class; of labels, the mean over them."""
    p = _probabilities(out, task)
    return np.asarray((1 - np.abs(p - y)).mean(-1) if task == "multilabel" else (p * y).sum(-1))


def _kernels(model: Model, inputs: Tensor) -> list[Floats]:
    net = model.net(inputs)
    return [_array(model.delivered.w[name]) for name in net.kernels]


def _mean(formula: Callable[[Floats], float], kernels: Sequence[Floats]) -> float:
    """The mean over layers, each counting by its number of weights; layers differ in scale and are not mixed."""
    return float(np.average([formula(k) for k in kernels], weights=[k.size for k in kernels]))


class _Watched(Pass):
    """An evaluation pass that keeps what each hidden layer gives."""

    def __init__(self, seen: list[list[Tensor]], techniques: Sequence[Technique]) -> None:
        super().__init__(techniques, None)
        self._seen, self._layer = seen, 0

    def activated(self, h: Tensor, place: bool = True) -> Tensor:
        h = super().activated(h, place)
        if self._layer == len(self._seen):
            self._seen.append([])
        self._seen[self._layer].append(h)
        self._layer += 1
        return h


def _correlation(seen: Sequence[Sequence[Tensor]], held: Held) -> float | None:
    """Co-adaptation averaged over hidden layers; None where no layer has two units that vary.

    A unit of a layer with more than two axes, such as a filter, is averaged over its places.
    """
    found = []
    for batches in seen:
        h = torch.cat(list(batches))[: len(held.inputs)]
        units = h.reshape(*h.shape[:2], -1).double().mean(-1) if h.ndim > 1 else h.double().unsqueeze(-1)
        found.append(co_adaptation(units[:, :UNITS].numpy(), held.weights))
    known = [r for r in found if r is not None]
    return float(np.mean(known)) if known else None
