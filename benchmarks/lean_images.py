"""Tauten's convnet and its affine augmentations as plain PyTorch, for the lean loop."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tauten.nets.convnet import SMALL, STAGES
from tauten.recipe import Recipe

AUGMENTATIONS = ("rotation", "shift", "zoom", "shear", "flip", "cutout")


class ConvNet(nn.Module):
    """The residual convnet of `tauten.nets.convnet`; kernels lie as channels last, which torch convolves faster."""

    def __init__(self, shape: Sequence[int], outputs: int, recipe: Recipe, p: float) -> None:
        super().__init__()
        setting, norm = recipe.setting, recipe.get("batch_norm") is not None
        channels, height, width = shape
        self.hidden, self.norms = nn.ModuleList(), nn.ModuleList()
        self.first: list[bool] = []
        self.halved: list[bool] = []
        for stage in range(STAGES):
            wide = max(setting.width >> (STAGES - 1 - stage), 1)
            for layer in range(1 + setting.depth):
                self.hidden.append(nn.Conv2d(channels, wide, 3, padding=1, bias=not norm))
                self.norms.append(nn.BatchNorm2d(wide) if norm else nn.Identity())
                self.first.append(layer == 0)
                self.halved.append(layer == 0 and min(height, width) > SMALL)
                if self.halved[-1]:
                    height, width = -(-height // 2), -(-width // 2)
                channels = wide
        self.out = nn.Linear(channels * height * width, outputs)
        self.p, self.skip = p, setting.skip
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        h = x
        for layer, norm, first, halved in zip(self.hidden, self.norms, self.first, self.halved, strict=True):
            z = layer(h)
            z = torch.relu(norm(F.max_pool2d(z, 2, ceil_mode=True) if halved else z))
            if self.p and self.training:
                z = F.dropout(z, self.p)
            h = h + z if self.skip and not first else z
        out: Tensor = self.out(h.flatten(1))
        return out

    def kernels(self) -> list[Tensor]:
        """What decay and penalty act on: no biases, no norms."""
        return [layer.weight for layer in (*self.hidden, self.out)]


def augmented(x: Tensor, recipe: Recipe) -> Tensor:
    """Square images (B, C, S, S), each changed by its own amounts: one `grid_sample` for all that is affine."""
    on = {name: t for name in AUGMENTATIONS if (t := recipe.get(name))}
    maps = torch.eye(3).repeat(len(x), 1, 1)
    for name, t in on.items():
        if name != "cutout":
            maps = maps @ _map(name, t, *(2 * torch.rand(2, len(x)) - 1))
    if on.keys() - {"cutout"}:
        grid = F.affine_grid(maps[:, :2], list(x.shape), align_corners=False)
        x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    if "cutout" in on:
        side = x.shape[-1]
        centre = torch.rand(2, len(x), 1) * side
        down, across = (torch.arange(side) + 0.5 - centre).abs() < on["cutout"].share * side / 2
        x = x.masked_fill((down.unsqueeze(-1) & across.unsqueeze(-2)).unsqueeze(1), 0.0)
    return x


def _map(name: str, t: Any, u: Tensor, v: Tensor) -> Tensor:
    """Matrices (B, 3, 3) of one technique; places lie on [−1, 1], u and v are drawn from there."""
    one = torch.eye(3).repeat(len(u), 1, 1)
    if name == "rotation":
        angle = u * t.degrees * (math.pi / 180)
        one[:, 0, 0] = one[:, 1, 1] = angle.cos()
        one[:, 1, 0], one[:, 0, 1] = angle.sin(), -angle.sin()
    elif name == "shift":
        one[:, 0, 2], one[:, 1, 2] = 2 * t.share * u, 2 * t.share * v
    elif name == "zoom":
        one[:, 0, 0] = one[:, 1, 1] = (1 + t.amount) ** -u
    elif name == "shear":
        one[:, 0, 1] = -(u * t.degrees * (math.pi / 180)).tan()
    else:
        one[:, 0, 0] = torch.where((u + 1) / 2 < t.p, -1.0, 1.0)
    return one
