"""The time of a ladder: how long its short steps are, how much longer its last ones, and what the finals need."""

from collections.abc import Callable, Iterable, Sequence

from tauten.budget import LADDER, Budget, Costs, Pace
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.trial import Trial

SHORT, TIMES, TAKEN = 40, (2, 4), 3
"""Short steps that are planned for; how many times as long the last steps are, at most; and how many recipes take
them, beside usual and one plain."""
PART = 2
"""Longer steps are planned where short ones still have one in so many of the epochs that would be taken with time
enough: most of the time goes to the finals, by the length of the longest, so still shorter ones would gain little."""


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
        """Seconds of the shortest finals that choose, where a training of each arm costs so much."""
        candidates, plains = [chosen] * LADDER.candidates, [plain] * LADDER.plains
        costs = Costs(candidates, plains, usual, chosen, plain, 0.0, *self._fixed)
        return self._budget.needs(self._budget.chosen, costs, Pace(self._speed(), 0.0))

    def _seconds(self, recipe: Recipe, epochs: int) -> float:
        return self._cost(recipe, epochs) / self._speed()
