"""Why the chosen recipe is as it is: what each ingredient costs, how two act together, how sharply values are chosen.

All of it is measured after a search, on fresh folds and seeds of the development rows; the holdout stays out of it.
"""

import dataclasses
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tauten.api import prepare_again
from tauten.cells import Arm, Trainer
from tauten.costs import inference_seconds, parameter_bytes, seconds_ratios
from tauten.declare import Hyperparameter
from tauten.errors import OptionError, RunError
from tauten.evidence.ablation import Gain, simultaneous
from tauten.evidence.record import Record
from tauten.evidence.sensitivity import Range, ranges
from tauten.finals import Finals, Scores
from tauten.heldout import train_arms
from tauten.journal import Journal
from tauten.member import RowLosses
from tauten.networks import Build
from tauten.own import Function, Own
from tauten.recipe import Recipe
from tauten.replay import fitting
from tauten.report import render
from tauten.result import read_figures, to_text
from tauten.searching import Phase, Prepared, Tick, Watcher
from tauten.setting import Setting
from tauten.technique import Technique
from tauten.translating import Given
from tauten.unrecorded import Unrecorded

SCHEMA = "tauten.explanation/1"
STEPS = (-2, -1, 1, 2)
"""Neighbours of a chosen value that are tried: so many eighths of the range of the search away, on its scale."""
TURNS = 9
"""Measurements of training time."""
FEWEST = 10
"""Trainings an arm at least."""


@dataclasses.dataclass(frozen=True)
class Cost(Record):
    """What a technique costs the chosen recipe: training with it over without it (median, least and most of repeats),
    milliseconds to predict 1,024 rows and bytes of weights and buffers, with it and without."""

    technique: str
    training_ratio: float
    training_low: float
    training_high: float
    inference_ms: float
    inference_ms_without: float
    parameter_bytes: int
    parameter_bytes_without: int


@dataclasses.dataclass(frozen=True)
class Interaction(Record):
    """The gain of two techniques together over the sum of their single gains, all on the chosen setting alone."""

    first: str
    second: str
    gain: Gain


@dataclasses.dataclass(frozen=True)
class Explanation(Record):
    """Costs, interactions and ranges of one run's chosen recipe; gains in the metric, positive is better."""

    metric: str
    trainings: int
    costs: tuple[Cost, ...]
    interactions: tuple[Interaction, ...]
    ranges: tuple[Range, ...]
    notes: tuple[str, ...]


