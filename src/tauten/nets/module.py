"""Any `nn.Module` of the user's as a network of the population: techniques are grafted on, the file is not touched."""

import copy
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from hashlib import blake2b

import torch
from torch import Tensor, nn

from tauten.draws import derive_seed, seeded
from tauten.errors import ModelError
from tauten.nets.base import Pass
from tauten.nets.kinds import kernels_of
from tauten.nets.places import Places, acting, set_mode
from tauten.nets.preflight import check_buffers, check_draws, check_step, multiply_adds, obstacle, quiet, survey
from tauten.technique import Technique
from tauten.tensors import Tree, map_tree
from tauten.text.layout import TextLayout
from tauten.wording import ids_of, numbers_of

STACKED = 2**24
"""Multiply-adds of a step's forward pass up to which stacking pays on a CPU; `python benchmarks/stacking.py` shows it.
A longer step is arithmetic for the most part, and torch has no faster arithmetic for a stack."""


def call(
    module: nn.Module, w: Tree, buffers: Tree, given: tuple[Tensor, ...], at: Pass, own: bool
) -> tuple[Tensor, Tree]:
    """Outputs (B, K) of the module with these weights and buffers, and the buffers after; its own are untouched.

    `given` are its arguments. `own`: techniques act in the module's own dropout places, not after its activations.
    """
    set_mode(module, at.training)
    held = {k: v.clone() for k, v in buffers.items()}
    with acting(module, Places(at, own)):
        out = torch.func.functional_call(module, {**w, **held}, given)
    return out, held


class ModuleNet:
    """Wraps `build() -> nn.Module`; weights start as `build` makes them, under each member's own seed.

    So weights that `build` loads are where every member starts. The module sees batches (B, …) and gives (B, K). Of
    texts it sees the ids of their words (B, L) int64, 0 where there is none, and where there are other columns these
    (B, d) as its second argument; a `build` that takes a `layout` is told it: `layout.ids` is above every id. Raises
    ModelError for what can't be trained faithfully: a buffer that is reassigned, randomness of its own, a `build` that
    doesn't repeat itself under one seed.
    """

    stackable = False

    def __init__(
        self,
        build: Callable[..., nn.Module],
        example: Tensor,
        check: bool = True,
        layout: TextLayout | None = None,
        outputs: int | None = None,
    ) -> None:
        self._build = _told(build, {"layout": layout, "outputs": outputs})
        self._example, self._layout = example, layout
        self._module = _built(self._build, 0)
        if check:
            self._check()
        self.survey = survey(self._module, self.arguments(example))
        self.kernels = kernels_of(self._module)
        self.layers, self.outputs = len(self.survey.places), int(self.survey.outputs.shape[-1])

    @cached_property
    def obstacle(self) -> str | None:
        """Why members can't be stacked and train one at a time, in words that name the layer; None where they can."""
        return obstacle(self._forward, self._module, *self.init([0, 1]), self.arguments(self._example))

    @cached_property
    def multiply_adds(self) -> int:
        """Of one row's forward pass."""
        given = self.arguments(self._example)
        return multiply_adds(lambda: self._forward(*self._parts(self._module), given, quiet())) // len(given[0])

    @property
    def weights(self) -> int:
        """Numbers that a member holds, frozen ones and buffers included."""
        return max(1, sum(tensor.numel() for _, tensor in _tensors(self._module)))

    @property
    def stacked_rows(self) -> int:
        """The most rows of a batch with which members are stacked; 0 where they can't be."""
        if self.obstacle:
            return 0
        return sys.maxsize if self._example.is_cuda else STACKED // max(self.multiply_adds, 1)

    def stacks(self, batch: int) -> bool:
        """Whether members are stacked: where they can be, and a step of so many rows is short, or on a GPU."""
        return batch <= self.stacked_rows

    def training(self, batch: int) -> str:
        """How members train, in one line."""
        if self.obstacle:
            return self.note
        size, most = (f"{n / 1e6:.2g} million" for n in (self.multiply_adds * batch, STACKED))
        way = "stacked" if self.stacks(batch) else "one at a time"
        return f"members train {way}: a step's forward pass has {size} multiply-adds, and stacking pays up to {most}."

    @property
    def note(self) -> str:
        """The obstacle as one line, or nothing."""
        why = self.obstacle
        return f"the module can't be stacked, so its members train one at a time: {why}." if why else ""

    @property
    def rates(self) -> tuple[float, ...]:
        """The module's own dropout rates, place by place; empty where it has no such places."""
        return tuple(place.rate for place in self.survey.places if place.rate is not None)

    @property
    def digest(self) -> str:
        """Of the names, shapes and numbers that `build` starts with, under seed 0: another network, or other pretrained
        weights, have another."""
        found = blake2b(digest_size=16)
        for name, tensor in _tensors(self._module):
            found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            found.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return found.hexdigest()

    def at_own_rates(self, kinds: Iterable[type[Technique]]) -> list[Technique]:
        """The techniques among these that do what the module's own dropout layers would, at their rates."""
        rates = self.rates if any(self.rates) else ()
        return [own for kind in kinds if rates and (own := kind.at_rates(rates))]

    def arguments(self, x: Tensor) -> tuple[Tensor, ...]:
        """What the module is called with for a batch x (B, …)."""
        if self._layout is None:
            return (x,)
        return (ids_of(x), *((numbers_of(x, self._layout),) if self._layout.features else ()))

    def fresh_module(self) -> nn.Module:
        """A module as `build` makes it, for looking at."""
        return copy.deepcopy(self._module)

    def fresh(self) -> "ModuleNet":
        """A copy for another thread: a module holds its tensors while it runs."""
        twin = copy.copy(self)
        twin._module = copy.deepcopy(self._module)
        return twin

    def init(self, seeds: Sequence[int]) -> tuple[Tree, Tree]:
        """Weights and buffers of newly built modules, stacked (M, …); frozen weights travel with the buffers."""
        built = [self._parts(_built(self._build, seed)) for seed in seeds]
        w, buffers = (map_tree(lambda *leaves: torch.stack(leaves), *trees) for trees in zip(*built, strict=True))
        return w, buffers

    def forward(self, w: Tree, buffers: Tree, x: Tensor, at: Pass) -> tuple[Tensor, Tree]:
        """One member's outputs (B, K), and its buffers after this pass."""
        return call(self._module, w, buffers, self.arguments(x), at, self.survey.own)

    def mask(self, w: Tree) -> Tree:
        """Nothing is padded."""
        return w

    def unpadded(self, w: Tree) -> Tree:
        """A copy."""
        return {k: v.clone() for k, v in w.items()}

    def padded(self, w: Tree) -> Tree:
        """Nothing is padded."""
        return w

    def load(self, w: Tree, buffers: Tree) -> nn.Module:
        """A module of the user's class with these weights."""
        module = _built(self._build, 0)
        with torch.no_grad():
            for name, tensor in _tensors(module):
                tensor.copy_({**w, **buffers}[name])
        return module.eval()

    def _parts(self, module: nn.Module) -> tuple[Tree, Tree]:
        """What is trained, and what is not."""
        tensors = {name: tensor.detach() for name, tensor in _tensors(module)}
        w = {k: tensors[k] for k, p in self._module.named_parameters() if p.requires_grad}
        return w, {k: v for k, v in tensors.items() if k not in w}

    def _forward(self, w: Tree, buffers: Tree, given: tuple[Tensor, ...], at: Pass) -> tuple[Tensor, Tree]:
        return call(self._module, w, buffers, given, at, own=True)

    def _check(self) -> None:
        module, given = self._module, self.arguments(self._example)
        check_module(module)
        check_step(self._forward, module, *self._parts(module), given)
        check_buffers(module, given)
        check_draws(module, given)
        again = dict(_tensors(_built(self._build, 0)))
        for name, tensor in _tensors(module):
            if not torch.equal(tensor, again[name]):
                raise ModelError(
                    f"build() gives another {name!r} each time under one torch.manual_seed, so no training could be "
                    "repeated; draw start weights by torch alone."
                )


