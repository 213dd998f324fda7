"""The ladder: what a search tries where few trainings are affordable, and when it goes on to longer ones.

Everything is trained on one fold. First plain at a few settings; at the best of these every technique alone at its
card's value; then those that are best alone are added, one at a time, to the best recipe so far. Against the clock
these steps are short, because a recipe that changes what the network sees needs many more steps than plain: the best
recipes are then trained for longer, and so are usual and plain.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from tauten.budget import Budget, Costs, Pace
from tauten.racing import Racing
from tauten.recipe import Recipe
from tauten.sampler import Sampler
from tauten.setting import Setting
from tauten.space import Values
from tauten.technique import HOOKS, Technique
from tauten.trial import Trial

FEW = 20
"""Full trainings that a race affords beside the shortest finals; with fewer, a search climbs a ladder."""
FEW_SLOTS, TUNED = 4, 4
"""A ladder's members of a shift, since its next step should know how the last ones did; and one in so many of its
trainings is plain at another setting."""
BEST, MOST = 6, 4
"""So many of the techniques that are best alone are added to the best recipe, up to so many at once."""
SHORT, TIMES, TAKEN = 40, (2, 4), 3
"""Short steps that are planned for; how many times as long the last steps are, at most; and how many recipes take
them, beside usual and one plain."""
LEAST = 1.25
"""Times as long that are worth a step."""
PART = 2
"""Longer steps are planned where short ones still have one in so many of the epochs that would be taken with time
enough: most of the time goes to the finals, by the length of the longest, so still shorter ones would gain little."""


def beside(needed: float, few: float, epochs: int, wanted: int) -> str:
    """Why a search against the clock is a ladder, whose steps have so many epochs where so many were wanted."""
    more = f", where {wanted} would be taken with more time" if epochs < wanted else ""
    return (
        f"beside the shortest finals, of {needed:.0f} s, about {few:.0f} trainings fit into the race, of {epochs} "
        f"epochs{more}"
    )


def climbs(why: str, longest: int = 1) -> str:
    """What to say of a search that is a ladder."""
    how = "techniques are tried alone at their cards' values, then the best of them are added to the best recipe"
    if longest > 1:
        how += f", then the best {TAKEN}, usual and plain get up to {longest} times as long"
    return f"few trainings: ladder ({why}); {how}."


def likely_first(kinds: Iterable[type[Technique]]) -> list[type[Technique]]:
    """Techniques in the order in which a ladder tries them: those made for one kind of data only before the general
    ones, then in the order in which they act in a training step, data before model before update, then by cost.

    >>> from tauten.technique import technique
    >>> [k.name for k in likely_first(map(technique, ("weight_decay", "dropout", "mixup", "rotation")))]
    ['rotation', 'mixup', 'dropout', 'weight_decay']
    """

    def key(kind: type[Technique]) -> tuple[bool, int, int, str]:
        return len(kind.data) > 1, min(map(HOOKS.index, kind.hooks)), kind.passes, kind.name

    return sorted(kinds, key=key)


def combinations(singles: Sequence[Technique], ranked: Sequence[Recipe]) -> Iterator[tuple[Technique, ...]]:
    """Every technique alone, then the best recipe so far with one more of those that are best alone and go with it."""
    yield from ((t,) for t in singles)
    so_far = ranked[0].techniques if ranked else ()
    if 0 < len(so_far) < MOST:
        for added in [r.techniques[0] for r in ranked if len(r.techniques) == 1][:BEST]:
            names = {t.name for t in (*so_far, added)}
            if len(names) > len(so_far) and not any(names & set(t.excludes) for t in (*so_far, added)):
                yield (*so_far, added)


class Reserve:
    """The time that a ladder sets aside for its longer steps and for the shortest finals, counted by the race's own
    seconds, which the journal holds; so a resumed search decides as it did."""

    def __init__(
        self,
        budget: Budget,
        fixed: tuple[int, float, float, float],
        speed: Callable[[], float],
        cost: Callable[[Recipe, int], float],
    ) -> None:
        self._budget, self._fixed, self._speed, self._cost = budget, fixed, speed, cost
        self.longest, self._base, self.left = 1, Setting(), 0.0

    def fit(self, base: Setting) -> Setting:
        """The setting of the short steps: as long as the budget allows beside the longest steps that it allows.

        `longest` is then how many times as long these may be, 1 where there is time for the short steps only.
        """
        for self.longest in (*reversed(TIMES), 1):
            least = max(2, -(-base.epochs // PART)) if self.longest > 1 else 2
            for epochs in range(base.epochs, least - 1, -1):
                self._base = Setting.from_dict({**base.to_dict(), "epochs": epochs})
                if SHORT * self._seconds(Recipe((), self._base), epochs) + self.needed <= self._budget.net:
                    return self._base
        return self._base

    @property
    def needed(self) -> float:
        """Seconds of the longer steps and of the shortest finals, where recipes cost what plain does."""
        plain, short = Recipe((), self._base), self._base.epochs
        steps = (TAKEN + 2) * sum(times for times in TIMES if times <= self.longest) * self._seconds(plain, short)
        longest = self._cost(plain, self.longest * short)
        return steps + self._finals(longest, longest, longest)

    def allows(self, recipe: Recipe, going: Iterable[Trial], spent: float) -> bool:
        """Whether one more short step can be taken beside those in training, `spent` seconds after the start."""
        if self.longest == 1:
            return True
        owed = sum(self._seconds(t.recipe, t.recipe.setting.epochs) for t in going)
        step = self._seconds(recipe, recipe.setting.epochs)
        return owed + step + self.needed <= self.left - spent

    def times(self, recipes: Sequence[Recipe], usual: Recipe, plain: Recipe, wanted: int, spent: float) -> float:
        """How many times as long these may be trained, and the finals hold; at most as wanted."""
        short = self._base.epochs
        each = [self._cost(r.with_setting(epochs=short), short) for r in (*recipes, plain, usual)]
        fixed = self._finals(0.0, 0.0, 0.0)
        one = sum(each) / self._speed() + self._finals(max(each), *each[-2:]) - fixed
        return min(wanted, (self.left - spent - fixed) / one)

    def _finals(self, chosen: float, plain: float, usual: float) -> float:
        """Seconds of the shortest finals, where a training of each arm costs so much."""
        costs = Costs((), (), usual, chosen, plain, 0.0, *self._fixed)
        return self._budget.needs(self._budget.plans[0], costs, Pace(self._speed(), 0.0))

    def _seconds(self, recipe: Recipe, epochs: int) -> float:
        return self._cost(recipe, epochs) / self._speed()


class Ladder:
    """Who enters a race of few trainings next: short steps, then longer ones where a `reserve` of time was made.

    `racing` gives the race, `plains` is how many settings of plain it begins with, at the length of `setting`.
    """

    def __init__(
        self,
        racing: Callable[[], Racing],
        setting: Setting,
        singles: Sequence[Technique],
        plains: int,
        reserve: Reserve | None,
    ) -> None:
        self._racing, self._setting, self._singles, self._plains = racing, setting, singles, plains
        self._reserve = reserve
        self._tried: set[frozenset[Technique]] = set()
        self._wanted = deque(t for t in TIMES if reserve and t <= reserve.longest)
        self._longer: dict[str, deque[Recipe]] = {"plain": deque(), "recipes": deque()}
        self.lengths: list[int] = []

    def sampler(self, lane: str) -> Sampler:
        """What a lane of the race asks."""
        return _Steps(lambda: self._next(lane))

    @property
    def told(self) -> list[str]:
        """What is to be said of the longer steps, once the race is over."""
        if not self.lengths:
            return []
        epochs = " and ".join(map(str, self.lengths))
        return [
            f"the ladder's short steps had {self._setting.epochs} epochs; the best, usual and plain then got {epochs}."
        ]

    def dearest(self, lane: str, costs: Sequence[float], cost: Callable[[Recipe, int], float]) -> list[float]:
        """For each of a lane's finalists the cost of the dearest of them and of those in training, who may be longer:
        whoever wins must be affordable."""
        going = (cost(t.recipe, t.recipe.setting.epochs) for t in self.going(lane))
        return [max([*costs, *going])] * len(costs) if costs else []

    def _next(self, lane: str) -> Recipe | None:
        if not self.lengths and lane == "recipes" and (recipe := self._short()):
            self._tried.add(frozenset(recipe.techniques))
            return recipe
        # A longer step is for the best, so all before it must have ended.
        if not self._longer[lane] and self._wanted and not self._going and not self._short():
            self._lengthen()
        return self._longer[lane].popleft() if self._longer[lane] else None

    def going(self, lane: str) -> list[Trial]:
        """Trials of a lane that are in training."""
        racing = self._racing()
        return [t for t in racing.entered(lane) if racing.race.standing(t.id).state == "training"]

    @property
    def _going(self) -> list[Trial]:
        return [*self.going("plain"), *self.going("recipes")]

    def _short(self) -> Recipe | None:
        """The next short step; None where there is none, no time for it, or plain's best setting is not known yet."""
        racing, reserve = self._racing(), self._reserve
        plains, going = racing.entered("plain"), self._going
        if self.lengths or len(plains) < self._plains or any(t in going for t in plains):
            return None
        best = next((t.recipe for t in racing.finalists(1, "plain")), Recipe((), self._setting))
        setting = best.with_setting(epochs=self._setting.epochs).setting
        ranked = [t.recipe for t in racing.finalists(len(racing.trials), "recipes")]
        chosen = next((c for c in combinations(self._singles, ranked) if frozenset(c) not in self._tried), None)
        if chosen is None or (reserve and not reserve.allows(Recipe(chosen, setting), going, self._spent)):
            return None
        return Recipe(chosen, setting)

    def _lengthen(self) -> None:
        """Begin the next longer steps, where the time allows any."""
        racing, wanted = self._racing(), self._wanted.popleft()
        plains = [t.recipe for t in racing.finalists(1, "plain")]
        recipes: dict[frozenset[Technique], Recipe] = {}
        for trial in racing.finalists(len(racing.trials), "recipes"):
            if trial.recipe.techniques:
                recipes.setdefault(frozenset(trial.recipe.techniques), trial.recipe)
        taken, usual = list(recipes.values())[:TAKEN], racing.entered("recipes")[0].recipe
        if not (plains and taken and self._reserve and len(racing.entered("plain")) >= self._plains):
            return
        times = self._reserve.times(taken, usual, plains[0], wanted, self._spent)
        epochs = int(times * self._setting.epochs)
        if times < LEAST or epochs <= max([self._setting.epochs, *self.lengths]):
            return
        self.lengths.append(epochs)
        self._longer["plain"].append(plains[0].with_setting(epochs=epochs))
        longer = [r.with_setting(epochs=epochs) for r in (*taken, usual)]
        self._longer["recipes"] += {r.key: r for r in longer}.values()

    @property
    def _spent(self) -> float:
        seconds = self._racing().seconds
        return seconds.training + seconds.waiting


class _Steps:
    """A lane's steps as a sampler: nothing is asked ahead, so nothing stands in a journal, and nothing need be told."""

    ahead = 0

    def __init__(self, next_step: Callable[[], Recipe | None]) -> None:
        self._next, self._recipes = next_step, list[Recipe]()

    def ask(self, hasty: bool = False) -> Values | None:
        recipe = self._next()
        if recipe is None:
            return None
        self._recipes.append(recipe)
        return {"step": len(self._recipes) - 1}

    def recall(self, values: Values) -> None:
        """There is nothing to recall."""

    def build(self, values: Values) -> Recipe:
        return self._recipes[int(str(values["step"]))]

    def tell(self, number: int, rung: int, score: float | None, finished: bool) -> None:
        """What a ladder needs to know it looks up."""
