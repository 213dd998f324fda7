"""The residual multi-layer perceptron, native to populations: it reads the same for one member and for a stack."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tauten.nets.base import Pass
from tauten.nets.layers import stacked, structural_parts, uniform_start
from tauten.setting import Setting
from tauten.technique import Technique
from tauten.tensors import Tree, product

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "tanh": torch.tanh,
}
PAD = 32
"""Two AVX-512 registers, what torch's elementwise loops take at once. What remains goes through scalar code, whose
sigmoid rounds differently, and where the remainder falls would depend on the number of members."""


def pad_to(width: int) -> int:
    """The next multiple of `PAD`: at such widths a member's bits don't depend on its neighbours."""
    return -(-width // PAD) * PAD


class MLP:
    """`depth` hidden layers of `width` units: h ← act(norm(h W + b)), plus its input from the second layer on (skip).

    Depth 0 is a linear map. Weights start as in `torch.nn.Linear`: uniform within ±1/√fan_in. Hidden biases are left
    out under a structural technique such as batch norm, which would cancel them. Every activation maps 0 to 0, so
    padded units stay 0.

    Shapes: x (M?, B, …), with as many numbers in a row as `inputs`, gives (M?, B, outputs).
    """

    stackable = True

    def __init__(
        self, inputs: int | Sequence[int], outputs: int, setting: Setting, structure: Sequence[Technique] = ()
    ) -> None:
        self.inputs = inputs if isinstance(inputs, int) else math.prod(inputs)
        self.outputs, self.layers = outputs, setting.depth
        self._act = ACTIVATIONS[setting.activation]
        self._skip, self._structure = setting.skip, tuple(structure)
        widths = [self.inputs, *[setting.width] * setting.depth, outputs]
        names = self.names = [*(f"hidden{i}" for i in range(setting.depth)), "out"]
        self._shapes: dict[str, tuple[int, ...]] = {}
        for name, fan_in, fan_out in zip(names, widths, widths[1:], strict=False):
            self._shapes[f"{name}.weight"] = (fan_in, fan_out)
            if name == "out" or not structure:
                self._shapes[f"{name}.bias"] = (fan_out,)
        self._hidden = tuple(zip(names[:-1], widths[1:], strict=False))
        self.kernels = {name: 1 for name in self._shapes if name.endswith(".weight")}
        own, buffers = structural_parts(structure, self._hidden)
        self._sizes = self._shapes | {k: tuple(v.shape) for k, v in (own | buffers).items()}
        self.parts = {
            key: (torch.Size(self._sizes[key]), key in buffers)
            for name in names
            for key in self._sizes
            if key.startswith(f"{name}.")
        }
        """Every weight and buffer layer by layer: its shape, and whether it is a buffer."""

    def init(self, seeds: Sequence[int]) -> tuple[Tree, Tree]:
        """Fresh weights and buffers, padded, stacked (M, …)."""
        fans = {name: self._shapes[name.replace(".bias", ".weight")][0] for name in self._shapes}
        own, buffers = structural_parts(self._structure, self._hidden)
        weights = uniform_start(self._shapes, fans, seeds) | stacked(own, len(seeds))
        return self._pad(weights), self._pad(stacked(buffers, len(seeds)))

    def forward(self, w: Tree, buffers: Tree, x: Tensor, at: Pass) -> tuple[Tensor, Tree]:
        """Outputs for a batch; `at` lets techniques act on the way."""
        room = pad_to(self.inputs) - self.inputs
        rows = x.flatten(w["out.bias"].ndim)
        h = F.pad(rows, (0, room)) if room else rows
        for i, (name, _) in enumerate(self._hidden):
            z = product(h, w[f"{name}.weight"])
            if not self._structure:
                z = z + w[f"{name}.bias"].unsqueeze(-2)
            z, buffers = at.normalized(z, name, w, buffers)
            z = at.activated(self._act(z))
            h = h + z if self._skip and i else z
        out = product(h, w["out.weight"]) + w["out.bias"].unsqueeze(-2)
        return out[..., : self.outputs], buffers

    def mask(self, w: Tree) -> Tree:
        """Padding set to zero again, after hooks that may have written into it."""
        return {name: self._masked(name, tensor) for name, tensor in w.items()}

    def unpadded(self, w: Tree) -> Tree:
        """One member's tensors at their logical shapes."""
        return {name: v[tuple(slice(s) for s in self._sizes[name])].clone() for name, v in w.items()}

    def padded(self, w: Tree) -> Tree:
        """The inverse of `unpadded`."""
        return self._pad(w)

    def _pad(self, tree: Tree) -> Tree:
        result = {}
        for name, tensor in tree.items():
            room = [p for size in reversed(self._sizes[name]) for p in (0, pad_to(size) - size)]
            result[name] = F.pad(tensor, room).contiguous()
        return result

    def _masked(self, name: str, tensor: Tensor) -> Tensor:
        sizes = self._sizes[name]
        if all(size % PAD == 0 for size in sizes):
            return tensor
        real = torch.ones((), dtype=torch.bool, device=tensor.device)
        for axis, size in enumerate(sizes):
            inside = torch.arange(pad_to(size), device=tensor.device) < size
            real = real & inside.reshape((-1,) + (1,) * (len(sizes) - 1 - axis))
        return torch.where(real, tensor, 0.0)
