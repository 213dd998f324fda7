"""Any `nn.Module` of the user's as a network of the population: techniques are grafted on, the file is not touched."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tauten.draws import derive_seed
from tauten.errors import ModelError
from tauten.nets.base import Pass
from tauten.tensors import Tree

ACTIVATIONS = frozenset(
    {
        F.relu, F.gelu, F.silu, F.elu, F.selu, F.leaky_relu, F.mish, F.hardswish, F.celu, F.softplus, F.relu6,
        torch.relu, torch.tanh, torch.sigmoid, torch.selu, Tensor.relu, Tensor.tanh, Tensor.sigmoid,
    }
)  # fmt: skip
NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
UNSTACKABLE = (nn.RNNBase,)


class Places(TorchFunctionMode):
    """Hands every hidden activation of a forward pass to a `Pass`, in the order of the calls.

    It sees the functions, so modules (`nn.ReLU`) and functions (`F.relu`, `x.relu()`) are met alike, once each.
    """

    def __init__(self, at: Pass) -> None:
        super().__init__()
        self._at = at

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        return self._at.activated(out) if func in ACTIVATIONS else out


def kernels_of(module: nn.Module) -> dict[str, int]:
    """The weights that a penalty or decay acts on: trained matrices and filters, no biases, no norms.

    With each stands the axis of its units: the first, as in all of torch's layers (an embedding's units are its
    words) but transposed convolutions, whose second it is.
    """
    norms, turned = (
        {id(p) for m in module.modules() if isinstance(m, kinds) for p in m.parameters(recurse=False)}
        for kinds in (NORMS, nn.modules.conv._ConvTransposeNd)
    )
    trained = {k: p for k, p in module.named_parameters() if p.ndim >= 2 and p.requires_grad and id(p) not in norms}
    return {k: int(id(p) in turned) for k, p in trained.items()}


def call(module: nn.Module, w: Tree, buffers: Tree, x: Tensor, at: Pass) -> tuple[Tensor, Tree]:
    """Outputs (B, K) of the module with these weights and buffers, and the buffers after; its own are untouched."""
    module.train(at.training)
    held = {k: v.clone() for k, v in buffers.items()}
    with Places(at):
        out = torch.func.functional_call(module, {**w, **held}, (x,))
    return out, held


def count_places(module: nn.Module, x: Tensor) -> tuple[int, Tensor]:
    """How many hidden activations a training pass has, and its outputs; no buffer, no stream of draws moves."""
    counter = _Counter()
    buffers, devices = dict(module.named_buffers()), [x.device] if x.is_cuda else []
    with torch.no_grad(), torch.random.fork_rng(devices=devices):
        out, _ = call(module, {}, buffers, x, counter)
    return counter.count, out


class ModuleNet:
    """Wraps `build() -> nn.Module`; weights start as `build` makes them, under each member's own seed.

    The module sees batches (B, …) and gives (B, K). Raises ModelError for what can't be trained faithfully: a buffer
    that is reassigned, randomness of its own.
    """

    stackable = False

    def __init__(self, build: Callable[[], nn.Module], example: Tensor) -> None:
        self._build = build
        self._module = _built(build, 0)
        self.mappable = not any(isinstance(m, UNSTACKABLE) for m in self._module.modules())
        self._check_buffers(example)
        self.kernels = kernels_of(self._module)
        self.layers, outputs = count_places(self._module, example)
        self.outputs = int(outputs.shape[-1])

    def fresh(self) -> "ModuleNet":
        """A copy for another thread: a module holds its tensors while it runs."""
        twin = copy.copy(self)
        twin._module = copy.deepcopy(self._module)
        return twin

    def init(self, seeds: Sequence[int]) -> tuple[Tree, Tree]:
        """Weights and buffers of newly built modules, stacked (M, …); frozen weights travel with the buffers."""
        built = [dict(_tensors(_built(self._build, seed))) for seed in seeds]
        stacked = {name: torch.stack([tensors[name].detach() for tensors in built]) for name in built[0]}
        trained = {k for k, p in self._module.named_parameters() if p.requires_grad}
        w = {k: v for k, v in stacked.items() if k in trained}
        return w, {k: v for k, v in stacked.items() if k not in trained}

    def forward(self, w: Tree, buffers: Tree, x: Tensor, at: Pass) -> tuple[Tensor, Tree]:
        """One member's outputs (B, K), and its buffers after this pass."""
        return call(self._module, w, buffers, x, at)

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

    def _check_buffers(self, example: Tensor) -> None:
        for name, module in self._module.named_modules():
            if isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0:
                raise ModelError(
                    f"layer {name or 'itself'!r} is {module}, which draws from a stream shared by all members; remove "
                    "it from the module and let the technique dropout act after its activations."
                )
        before = {k: id(b) for k, b in self._module.named_buffers()}
        state = copy.deepcopy(self._module.state_dict())
        try:
            with torch.no_grad():
                self._module.train()(example)
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            shape = tuple(example.shape)
            raise ModelError(
                f"the module can't take a batch of shape {shape} ({error}); build() must return a module that maps "
                "(rows, …) to (rows, outputs)."
            ) from None
        for name, buffer in self._module.named_buffers():
            if before.get(name) != id(buffer):
                raise ModelError(
                    f"buffer {name!r} is reassigned in forward, which would be lost when members are stacked; change "
                    f"it in place, with self.{name}.copy_(…)."
                )
        self._module.load_state_dict(state)


class _Counter(Pass):
    """A pass in training in which nothing acts; it counts the places."""

    def __init__(self) -> None:
        super().__init__((), None)
        self.training = True
        self.count = 0

    def activated(self, h: Tensor) -> Tensor:
        self.count += 1
        return h


def build_checked(build: Callable[[], nn.Module]) -> nn.Module:
    """What `build` returns, or a ModelError where it is no module."""
    module = build()
    if not isinstance(module, nn.Module):
        raise ModelError(f"build() returned {type(module).__name__}; it must return a torch.nn.Module.")
    return module


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]


def _built(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("build", seed))
        return build_checked(build)
