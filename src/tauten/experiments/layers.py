"""A trained network's layers in plain matrix products and float64, so that an experiment can act between them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from tauten.engines.block import Completed
from tauten.tensors import Tree


def weights(done: Sequence[Completed]) -> Tree:
    """Delivered weights of one recipe's members, stacked (seeds, …), float64."""
    trees = [one.delivered.w for one in done if one.delivered is not None]
    return {name: torch.stack([tree[name].double() for tree in trees]) for name in trees[0]}


def layers_of(w: Tree, x: Tensor, factors: Sequence[Tensor] = ()) -> list[Tensor]:
    """Units (…, R, width) of each hidden layer and then the outputs (…, R, K), for x (R, d).

    For networks of ReLU layers without skip or norm. `factors` multiply each hidden layer's units, layer by layer.

    >>> w = {"hidden0.weight": torch.eye(2), "hidden0.bias": torch.zeros(2)}
    >>> w |= {"out.weight": torch.ones(2, 1), "out.bias": torch.zeros(1)}
    >>> layers_of(w, torch.tensor([[1.0, -3.0]]), [torch.tensor([2.0, 1.0])])[-1].tolist()
    [[2.0]]
    """
    found, h = [], x.to(w["out.weight"])
    for layer in range(len(w) // 2 - 1):
        h = torch.relu(h @ w[f"hidden{layer}.weight"] + w[f"hidden{layer}.bias"].unsqueeze(-2))
        h = h * factors[layer] if factors else h
        found.append(h)
    return [*found, h @ w["out.weight"] + w["out.bias"].unsqueeze(-2)]