def check_module(module: nn.Module) -> None:
    """ModelError for what is no module or has nothing to train."""
    if not isinstance(module, nn.Module):
        raise ModelError(f"the model is {type(module).__name__}; it must be a torch.nn.Module.")
    if any(nn.parameter.is_lazy(p) for p in module.parameters()):
        raise ModelError("the module has lazy layers without weights yet; call it on one batch first.")
    if not any(p.requires_grad for p in module.parameters()):
        raise ModelError("no parameter of the module requires a gradient; unfreeze those to be trained.")


UNKNOWN = {
    "layout": "build takes a layout, which texts have, and rows are no text; name a column of text, or let build take "
    "nothing.",
    "outputs": "build takes outputs, and their number is not known without data; give data, or let build take nothing.",
}
"""What is said where `build` asks for what there is not."""


def _told(build: Callable[..., nn.Module], known: Mapping[str, object]) -> Callable[[], nn.Module]:
    """`build` with the layout of texts and the number of outputs where it asks for them."""
    asked = [name for name in known if name in inspect.signature(build).parameters]
    for name in asked:
        if known[name] is None:
            raise ModelError(UNKNOWN[name])
    return partial(build, **{name: known[name] for name in asked})


def build_checked(build: Callable[[], nn.Module]) -> nn.Module:
    """What `build` returns, or a ModelError where it is no module."""
    module = build()
    if not isinstance(module, nn.Module):
        raise ModelError(f"build() returned {type(module).__name__}; it must return a torch.nn.Module.")
    return module


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]


def _built(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A module of our own: `build` may give the same one each time."""
    with seeded(derive_seed("build", seed)):
        module = build_checked(build)
    try:
        return copy.deepcopy(module)
    except RuntimeError as error:
        raise ModelError(
            f"the module can't be copied ({error}); of weight norm take torch.nn.utils.parametrizations.weight_norm."
        ) from None
