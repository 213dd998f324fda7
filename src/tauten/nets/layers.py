"""What the built-in networks share: how weights start, and the parts that structural techniques add to a layer."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tauten.draws import Draws
from tauten.technique import Technique
from tauten.tensors import Tree


def uniform_start(shapes: Mapping[str, tuple[int, ...]], fans: Mapping[str, int], seeds: Sequence[int]) -> Tree:
    """Weights (M, …) as torch's layers start them: uniform within ±1/√fan_in, by each member's own seed."""
    seed = torch.tensor(seeds, dtype=torch.int64)
    draws = Draws(seed, torch.zeros_like(seed), "init")
    weights = {}
    for name, shape in shapes.items():
        like = torch.empty(len(seeds), *shape)
        weights[name] = (draws.at(name).uniform(like) * 2 - 1) / math.sqrt(fans[name])
    return weights


def structural_parts(structure: Sequence[Technique], layers: Sequence[tuple[str, int]]) -> tuple[Tree, Tree]:
    """Parameters and buffers of one member that structural techniques own, for layers of (name, width)."""
    own: Tree = {}
    buffers: Tree = {}
    for name, width in layers:
        for t in structure:
            own |= {f"{name}.{t.name}.{k}": v for k, v in t.parameters(width).items()}
            buffers |= {f"{name}.{t.name}.{k}": v for k, v in t.buffers(width).items()}
    return own, buffers


def stacked(tree: Mapping[str, Tensor], members: int) -> Tree:
    """A copy of the tensors for every member, (M, …); the optimizer writes into them."""
    return {k: v.repeat(members, *[1] * v.ndim) for k, v in tree.items()}
