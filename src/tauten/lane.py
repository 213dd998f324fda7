"""One lane of the race: who of it enters next."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from tauten.recipe import Recipe
from tauten.sampler import Sampler
from tauten.space import Values


class Newcomer(NamedTuple):
    """A recipe about to enter; `asked` is the sampler's number for it, None where nobody asked."""

    recipe: Recipe
    protected: bool
    asked: int | None


class Lane:
    """First a queue of (recipe, protected), then what a sampler proposes; `spent` is its work.

    The sampler is asked while the engine trains, and never when a slot is free: where the stock is used up, a recipe
    is drawn at random.
    """

    def __init__(self, queue: Iterable[tuple[Recipe, bool]], sampler: Sampler | None) -> None:
        self.spent = 0.0
        self._queue, self._sampler, self._open = deque(queue), sampler, sampler is not None
        self._stock: deque[tuple[int, Values]] = deque()
        self._asks = 0

    @property
    def dry(self) -> bool:
        """Whether nobody is left to enter, as far as is known."""
        return not (self._queue or self._stock or self._open)

    @property
    def missing(self) -> int:
        """How many recipes the stock is short of."""
        return self._sampler.ahead - len(self._stock) if self._sampler and self._open else 0

    @property
    def stock(self) -> int:
        """Recipes asked for that have not entered."""
        return len(self._stock)

    def ask(self) -> Values | None:
        """Ask for one more recipe ahead of need; None where the sampler has no more."""
        assert self._sampler is not None
        values = self._sampler.ask()
        self._keep(values)
        return values

    def recall(self, values: Values | None) -> None:
        """What `ask` answered in the recorded run; raises what comes of values that make no recipe."""
        assert self._sampler is not None
        if values is not None:
            self._sampler.build(values)
            self._sampler.recall(values)
        self._keep(values)

    def next(self) -> Newcomer | None:
        """The next one; None where nobody is left, or nobody now."""
        if self._queue:
            return Newcomer(*self._queue.popleft(), None)
        if self._sampler is None:
            return None
        if not self._stock and self._open:
            self._keep(self._sampler.ask(hasty=True))
        if not self._stock:
            return None
        asked, values = self._stock.popleft()
        return Newcomer(self._sampler.build(values), False, asked)

    def tell(self, asked: int, rung: int, score: float | None, finished: bool) -> None:
        """What became of the sampler's recipe of this number."""
        if self._sampler is not None:
            self._sampler.tell(asked, rung, score, finished)

    def _keep(self, values: Values | None) -> None:
        if values is None:
            # One that asks nothing ahead waits for others, and may have more later.
            self._open = self._sampler is not None and not self._sampler.ahead
        else:
            self._stock.append((self._asks, values))
            self._asks += 1
