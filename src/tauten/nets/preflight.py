"""What a module does, found out on a few rows before any training: its places, and what stands in the way."""

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tauten.draws import Draws
from tauten.errors import ModelError
from tauten.nets.base import Pass
from tauten.nets.places import Places, acting, set_mode
from tauten.tensors import Tree

FAILURES = (RuntimeError, TypeError, ValueError, IndexError, AttributeError, AssertionError)
"""What a module's own code may raise on input that does not suit it."""
APART = 1e-3
"""Outputs may differ by so much between a stack and one member, relative to the largest."""
Given = tuple[Tensor, ...]
"""The arguments of a module's call."""
Forward = Callable[[Tree, Tree, Given, Pass], tuple[Tensor, Tree]]


@dataclass(frozen=True)
class Place:
    """Where techniques act: the layer it was met in, what is called there, `units` (one row's shape), and its own rate.

    `rate` is None after an activation, else that of the module's own dropout.
    """

    layer: str
    call: str
    units: tuple[int, ...]
    rate: float | None = None


@dataclass
class Survey:
    """What one pass met: its `places`, hidden activations that are none, and rates `inside` that are switched off."""

    places: list[Place] = field(default_factory=list)
    activations: list[Place] = field(default_factory=list)
    inside: list[Place] = field(default_factory=list)
    outputs: Tensor = field(default_factory=lambda: torch.empty(0))

    @property
    def own(self) -> bool:
        """Whether the module has dropout places of its own."""
        return any(place.rate is not None for place in self.places)


def quiet() -> Pass:
    """A training pass in which nothing acts."""
    return Pass((), Draws(torch.tensor(0), torch.tensor(0), "preflight"))


def survey(module: nn.Module, given: Given) -> Survey:
    """The places of a training pass over rows (B, …); no buffer and no stream of draws moves."""
    found, devices = Survey(), [x.device for x in given[:1] if x.is_cuda]
    held = {k: b.clone() for k, b in module.named_buffers()}
    with torch.no_grad(), torch.random.fork_rng(devices=devices), trail(module) as inside:
        spy = _Spy(found, inside)
        set_mode(module, True)
        with acting(module, spy):
            found.outputs = torch.func.functional_call(module, held, given)
    dropped = [place for place in found.places if place.rate is not None]
    if dropped:
        found.activations = [place for place in found.places if place.rate is None]
        found.places = dropped
    return found


@contextmanager
def trail(module: nn.Module) -> Iterator[list[str]]:
    """The names of the layers that a pass is in, outermost first; where it failed, its last is the innermost."""
    inside: list[str] = []
    hooks = []

    def leave(*_: object) -> None:
        inside.pop()

    for name, layer in module.named_modules():
        hooks += [
            layer.register_forward_pre_hook(lambda _, __, name=name: inside.append(name)),
            layer.register_forward_hook(leave),
        ]
    try:
        yield inside
    finally:
        for hook in hooks:
            hook.remove()


def describe(module: nn.Module, name: str) -> str:
    """A layer in a sentence: its name, and what it is."""
    layer = module.get_submodule(name)
    own = type(layer).__name__ if any(True for _ in layer.children()) or not name else " ".join(repr(layer).split())
    return f"layer {name!r}, {own}" if name else f"the module itself, {own}"


def check_draws(module: nn.Module, given: Given) -> None:
    """ModelError where the module draws random numbers of its own, beside the dropout that is taken over."""
    states: list[Tensor] = []
    drawing: list[str] = []

    def before(*_: object) -> None:
        states.append(torch.get_rng_state())

    def after(name: str) -> None:
        if not torch.equal(states.pop(), torch.get_rng_state()):
            drawing.append(name)

    hooks = []
    for name, layer in module.named_modules():
        hooks += [
            layer.register_forward_pre_hook(before),
            layer.register_forward_hook(lambda *_, name=name: after(name)),
        ]
    try:
        first = survey(module, given).outputs
    finally:
        for hook in hooks:
            hook.remove()
    if drawing or not torch.equal(first, survey(module, given).outputs):
        where = describe(module, drawing[0]) if drawing else "the module"
        raise ModelError(
            f"{where} draws random numbers in its forward pass, from a stream that all members would share; remove it, "
            "or use nn.Dropout or a layer named DropPath with a drop_prob, which the recipe takes over."
        )


def check_buffers(module: nn.Module, given: Given) -> None:
    """ModelError where a buffer is reassigned in the forward pass, which a stack of members would lose."""
    before = dict(module.named_buffers())
    values = {k: b.clone() for k, b in before.items()}
    set_mode(module, True)
    with torch.no_grad(), torch.random.fork_rng(devices=[]), acting(module, Places(quiet(), own=True)):
        module(*given)
    for name, buffer in module.named_buffers():
        if before.get(name) is not buffer:
            raise ModelError(
                f"buffer {name!r} is reassigned in forward, which would be lost when members are stacked; change "
                f"it in place, with self.{name}.copy_(…)."
            )
        buffer.copy_(values[name])


