"""The residual convnet, native to populations: it reads the same for one member and for a stack."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tauten.nets.base import Pass
from tauten.nets.layers import stacked, structural_parts, uniform_start
from tauten.nets.mlp import ACTIVATIONS
from tauten.setting import Setting
from tauten.technique import Technique
from tauten.tensors import Tree, product

STAGES = 3
SMALL = 4
"""Images of no more pixels to a side are not halved: too little would be left of where things are."""


class ConvNet:
    """Three stages of 3 × 3 convolutions: the first of a stage halves the image, `depth` more add their input (skip).

    A stage's first layer is h ← act(norm(pool(h ∗ W + b))), with the maximum over 2 × 2 pixels unless a side is four
    pixels or fewer; each further one is h ← act(norm(h ∗ W + b)), plus its input (skip). The last stage has `width`
    channels, each earlier one half as many as the next. One linear map reads all that is left of the image. Weights
    start as in `torch.nn.Conv2d`: uniform within ±1/√fan_in. Hidden biases are left out under a structural technique
    such as batch norm, which would cancel them.

    Between layers an image is (H, W, C): techniques see units (M?, B, H, W, C), and `normalize` sees every pixel as a
    row, (M?, B·H·W, C), so what normalizes units normalizes channels.

    Shapes: x (M?, B, C, H, W), or (M?, B, H, W) without colour, gives (M?, B, outputs).
    """

    stackable = True

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: int,
        setting: Setting,
        structure: Sequence[Technique] = (),
        precision: str = "fp32",
    ) -> None:
        self.inputs, self.outputs = tuple(inputs), outputs
        self._half = precision == "bf16"
        self._act, self._skip = ACTIVATIONS[setting.activation], setting.skip
        *colours, height, width = self.inputs
        channels = math.prod(colours)
        self._layers: list[tuple[str, int]] = []
        self._halving: set[str] = set()
        shapes: dict[str, tuple[int, ...]] = {}
        for stage in range(STAGES):
            wide = max(setting.width >> (STAGES - 1 - stage), 1)
            if min(height, width) > SMALL:
                height, width = -(-height // 2), -(-width // 2)
                self._halving.add(f"stage{stage}.0")
            for layer in range(1 + setting.depth):
                self._layers.append((f"stage{stage}.{layer}", wide))
                shapes[f"stage{stage}.{layer}.weight"] = (wide, channels, 3, 3)
                if not structure:
                    shapes[f"stage{stage}.{layer}.bias"] = (wide,)
                channels = wide
        shapes |= {"out.weight": (height * width * channels, outputs), "out.bias": (outputs,)}
        self._shapes, self._structure = shapes, tuple(structure)
        self.layers = len(self._layers)
        self.kernels = {name: int(name == "out.weight") for name in shapes if name.endswith(".weight")}

    def init(self, seeds: Sequence[int]) -> tuple[Tree, Tree]:
        """Fresh weights and buffers, stacked (M, …)."""
        fans = {name: self._fan_in(name.rpartition(".")[0]) for name in self._shapes}
        own, buffers = structural_parts(self._structure, self._layers)
        return uniform_start(self._shapes, fans, seeds) | stacked(own, len(seeds)), stacked(buffers, len(seeds))

    def forward(self, w: Tree, buffers: Tree, x: Tensor, at: Pass) -> tuple[Tensor, Tree]:
        """Outputs for a batch; `at` lets techniques act on the way."""
        batch = x.shape[: w["out.bias"].ndim]
        image = x.reshape(*batch, -1, *x.shape[-2:]).movedim(-3, -1)
        # A copy even of one channel: by its strides torch knows the layout, in which it halves ten times as fast.
        h = image.clone(memory_format=torch.contiguous_format)
        for name, _ in self._layers:
            kernel, bias = w[f"{name}.weight"], w.get(f"{name}.bias")
            z = _convolved(h, kernel, bias, name in self._halving, self._half and at.training)
            if self._structure:
                pixels, buffers = at.normalized(z.flatten(-4, -2), name, w, buffers)
                z = pixels.reshape(z.shape)
            z = at.activated(self._act(z))
            h = h + z if self._skip and not name.endswith(".0") else z
        out = product(h.flatten(-3), w["out.weight"]) + w["out.bias"].unsqueeze(-2)
        return out, buffers

    def mask(self, w: Tree) -> Tree:
        """Nothing is padded."""
        return w

    def unpadded(self, w: Tree) -> Tree:
        """A copy."""
        return {k: v.clone() for k, v in w.items()}

    def padded(self, w: Tree) -> Tree:
        """Nothing is padded."""
        return w

    def _fan_in(self, layer: str) -> int:
        shape = self._shapes[f"{layer}.weight"]
        return shape[0] if layer == "out" else math.prod(shape[1:])


def _convolved(h: Tensor, w: Tensor, bias: Tensor | None, halve: bool, half: bool) -> Tensor:
    """3 × 3 convolution of h (M?, B, H, W, I) with w (M?, O, I, 3, 3), halved by maxima where asked: (M?, B, H, W, O).

    With `half` its operands are rounded to bfloat16, and so are its sums before they are halved. For one member torch
    reads and writes this layout without a copy; a stack's members are groups of channels.
    """
    if half:
        parts = (h.bfloat16(), w.bfloat16(), None if bias is None else bias.bfloat16())
        return _convolved(*parts, halve, half=False).to(h.dtype)
    if w.ndim == 4:
        z = F.conv2d(h.movedim(-1, -3), w, bias, padding=1)
        return (_halved(z) if halve else z).movedim(-3, -1).contiguous()
    members, rows = h.shape[:2]
    folded = h.permute(1, 0, 4, 2, 3).flatten(1, 2)
    flat = None if bias is None else bias.flatten()
    z = F.conv2d(folded, w.flatten(0, 1), flat, padding=1, groups=members)
    z = _halved(z) if halve else z
    return z.reshape(rows, members, -1, *z.shape[-2:]).permute(1, 0, 3, 4, 2).contiguous()


def _halved(z: Tensor) -> Tensor:
    return F.max_pool2d(z, 2, ceil_mode=True)
