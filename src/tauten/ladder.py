"""The ladder: what a search tries where few trainings are affordable, and when it goes on to longer ones.

Everything is trained on one fold. First plain at a few settings; at the best of these what practice takes for such
data, and that with one technique more, at its card's value, or less (where there is no such practice, every technique
alone); then the edits that did best are made, one at a time, to the best recipe so far; then its learning rate and its
strengths are moved. Against the clock these steps are short, because a recipe that changes what the network sees needs
many more steps than plain: the best recipes are then trained for longer, and so are usual and plain. In what time is
left the best are changed on, at the length that they have.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from tauten.racing import Racing
from tauten.recipe import Recipe
from tauten.reserve import TAKEN, TIMES, Reserve
from tauten.sampler import Sampler
from tauten.setting import Setting
from tauten.space import Dimension, Values
from tauten.technique import HOOKS, Technique
from tauten.trial import Trial

FEW = 20
"""Full trainings that a race affords beside the shortest finals; with fewer, a search climbs a ladder."""
FEW_SLOTS, TUNED = 4, 4
"""A ladder's members of a shift, since its next step should know how the last ones did; and one in so many of its
trainings is plain at another setting."""
BEST, MOST = 6, 4
"""So many of the edits that are best alone are made to the best recipe, up to so many techniques more than practice."""
RATES, MOVE = (1 / 3, 3.0), 0.25
"""Other learning rates of the best recipe, and how far its numbers are moved, as a share of what a search looks at."""
LEAST = 1.25
"""Times as long that are worth a step."""


def beside(needed: float, few: float, epochs: int, wanted: int) -> str:
    """Why a search against the clock is a ladder, whose steps have so many epochs where so many were wanted."""
    more = f", where {wanted} would be taken with more time" if epochs < wanted else ""
    return (
        f"beside the shortest finals, of {needed:.0f} s, about {few:.0f} trainings fit into the race, of {epochs} "
        f"epochs{more}"
    )


def climbs(why: str, longest: int = 1) -> str:
    """What to say of a search that is a ladder."""
    how = "techniques are tried one by one at their cards' values, then the best of them together, then other strengths"
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


def first_steps(
    kinds: Sequence[type[Technique]], own: Sequence[Technique], data: str
) -> tuple[list[Technique], list[Technique]]:
    """What practice takes for such data, and all techniques that are tried one by one, those of a module's `own` first,
    each at its card's value."""
    return [kind() for kind in kinds if data in kind.practice], [*own, *(kind() for kind in likely_first(kinds))]


Edit = tuple[bool, Technique]
"""A technique that is added (True) or taken out."""


def steps(
    practice: Sequence[Technique], singles: Sequence[Technique], setting: Setting, ranked: Sequence[Recipe]
) -> Iterator[Recipe]:
    """What may be tried next, the first that has not been: practice; practice with one technique more, or less; then
    the best recipe so far with those edits that did best alone, one at a time; then with each of its numbers moved.

    Without `practice` the first edits are every technique alone. `ranked` are the recipes so far, best first.
    """
    if practice:
        yield Recipe(tuple(practice), setting)
    edits: list[Edit] = [(t.name not in {p.name for p in practice}, t) for t in singles]
    yield from (Recipe(own, setting) for edit in edits if (own := _edited(practice, edit)) is not None)
    if not ranked:
        return
    best, alone = ranked[0], {frozenset(own): edit for edit in edits if (own := _edited(practice, edit)) is not None}
    did_best = [alone[key] for r in ranked if (key := frozenset(r.techniques)) in alone][:BEST]
    for edit in did_best:
        if len(best.techniques) < len(practice) + MOST and (own := _edited(best.techniques, edit)):
            yield Recipe(own, best.setting)
    yield from _moved(best)


def _edited(techniques: Sequence[Technique], edit: Edit) -> tuple[Technique, ...] | None:
    """The techniques after an edit, None where it changes nothing or what is added goes not with the others."""
    add, technique = edit
    others = tuple(t for t in techniques if t.name != technique.name)
    if not add:
        return others if len(others) < len(techniques) else None
    names = {t.name for t in others}
    apart = names & set(technique.excludes) or any(technique.name in t.excludes for t in others)
    return None if apart or len(others) < len(techniques) else (*others, technique)


