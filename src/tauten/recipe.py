"""A recipe: the chosen techniques with their values, the setting, and where they were found; a TOML file."""

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from tauten.declare import Value, suggest
from tauten.errors import RecipeError
from tauten.partners import check_partners
from tauten.setting import Setting
from tauten.technique import Technique, technique, techniques

SECTIONS = ("setting", "techniques", "context")
OWN = "own"
"""Beside the values of a technique of a person's own: FILE.py:NAME, or "python"."""
HEADER = "# A Tauten recipe; edit by hand as you like. `tauten techniques NAME` explains each value and its bounds.\n"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Techniques, setting and context, immutable. Two recipes with the same content are equal.

    >>> from tauten.techniques.dropout import Dropout
    >>> recipe = Recipe((Dropout(p=0.3),))
    >>> Recipe.loads(recipe.dumps()) == recipe
    True
    """

    techniques: tuple[Technique, ...] = ()
    setting: Setting = dataclasses.field(default_factory=Setting)
    context: Mapping[str, Value] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "techniques", tuple(sorted(self.techniques, key=lambda t: t.name)))
        check_partners(self.techniques)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the techniques, sorted."""
        return tuple(t.name for t in self.techniques)

    def get(self, name: str) -> Technique | None:
        """The technique of this name, where the recipe holds it."""
        return next((t for t in self.techniques if t.name == name), None)

    def without(self, name: str) -> Self:
        """The recipe less one technique."""
        return dataclasses.replace(self, techniques=tuple(t for t in self.techniques if t.name != name))

    def only(self, *names: str) -> Self:
        """The recipe with none but these techniques; the setting stays."""
        return dataclasses.replace(self, techniques=tuple(t for t in self.techniques if t.name in names))

    def with_setting(self, **values: Value) -> Self:
        """The recipe with parts of its setting replaced."""
        return dataclasses.replace(self, setting=Setting.from_dict({**self.setting.to_dict(), **values}))

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Plain values, as they stand in TOML and in result.json."""
        return {
            "setting": self.setting.to_dict(),
            "techniques": {t.name: _stored(t) for t in self.techniques},
            "context": dict(self.context),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From plain values; whatever is not known is refused with the nearest name that is."""
        for section in values:
            if section not in SECTIONS:
                raise RecipeError(f"a recipe has no section {section!r}; {suggest(section, list(SECTIONS))}.")
            if not isinstance(values[section], Mapping):
                raise RecipeError(f"recipe section {section!r} is {values[section]!r}; it must be a table of values.")
        chosen = []
        for name, own in values.get("techniques", {}).items():
            if not isinstance(own, Mapping):
                raise RecipeError(f"techniques.{name} is {own!r}; it must be a table, such as [techniques.{name}].")
            kind = _kind(name, own)
            chosen.append(kind.from_dict({k: v for k, v in _frozen(own).items() if k != OWN or kind.own is None}))
        return cls(tuple(chosen), Setting.from_dict(values.get("setting", {})), _frozen(values.get("context", {})))

    def dumps(self) -> str:
        """As TOML text."""
        tables = {"setting": self.setting.to_dict(), **{f"techniques.{t.name}": _stored(t) for t in self.techniques}}
        if self.context:
            tables["context"] = dict(self.context)
        body = "\n".join(
            f"[{name}]\n" + "".join(f"{k} = {_toml(v)}\n" for k, v in own.items()) for name, own in tables.items()
        )
        return HEADER + "\n" + body

    @classmethod
    def loads(cls, text: str, source: str = "the recipe") -> Self:
        """From TOML text; `source` names the file in messages."""
        try:
            return cls.from_dict(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"{source} is not TOML: {error}.") from None

    def save(self, path: str | Path) -> None:
        """Write the TOML file."""
        Path(path).write_text(self.dumps(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a TOML file."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(
                f"no recipe can be read from {str(path)!r} ({error.__class__.__name__}); give a TOML file."
            ) from None
        return cls.loads(text, str(path))

    @property
    def key(self) -> str:
        """A short name for the content (techniques and setting): equal recipes, equal keys."""
        content = {k: v for k, v in self.to_dict().items() if k != "context"}
        return hashlib.blake2s(json.dumps(content, sort_keys=True).encode(), digest_size=6).hexdigest()

    def attach(self, model: Any, **options: Any) -> Any:
        """Apply the recipe to an ordinary `nn.Module` in your own loop; see `tauten.attach.attach`."""
        from tauten.attach import attach

        return attach(self, model, **options)


def _stored(t: Technique) -> dict[str, Value]:
    return t.to_dict() if t.own is None else {OWN: t.own, **t.to_dict()}


def _kind(name: str, own: Mapping[str, Any]) -> type[Technique]:
    if OWN in own and name not in techniques():
        where = f"name it by --augment {own[OWN]}, or in Python" if ":" in str(own[OWN]) else "in Python"
        raise RecipeError(
            f"{name} is a technique of your own, and a recipe holds no code; {where} call tauten.data_technique first."
        )
    return technique(name)


def _frozen(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}


def _toml(value: Value | Iterable[float]) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped; and TOML refuses the surrogate
        # pairs by which JSON escapes what lies beyond 16 bits.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, float | int):
        return repr(value)
    return "[" + ", ".join(_toml(v) for v in value) + "]"
