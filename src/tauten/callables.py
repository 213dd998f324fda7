"""Augmentations of a person's own, such as torchvision's or kornia's, as techniques with a strength."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tauten.draws import seeded
from tauten.errors import OptionError
from tauten.member import Source
from tauten.partners import misfit
from tauten.reference import load_reference
from tauten.technique import Draws, Technique, hyperparameter, techniques
from tauten.tensors import Tree

Make = Callable[[float], Callable[[Tensor], Tensor]]
"""A strength to a function of images (n, C, H, W) that returns as many of the same size."""
NAME = re.compile(r"[a-z][a-z0-9_]*")
MADE = "python"
"""Where one comes from that no file is known of."""
BITS = 24


def data_technique(
    name: str,
    make: Make,
    *,
    low: float = 0.0,
    high: float = 1.0,
    default: float | None = None,
    off: float = 0.0,
    each: bool = False,
    card: str = "",
) -> type[Technique]:
    """An augmentation of your own as a technique, which a search tries at strengths from `low` to `high`.

    `make(strength)` returns a function of images: a transform of torchvision.transforms.v2, an augmentation of kornia,
    or any other. It is given float32 images (n, C, H, W), where 0 is the least and 1 the greatest pixel of the training
    rows, whatever their own scale, and returns as many of the same size. A transform of torchvision draws once a call,
    so that a whole batch would be changed alike: with `each` it is called for every image, as (1, C, H, W).

    A search then tries the technique beside all others, or where `techniques` names it. It is off at `off`, where
    nothing is called; `default` (the middle of the range) is what it is first tried at. What the function draws from
    torch's, NumPy's or Python's random numbers is seeded for each member and step, and it is made anew there, so that a
    member trains as it would alone; on one thread at a time.

    A recipe names the technique and holds no code: call this before you load one, or name the file in `augment`.
    Whether a function keeps the laws of techniques, `tauten.testing.LAWS` tell.

    Errors: OptionError for a name that is taken or no word in small letters, or bounds that leave no range.

    For example:

        def haze(strength):
            return lambda images: images * (1 - strength) + strength * torch.rand(len(images), 1, 1, 1)

        tauten.search(X, y, techniques=["flip", "dropout", tauten.data_technique("haze", haze, high=0.5)])
    """
    if not NAME.fullmatch(name):
        raise OptionError(f"a technique is named {name!r}; it must be a word of small letters, such as 'rain'.")
    known = techniques().get(name)
    if known is not None and known.own is None:
        raise OptionError(f"a technique of your own is named {name!r}, as one that there is; rename it.")
    if not callable(make):
        raise OptionError(f"make is {make!r}; it must be a function of the strength that returns one of images.")
    if not low < high:
        raise OptionError(f"low is {low!r} and high {high!r} for {name}; low must be less than high.")
    middle = (low + high) / 2 if default is None else default
    called = Called(name, make, each)

    class Own(Technique, name=name, card=card, data=("images",)):
        """An augmentation of a person's own."""

        strength: float = hyperparameter(off=off, low=low, high=high, default=middle, doc="what `make` is given")

        @staticmethod
        def pixels(black: Tensor, white: Tensor) -> Tree:
            return {"black": black, "white": white}

        def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
            ends: Any = vars(self)
            draw = r.uniform(x.new_zeros((*x.shape[:-4], 1, 2)))
            on = torch.as_tensor(self.strength) != off
            own: Callable[..., Tensor] = _OneByOne.apply
            return own(called, x, torch.as_tensor(self.strength), on, draw, ends["black"], ends["white"]), y

    Own.own, Own.__name__ = MADE, name
    return Own


def load_technique(reference: str) -> type[Technique]:
    """The technique that FILE.py:NAME names: what `data_technique` returned there, or a function as its `make`.

    It is called NAME. OptionError where there is none.
    """
    found = load_reference(reference, "augment", "my_aug.py:rain", "makes a transform of a strength", OptionError)
    if not isinstance(found, type):
        found = data_technique(reference.rpartition(":")[2], found)
    if not issubclass(found, Technique) or found.own is None:
        raise OptionError(f"augment {reference!r} is a class; name a function, or what tauten.data_technique returned.")
    found.own = reference
    return found


def rehearse(kinds: Iterable[type[Technique]], source: Source) -> None:
    """Call each technique of a person's own once, on two rows, as training will.

    OptionError where it returns anything but as many images.
    """
    x, draws = source.inputs[:2], Draws(torch.tensor(0), torch.tensor(0), "rehearsal")
    for kind in kinds:
        if kind.own is not None and not misfit(kind, source.task, source.data):
            bound = kind().alone(0, x.device).with_values(kind.pixels(*source.pixels))
            bound.batch(x, source.targets[:2], draws.at(kind.name))


@dataclass(frozen=True)
class Called:
    """A person's function, called for one member's images (B, C, H, W) at a time."""

    name: str
    make: Make
    each: bool

    def __call__(self, x: Tensor, strength: float, draw: Tensor, black: Tensor, white: Tensor) -> Tensor:
        """Images x, standardized as `black` and `white` (C,) are; `draw` (1, 2) is what the seed is made of."""
        ends = [v[:, None, None] for v in (black, white - black)]
        first, second = (int(v) for v in (draw * 2**BITS).flatten().tolist())
        with seeded(first << BITS | second):
            function, images = self.make(strength), (x - ends[0]) / ends[1]
            parts = [function(part) for part in (images.unsqueeze(1) if self.each else [images])]
        for part in parts:
            self._check(part, strength, images if not self.each else images[:1])
        return (torch.cat(parts) * ends[1] + ends[0]).to(x.dtype)

    def _check(self, found: object, strength: float, given: Tensor) -> None:
        if not isinstance(found, Tensor) or found.shape != given.shape or not found.is_floating_point():
            what = f"{tuple(found.shape)} {found.dtype}" if isinstance(found, Tensor) else type(found).__name__
            raise OptionError(
                f"{self.name} at strength {strength:g} makes {what} of images {tuple(given.shape)} {given.dtype}; it "
                "must return a tensor of as many images of the same size and type."
            )


def _each(called: Called, x: Tensor, strength: Tensor, on: Tensor, *known: Tensor) -> Tensor:
    """`called` for one member or for each of a stack."""
    if strength.ndim:
        members = zip(x, strength, on, *known, strict=True)
        return torch.stack([_each(called, *one) for one in members])
    return called(x, float(strength), *known) if on else x.clone()


class _OneByOne(torch.autograd.Function):
    """A function that knows nothing of members, for one or a stack of them, under `vmap` too."""

    @staticmethod
    def forward(called: Called, *given: Tensor) -> Tensor:
        return _each(called, *given)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        """Nothing is differentiated: data techniques act before the gradient."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], called: Called, *given: Tensor) -> tuple[Tensor, int]:
        stacked = [
            v.expand(info.batch_size, *v.shape) if d is None else v.movedim(d, 0)
            for v, d in zip(given, in_dims[1:], strict=True)
        ]
        return _each(called, *stacked), 0
