"""What a search may vary, spanned by the declarations: as values in their own units, and as points of the unit cube."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tauten.declare import Hyperparameter, Value
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import Technique

Floats = npt.NDArray[np.float64]
Values = Mapping[str, Value]
"""A recipe as it was asked for: `dropout.on`, `dropout.p`, `setting.learning_rate`, …; plain values, journaled."""

NETS = ("auto", "bag")
"""Of text: pairs of words beside words, and words alone. On 500 and 2,000 texts pairs gain 2.6 and 3.7 points on TREC's
questions, and 1 less to 1 more on SST-2 and SMS spam (best of twelve lengths and rates, three trainings), at 2.3 times
the time of a step."""
DURATIONS = (0.125, 0.25, 0.5, 1.0)
"""Shares of the full number of epochs that a search tries: how long to train is a setting of plain training too."""
SHARE_ON, TOGETHER = 0.35, 5
"""The share of techniques that a random recipe takes, and how many that may be on average: among the 24 of images a
third would be eight, which train worse and longer than five (`docs/architecture.md`)."""


def share_on(count: int) -> float:
    """A technique of so many is taken where its switch, uniform on [0, 1], is below this.

    >>> share_on(14), share_on(25)
    (0.35, 0.2)
    """
    return min(SHARE_ON, TOGETHER / max(count, 1))


@dataclass(frozen=True)
class Dimension:
    """One value: a word of `options`, or a number in `range`; on the cube the word's place, or a share of the range."""

    key: str
    options: tuple[str, ...] = ()
    spec: Hyperparameter | None = None

    @cached_property
    def _ends(self) -> tuple[float, float]:
        assert self.spec is not None
        # Whole numbers own the half unit to either side, so that the first and last are as likely as the others.
        low, high = self.spec.range
        half = 0.5 if self.spec.integer else 0.0
        return self._scaled(low - half), self._scaled(high + half)

    def value(self, x: float) -> Value:
        """The value at `x`."""
        if self.options:
            return self.options[int(x)]
        if self.spec is None:
            return x
        low, high = self._ends
        scaled = low + x * (high - low)
        number = math.exp(scaled) if self.spec.log else scaled
        inside = min(max(round(number) if self.spec.integer else number, self.spec.range[0]), self.spec.range[1])
        return int(inside) if self.spec.integer else float(inside)

    def place(self, value: Value) -> float:
        """Where a value lies; `value(place(v)) == v` up to rounding."""
        if self.options:
            return float(self.options.index(str(value)))
        assert isinstance(value, int | float)
        if self.spec is None:
            return float(value)
        low, high = self._ends
        return (self._scaled(value) - low) / (high - low)

    def _scaled(self, value: float) -> float:
        assert self.spec is not None
        return math.log(value) if self.spec.log else value