def check_step(forward: Forward, module: nn.Module, w: Tree, buffers: Tree, given: Given) -> None:
    """ModelError where outputs aren't (B, K) or a member can't be trained alone."""
    shape = " and ".join(str(tuple(x.shape)) for x in given)
    leaves = {k: v.detach().requires_grad_() for k, v in w.items()}
    with trail(module) as inside:
        try:
            out = forward(leaves, buffers, given, quiet())[0]
            if isinstance(out, Tensor):
                torch.autograd.grad(out.square().sum(), list(leaves.values()), allow_unused=True)
        except FAILURES as error:
            where = describe(module, inside[-1]) if inside else "in training"
            raise ModelError(
                f"the module can't take a batch of shape {shape} ({where}: {_first_line(error)}); build() must return "
                "a module that maps (rows, …) to (rows, outputs) and can be trained."
            ) from None
    found = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
    if not isinstance(out, Tensor) or out.ndim != 2 or len(out) != len(given[0]):
        raise ModelError(f"the module gives {found} for a batch of shape {shape}; it must give (rows, outputs).")


def obstacle(forward: Forward, module: nn.Module, w: Tree, buffers: Tree, given: Given) -> str | None:
    """Why a module can't be stacked over members, naming the layer; None where it can.

    Tried with a training pass, its gradient and an evaluation, as the engine would; w and buffers (2, …) are those of
    two members, `given` (B, …) what both see.
    """

    def step(w: Tree, buffers: Tree, given: Given) -> tuple[Tree, Tensor, Tensor]:
        def loss(w: Tree) -> tuple[Tensor, Tensor]:
            out = forward(w, buffers, given, quiet())[0]
            return out.square().sum(), out

        gradient, out = torch.func.grad(loss, has_aux=True)(w)
        return gradient, out, forward(w, buffers, given, Pass((), None))[0]

    with trail(module) as inside, warnings.catch_warnings():
        # Where torch has no rule for a stack it would go one by one itself, only slower.
        warnings.filterwarnings("error", message="There is a performance drop")
        try:
            _, trained, evaluated = torch.func.vmap(step)(w, buffers, tuple(torch.stack([x, x]) for x in given))
        except (*FAILURES, UserWarning) as error:
            return f"{describe(module, inside[-1] if inside else '')}: {_reason(error)}"
    for i in range(2):
        own = [{k: v[i] for k, v in tree.items()} for tree in (w, buffers)]
        for stacked, at in ((trained[i], quiet()), (evaluated[i], Pass((), None))):
            alone = forward(own[0], own[1], given, at)[0]
            if float((alone - stacked).detach().abs().max()) > APART * (1 + float(alone.detach().abs().max())):
                return f"{describe(module, '')}: its outputs in a stack are not those of one member"
    return None


def multiply_adds(run: Callable[[], object]) -> int:
    """Multiply-adds of the matrix products and convolutions in what is run.

    >>> multiply_adds(lambda: torch.ones(2, 3) @ torch.ones(3, 5))
    30
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops()) // 2


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _reason(error: Exception) -> str:
    """Torch's answer to what it can't stack, in short."""
    text = str(error)
    if unknown := re.search(r"(?:batching rule for|Batching rule not implemented for) (aten::\w+)", text):
        return f"torch has no rule for a stack of {unknown[1]}"
    if "data-dependent control flow" in text:
        return "it takes a number out of a tensor (.item()) or decides by one (if …)"
    return _first_line(error).removeprefix("vmap: ")


class _Spy(Places):
    """Writes down the places instead of acting on them."""

    def __init__(self, found: Survey, inside: list[str]) -> None:
        super().__init__(quiet(), own=False)
        self._found, self._inside = found, inside

    def activated(self, h: Tensor, name: str) -> Tensor:
        self._found.places.append(Place(self._layer, name, tuple(h.shape[1:])))
        return h

    def dropped(self, h: Tensor, units: tuple[int, ...], rate: float, name: str) -> Tensor:
        self._found.places.append(Place(self._layer, name, units[1:], rate))
        return h

    def inside(self, func: Callable[..., Any], args: tuple[Any, ...], given: dict[str, Any]) -> Any:
        rate = max([a for a in args if type(a) is float] + [given.get("dropout_p", 0.0)])
        if rate:
            self._found.inside.append(Place(self._layer, func.__name__, (), rate))
        return super().inside(func, args, given)

    @property
    def _layer(self) -> str:
        return self._inside[-1] if self._inside else ""
