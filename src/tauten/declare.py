"""Values declared once with their range: validation, its message, parsing and search space all come from here.

`Technique` and `Setting` are both built on `Declared`: a frozen dataclass whose fields are hyperparameters (numbers
with bounds) and choices (a few words).
"""

import dataclasses
import difflib
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from tauten.errors import RecipeError

Value = float | int | str | bool | tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Hyperparameter:
    """A number with bounds. `off` is the value at which it does nothing; None for one that can't switch off."""

    low: float
    high: float
    default: float
    off: float | None = None
    search: tuple[float, float] | None = None
    log: bool = False
    integer: bool = False
    per_layer: bool = False
    doc: str = ""

    @property
    def range(self) -> tuple[float, float]:
        """Where a search looks: within the bounds, and narrower where the far ends are never useful."""
        return self.search or (self.low, self.high)

    def check(self, key: str, value: object) -> Value:
        """The value in its own type, or a RecipeError naming value, range and fix."""
        if self.per_layer and isinstance(value, list | tuple):
            if not value:
                raise RecipeError(f"{key} is an empty list; give one number, or one for each hidden layer.")
            return tuple(float(self._number(key, v)) for v in value)
        return self._number(key, value)

    def _number(self, key: str, value: object) -> float | int:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise RecipeError(f"{key} is {value!r}; it must be {self.describe()}.")
        if self.integer and value != int(value):
            raise RecipeError(f"{key} is {value!r}; it must be {self.describe()}.")
        if value != self.off and not self.low <= value <= self.high:
            raise RecipeError(f"{key} is {value!r}; it must be {self.describe()}.")
        return int(value) if self.integer else float(value)

    def describe(self) -> str:
        """The bounds in words, as they stand in messages and on the card."""
        kind = "a whole number" if self.integer else "a number"
        off = f", or {self.off:g} for off" if self.off is not None and not self.low <= self.off <= self.high else ""
        return f"{kind} from {self.low:g} to {self.high:g}{off}"


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of a few words (or booleans)."""

    options: tuple[str | bool, ...]
    default: str | bool
    doc: str = ""

    def check(self, key: str, value: object) -> Value:
        """The value, or a RecipeError naming it and the options."""
        for option in self.options:
            if type(value) is type(option) and value == option:
                return option
        words = ", ".join(repr(o) if isinstance(o, str) else str(o).lower() for o in self.options)
        raise RecipeError(f"{key} is {value!r}; it must be one of {words}.")

    def describe(self) -> str:
        """The options in words."""
        return "one of " + ", ".join(repr(o) if isinstance(o, str) else str(o).lower() for o in self.options)


def hyperparameter(
    *,
    low: float,
    high: float,
    default: float,
    off: float | None = None,
    search: tuple[float, float] | None = None,
    log: bool = False,
    integer: bool = False,
    per_layer: bool = False,
    doc: str = "",
) -> Any:
    """Declare a number: its bounds, the card's value, and the value at which it is off."""
    spec = Hyperparameter(low, high, default, off, search, log, integer, per_layer, doc)
    return dataclasses.field(default=default, metadata={"spec": spec})


def choice(*, default: str | bool, options: tuple[str | bool, ...], doc: str = "") -> Any:
    """Declare a choice between a few words (or booleans)."""
    return dataclasses.field(default=default, metadata={"spec": Choice(options, default, doc)})


class Declared:
    """Base of what is declared: frozen, checked at construction, convertible to and from plain values."""

    name: ClassVar[str] = ""
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __post_init__(self) -> None:
        for key, spec in self.specs().items():
            object.__setattr__(self, key, spec.check(f"{self.name}.{key}", getattr(self, key)))

    @classmethod
    def specs(cls) -> dict[str, Hyperparameter | Choice]:
        """Every declared field with its specification, in order."""
        return {f.name: f.metadata["spec"] for f in dataclasses.fields(cls)}

    @classmethod
    def hyperparameters(cls) -> dict[str, Hyperparameter]:
        """The numbers among the fields."""
        return {key: spec for key, spec in cls.specs().items() if isinstance(spec, Hyperparameter)}

    @classmethod
    def choices(cls) -> dict[str, Choice]:
        """The choices among the fields."""
        return {key: spec for key, spec in cls.specs().items() if isinstance(spec, Choice)}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Build from plain values; a key that is not declared is refused with the nearest one that is."""
        known = cls.specs()
        for key in values:
            if key not in known:
                raise RecipeError(f"{cls.name} has no {key!r}; {suggest(key, known)}.")
        return cls(**values)

    def to_dict(self) -> dict[str, Value]:
        """Plain values, in the order declared."""
        return {key: getattr(self, key) for key in self.specs()}


def suggest(word: str, known: Mapping[str, object] | list[str]) -> str:
    """“did you mean …” where a near one exists, else everything that is known.

    >>> suggest("dropuot", ["dropout", "l1"])
    "did you mean 'dropout'"
    """
    near = difflib.get_close_matches(word, list(known), n=1)
    if near:
        return f"did you mean {near[0]!r}"
    return f"it knows {', '.join(known)}" if known else "it takes no values"
