"""Recipes measured without a search: nothing is chosen, so nothing is held out.

Every recipe is trained on the same folds with the same seeds, in one population; early stopping chooses its epoch on
folds of its own before. The final model trains on all rows.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from tauten.builder import Builder
from tauten.callables import rehearse
from tauten.cells import Arm, Trainer
from tauten.data import Table, check_network
from tauten.evidence import compare, grade
from tauten.finals import Finals, Scores, shown_interval
from tauten.folds import Development
from tauten.heldout import train_arms
from tauten.metrics import Metric
from tauten.model import Model
from tauten.options import Options
from tauten.own import BUILT_IN, Own
from tauten.race import Race, Rung
from tauten.racing import Racing
from tauten.recipe import Recipe
from tauten.searching import Phase, Tick, Watcher
from tauten.split import selection_plan
from tauten.supplies import for_recipes
from tauten.unrecorded import Unrecorded

REPLICATES = 10


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """Cross-validated figures of named recipes, on the same folds and seeds; gains over plain, or the first."""

    metrics: tuple[Metric, ...]
    arms: tuple[Arm, ...]
    scores: Mapping[str, Scores]
    models: Mapping[str, Model]
    rows: int
    seconds: float
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Figures and pairwise differences as plain values."""
        main, named = self.metrics[0], {m.name: m for m in self.metrics}
        first = next((arm.name for arm in self.arms if arm.name == "plain"), self.arms[0].name)
        own = {arm.name: self.scores[arm.name].rows for arm in self.arms}
        together = self.scores[first].clusters
        differences = {
            name: compare(own[first][main.name], rows[main.name], clusters=together)
            for name, rows in own.items()
            if name != first
        }
        return {
            "schema": "tauten.measure/1",
            "metric": main.name,
            "rows": self.rows,
            "replicates": next(iter(own.values()))[main.name].shape[1],
            "recipes": {
                arm.name: {
                    "techniques": arm.recipe.to_dict()["techniques"],
                    "setting": arm.recipe.setting.to_dict(),
                    "epochs_trained": arm.epochs,
                    "scores": {
                        m: shown_interval(named[m], rows, together).to_json() for m, rows in own[arm.name].items()
                    },
                }
                for arm in self.arms
            },
            "differences": {
                name: {"over": first, **d.to_json(), "verdict": grade(d)} for name, d in differences.items()
            },
            "seconds": self.seconds,
            "warnings": list(self.warnings),
        }


def measure(
    table: Table,
    recipes: Mapping[str, Recipe],
    options: Options,
    watch: Watcher,
    module: Callable[[], nn.Module] | None = None,
    deliver: bool = False,
    own: Own = BUILT_IN,
) -> Measured:
    """Measure recipes on a table; with `deliver` also train a model of each on all rows."""
    check_network(table, module is not None)
    table = for_recipes(table, recipes.values(), options)
    journal = Unrecorded()
    metrics = own.metrics(options.metric, table.task, table.y, table.weights)
    plan = selection_plan(table.y, table.task, options.folds, table.classes, table.together, table.time)
    ways = tuple(dict.fromkeys(recipe.setting.numeric for recipe in recipes.values()))
    development = Development.of(table, plan, ways, options.class_weight, own.loss)
    whole = development.whole()
    own.check_loss(whole.source.targets.shape[1])
    builder = Builder(whole.source, module, precision=options.precision)
    rehearse([type(t) for recipe in recipes.values() for t in recipe.techniques], whole.source)
    watch(Phase("durations", journal.seconds_used))
    arms = _durations(recipes, development, builder, options, metrics[0])
    watch(Phase("folds", journal.seconds_used))
    trainer = Trainer(builder, journal, metrics, options.threads, lambda n: watch(Tick(n)))
    scores = Finals(development, trainer, metrics, options.seed).scores("measure", arms, REPLICATES)
    models: dict[str, Model] = {}
    if deliver:
        watch(Phase("training", journal.seconds_used))
        trained = train_arms(builder, whole, table, module, arms, 1, options, lambda n: watch(Tick(n)), "measure")
        models = {
            name: dataclasses.replace(model, residuals=scores[name].residuals(table))
            for name, (model,) in trained.items()
        }
    notes = (*table.warnings, *plan.warnings, *_sick(scores))
    return Measured(metrics, tuple(arms), scores, models, len(table.y), round(journal.seconds_used, 2), notes)


def _durations(
    recipes: Mapping[str, Recipe], development: Development, builder: Builder, options: Options, main: Metric
) -> list[Arm]:
    """For how long each recipe trains: its own stop rule over the mean curve of folds that nothing else uses."""
    folds = [development.fold(split) for split in development.partition("durations", options.seed)]
    stopping = {name: r for name, r in recipes.items() if any("stop" in t.hooks for t in r.techniques)}
    epochs = {name: r.setting.epochs for name, r in recipes.items()}
    if stopping:
        full = max(r.setting.epochs for r in stopping.values())
        race = Race([Rung(full, len(folds))])
        queues = {"recipes": [(r, True) for r in stopping.values()]}
        racing = Racing(race, queues, {"recipes": None}, folds, main, full, options.seed, None)
        racing.run(builder, Unrecorded(), options.threads, lambda: False, lambda _: None)
        epochs |= {name: t.duration() for name, t in zip(stopping, racing.trials.values(), strict=True)}
    return [Arm(name, recipe, epochs[name]) for name, recipe in recipes.items()]


def _sick(scores: Mapping[str, Scores]) -> Sequence[str]:
    return [
        f"{name} diverged in at least one training; lower its learning rate."
        for name, s in scores.items()
        if not s.finite
    ]
