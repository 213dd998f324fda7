"""The race set up: who enters first, on which folds, and when the budget leaves only enough for the finals."""

import dataclasses
from collections.abc import Callable
from statistics import fmean

from tauten.cells import Arm
from tauten.finals import Plan, plans
from tauten.folds import Development
from tauten.member import Group, Member
from tauten.metrics import Metric
from tauten.options import Options
from tauten.population import Builder
from tauten.race import Race, ladder
from tauten.racing import Racing, Standing, Trial
from tauten.recipe import Recipe
from tauten.sampler import Sampler, Space, make_sampler
from tauten.setting import Setting
from tauten.technique import Technique, technique
from tauten.unrecorded import Recorder

CANDIDATES, PLAINS = 4, 2
"""Recipes and plain settings that go from the race into finals A."""
FULL_SHARE = 0.55
"""The share of a time budget that the full plan of finals may take; beyond it the short plan is taken."""


@dataclasses.dataclass(frozen=True)
class Field:
    """The finalists: candidates and plain settings as arms, usual, and the trials they come from."""

    candidates: list[Arm]
    plains: list[Arm]
    usual: Arm
    trials: dict[str, Trial]


class Contest:
    """One search's race: built from options, run against a budget, and read out as a field of finalists."""

    def __init__(self, options: Options, development: Development, builder: Builder, metric: Metric) -> None:
        self.options, self._builder = options, builder
        splits = development.partition("race", options.seed)
        self.folds = [development.fold(split) for split in splits]
        self.setting = options.setting_for(len(splits[0].train))
        task = development.table.task
        kinds = options.kinds(task, builder.module is None)
        self._usual = usual(self.setting)
        space = Space(self.setting, kinds, options.tuned())
        recipes: Sampler | None = make_sampler(options.sampler, space, options.seed, options.grid)
        plain = None
        if space.tuned and options.sampler != "grid":
            plain = make_sampler(options.sampler, space.plain(), options.seed + 1)
        singles = [] if options.sampler == "grid" else [Recipe((kind(),), self.setting) for kind in kinds]
        queues = {
            "plain": [(Recipe((), self.setting), True)],
            "recipes": [(self._usual, True), *((r, False) for r in singles)],
        }
        race = Race(ladder(self.setting.epochs, len(self.folds)))
        samplers = {"plain": plain, "recipes": recipes}
        self.racing = Racing(
            race, queues, samplers, self.folds, metric, self.setting.epochs, options.seed, options.trials
        )
        self._measured_from = (0.0, 0)
        self._full, self._short = plans(len(self.folds))

    def run(self, journal: Recorder, watch: Callable[[Standing], None]) -> Plan:
        """Race until the budget leaves just what the finals need; returns the plan of the finals."""
        self.racing.run(self._builder, journal, self.options.threads, lambda _: self._over(journal), watch)
        name = journal.once("plan", lambda: self._plan(journal.seconds_used).name)
        return self._full if name == self._full.name else self._short

    def field(self) -> Field:
        """Who goes into the finals: the best recipes and plain settings, and usual."""
        racing = self.racing
        recipes = [t for t in racing.finalists(len(racing.trials), "recipes") if t.recipe.techniques][:CANDIDATES]
        plains = racing.finalists(PLAINS, "plain") or racing.entered("plain")[:1]
        usual_trial = racing.entered("recipes")[0]
        named = {f"candidate {i + 1}": t for i, t in enumerate(recipes or [usual_trial])}
        named_plains = {f"plain {i + 1}": t for i, t in enumerate(plains)}
        trials = {**named, **named_plains, "usual": usual_trial}
        arms = {name: Arm(name, t.recipe, t.duration()) for name, t in trials.items()}
        return Field([arms[n] for n in named], [arms[n] for n in named_plains], arms["usual"], trials)

    def _over(self, journal: Recorder) -> bool:
        budget = self.options.budget
        if budget is None:
            return False
        seconds = journal.seconds_used
        if not self.racing.finalists(1, "recipes"):
            # Speed is measured from here on: what comes before is a machine warming up.
            self._measured_from = (seconds, self.racing.gradient_evaluations)
            return False
        return seconds + self._seconds_of(self._plan(seconds), seconds) >= 0.97 * budget

    def _plan(self, seconds: float) -> Plan:
        budget = self.options.budget
        if budget is None or self._seconds_of(self._full, seconds) <= FULL_SHARE * budget:
            return self._full
        return self._short

    def _seconds_of(self, plan: Plan, seconds: float) -> float:
        """What the finals will take, at the speed of the race so far; nothing where no speed is known."""
        begin, done = self._measured_from
        leaders = self.racing.finalists(CANDIDATES, "recipes")
        cost = fmean(self._cost(t.recipe) for t in leaders) if leaders else self._cost(Recipe((), self.setting))
        ingredients = max((len(t.recipe.techniques) for t in leaders), default=3)
        trainings = plan.trainings(len(self.folds), CANDIDATES + PLAINS + 1, ingredients)
        return trainings * cost * (seconds - begin) / max(self.racing.gradient_evaluations - done, 1)

    def _cost(self, recipe: Recipe) -> float:
        group = Group.of(Member(0, recipe, 0), self.folds[0].source)
        return group.epoch_steps * group.passes * recipe.setting.epochs


def usual(setting: Setting) -> Recipe:
    """What people do without a search: AdamW with decay 0.01, dropout 0.2, early stopping, the default setting."""
    values: dict[str, dict[str, float]] = {
        "weight_decay": {"strength": 0.01},
        "dropout": {"p": 0.2},
        "early_stopping": {},
    }
    chosen: list[Technique] = [technique(name).from_dict(own) for name, own in values.items()]
    return Recipe(tuple(chosen), setting)
