"""The race set up: who enters first, on which folds, and when the budget leaves only enough for the finals."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from statistics import fmean
from time import perf_counter

from tauten.budget import Budget, Costs, Pace
from tauten.cells import Arm
from tauten.errors import OptionError
from tauten.finals import Plan
from tauten.folds import Development
from tauten.metrics import Metric
from tauten.options import Options
from tauten.population import Builder
from tauten.race import Race, ladder
from tauten.racing import SHIFTS, Racing, Standing, slots
from tauten.recipe import Recipe
from tauten.sampler import Sampler, make_sampler
from tauten.setting import Setting
from tauten.space import SHARE_ON, Space
from tauten.speed import BATCHES, gradients_a_second
from tauten.technique import Technique, technique
from tauten.trial import Trial
from tauten.unrecorded import Recorder

CANDIDATES, PLAINS = 6, 2
"""Recipes and plain settings that go from the race into finals A."""
PROBES = 6
"""Measurements of speed after the holdout's opening, of eight members each."""
SHORTEST = 0.4
"""The share of a budget that the shortest plan of finals may take; beyond it, trainings are made shorter."""
FULL, LONGEST = 0.2, 4
"""Where the full plan of finals takes less than this share of a budget, trainings may be longer, up to so many times:
a learning rate that is too high for few steps, or a network that needs more of them, then has its chance."""
LOOKS = 400
"""How often, at most, a race against the clock looks ahead: each time all leaders' durations are worked out."""


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
        begin = perf_counter()
        splits = development.partition("race", options.seed)
        self.folds = [development.fold(split) for split in splits]
        self._replicate = perf_counter() - begin if len(splits) > 1 else 0.0
        self._fixed = self._fixed_costs(len(development.table.y), len(splits[0].train))
        self._kinds = options.kinds(development.table.task, builder.module is None, builder.data)
        self._speed, self._looked, self._turned = 1.0, -math.inf, 0.0
        self.budget = Budget(options.budget, 0.0, len(self.folds))
        self.notes = [builder.module.note] if builder.module and builder.module.note else []
        self._set_up(options.setting_for(len(splits[0].train), builder.data))

    def _set_up(self, setting: Setting) -> None:
        options, kinds = self.options, self._kinds
        self.setting = setting
        space = Space(setting, kinds, options.tuned(self.folds[0].preprocessors))
        recipes = make_sampler(options.sampler, space, options.seed, options.grid)
        plain: Sampler | None = None
        if space.tuned and options.sampler != "grid":
            plain = make_sampler(options.sampler, space.plain(), options.seed + 1)
        module = self._builder.module
        first = [*(module.at_own_rates(kinds) if module else ()), *(kind() for kind in kinds)]
        singles = [] if options.sampler == "grid" else [Recipe((t,), setting) for t in first]
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

    def measure(self, journal: Recorder, spent: float) -> None:
        """Before a race against the clock: how fast this machine is, and what full length it affords."""
        self.budget = Budget(self.options.budget, spent, len(self.folds))
        if self.options.budget is not None:
            self._speed = float(journal.once("speed", self._measure))
            if "epochs" not in self.options.setting:
                self._fit_length(self.options.budget)

    def run(self, journal: Recorder, watch: Callable[[Standing], None]) -> Plan:
        """Race until the budget leaves just what the finals need; returns their plan."""
        self._turned = journal.seconds_used
        self.racing.run(self._builder, journal, self.options.threads, lambda: self._over(journal), watch)
        return self.budget.plan(journal, self._costs(), self._pace(), "finals A")

    def corrected(
        self, journal: Recorder, plan: Plan, arms: Sequence[Arm], ablation: Sequence[Arm], pace: float, done: int | None
    ) -> Plan:
        """The plan by the latest pace, where chosen, plain, usual and the ablation's arms are known.

        `done` replicates of finals B have been trained; None before the ablation.
        """
        chosen, plain, usual = (self.cost(arm.recipe, arm.epochs) for arm in arms)
        explained = sum(self.cost(arm.recipe, arm.epochs) for arm in ablation)
        costs = Costs((), (), usual, chosen, plain, explained, *self._fixed)
        before = "ablation" if done is None else "finals B"
        return self.budget.plan(journal, costs, Pace(pace, self._replicate), before, plan, done or 0)

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

    def _fit_length(self, budget: float) -> None:
        """A shorter full length where even the shortest plan of finals would take more than its share of the budget, a
        longer one where the full plan takes little of it."""
        cost = self.cost(Recipe((), self.setting), self.setting.epochs)
        costs = Costs.expected([cost] * CANDIDATES, [cost] * PLAINS, cost, self._ingredients, *self._fixed)
        pace = Pace(self._speed, self._replicate)
        shortest, full = (self.budget.needs(plan, costs, pace) for plan in (self.budget.plans[0], self.budget.full))
        epochs = max(2, int(self.setting.epochs * SHORTEST * budget / shortest))
        longer = self.setting.epochs * min(LONGEST, int(FULL * budget / full))
        if longer > self.setting.epochs:
            self._set_up(Setting.from_dict({**self.setting.to_dict(), "epochs": longer}))
        elif epochs < self.setting.epochs:
            self.notes.append(
                f"the budget allows {epochs} epochs as the full length, where {self.setting.epochs} would be taken; "
                "give more time, or --epochs."
            )
            self._set_up(Setting.from_dict({**self.setting.to_dict(), "epochs": epochs}))

    def _over(self, journal: Recorder) -> bool:
        if self.budget.seconds is None:
            return False
        now = journal.seconds_used
        turn, self._turned = now - self._turned, now
        if now - self._looked < self.budget.seconds / LOOKS:
            return False
        self._looked = now
        costs, pace = self._costs(), self._pace()
        plan = self.budget.intended(costs, pace)
        needed = self.racing.owed / pace.work + self.budget.needs(plan, costs, pace)
        # The other shift's round is under way and must end first; and to stop early or late by half a turn is the same.
        return self.budget.left(journal) - 1.5 * turn <= needed

    def _measure(self) -> float:
        # All of them at once: a block carries the techniques of all its members, and everyone in it pays for them.
        mixed = Recipe(
            tuple(k() for k in self._kinds if k.passes == 1 and not (k.structural() or k.excludes)), self.setting
        )
        members = SHIFTS * slots(self._builder)
        pace = gradients_a_second(self._builder, self.folds[0].source, mixed, self.options.threads, members)
        return pace * self._builder.size(mixed)

    def _fixed_costs(self, rows: int, train: int) -> tuple[int, float, float]:
        """Of `Costs`, what doesn't depend on recipes: folds, whole and holdout."""
        options = self.options
        held = 3 * 10 * rows * options.holdout / (1 - options.holdout) / options.setting_for(train).batch_size
        # After the last training one thread works: a batch forward by torch is counted like a gradient evaluation.
        plain = self._builder.size(Recipe((), options.setting_for(train, self._builder.data)))
        alone = (held + PROBES * 2 * BATCHES * 8) * options.threads * plain
        return len(self.folds), rows / train, alone

    @property
    def _ingredients(self) -> float:
        """Techniques of a recipe, before anything is known of it."""
        return SHARE_ON * len(self._kinds)

    def _pace(self) -> Pace:
        return Pace(self.racing.pace or self._speed, self._replicate)

    def _costs(self) -> Costs:
        """What the finals' trainings would cost with the leaders as they stand."""
        racing = self.racing
        leaders, plains = racing.finalists(CANDIDATES, "recipes"), racing.finalists(PLAINS, "plain")
        default = self.cost(Recipe((), self.setting), self.setting.epochs)
        own = [[self.cost(t.recipe, t.duration()) for t in trials] for trials in (leaders, plains)]
        first = racing.entered("recipes")[0]
        usual = self.cost(first.recipe, first.duration()) if first.scores else default
        ingredients = fmean([len(t.recipe.techniques) for t in leaders] or [self._ingredients])
        candidates, plain = own[0] or [default] * CANDIDATES, own[1] or [default] * PLAINS
        return Costs.expected(candidates, plain, usual, ingredients, *self._fixed)

    def cost(self, recipe: Recipe, epochs: int) -> float:
        """Work of a training on a fold."""
        return self._builder.work(recipe, self.folds[0].source, epochs)


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
