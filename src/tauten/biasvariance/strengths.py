"""The values of one hyperparameter, and the recipes that hold nothing else."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tauten.declare import Hyperparameter, suggest
from tauten.errors import OptionError
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import Technique, technique


@dataclasses.dataclass(frozen=True)
class Strength:
    """A technique's hyperparameter `key`, and its values from the first to the last."""

    kind: type[Technique]
    key: str
    values: tuple[float, ...]

    @property
    def name(self) -> str:
        """Such as dropout.p."""
        return f"{self.kind.name}.{self.key}"

    @property
    def spec(self) -> Hyperparameter:
        """What the technique declares of it."""
        return self.kind.hyperparameters()[self.key]

    def recipes(self, setting: Setting) -> list[Recipe]:
        """One for each value: the technique alone, or plain where the value switches it off."""
        each = [self.kind.from_dict({self.key: value}) for value in self.values]
        return [Recipe(() if t.is_off else (t,), setting) for t in each]


def strength_of(name: str, values: str | Sequence[float]) -> Strength:
    """A technique's name, or NAME.KEY, with values as `bias_variance` takes them.

    RecipeError for what there is not, OptionError for values that can't be read or a technique that has no strength.

    >>> strength_of("dropout", "0:0.8:5").values
    (0.0, 0.2, 0.4, 0.6, 0.8)
    >>> strength_of("l2", "1e-4:1e-2:3").values
    (0.0001, 0.001, 0.01)
    """
    name, _, key = name.partition(".")
    kind = technique(name)
    if kind.hooks == {"stop"}:
        raise OptionError(f"{name} decides how long to train, and here all train equally long; name another technique.")
    numbers, switches = kind.hyperparameters(), list(kind.switches())
    if key and key not in numbers:
        raise OptionError(f"{name} has no number {key!r}; {suggest(key, numbers)}.")
    if not key and len(switches) != 1:
        some = ", ".join(f"{name}.{k}" for k in numbers) or "another technique"
        raise OptionError(f"{name} has {len(switches)} numbers that switch it off; name one number, such as {some}.")
    key = key or switches[0]
    spec = numbers[key]
    numeric = _spaced(values, spec.log) if isinstance(values, str) else list(values)
    if not numeric:
        raise OptionError(f"values of {name}.{key} are empty; give at least one, or FROM:TO:COUNT such as 0:0.8:9.")
    checked = [spec.check(f"{name}.{key}", int(v) if spec.integer and v == int(v) else v) for v in numeric]
    return Strength(kind, key, tuple(float(v) for v in checked if isinstance(v, int | float)))


def _spaced(text: str, log: bool) -> list[float]:
    """FROM:TO:COUNT, or V1,V2,…"""
    wrong = OptionError(f"values {text!r} can't be read; write FROM:TO:COUNT, such as 0:0.8:9, or V1,V2,V3.")
    try:
        if ":" not in text:
            return [float(v) for v in text.split(",")]
        first, last, count = text.split(":")
        low, high, n = float(first), float(last), int(count)
    except ValueError:
        raise wrong from None
    if n < 2 or not low < high:
        raise wrong
    spaced = np.geomspace(low, high, n) if log and low > 0 else np.linspace(low, high, n)
    # Twelve digits, so that 0:0.8:5 holds 0.6 and not its neighbour.
    return [float(f"{v:.12g}") for v in spaced]
