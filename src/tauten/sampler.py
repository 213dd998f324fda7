"""Who enters the race next: TPE, random, or a person's grid.

What is asked next depends on nothing but the seed, the number of the ask, and what was asked and told before. So a
resumed search only says again what the journal holds, `recall` for every ask, and goes on as if it had asked itself.
"""

import itertools
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Mapping, Sequence
from math import ceil, inf
from typing import Protocol

import numpy as np

from tauten.declare import Value, suggest
from tauten.draws import derive_seed
from tauten.errors import OptionError
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.space import Floats, Space, Values
from tauten.technique import technique
from tauten.tpe import propose

STARTUP = 16
"""TPE draws at random until so many recipes have a score."""
GOOD_SHARE, GOOD, RECENT = 0.1, 25, 225
"""TPE's good ones are the best tenth and at most 25, its rest the latest 225 others: what keeps an ask's cost bounded,
and changes the model little, since old ones of the rest weigh least."""
STOCK = 8
"""Recipes that a lane asks for ahead of need; a few, since an ask does not know what is told after it."""


class Sampler(Protocol):
    """Asked for recipes, as values that can be journaled, and told their scores (lower is better).

    `ahead` is how many are asked for before they are needed; one that waits for what others do says 0, and its None is
    "nobody now".
    """

    ahead: int

    def ask(self, hasty: bool = False) -> Values | None:
        """The next recipe's values; None when there are no more. `hasty`: at random, which takes no time."""
        ...

    def recall(self, values: Values) -> None:
        """What the next ask has answered in the recorded run, instead of asking."""
        ...

    def build(self, values: Values) -> Recipe:
        """The recipe of asked values."""
        ...

    def tell(self, number: int, rung: int, score: float | None, finished: bool) -> None:
        """How the ask of this number does, at every rung it reaches: its score there, None where it is sick."""
        ...


class ModelSampler:
    """TPE, or uniform draws where `model` is False."""

    ahead = STOCK

    def __init__(self, space: Space, model: bool, seed: int) -> None:
        self._space, self._model, self._seed = space, model, seed
        self._points: list[Floats] = []
        self._running: dict[int, None] = {}
        self._ranked: list[tuple[bool, int, float, int]] = []
        self._places: dict[int, tuple[bool, int, float, int]] = {}
        self._recent: deque[int] = deque(maxlen=RECENT + GOOD)

    def ask(self, hasty: bool = False) -> Values:
        rng = np.random.default_rng(derive_seed("ask", self._seed, len(self._points)))
        if hasty or not self._model or len(self._ranked) < STARTUP:
            point = self._space.random(rng)
        else:
            point = self._propose(rng)
        values = self._space.values(point)
        self.recall(values)
        return values

    def recall(self, values: Values) -> None:
        self._running[len(self._points)] = None
        self._points.append(self._space.point(values))

    def build(self, values: Values) -> Recipe:
        return self._space.build(values)

    def tell(self, number: int, rung: int, score: float | None, finished: bool) -> None:
        if before := self._places.get(number):
            del self._ranked[bisect_left(self._ranked, before)]
        else:
            del self._running[number]
            self._recent.append(number)
        # Deeper rungs first, as a score there says more; the sick are last.
        place = (not finished, -rung, score, number) if score is not None else (True, 1, inf, number)
        self._places[number] = place
        insort(self._ranked, place)

    def _propose(self, rng: np.random.Generator) -> Floats:
        count = min(ceil(GOOD_SHARE * len(self._ranked)), GOOD)
        good = sorted(place[-1] for place in self._ranked[:count])
        others = sorted(set(self._recent) - set(good))[-RECENT:]
        # Those in training count as no good, so that asks do not crowd around one place before its score is known.
        near, far = (np.stack([self._points[i] for i in own]) for own in (good, [*others, *self._running]))
        space, width = self._space, len(self._space.common)
        point = np.full(len(space.dimensions), np.nan)
        point[:width] = propose(rng, near[:, :width], far[:, :width], [len(d.options) for d in space.common])
        taken = {
            kind.name
            for kind in space.taken({d.key: d.value(x) for d, x in zip(space.common, point[:width], strict=True)})
        }
        begin = width
        for name, own in space.own.items():
            part = slice(begin, begin + len(own))
            begin = part.stop
            if own and name in taken:
                good_own, other_own = (rows[np.isfinite(rows[:, part.start])][:, part] for rows in (near, far))
                point[part] = propose(rng, good_own, other_own, [0] * len(own))
        return point


class GridSampler:
    """A person's own values: every combination, in order."""

    ahead = STOCK

    def __init__(self, base: Setting, grid: Mapping[str, Sequence[Value]]) -> None:
        self._base = base
        self._rows = iter([dict(zip(grid, row, strict=True)) for row in itertools.product(*grid.values())])

    def ask(self, hasty: bool = False) -> Values | None:
        return next(self._rows, None)

    def recall(self, values: Values) -> None:
        next(self._rows)

    def build(self, values: Values) -> Recipe:
        return _from_grid(self._base, values)

    def tell(self, number: int, rung: int, score: float | None, finished: bool) -> None:
        """A grid learns nothing."""


def make_sampler(kind: str, space: Space, seed: int, grid: Mapping[str, Sequence[Value]] | None = None) -> Sampler:
    """A sampler by name: tpe, random, or grid with a person's values."""
    if kind == "grid":
        if not grid:
            raise OptionError("the grid sampler needs values; give some, such as --grid dropout.p=0.1,0.3,0.5.")
        return GridSampler(space.base, grid)
    if grid:
        raise OptionError(f"a grid of values was given and the sampler is {kind!r}; add --sampler grid.")
    if kind not in ("tpe", "random"):
        raise OptionError(f"there is no sampler {kind!r}; it must be tpe, random or grid.")
    return ModelSampler(space, kind == "tpe", derive_seed("sampler", kind, seed))


def parse_grid(lines: Sequence[str]) -> dict[str, tuple[Value, ...]]:
    """`name.key=v1,v2,…` lines as a grid; a key of the setting is written `setting.key`.

    >>> parse_grid(["dropout.p=0.1,0.3"])
    {'dropout.p': (0.1, 0.3)}
    """
    grid: dict[str, tuple[Value, ...]] = {}
    for line in lines:
        key, _, values = line.partition("=")
        name, _, own = key.strip().partition(".")
        if not own or not values.strip():
            raise OptionError(f"grid {line!r} can't be read; write NAME.KEY=V1,V2, such as dropout.p=0.1,0.3.")
        kind = Setting if name == "setting" else technique(name)
        specs = kind.specs()
        if own not in specs:
            raise OptionError(f"grid {line!r}: {name} has no {own!r}; {suggest(own, specs)}.")
        grid[f"{name}.{own}"] = tuple(specs[own].check(f"{name}.{own}", _value(v)) for v in values.split(","))
    return grid


def _value(text: str) -> Value:
    text = text.strip()
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _from_grid(base: Setting, values: Mapping[str, Value]) -> Recipe:
    own: dict[str, dict[str, Value]] = {}
    for key, value in values.items():
        name, _, field = key.partition(".")
        own.setdefault(name, {})[field] = value
    setting = Setting.from_dict({**base.to_dict(), **own.pop("setting", {})})
    chosen = [technique(name).from_dict(fields) for name, fields in own.items()]
    return Recipe(tuple(t for t in chosen if not t.is_off), setting)
