"""The race set up: who enters first, on which folds, and when the budget leaves only enough for the finals."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from statistics import fmean
from time import perf_counter

from tauten.budget import LADDER, PHASES, RACE, Budget, Costs, Pace, Scale
from tauten.builder import Builder
from tauten.callables import rehearse
from tauten.cells import Arm
from tauten.costs import fixed
from tauten.errors import OptionError
from tauten.finals import Plan
from tauten.folds import Development
from tauten.ladder import FEW, FEW_SLOTS, TUNED, Ladder, beside, climbs, first_steps
from tauten.metrics import Metric
from tauten.options import Options
from tauten.race import Race, Rung, ladder
from tauten.racing import SHIFTS, Racing, Standing, slots
from tauten.recipe import Recipe
from tauten.reserve import PART, SHORT, Reserve
from tauten.sampler import Sampler, make_sampler
from tauten.setting import Setting
from tauten.space import Space, share_on
from tauten.speed import BATCHES, mixed, work_a_second
from tauten.trial import Trial, alike
from tauten.unrecorded import Recorder
from tauten.usual import usual

SHARE = 0.4
"""A race's trainings are made shorter where the shortest finals would take more than this share of a budget."""
FULL, LONGEST = 0.2, 4
"""Where the full plan of finals takes less than this share of a budget, trainings may be longer, up to so many times:
a learning rate that is too high for few steps, or a network that needs more of them, then has its chance."""
MEASURED, GLANCE = 0.1, 3
"""The share of a budget that a first look at the speed of a crowd may take, and its batches."""
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
        self._fixed = fixed(builder, options, len(splits), len(development.table.y), len(splits[0].train))
        self._kinds = options.kinds(development.table.task, builder.module is None, builder.data, builder.layout)
        rehearse(self._kinds, self.folds[0].source)
        self._speed, self._steady, self._looked, self._turned = 1.0, 1.0, -math.inf, 0.0
        self.budget = Budget(options.budget, 0.0, len(self.folds))
        self.notes = [builder.module.note] if builder.module and builder.module.note else []
        self.setting = options.setting_for(len(splits[0].train), builder.data, builder.module is not None)
        self._few = options.trials is not None and self._too_few(options.trials)
        self._reserve: Reserve | None = None
        self.notes += [climbs(f"{options.trials} trials")] if self._few else []
        self._set_up(options.trials or 0)

    @property
    def sampler(self) -> str:
        """Who is asked for recipes."""
        return "ladder" if self._few else self.options.sampler

    @property
    def stacked(self) -> bool:
        """Whether members of a module of the person's own are stacked."""
        module = self._builder.module
        return module is not None and module.stacks(self.setting.batch_size)

    def _too_few(self, trainings: float) -> bool:
        """Whether so many full trainings are too few for a sampler that learns."""
        return trainings < FEW and self.options.sampler == "tpe"

    def _set_up(self, affordable: float) -> None:
        """The race, where about so many full trainings are affordable, if they are few."""
        options, kinds, setting = self.options, self._kinds, self.setting
        space = Space(setting, kinds, options.tuned(self.folds[0].preprocessors, self._builder.words))
        recipes = make_sampler(options.sampler, space, options.seed, options.grid)
        plain: Sampler | None = None
        if space.tuned and options.sampler != "grid":
            plain = make_sampler(options.sampler, space.plain(), options.seed + 1)
        own = self._builder.module.at_own_rates(kinds) if self._builder.module else []
        queues = {"plain": [(Recipe((), setting), True)], "recipes": [(usual(setting), True)]}
        if self._few:
            queues["plain"] += [(Recipe((), s), False) for s in space.neighbours()[: int(affordable) // TUNED]]
            first, plains = first_steps(kinds, own, self._builder.data), len(queues["plain"])
            self._ladder = Ladder(lambda: self.racing, setting, *first, plains, self._reserve)
            recipes, plain = self._ladder.sampler("recipes"), self._ladder.sampler("plain")
        elif options.sampler != "grid":
            queues["recipes"] += [(Recipe((t,), setting), False) for t in (*own, *(kind() for kind in kinds))]
        self.racing = Racing(
            # A ladder's steps are ranked by how they end: early, what changes the data seems to lose.
            Race([Rung(setting.epochs, 1)] if self._few else ladder(setting.epochs, len(self.folds))),
            queues,
            {"plain": plain, "recipes": recipes},
            self.folds,
            self._metric,
            setting.epochs,
            options.seed,
            options.trials,
            timed=options.budget is not None,
            slots=self._few_slots if self._few else slots(self._builder),
        )

    @property
    def _few_slots(self) -> int:
        """A ladder's members of a shift: few where company speeds up nobody, but by the clock one for each thread."""
        if self.stacked:
            return slots(self._builder)
        return FEW_SLOTS if self.options.budget is None else max(FEW_SLOTS, self.options.threads)

    def measure(self, journal: Recorder, spent: float, ahead: float = 0.0) -> None:
        """Before a race against the clock: how fast this machine is, and what full length it affords; as `Budget`."""
        self.budget = Budget(self.options.budget, spent, len(self.folds), ahead)
        if self.options.budget is not None:
            self._steady, crowd = journal.once("speed", self._measure)
            self._few, self._speed = crowd is None, crowd or self._steady
            if self._few:
                self.budget = Budget(self.options.budget, spent, len(self.folds), ahead, few=True)
            elif "epochs" not in self.options.setting:
                self._fit_length(self.options.budget)
            self._set_up(self._fit_ladder() if self._few else 0.0)

    def run(self, journal: Recorder, watch: Callable[[Standing], None]) -> Plan:
        """Race until the budget leaves just what the finals need; returns their plan."""
        self._turned = journal.seconds_used
        if self._reserve:
            self._reserve.left = journal.once("left", lambda: self.budget.left(journal))
        self.racing.run(self._builder, journal, self.options.threads, lambda: self._over(journal), watch)
        self.notes += self._ladder.told if self._few else []
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
        healthy = racing.finalists(len(racing.trials), "recipes")
        recipes = [t for t in healthy if t.recipe.techniques][: self._scale.candidates]
        plains, own = racing.finalists(self._scale.plains, "plain"), alike(racing.entered("recipes"))
        usual_trial = next((t for t in healthy if t in own), None)
        if not plains or usual_trial is None:
            raise diverged("usual" if plains else "plain", self.setting)
        named = {f"candidate {i + 1}": t for i, t in enumerate(recipes or [usual_trial])}
        named_plains = {f"plain {i + 1}": t for i, t in enumerate(plains)}
        trials = {**named, **named_plains, "usual": usual_trial}
        arms = {name: Arm(name, t.recipe, t.duration()) for name, t in trials.items()}
        return Field([arms[n] for n in named], [arms[n] for n in named_plains], arms["usual"], trials)

    def _fit_length(self, budget: float) -> None:
        """A shorter full length where the shortest finals would take more than their share of the budget, a longer one
        where the full plan takes little of it, even at the pace of a crowd."""
        before, epochs = self.setting.epochs, self._allowed
        longer = before * min(LONGEST, int(FULL * budget / self._needed(self.budget.full, self._speed)))
        epochs = longer if longer > before else min(epochs, before)
        if epochs < before:
            self.notes.append(
                f"the budget allows {epochs} epochs as the full length, where {before} would be taken; "
                "give more time, or --epochs."
            )
        self.setting = Setting.from_dict({**self.setting.to_dict(), "epochs": epochs})

    @property
    def _allowed(self) -> int:
        """The epochs of a full length at which the shortest finals take their share of the budget."""
        last = self._needed(self.budget.plans[0], self._steady, ("holdout",))
        wanted = self._needed(self.budget.plans[0], self._steady) - last
        return max(2, int(self.setting.epochs * (SHARE * self.budget.net - last) / wanted))

    def _fit_ladder(self) -> float:
        """Of a ladder: its short steps' length, unless the person has fixed it, and how many of them are affordable."""
        before, longest = self.setting.epochs, 1
        if "epochs" not in self.options.setting:
            reserve = Reserve(self.budget, self._fixed, lambda: self._pace().work, self.cost)
            self.setting, longest = reserve.fit(self.setting), reserve.longest
            self._reserve = reserve if longest > 1 else None
        few = SHORT if self._reserve else self._affordable
        needed = self._needed(self.budget.plans[0], self._steady)
        self.notes.append(climbs(beside(needed, few, self.setting.epochs, before), longest))
        return few

    def _needed(self, plan: Plan, speed: float, phases: Sequence[str] = PHASES) -> float:
        """Seconds that phases of a plan of finals take, about, before anything is known of its arms."""
        cost, scale = self._plain_cost, self._scale
        costs = Costs.expected([cost] * scale.candidates, [cost] * scale.plains, cost, self._ingredients, *self._fixed)
        return self.budget.needs(plan, costs, Pace(speed, self._replicate), phases)

    @property
    def _affordable(self) -> float:
        """Full trainings that the race can take while it leaves the shortest finals their time."""
        left = self.budget.net - self._needed(self.budget.plans[0], self._steady)
        return max(left, 0.0) * self._steady / self._plain_cost

    @property
    def _plain_cost(self) -> float:
        return self.cost(Recipe((), self.setting), self.setting.epochs)

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
        needed = self.racing.owed / (self.racing.pace or self._speed) + self.budget.needs(plan, costs, pace)
        # The other shift's round is under way and must end first; and to stop early or late by half a turn is the same.
        return self.budget.left(journal) - 1.5 * turn <= needed

    def _measure(self) -> tuple[float, float | None]:
        """Work a second of usual, and of a race's crowd: None where the first is so little that the search is a
        ladder."""
        assert self.budget.seconds is not None
        members, own = SHIFTS * slots(self._builder), usual(self.setting)
        self._steady = pace = self._pace_of(own, self._few_slots, 1)
        # In a crowd a small network is faster, and to measure that is soon done.
        if 2 * GLANCE * members * self._builder.size(own) / pace < MEASURED * self.budget.seconds:
            self._steady = max(pace, self._pace_of(own, members, GLANCE))
        # Finals train a few recipes of a few techniques each; only the race is a crowd of all of them.
        shortened = "epochs" not in self.options.setting and self._allowed * PART < self.setting.epochs
        if self._too_few(0.0 if shortened else self._affordable):
            return self._steady, None
        return self._steady, self._pace_of(mixed(self._kinds, self.setting), members, BATCHES)

    def _pace_of(self, recipe: Recipe, members: int, batches: int) -> float:
        return work_a_second(self._builder, self.folds[0].source, recipe, self.options.threads, members, batches)

    @property
    def _scale(self) -> Scale:
        return LADDER if self._few else RACE

    @property
    def _ingredients(self) -> float:
        """Techniques of a recipe, before anything is known of it."""
        return min(share_on(len(self._kinds)) * len(self._kinds), self._scale.ingredients)

    def _pace(self) -> Pace:
        """That of the finals, by the race's latest."""
        # A ladder's few members say how fast the finals' many are only where company speeds up nobody.
        tells = not self._few or self._builder.alone(Recipe((), self.setting))
        latest = (tells and self.racing.pace) or self._speed
        # They train a few recipes each, which may be much faster than a crowd of everything.
        return Pace(max(latest, min(latest * self._steady / self._speed, self._steady)), self._replicate)

    def _costs(self) -> Costs:
        """What the finals' trainings would cost with the leaders as they stand."""
        racing = self.racing
        scale, default = self._scale, self._plain_cost
        leaders, plains = racing.finalists(scale.candidates, "recipes"), racing.finalists(scale.plains, "plain")
        own = [[self.cost(t.recipe, t.duration()) for t in trials] for trials in (leaders, plains)]
        if self._few:
            own = [self._ladder.dearest(*one, self.cost) for one in zip(("recipes", "plain"), own, strict=True)]
        tried = alike(racing.entered("recipes"))
        usual = max(self.cost(t.recipe, t.duration()) if t.scores else default for t in tried)
        ingredients = fmean([len(t.recipe.techniques) for t in leaders] or [self._ingredients])
        candidates, plain = own[0] or [default] * scale.candidates, own[1] or [default] * scale.plains
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