def explain(
    folder: str | Path,
    X: Any = None,
    y: Any = None,
    *,
    replicates: int | None = None,
    holdout: Any = None,
    sample_weight: Any = None,
    model: Build | None = None,
    metric: Function | None = None,
    loss: RowLosses | None = None,
    translator: Given | None = None,
    watch: Watcher = lambda _: None,
) -> Explanation:
    """Explain the recipe that a finished search chose; writes explanation.json into its folder and adds to its report.

    Techniques that only decide when to stop are left out: all arms train as long as the chosen recipe did. X, y,
    `holdout`, `sample_weight`, `model`, `metric`, `loss` and `translator` are needed again where `resume` would need
    them.
    `replicates` partitions of the development rows are trained on, by default as many as give twenty trainings an arm.

    Errors: RunError where the folder holds no finished search or the data is another, OptionError for too few
    replicates or a recipe without techniques; before anything is trained.
    """
    figures = read_figures(folder)
    if "chosen" not in figures:
        raise RunError(f"{str(folder)!r} was not left by a search; give the folder of one.")
    with Journal.resume(folder) as journal, fitting(journal):
        prepared = prepare_again(
            folder, journal, X, y, model, sample_weight, Own(metric, loss), holdout, translator, watch
        )
    folds = prepared.development.plan.folds
    fewest, replicates = -(-FEWEST // folds), -(-2 * FEWEST // folds) if replicates is None else replicates
    if replicates < fewest:
        raise OptionError(
            f"replicates is {replicates}; with {folds} folds at least {fewest} give ten trainings an arm."
        )
    chosen = _chosen(figures)
    if not chosen.recipe.techniques:
        raise OptionError(f"the recipe of {str(folder)!r} has no technique to explain beside early stopping, if that.")
    found = _measured(prepared, chosen, replicates, watch)
    body = {"schema": SCHEMA, **found.to_json()}
    try:
        (Path(folder) / "explanation.json").write_text(to_text(body), encoding="utf-8")
        page = render({**figures, "explanation": json.loads(to_text(body))})
        (Path(folder) / "report.html").write_text(page, encoding="utf-8")
    except OSError as error:
        raise RunError(f"can't write into {str(folder)!r} ({error.strerror}); make it writable.") from None
    return found


def _chosen(figures: Mapping[str, Any]) -> Arm:
    """The chosen recipe less what only decides when to stop, trained as long as it was."""
    own = figures["chosen"]
    recipe = Recipe.from_dict({"techniques": own["techniques"], "setting": own["setting"]})
    kept = tuple(t for t in recipe.techniques if t.hooks != {"stop"})
    return Arm("chosen", Recipe(kept, recipe.setting), own["epochs_trained"])


def _measured(prepared: Prepared, chosen: Arm, replicates: int, watch: Watcher) -> Explanation:
    journal, options, main = Unrecorded(), prepared.options, prepared.metrics[0]
    values = _neighbours(chosen.recipe, "learning_rate" in options.tuned())
    arms = {"chosen": chosen.recipe, "bare": Recipe((), chosen.recipe.setting)}
    names = chosen.recipe.names
    pairs = list(itertools.combinations(chosen.recipe.techniques, 2))
    if pairs:
        arms |= {f"alone {t.name}": Recipe((t,), chosen.recipe.setting) for t in chosen.recipe.techniques}
        arms |= {f"{a.name} and {b.name}": Recipe((a, b), chosen.recipe.setting) for a, b in pairs}
    arms |= {f"{name} {value!r}": recipe for name, (_, own) in values.items() for value, recipe in own}
    watch(Phase("folds", journal.seconds_used))
    trainer = Trainer(prepared.builder, journal, prepared.metrics, options.threads, lambda n: watch(Tick(n)))
    finals = Finals(prepared.development, trainer, prepared.metrics, options.seed)
    scored = finals.scores("explain", [Arm(n, r, chosen.epochs) for n, r in arms.items()], replicates)
    sick = [name for name, own in scored.items() if not own.finite]
    if "chosen" in sick:
        raise OptionError("the chosen recipe diverged on fresh folds, so nothing can be compared with it.")
    ratio = finals.test_train_ratio
    loss = {name: _cells(own) for name, own in scored.items()}
    acted = [
        (a, b)
        for a, b in itertools.combinations(names, 2)
        if not {f"alone {a}", f"alone {b}", f"{a} and {b}", "bare"} & set(sick)
    ]
    together = [loss[f"alone {a}"] + loss[f"alone {b}"] - loss["bare"] - loss[f"{a} and {b}"] for a, b in acted]
    gains = simultaneous(together, test_train_ratio=ratio)
    tried = [
        (name, value, [(v, loss["chosen"] - loss[f"{name} {v!r}"]) for v, _ in own if f"{name} {v!r}" not in sick])
        for name, (value, own) in values.items()
    ]
    watch(Phase("speed", journal.seconds_used))
    return Explanation(
        main.name,
        len(loss["chosen"]),
        tuple(_costs(prepared, chosen)),
        tuple(Interaction(a, b, gain) for (a, b), gain in zip(acted, gains, strict=True)),
        ranges(tried, test_train_ratio=ratio),
        tuple(f"{name} diverged and is left out." for name in sick),
    )


def _cells(scores: Scores) -> np.ndarray:
    """The loss of each training, in the order of (replicate, fold)."""
    return np.array([scores.means[key] for key in sorted(scores.means)])


def _neighbours(recipe: Recipe, rate: bool) -> dict[str, tuple[float, list[tuple[float, Recipe]]]]:
    """For each chosen number its value, and others with the recipes that have them instead."""
    found: dict[str, tuple[float, list[tuple[float, Recipe]]]] = {}

    def add(owner: Technique | Setting, key: str, spec: Hyperparameter) -> None:
        value = getattr(owner, key)
        if isinstance(value, int | float):
            others = [(v, _replaced(recipe, owner, key, v)) for v in _around(spec, float(value))]
            if others:
                found[f"{owner.name}.{key}"] = float(value), others

    for t in recipe.techniques:
        for key, spec in t.hyperparameters().items():
            add(t, key, spec)
    if rate:
        add(recipe.setting, "learning_rate", Setting.hyperparameters()["learning_rate"])
    return found


def _replaced(recipe: Recipe, owner: Technique | Setting, key: str, value: float) -> Recipe:
    changed = {**owner.to_dict(), key: value}
    if isinstance(owner, Setting):
        return dataclasses.replace(recipe, setting=Setting.from_dict(changed))
    own = tuple(type(t).from_dict(changed) if t is owner else t for t in recipe.techniques)
    return dataclasses.replace(recipe, techniques=own)


def _around(spec: Hyperparameter, value: float) -> list[float]:
    """Neighbours of a value within the range of the search, on its scale; never the off value."""
    low, high = spec.range
    if spec.log:
        steps = [value * (high / low) ** (s / 8) for s in STEPS] if value > 0 else []
    else:
        steps = [value + (high - low) * s / 8 for s in STEPS]
    numbers = [round(v) if spec.integer else float(f"{v:.3g}") for v in steps]
    return [v for v in dict.fromkeys(numbers) if low <= v <= high and v not in (value, spec.off)]


def _costs(prepared: Prepared, chosen: Arm) -> list[Cost]:
    """Every technique's, by turns with the recipe without it."""
    table, source = prepared.development.table, prepared.whole.source
    arms = [chosen] + [Arm(n, chosen.recipe.without(n), chosen.epochs) for n in chosen.recipe.names]
    short = [dataclasses.replace(arm, epochs=1) for arm in arms]
    models = train_arms(
        prepared.builder, prepared.whole, table, prepared.module, short, 1, prepared.options, lambda _: None
    )
    networks = [models[arm.name][0] for arm in arms]
    seconds = inference_seconds(networks, source.seen(chosen.recipe.setting))
    sizes = [parameter_bytes(m) for m in networks]
    costs = []
    for i, arm in enumerate(arms[1:], 1):
        ratios = seconds_ratios(prepared.builder, source, chosen, arm, TURNS)
        median = float(np.median(ratios))
        inference = 1e3 * seconds[0], 1e3 * seconds[i]
        costs.append(Cost(arm.name, median, min(ratios), max(ratios), *inference, sizes[0], sizes[i]))
    return costs
