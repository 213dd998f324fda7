"""Techniques on a module as it stands: what can be grafted, and module and targets as one training step sees them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tauten.errors import DataError, OptionError, RecipeError
from tauten.hooks import IN_TEXT
from tauten.member import one_hot
from tauten.nets.base import Pass
from tauten.nets.kinds import kernels_of
from tauten.nets.module import call
from tauten.nets.places import Places, acting, set_mode
from tauten.nets.preflight import survey
from tauten.partners import data_of, misfit
from tauten.technique import Technique
from tauten.tensors import Tree
from tauten.text.layout import TextLayout
from tauten.wording import ids_of, reading

Ends = tuple[float | Sequence[float] | Tensor, float | Sequence[float] | Tensor]
OWN_LAYERS: dict[str, type[nn.Module]] = {"batch_norm": nn.modules.batchnorm._BatchNorm}
"""Structural techniques that a module may hold as a layer of its own; then the recipe's wish is met."""


class Grafted:
    """A module as a pure function of its weights and buffers, in which techniques act at every place.

    `own` is known from the first batch on, see `bind`. Where `words` is the number of ids, rows are texts: the module
    is called with ids (B, L), and techniques see the planes that `rows` makes of them.
    """

    def __init__(self, module: nn.Module, words: int | None = None) -> None:
        self._module, self.kernels, self.own = module, kernels_of(module), False
        self._layout = None if words is None else TextLayout(length=1, ids=words)

    def rows(self, x: Tensor) -> Tensor:
        """A batch as techniques see it; DataError for ids that are none."""
        if self._layout is None:
            return x
        if x.ndim != 2 or x.is_floating_point() or not x.numel():
            raise DataError(f"x has shape {tuple(x.shape)} and {x.dtype}; texts are whole numbers (rows, words).")
        if not 0 <= int(x.min()) <= int(x.max()) < self._layout.ids:
            wrong = int(x.min()) if int(x.min()) < 0 else int(x.max())
            raise DataError(f"x holds the id {wrong}; with words = {self._layout.ids} ids go from 0, for no word, up.")
        return x.unsqueeze(1).to(torch.float32)

    def forward(self, w: Tree, buffers: Tree, x: Tensor, at: Pass) -> tuple[Tensor, Tree]:
        """Outputs (B, K) and the buffers after; the module's own tensors are not touched."""
        return call(self._module, w, buffers, (self._given(x),), at, self.own)

    def live(self, x: Tensor, at: Pass) -> Tensor:
        """Outputs (B, K) by a plain call, which keeps buffers that the module reassigns."""
        set_mode(self._module, True)
        with acting(self._module, Places(at, self.own)):
            out: Tensor = self._module(self._given(x))
        return out

    def mask(self, w: Tree) -> Tree:
        """Nothing is padded."""
        return w

    def bind(
        self, techniques: tuple[Technique, ...], x: Tensor, targets: Tensor | None, pixels: Ends | None = None
    ) -> tuple[Technique, ...]:
        """The techniques with their values as tensors, those per layer fitted to the places that a batch meets.

        `targets` (n, K) are those of all training rows, and `pixels` black and white, from which some learn.
        """
        for t in techniques:
            if why := self._misfit(t, x):
                raise RecipeError(f"{t.name} {why}; take recipe.without({t.name!r}).")
        acting_here = [t.name for t in techniques if "activation" in t.hooks]
        found = survey(self._module, (self._given(x),)) if acting_here else None
        if found is not None and not found.places:
            name = acting_here[0]
            raise RecipeError(
                f"{name} acts after activations such as nn.ReLU and the module calls none that Tauten knows; use one "
                f"of torch's, or take recipe.without({name!r})."
            )
        self.own = found is not None and found.own
        layers = len(found.places) if found else 0
        bound = tuple(t.alone(layers, x.device) for t in techniques)
        learnt = [{} if targets is None else t.learn(targets.to(x.device)) for t in bound]
        scales = [{} if pixels is None else t.pixels(*(_channels(v, x) for v in pixels)) for t in bound]
        known = [t.with_values(a | b) for t, a, b in zip(bound, learnt, scales, strict=True)]
        return tuple(reading(t, self._layout) for t in known)

    def _misfit(self, t: Technique, x: Tensor) -> str:
        """Why a technique makes no sense for such rows, in words that follow its name; empty where it does."""
        if self._layout and t.planes:
            return f"takes {' and '.join(t.planes)} of the texts, which a search looks up and ids alone don't tell"
        why = misfit(type(t), t.tasks[0], "text" if self._layout else data_of(x.shape[1:]))
        if not why or self._layout:
            return why
        cure = "; pass words, the number of ids, where these are ids of words" if t.data == ("text",) else ""
        return f"{why} of shape {tuple(x.shape[1:])}{cure}"

    def _given(self, x: Tensor) -> Tensor:
        return x if self._layout is None else ids_of(x)


