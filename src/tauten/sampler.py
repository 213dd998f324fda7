"""Who enters the race next: TPE, random or a person's grid, over the space that the declarations span.

This is the only module that knows Optuna. Its studies live in memory; what must survive is in the run's own journal,
from which a resumed search asks and tells the same again.
"""

import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tauten.declare import Hyperparameter, Value, suggest
from tauten.draws import derive_seed
from tauten.errors import OptionError
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import Technique, technique

SETTING_CHOICES: dict[str, tuple[str, ...]] = {"schedule": ("constant", "cosine")}
DURATIONS = (0.25, 0.5, 1.0)
"""Shares of the full number of epochs that a search tries: how long to train is a setting of plain training too."""
SHARE_ON = 0.35
"""How likely the random sampler takes a technique: a few together, not most of them."""


@dataclass(frozen=True)
class Space:
    """What may vary: the techniques, and those parts of the setting that the person has not fixed."""

    base: Setting
    techniques: tuple[type[Technique], ...]
    tuned: tuple[str, ...] = ("learning_rate", "schedule", "epochs")

    def plain(self) -> "Space":
        """The space of plain training: its setting only."""
        return Space(self.base, (), self.tuned)

    @property
    def empty(self) -> bool:
        """True where nothing may vary."""
        return not self.techniques and not self.tuned

    def build(self, ask: "Ask") -> Recipe:
        """A recipe from a source of values."""
        values: dict[str, Value] = {}
        if "learning_rate" in self.tuned:
            spec = Setting.hyperparameters()["learning_rate"]
            values["learning_rate"] = ask.number("setting.learning_rate", spec)
        for key, options in SETTING_CHOICES.items():
            if key in self.tuned:
                values[key] = ask.choice(f"setting.{key}", options)
        if "epochs" in self.tuned:
            share = float(ask.choice("setting.duration", tuple(str(d) for d in DURATIONS)))
            values["epochs"] = max(1, round(self.base.epochs * share))
        chosen: list[Technique] = []
        for kind in self.techniques:
            if any(kind.name in t.excludes or t.name in kind.excludes for t in chosen):
                continue
            if ask.switch(kind.name):
                numbers = kind.hyperparameters().items()
                own = {k: ask.number(f"{kind.name}.{k}", s) for k, s in numbers if s.range[0] < s.range[1]}
                chosen.append(kind.from_dict(own))
        return Recipe(tuple(chosen), Setting.from_dict({**self.base.to_dict(), **values}))


class Ask(Protocol):
    """A source of values for a space."""

    def number(self, key: str, spec: Hyperparameter) -> float | int: ...

    def choice(self, key: str, options: Sequence[str]) -> str: ...

    def switch(self, name: str) -> bool: ...


class Sampler(Protocol):
    """Proposes recipes and learns from their scores (lower is better)."""

    def ask(self, trial: int) -> Recipe | None:
        """The next recipe; None when there are no more."""
        ...

    def tell(self, trial: int, rung: int, score: float | None, finished: bool) -> None:
        """What became of it: the score at the deepest rung it reached, None where it was sick."""
        ...


class OptunaSampler:
    """Optuna asked in memory: TPE (Bergstra et al. 2011; multivariate, grouped for conditional values) or random."""

    def __init__(self, space: Space, kind: str, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = (
                optuna.samplers.TPESampler(
                    seed=seed % 2**32, multivariate=True, group=True, n_startup_trials=16, constant_liar=True
                )
                if kind == "tpe"
                else optuna.samplers.RandomSampler(seed=seed % 2**32)
            )
        self._space = space
        self._study = optuna.create_study(sampler=sampler, direction="minimize")
        self._trials: dict[int, optuna.Trial] = {}
        self._pruned = optuna.trial.TrialState.PRUNED
        self._failed = optuna.trial.TrialState.FAIL
        self._quiet = optuna.exceptions.ExperimentalWarning

    def ask(self, trial: int) -> Recipe:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self._quiet)
            own = self._trials[trial] = self._study.ask()
            return self._space.build(_Suggested(own))

    def tell(self, trial: int, rung: int, score: float | None, finished: bool) -> None:
        own = self._trials.pop(trial, None)
        if own is None:
            return
        if score is None:
            self._study.tell(own, state=self._failed)
        elif finished:
            self._study.tell(own, score)
        else:
            own.report(score, rung)
            self._study.tell(own, state=self._pruned)


class GridSampler:
    """A person's own values: every combination, in order."""

    def __init__(self, base: Setting, grid: Mapping[str, Sequence[Value]]) -> None:
        self._recipes = iter(
            [_from_grid(base, dict(zip(grid, row, strict=True))) for row in itertools.product(*grid.values())]
        )

    def ask(self, trial: int) -> Recipe | None:
        return next(self._recipes, None)

    def tell(self, trial: int, rung: int, score: float | None, finished: bool) -> None:
        """A grid learns nothing."""


@dataclass(frozen=True)
class _Suggested:
    trial: Any

    def number(self, key: str, spec: Hyperparameter) -> float | int:
        low, high = spec.range
        if spec.integer:
            return int(self._suggest("int")(key, int(low), int(high), log=spec.log))
        return float(self._suggest("float")(key, low, high, log=spec.log))

    def choice(self, key: str, options: Sequence[str]) -> str:
        return str(self._suggest("categorical")(key, list(options)))

    def switch(self, name: str) -> bool:
        # A uniform number and a threshold, so that the first random ones hold a few techniques, not half of all.
        return bool(self._suggest("float")(f"{name}.on", 0.0, 1.0) < SHARE_ON)

    def _suggest(self, kind: str) -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(self.trial, f"suggest_{kind}")
        return found


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
    return OptunaSampler(space, kind, derive_seed("sampler", kind, seed))


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