def _moved(recipe: Recipe) -> Iterator[Recipe]:
    """The recipe at other learning rates, and with each of its techniques' numbers a part of its range down or up."""
    rate = Setting.hyperparameters()["learning_rate"]
    for times in RATES:
        if rate.low <= (moved := recipe.setting.learning_rate * times) <= rate.high:
            yield recipe.with_setting(learning_rate=moved)
    for i, t in enumerate(recipe.techniques):
        for key, spec in t.hyperparameters().items():
            value, (low, high) = getattr(t, key), spec.range
            if low == high or isinstance(value, tuple):
                continue
            own = Dimension(key, spec=spec)
            for way in (-MOVE, MOVE):
                place = min(max(own.place(value) + way, 0.0), 1.0)
                if (other := own.value(place)) != value:
                    changed = dataclasses.replace(t, **{key: other})
                    yield Recipe((*recipe.techniques[:i], changed, *recipe.techniques[i + 1 :]), recipe.setting)


class Ladder:
    """Who enters a race of few trainings next: short steps, then longer ones where a `reserve` of time was made.

    `racing` gives the race, `plains` is how many settings of plain it begins with, at the length of `setting`.
    """

    def __init__(
        self,
        racing: Callable[[], Racing],
        setting: Setting,
        practice: Sequence[Technique],
        singles: Sequence[Technique],
        plains: int,
        reserve: Reserve | None,
    ) -> None:
        self._racing, self._setting, self._plains, self._reserve = racing, setting, plains, reserve
        self._practice, self._singles = practice, singles
        self._base: Setting | None = None
        self._tried: set[str] = set()
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
        if recipe := self._further(lane):
            self._tried.add(recipe.key)
            return recipe
        # A longer step is for the best, so all before it must have ended.
        if not self._longer[lane] and self._wanted and not self._going and not self._further("recipes"):
            self._lengthen()
        return self._longer[lane].popleft() if self._longer[lane] else None

    def going(self, lane: str) -> list[Trial]:
        """Trials of a lane that are in training."""
        racing = self._racing()
        return [t for t in racing.entered(lane) if racing.race.standing(t.id).state == "training"]

    @property
    def _going(self) -> list[Trial]:
        return [*self.going("plain"), *self.going("recipes")]

    def _further(self, lane: str) -> Recipe | None:
        """The next step that is not a longer one; None where there is none, or no time for it.

        Before the longer steps these are short and are recipes, and plain's best setting must be known; after them they
        are as long as the best is, and plain's rate is moved too.
        """
        racing, after = self._racing(), bool(self.lengths)
        plains, going = racing.entered("plain"), self._going
        # A longer step is none of those that were tried before it.
        longer = self._wanted or any(self._longer.values()) or any(t.recipe.key not in self._tried for t in going)
        if len(plains) < self._plains or (after and longer):
            return None
        if self._base is None and not any(t in going for t in plains):
            best = next((t.recipe for t in racing.finalists(1, "plain")), Recipe((), self._setting))
            self._base = best.with_setting(epochs=self._setting.epochs).setting
        ranked = [t.recipe for t in racing.finalists(len(racing.trials), lane)]
        if self._base is None or (lane == "plain" and not (after and ranked)):
            return None
        found = steps(self._practice, self._singles, self._base, ranked) if lane == "recipes" else _moved(ranked[0])
        chosen = next((r for r in found if r.key not in self._tried), None)
        # After the longer steps it is the race that says when time is over.
        if chosen is None or after or not self._reserve:
            return chosen
        return chosen if self._reserve.allows(chosen, going, self._spent) else None

    def _lengthen(self) -> None:
        """Begin the next longer steps, where the time allows any."""
        racing, wanted = self._racing(), self._wanted.popleft()
        plains = [t.recipe for t in racing.finalists(1, "plain")]
        recipes: dict[frozenset[Technique], Recipe] = {}
        for trial in racing.finalists(len(racing.trials), "recipes"):
            if trial.recipe.techniques:
                recipes.setdefault(frozenset(trial.recipe.techniques), trial.recipe)
        # What practice takes has a chance at the full length, however it did on few rows and in few steps.
        practice = recipes.pop(frozenset(self._practice), None)
        others = list(recipes.values())
        taken = ([practice] if practice else []) + others[: TAKEN - bool(practice)]
        usual = racing.entered("recipes")[0].recipe
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