def _channels(value: float | Sequence[float] | Tensor, x: Tensor) -> Tensor:
    """A number for each channel of images x (B, C, H, W)."""
    return torch.as_tensor(value, dtype=x.dtype, device=x.device).expand(x.shape[1])


def as_targets(y: Tensor, task: str, classes: int | None, name: str) -> Tensor:
    """(B, K) class probabilities, labels or regression targets; DataError where y is something else."""
    if not isinstance(y, Tensor) or y.ndim == 0:
        raise DataError(f"{name} is {y!r}; it must be a tensor with one row an example.")
    if task == "regression":
        return y.unsqueeze(-1) if y.ndim == 1 else y
    n, k = len(y), classes or 0
    if y.shape == (n, k) and (y.is_floating_point() or task == "multilabel"):
        return y if y.is_floating_point() else y.to(torch.float32)
    if task == "multilabel":
        raise DataError(f"{name} has shape {tuple(y.shape)}; give a zero or one for each row and label, ({n}, {k}).")
    if y.ndim != 1 or y.is_floating_point():
        raise DataError(
            f"{name} has shape {tuple(y.shape)} and {y.dtype}; give class codes ({n},) as whole numbers, or "
            f"class probabilities ({n}, {k})."
        )
    if n and not 0 <= int(y.min()) <= int(y.max()) < k:
        wrong = int(y.min()) if int(y.min()) < 0 else int(y.max())
        raise DataError(f"{name} holds the class code {wrong}; with classes = {k} codes go from 0 to {k - 1}.")
    return one_hot(y, k)


def check_technique(t: Technique, module: nn.Module, targets: Tensor | None, pixels: Ends | None) -> None:
    """RecipeError or OptionError for a technique that can't act on this module faithfully, with the fix."""
    if targets is None and type(t).learn is not Technique.learn:
        raise OptionError(
            f"{t.name} learns from the training targets and targets is None; give those of all rows trained on."
        )
    if pixels is None and type(t).pixels is not Technique.pixels:
        raise OptionError(
            f"{t.name} acts on images from black to white and pixels is None; give these two as your images have them, "
            "such as (0, 1), or for each channel (-mean / std, (1 - mean) / std)."
        )
    if t.hooks & IN_TEXT:
        raise RecipeError(
            f"{t.name} acts inside the built-in networks of text and not on a module; take recipe.without({t.name!r})."
        )
    if t.structural() and not any(isinstance(m, OWN_LAYERS.get(t.name, ())) for m in module.modules()):
        raise RecipeError(
            f"{t.name} changes what a network consists of and can't be grafted onto a module; put it into the module "
            f"itself (such as nn.BatchNorm1d), or take recipe.without({t.name!r})."
        )
    if "inference" in t.hooks and _changes_inference(t):
        forms = ", ".join(f"{key} = {value!r}" for key, value in t.statics) or "as given"
        raise RecipeError(
            f"{t.name} ({forms}) also acts at inference, which saved weights can't carry; take a form that acts in "
            "training only (of dropout: form = 'inverted', equal in expectation)."
        )


def _changes_inference(t: Technique) -> bool:
    layers = max(len(v) if isinstance(v, tuple) else 1 for v in t.to_dict().values())
    bound, probe = t.alone(layers, torch.device("cpu")), torch.linspace(-1, 1, 8).reshape(2, 4)
    return any(not torch.equal(bound.at_layer(i).inference(probe), probe) for i in range(layers))
