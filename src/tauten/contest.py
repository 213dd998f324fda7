"""The race set up: who enters first, on which folds, and when the budget leaves only enough for the finals."""

import dataclasses
from collections.abc import Callable
from statistics import fmean

from tauten.cells import Arm
from tauten.errors import OptionError
from tauten.finals import Plan, plans
from tauten.folds import Development
from tauten.member import Group, Member
from tauten.metrics import Metric
from tauten.options import Options
from tauten.population import Builder
from tauten.race import Race, ladder
from tauten.racing import SLOTS, Racing, Standing
from tauten.recipe import Recipe
from tauten.sampler import Sampler, make_sampler
from tauten.setting import Setting
from tauten.space import DURATIONS, Space
from tauten.speed import gradients_a_second
from tauten.technique import Technique, technique
from tauten.trial import Trial
from tauten.unrecorded import Recorder

CANDIDATES, PLAINS = 6, 2
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
        self.options, self._builder, self._metric = options, builder, metric
        splits = development.partition("race", options.seed)
        self.folds = [development.fold(split) for split in splits]
        self._full, self._short = plans(len(self.folds))
        self._kinds = options.kinds(development.table.task, builder.module is None)
        self._speed, self._asked = 1.0, 0.0
        self.notes: list[str] = []
        self._set_up(options.setting_for(len(splits[0].train)))

    def _set_up(self, setting: Setting) -> None:
        options, kinds = self.options, self._kinds
        self.setting = setting
        space = Space(setting, kinds, options.tuned())
        recipes = make_sampler(options.sampler, space, options.seed, options.grid)
        plain: Sampler | None = None
        if space.tuned and options.sampler != "grid":
            plain = make_sampler(options.sampler, space.plain(), options.seed + 1)
        singles = [] if options.sampler == "grid" else [Recipe((kind(),), setting) for kind in kinds]
        queues = {
            "plain": [(Recipe((), setting), True)],
            "recipes": [(usual(setting), True), *((r, False) for r in singles)],
        }
        self.racing = Racing(
            Race(ladder(setting.epochs, len(self.folds))),
            queues,
            {"plain": plain, "recipes": recipes},
            self.folds,
            self._metric,
            setting.epochs,
            options.seed,
            options.trials,
            timed=options.budget is not None,
        )

    def run(self, journal: Recorder, watch: Callable[[Standing], None]) -> Plan:
        """Race until the budget leaves just what the finals need; returns the plan of the finals."""
        if self.options.budget is not None:
            self._speed = float(journal.once("speed", self._measure))
            if "epochs" not in self.options.setting:
                self._shorten(self._speed * self.options.budget)
        self.racing.run(self._builder, journal, self.options.threads, lambda: self._over(journal), watch)
        name = journal.once("plan", lambda: self._plan().name)
        return self._full if name == self._full.name else self._short

    def field(self) -> Field:
        """Who goes into the finals: the best recipes and plain settings, and usual."""
        racing = self.racing
        recipes = [t for t in racing.finalists(len(racing.trials), "recipes") if t.recipe.techniques][:CANDIDATES]
        plains, usual_trial = racing.finalists(PLAINS, "plain"), racing.entered("recipes")[0]
        healthy = {t.recipe.key for t in racing.finalists(len(racing.trials), "recipes")}
        if not plains or usual_trial.recipe.key not in healthy:
            raise diverged("usual" if plains else "plain", self.setting)
        named = {f"candidate {i + 1}": t for i, t in enumerate(recipes or [usual_trial])}
        named_plains = {f"plain {i + 1}": t for i, t in enumerate(plains)}
        trials = {**named, **named_plains, "usual": usual_trial}
        arms = {name: Arm(name, t.recipe, t.duration()) for name, t in trials.items()}
        return Field([arms[n] for n in named], [arms[n] for n in named_plains], arms["usual"], trials)

    def _shorten(self, affordable: float) -> None:
        """A shorter full length where even the short plan of finals would take more than half of the budget."""
        trainings = self._short.trainings(len(self.folds), CANDIDATES + PLAINS + 1, 3)
        epoch = self._cost(Recipe((), self.setting), 1)
        epochs = max(2, int(affordable / 2 / trainings / epoch / fmean(DURATIONS)))
        if epochs < self.setting.epochs:
            self.notes.append(
                f"the budget allows {epochs} epochs as the full length, where {self.setting.epochs} would be taken; "
                "give more time, or --epochs."
            )
            self._set_up(Setting.from_dict({**self.setting.to_dict(), "epochs": epochs}))

    def _over(self, journal: Recorder) -> bool:
        budget = self.options.budget
        if budget is None:
            return False
        seconds = journal.seconds_used
        last, self._asked = seconds - self._asked, seconds
        return seconds + last / 2 + self._seconds_of(self._plan()) >= 0.97 * budget

    def _measure(self) -> float:
        # All of them at once: a block carries the techniques of all its members, and everyone in it pays for them.
        mixed = Recipe(
            tuple(k() for k in self._kinds if k.passes == 1 and not (k.structural() or k.excludes)), self.setting
        )
        return gradients_a_second(self._builder, self.folds[0].source, mixed, self.options.threads, SLOTS)

    def _plan(self) -> Plan:
        budget = self.options.budget
        if budget is None or self._seconds_of(self._full) <= FULL_SHARE * budget:
            return self._full
        return self._short

    def _seconds_of(self, plan: Plan) -> float:
        """What the finals will take, at the pace of the race, or as measured before it."""
        leaders = self.racing.finalists(CANDIDATES, "recipes")
        costs = [self._cost(t.recipe, t.duration()) for t in leaders]
        cost = fmean(costs or [self._cost(Recipe((), self.setting), self.setting.epochs)])
        ingredients = max((len(t.recipe.techniques) for t in leaders), default=3)
        trainings = plan.trainings(len(self.folds), CANDIDATES + PLAINS + 1, ingredients)
        return trainings * cost / (self.racing.pace or self._speed)

    def _cost(self, recipe: Recipe, epochs: int) -> float:
        """Gradient evaluations of a training."""
        group = Group.of(Member(0, recipe, 0), self.folds[0].source)
        return group.epoch_steps * group.passes * epochs


def diverged(arm: str, setting: Setting) -> OptionError:
    """What to say where an arm that every claim needs could not be trained."""
    return OptionError(
        f"{arm} training diverged at learning rate {setting.learning_rate:g} with {setting.optimizer}; give a lower "
        "learning rate, or leave it out to have it tuned."
    )


def usual(setting: Setting) -> Recipe:
    """What people do without a search: AdamW with decay 0.01, dropout 0.2, early stopping, the default setting."""
    values: dict[str, dict[str, float]] = {
        "weight_decay": {"strength": 0.01},
        "dropout": {"p": 0.2},
        "early_stopping": {},
    }
    chosen: list[Technique] = [technique(name).from_dict(own) for name, own in values.items()]
    return Recipe(tuple(chosen), setting)
