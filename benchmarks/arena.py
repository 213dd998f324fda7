"""What every contender of `time_to_quality` is given: the same rows, folds, network and space of recipes.

A contender proposes recipes out of one `Space`, whatever library proposes them, so that every incumbent is a Tauten
recipe in the end and is judged by the same code.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tauten.data import load
from tauten.declare import Value
from tauten.folds import Development, Fold
from tauten.options import Options
from tauten.recipe import Recipe
from tauten.space import Dimension, Space
from tauten.split import holdout, selection_plan

BUNDLED = ("digits",)
TECHNIQUES = (
    "batch_norm", "dropout", "early_stopping", "input_noise", "l2", "label_smoothing", "mixup", "weight_decay",
)  # fmt: skip
"""Those that all peers can do without changing what they mean: layers, a penalty, soft labels, noise, callbacks. Left
out: l1 (proximal under Adam), sam (a second gradient), ema (with warm-up), for which a peer's library has no like."""


FIXED = {"numeric": "plain"}
"""What is no contender's to choose: all read the same inputs."""


@dataclasses.dataclass(frozen=True, eq=False)
class Arena:
    """One data set and seed: `folds` as the search of that seed has them, `whole` all its development rows."""

    development: Development
    folds: tuple[Fold, ...]
    space: Space

    @classmethod
    def of(
        cls,
        source: str,
        seed: int,
        setting: Mapping[str, Any] | None = None,
        techniques: tuple[str, ...] | None = TECHNIQUES,
    ) -> "Arena":
        """The rows that `tauten.search(source, seed=seed)` develops on; its holdout is kept from everyone.

        `techniques` None stands for all.
        """
        options = Options(trials=3, techniques=techniques, seed=seed, setting={**FIXED, **(setting or {})})
        table = load(source)
        rows, _ = holdout(table.row_hashes(), table.y, table.task, options.holdout)
        dev = table.take(rows)
        development = Development.of(dev, selection_plan(dev.y, dev.task, options.folds, dev.classes))
        folds = tuple(development.fold(split) for split in development.partition("race", seed))
        base = options.setting_for(len(folds[0].source.train))
        return cls(development, folds, Space(base, options.kinds(table.task, True), options.tuned()))

    def without_durations(self) -> Space:
        """The space of those who choose the number of epochs by their own ladder."""
        return dataclasses.replace(self.space, tuned=tuple(k for k in self.space.tuned if k != "epochs"))


def source_of(name: str, tables: Path | None) -> str:
    """A bundled data set by its name; any other as a file of `tables`."""
    if name in BUNDLED:
        return name
    if tables is None:
        raise SystemExit(f"{name} is a table: say where {name}.csv.gz lies with --tables DIR.")
    return str(tables / f"{name}.csv.gz")


def recipe_of(space: Space, ask: Callable[[Dimension], Value]) -> Recipe:
    """A recipe from any library's values: what all recipes have first, then the numbers of techniques that are on."""
    values = {d.key: ask(d) for d in space.common}
    for kind in space.taken(values):
        values |= {d.key: ask(d) for d in space.own[kind.name]}
    return space.build(values)


def random_recipe(space: Space, seed: int) -> Recipe:
    """A recipe by chance, as Tauten's own random sampler draws it."""
    return space.build(space.values(space.random(np.random.default_rng(seed))))


@dataclasses.dataclass
class Incumbents:
    """The best recipe so far, over time: seconds since the search began, the contender's own score, the recipe."""

    found: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def offer(self, seconds: float, score: float, recipe: Recipe) -> None:
        """Keep it where it is better than all before (lower is better, NaN never)."""
        if score < (self.found[-1]["score"] if self.found else float("inf")):
            self.found.append({"seconds": round(seconds, 3), "score": score, "recipe": recipe.dumps()})
