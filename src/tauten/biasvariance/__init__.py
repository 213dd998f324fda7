"""What a technique does to bias and variance, measured: members trained on resamples, one recipe for each strength."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tauten.api import make_options
from tauten.biasvariance.resamples import Outputs, Scored, halves, redrawn
from tauten.biasvariance.strengths import Strength, strength_of
from tauten.errors import DataError, OptionError, RecipeError
from tauten.evidence.bias_variance import Decomposition, cross_entropy, squared_error
from tauten.networks import Build, load_builder
from tauten.partners import misfit
from tauten.recipe import Recipe
from tauten.result import versions
from tauten.searching import Watcher
from tauten.setting import Setting
from tauten.sources import table_of, without_holdout

Floats = npt.NDArray[np.float64]
SCHEMA = "tauten.bias-variance/1"
COLUMNS = {"task", "categorical", "drop", "groups", "weight"}
"""Of what a table's columns mean; halves of the rows know no time."""
FEWEST = 3
"""Models a row that a variance with an interval needs at least."""


@dataclasses.dataclass(frozen=True, eq=False)
class BiasVariance:
    """Decompositions by loss ("squared error"; or "log loss" and "Brier score") of each value of one hyperparameter.

    An entry is None where a training diverged; `warnings` say what was guessed of the data.
    """

    strength: Strength
    losses: Mapping[str, tuple[Decomposition | None, ...]]
    setting: Setting
    resampling: str
    rows_trained: int
    seed: int
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Every figure as plain values."""
        return {
            "schema": SCHEMA,
            "hyperparameter": self.strength.name,
            "setting": self.setting.to_dict(),
            "resampling": self.resampling,
            "rows_trained": self.rows_trained,
            "seed": self.seed,
            "warnings": list(self.warnings),
            "losses": {
                loss: [
                    {"value": value, **(found.to_json() if found else {"diverged": True})}
                    for value, found in zip(self.strength.values, own, strict=True)
                ]
                for loss, own in self.losses.items()
            },
            "versions": versions(),
        }

    def table(self) -> str:
        """The figures as Markdown: one table of the first loss (the others are in the JSON), and how to read it."""
        from tauten.biasvariance.page import table

        return table(self)

    def save(self, folder: str | Path) -> None:
        """Write bias-variance.json, bias-variance.png and report.html into a folder."""
        from tauten.biasvariance.page import draw, html

        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.to_json(), indent=1, allow_nan=False) + "\n"
        (path / "bias-variance.json").write_text(text, encoding="utf-8")
        draw(path / "bias-variance.png", self)
        (path / "report.html").write_text(html(self, path / "bias-variance.png"), encoding="utf-8")


def bias_variance(
    X: Any,
    y: Any = None,
    *,
    technique: str,
    values: str | Sequence[float],
    replicates: int = 20,
    truth: Callable[[Floats], Any] | None = None,
    noise: float | Callable[[Floats], Any] | None = None,
    test: Any = None,
    sample_weight: Any = None,
    target: str | Sequence[str] | None = None,
    model: Build | str | None = None,
    augment: str | Sequence[str] | None = None,
    setting: Mapping[str, Any] | None = None,
    seed: int = 0,
    threads: str | int = "auto",
    precision: str = "fp32",
    watch: Watcher = lambda _: None,
    **columns: Any,
) -> BiasVariance:
    """Measure variance and bias + noise against the strength of one technique, everything else plain.

    `technique` is a name, or NAME.KEY where it has several numbers. `values` are numbers, or "FROM:TO:COUNT", spaced
    evenly, or by equal factors where the hyperparameter is declared so and FROM is above 0. `augment` ("file.py:name",
    or several) names files of techniques of your own, as for `search`.

    **Real data**: X and y, a file or bundled data as for `search`. Each of `replicates` partitions cuts the rows at
    random (stratified) into halves without replacement; a network is trained on either and predicts the other, so every
    row has `replicates` predictions by networks that did not see it. `columns` are task, categorical, drop, groups and
    weight, as for `search`, and so is `sample_weight`; groups stay whole, and what a row counts it counts in
    training and in every mean over rows. Halves rather than bootstrap samples: a copied row
    weighs double, can be memorized twice as easily, and would itself change what regularization does (Kohavi & Wolpert
    1996, ICML: 275-283, train on halves for like reasons). Halves of different partitions share half of their rows, so
    the data's part of the variance is about half of that between independent training sets of n / 2 rows; the rest of
    it stands under bias. With one label for each x, bias and noise can't be told apart.

    **Known truth**: `truth(X)` gives E[y | x] (n,), and `noise`, a number or a function of X, the standard deviation of
    normal noise; or class probabilities (n, K), without `noise`. X (n, d) stays as it is, each replicate draws its
    labels anew, and the networks are scored on `test` (X itself by default): bias, variance and noise apart. The
    variance is that over labels and seeds for these inputs.

    In both, start weights and batch order differ from replicate to replicate and are part of the variance; each
    replicate has the same rows and seeds at all strengths. Members are trained for the full epochs of `setting`.

    Errors: OptionError, RecipeError, DataError, ModelError, before anything is trained.

    >>> found = bias_variance("wine", technique="dropout", values=[0, 0.5], replicates=3, setting={"epochs": 2})
    >>> [loss for loss in found.losses]
    ['log loss', 'Brier score']
    """
    if replicates < FEWEST:
        raise OptionError(f"replicates is {replicates}; a variance needs at least {FEWEST}, 20 tell more.")
    for name in columns.keys() - COLUMNS:
        if columns[name] is not None:
            raise OptionError(
                f"bias_variance has no option {name!r}; of columns it knows {', '.join(sorted(COLUMNS))}."
            )
    read = {name: value for name, value in columns.items() if name in COLUMNS}
    options = make_options(
        trials=3, setting=setting, seed=seed, threads=threads, precision=precision, augment=augment, **read
    )
    strength, build = strength_of(technique, values), load_builder(model)

    def recipes(task: str, data: str, rows: int) -> list[Recipe]:
        if why := misfit(strength.kind, task, data):
            raise RecipeError(f"{strength.kind.name} {why}; take another technique.")
        return strength.recipes(options.setting_for(rows, data))

    if truth is None:
        if noise is not None or test is not None:
            given = "noise" if noise is not None else "test"
            raise OptionError(f"{given} was given without truth; pass truth=, a function of X, or leave {given} out.")
        table = without_holdout(table_of(X, y, target, options, sample_weight, own_network=build is not None))
        if table.y.ndim > 1:
            raise DataError(
                f"{table.name} has {len(table.targets)} targets ({table.target}): expected one, so name it by target"
            )
        scored = halves(table, recipes, build, replicates, options, watch)
    else:
        if y is not None or target is not None or sample_weight is not None or read:
            raise OptionError(
                "y, target, sample_weight or columns were given beside truth, which draws the labels; leave them out."
            )
        scored = redrawn(X, truth, noise, test, recipes, build, replicates, options, watch)
    losses = [_losses(own, scored) for own in scored.outputs]
    return BiasVariance(
        strength,
        {name: tuple(own[name] for own in losses) for name in losses[0]},
        scored.recipes[0].setting,
        scored.resampling,
        scored.rows_trained,
        seed,
        scored.warnings,
    )


def _losses(outputs: Outputs, scored: Scored) -> dict[str, Decomposition | None]:
    """Every loss that suits the task; outputs (M, n, K) are log-probabilities, or numbers in the target's unit."""
    well, q, w = bool(np.isfinite(outputs).all()), scored.targets, scored.weights
    if scored.task == "regression":
        return {"squared error": squared_error(outputs, q, noise=scored.noise, weights=w) if well else None}
    noise = float((q * (1 - q)).sum(-1).mean()) if scored.truth else None
    return {
        "log loss": cross_entropy(outputs, q, truth=scored.truth, weights=w) if well else None,
        "Brier score": squared_error(np.exp(outputs), q, noise=noise, weights=w) if well else None,
    }
