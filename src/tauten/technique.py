"""What a technique is: declared numbers and pure hooks; and the registry that finds every technique there is.

One training step, and where a technique may act (a hook that a technique does not define costs nothing):

    maps  = warp(x, r)                        data       images: an affine map each; all are made in one resampling
    x, y  = batch(x, y, r)                    data       noise, colours, mixup, soft labels
    h, b  = normalize(h, own, buffers, train) structure  between a linear map and its activation; may own parameters
    h     = activation(h, r)                  model      after an activation, in training
    h     = inference(h)                      model      after an activation, in evaluation; draws nothing
    h     = pooled(h, r)                      model      text: one vector for each text, in training; r is that of batch
    loss  = loss(loss, out, here)             objective  penalties; here.forward(x, name) is another pass
    w     = ascend(w, g, here)                update     where the weights go before the second gradient (passes = 2)
    d     = disturb(g)                        update     text: where its word vectors go before the second gradient
    g     = gradient(g, w, here)              update     clipping, noise
    w     = weights(new, old, here)           update     after the optimizer's step
    s, w  = update(state, w, step)            update     averages; the state begins as init(w)
    w     = deliver(w, state)                 inference  what evaluation, extraction and snapshots read
    stop  = stop(history)                     duration   on the host, after each evaluation

A hook sees one member or a stack alike: hyperparameters arrive as (M,) or 0-d tensors, and `tauten.tensors` holds
the operations that read the same for both. No Python `if` on a tensor, no `.item()`.
"""

import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from typing import ClassVar, Self, dataclass_transform

import torch
from torch import Tensor

from tauten.declare import Choice, Declared, Hyperparameter, choice, hyperparameter, suggest
from tauten.draws import Draws
from tauten.errors import ContractError, RecipeError
from tauten.hooks import HOOKS, IN_TEXT, Here, Hooks, Stop
from tauten.tensors import Tree

TASKS = ("classification", "multilabel", "regression")
DATA = ("tables", "images", "text")
Kernel = Mapping[str, float | str | tuple[float, ...]]
"""Fields of the native engine's plan; see `Technique.kernel`."""
_REGISTRY: dict[str, type["Technique"]] = {}