@dataclass(frozen=True)
class Space:
    """The techniques, and those parts of the setting that the person has not fixed.

    A point of it is an array with a place for each of `dimensions`: setting and switches first, then each technique's
    numbers, which are NaN where the technique is off.
    """

    base: Setting
    techniques: tuple[type[Technique], ...]
    tuned: tuple[str, ...] = ("learning_rate", "schedule", "epochs", "numeric")

    def plain(self) -> "Space":
        """The space of plain training: its setting only."""
        return Space(self.base, (), self.tuned)

    def neighbours(self) -> list[Setting]:
        """Settings near the base, the likeliest to matter first: a learning rate that falls to zero, which over a fixed
        length mostly ends lower than a constant one, whatever is trained (Loshchilov & Hutter 2017, arXiv:1608.03983);
        then those that differ from that in one of the tuned parts."""
        falls = {"schedule": self.schedules[-1]} if "schedule" in self.tuned else {}
        base = Setting.from_dict({**self.base.to_dict(), **falls})
        other = {key: spec.options for key, spec in Setting.choices().items()}
        changed: dict[str, list[Value]] = {
            "learning_rate": [base.learning_rate * k for k in (3, 1 / 3, 9)],
            "net": [word for word in NETS if word != base.net],
            "numeric": [word for word in other["numeric"] if word != base.numeric],
            "schedule": [word for word in self.schedules if word not in (base.schedule, self.base.schedule)],
            "epochs": [max(1, base.epochs // 2)],
        }
        return [
            *([base] if base != self.base else []),
            *(
                Setting.from_dict({**base.to_dict(), key: value})
                for key, values in changed.items()
                if key in self.tuned
                for value in values
                if value != getattr(base, key)
            ),
        ]

    @property
    def schedules(self) -> tuple[str, ...]:
        """Of the learning rate: constant, or falling as the base's does."""
        own = self.base.schedule
        return ("constant", "cosine" if own == "constant" else own)

    @property
    def empty(self) -> bool:
        """True where nothing may vary."""
        return not self.techniques and not self.tuned

    @cached_property
    def common(self) -> tuple[Dimension, ...]:
        """What every recipe has a value for: the setting, and a switch for each technique."""
        rate = Setting.hyperparameters()["learning_rate"]
        low, high = rate.range
        setting = {
            "learning_rate": Dimension(
                "setting.learning_rate", spec=replace(rate, search=(low, max(high, 3 * self.base.learning_rate)))
            ),
            "net": Dimension("setting.net", NETS),
            "schedule": Dimension("setting.schedule", self.schedules),
            "epochs": Dimension("setting.duration", tuple(map(str, DURATIONS))),
            "numeric": Dimension("setting.numeric", tuple(map(str, Setting.choices()["numeric"].options))),
        }
        return (
            *(d for key, d in setting.items() if key in self.tuned),
            *(Dimension(f"{kind.name}.on") for kind in self.techniques),
        )

    @cached_property
    def own(self) -> dict[str, tuple[Dimension, ...]]:
        """Each technique's numbers."""
        return {
            kind.name: tuple(
                Dimension(f"{kind.name}.{key}", spec=spec)
                for key, spec in kind.hyperparameters().items()
                if spec.range[0] < spec.range[1]
            )
            for kind in self.techniques
        }

    @cached_property
    def dimensions(self) -> tuple[Dimension, ...]:
        """All of them, in the order of a point."""
        return (*self.common, *(d for own in self.own.values() for d in own))

    def random(self, rng: np.random.Generator) -> Floats:
        """A point drawn uniformly; numbers of techniques that are off included."""
        return np.array([rng.integers(len(d.options)) if d.options else rng.random() for d in self.dimensions])

    def values(self, point: Sequence[float] | Floats) -> dict[str, Value]:
        """The values at a point, without those of techniques that are off."""
        every = {d.key: d.value(float(x)) for d, x in zip(self.dimensions, point, strict=True) if x == x}
        off = set(self.own) - {kind.name for kind in self.taken(every)}
        dropped = {d.key for name in off for d in self.own[name]}
        return {key: value for key, value in every.items() if key not in dropped}

    def point(self, values: Values) -> Floats:
        """The point of these values; NaN where there is none."""
        return np.array([d.place(values[d.key]) if d.key in values else np.nan for d in self.dimensions])

    def taken(self, values: Values) -> list[type[Technique]]:
        """The techniques that are on and act on the network; of two that exclude each other the first."""
        chosen: list[type[Technique]] = []
        net = values.get("setting.net", "auto")
        for kind in self.techniques:
            if net != "auto" and kind.nets and net not in kind.nets:
                continue
            switch = values[f"{kind.name}.on"]
            assert isinstance(switch, int | float)
            if switch < share_on(len(self.techniques)) and not any(
                kind.name in t.excludes or t.name in kind.excludes for t in chosen
            ):
                chosen.append(kind)
        return chosen

    def build(self, values: Values) -> Recipe:
        """The recipe of these values."""
        setting: dict[str, Value] = {
            key: values[f"setting.{key}"]
            for key in ("learning_rate", "schedule", "numeric", "net")
            if key in self.tuned
        }
        if "epochs" in self.tuned:
            setting["epochs"] = max(1, round(self.base.epochs * float(str(values["setting.duration"]))))
        chosen = [
            kind.from_dict({d.key.rpartition(".")[2]: values[d.key] for d in self.own[kind.name]})
            for kind in self.taken(values)
        ]
        return Recipe(tuple(chosen), Setting.from_dict({**self.base.to_dict(), **setting}))