@dataclass_transform(frozen_default=True, field_specifiers=(hyperparameter, choice))
class Technique(Hooks, Declared):
    """One way to regularize. Subclass it with a name, declare its numbers, write its hooks; that is all.

    Class keywords: `name`, `paper` (source of the formula), `after` (techniques that act before it at the same
    site), `excludes` (partners it can't be combined with), `tasks` and `data` (where it makes sense), `nets` (the
    built-in networks that it can act on; all by default), `practice` (kinds of data for which most people take it
    without a search), `planes` (what it needs beside words: "synonyms", "typos", "translations"), `passes` (gradients a
    step), `mixes` (its `batch` mixes rows: linear in y, of any number of columns, so that rows' weights are mixed in it
    too), `card` (suggested use, interactions, cost in plain words).
    """

    paper: ClassVar[str] = ""
    card: ClassVar[str] = ""
    after: ClassVar[tuple[str, ...]] = ()
    excludes: ClassVar[tuple[str, ...]] = ()
    tasks: ClassVar[tuple[str, ...]] = TASKS
    data: ClassVar[tuple[str, ...]] = DATA
    nets: ClassVar[tuple[str, ...]] = ()
    practice: ClassVar[tuple[str, ...]] = ()
    planes: ClassVar[tuple[str, ...]] = ()
    mixes: ClassVar[bool] = False
    passes: ClassVar[int] = 1
    hooks: ClassVar[frozenset[str]] = frozenset()
    own: ClassVar[str | None] = None
    """Of one that a person made of a function: FILE.py:NAME, or "python"; None of all others."""

    def __init_subclass__(
        cls,
        *,
        name: str = "",
        paper: str = "",
        card: str = "",
        after: Sequence[str] = (),
        excludes: Sequence[str] = (),
        tasks: Sequence[str] = TASKS,
        data: Sequence[str] = DATA,
        nets: Sequence[str] = (),
        practice: Sequence[str] = (),
        planes: Sequence[str] = (),
        mixes: bool = False,
        passes: int = 1,
    ) -> None:
        super().__init_subclass__()
        if not name:
            raise ContractError(f'{cls.__name__} needs a name: class {cls.__name__}(Technique, name="…").')
        cls.name, cls.paper, cls.card, cls.mixes, cls.passes = name, paper, card, mixes, passes
        cls.after, cls.excludes, cls.tasks, cls.data = tuple(after), tuple(excludes), tuple(tasks), tuple(data)
        cls.nets, cls.practice, cls.planes = tuple(nets), tuple(practice), tuple(planes)
        cls.hooks = frozenset(hook for hook in HOOKS if getattr(cls, hook) is not getattr(Technique, hook))
        dataclasses.dataclass(frozen=True)(cls)
        if not cls.hooks:
            raise ContractError(f"technique {name!r} defines no hook, so it can't have an effect.")
        if not cls.structural() and not cls.switches():
            raise ContractError(f"technique {name!r} has no hyperparameter with an off value.")
        if _REGISTRY.setdefault(name, cls).__qualname__ != cls.__qualname__:
            raise ContractError(f"two techniques are named {name!r}: {_REGISTRY[name]} and {cls}.")
        _REGISTRY[name] = cls

    def kernel(self) -> Kernel | None:
        """What the native engine's own code needs to do the same; None where it has no code for this technique.

        By field of its plan: a number, one for each layer or class, or the path of a draw below this technique's place
        in the step, with `{layer}` where each layer has its own. `self` holds numbers, and what `learn` found out.
        """
        return {} if self.hooks == {"stop"} else None

    # ---- what follows from the declaration ----

    @classmethod
    def structural(cls) -> bool:
        """True for a technique that changes what the network consists of; off means absent."""
        return "normalize" in cls.hooks

    @classmethod
    def grafts(cls) -> bool:
        """Whether it can act on a module of one's own as it stands."""
        return not cls.structural() and not cls.hooks & IN_TEXT

    @classmethod
    def switches(cls) -> dict[str, Hyperparameter]:
        """The hyperparameters that turn it off at their off value."""
        return {key: spec for key, spec in cls.hyperparameters().items() if spec.off is not None}

    @classmethod
    def off_values(cls) -> dict[str, float]:
        """The values that turn it off; a structural technique has none, it is absent."""
        return {key: spec.off for key, spec in cls.switches().items() if spec.off is not None}

    @property
    def is_off(self) -> bool:
        """True where every switch stands at its off value."""
        switches = self.switches()
        return bool(switches) and all(
            set(v if isinstance(v := getattr(self, k), tuple) else (v,)) == {spec.off} for k, spec in switches.items()
        )

    @classmethod
    def at_rates(cls, rates: Sequence[float]) -> Self | None:
        """The technique as a module's own dropout layers do it, at their rates in the order of their calls; or None."""
        return None

    @property
    def statics(self) -> tuple[tuple[str, object], ...]:
        """The choices that differ from their default: members that share a group must agree on them."""
        return tuple((k, getattr(self, k)) for k, spec in self.choices().items() if getattr(self, k) != spec.default)

    def with_values(self, values: Mapping[str, Tensor]) -> Self:
        """The same technique with tensors in place of its numbers, as hooks see it inside an engine."""
        bound = object.__new__(type(self))
        vars(bound).update({**vars(self), **values})
        return bound

    def at_layer(self, layer: int) -> Self:
        """With the values of one layer, where a hyperparameter has one for each; shapes (…, L) become (…)."""
        keys = [key for key, spec in self.hyperparameters().items() if spec.per_layer]
        return self.with_values({k: getattr(self, k)[..., layer] for k in keys} if keys else {})

    @classmethod
    def stack(cls, members: Sequence["Technique | None"], layers: int, device: torch.device) -> dict[str, Tensor]:
        """Hyperparameters of many members as tensors (M,), or (M, L) where a value per layer is possible.

        A member without the technique gets its off values.
        """
        stacked = {}
        for key, spec in cls.hyperparameters().items():
            absent = spec.default if spec.off is None else spec.off
            rows = [absent if m is None else getattr(m, key) for m in members]
            if spec.per_layer:
                rows = [cls._per_layer(key, value, layers) for value in rows]
            dtype = torch.int64 if spec.integer else torch.float32
            stacked[key] = torch.tensor(rows, dtype=dtype, device=device)
        return stacked

    def alone(self, layers: int, device: torch.device) -> Self:
        """With its own values as tensors (), or (L,), as hooks see them where one member is trained."""
        stacked = type(self).stack([self], layers, device)
        return self.with_values({key: value[0] for key, value in stacked.items()})

    @classmethod
    def _per_layer(cls, key: str, value: float | tuple[float, ...], layers: int) -> list[float]:
        if not isinstance(value, tuple):
            return [value] * max(layers, 1)
        if len(value) != layers:
            raise RecipeError(
                f"{cls.name}.{key} has {len(value)} values and the network has {layers} places for it (hidden "
                "activations, or dropout layers of its own); give one number for all, or one for each."
            )
        return list(value)


def techniques() -> dict[str, type[Technique]]:
    """Every technique there is, by name: Tauten's own and those of installed packages (`tauten.techniques`)."""
    _load_files_and_packages()
    return dict(sorted(_REGISTRY.items()))


@functools.cache
def _load_files_and_packages() -> None:
    """Once: looking through all installed packages takes milliseconds."""
    import tauten.techniques as own

    for module in pkgutil.iter_modules(own.__path__):
        importlib.import_module(f"{own.__name__}.{module.name}")
    for point in entry_points(group="tauten.techniques"):
        point.load()


def technique(name: str) -> type[Technique]:
    """The technique of this name; RecipeError with the nearest name where there is none."""
    known = techniques()
    if name not in known:
        raise RecipeError(f"there is no technique {name!r}; {suggest(name, known)}.")
    return known[name]


__all__ = [
    "HOOKS", "Choice", "Draws", "Here", "Hyperparameter", "Kernel", "Stop", "Technique", "Tree", "choice",
    "hyperparameter", "technique", "techniques",
]  # fmt: skip
