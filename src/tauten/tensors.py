"""Operations that read the same for one member and for a stack of members.

A stack has a leading member axis; one member has none. A per-member value is therefore (M,) or 0-d, and what
follows needs no flag to tell the two apart.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Tree = dict[str, Tensor]
"""Named tensors: weights, buffers, gradients or a technique's state."""


def lead(value: float | Tensor, like: Tensor) -> Tensor:
    """Shape a per-member value so that it broadcasts against `like`.

    Shapes: (M,) against (M, …) gives (M, 1, …); 0-d against anything gives 1s only.

    >>> lead(torch.tensor([1.0, 2.0]), torch.zeros(2, 5, 3)).shape
    torch.Size([2, 1, 1])
    """
    tensor = torch.as_tensor(value, dtype=like.dtype if like.is_floating_point() else None, device=like.device)
    return tensor.reshape(tensor.shape + (1,) * (like.ndim - tensor.ndim))


def pick(on: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """`a` for the members where `on`, else `b`, exactly: what is not picked can't leak, not even as NaN or infinity."""
    return torch.where(on.reshape(on.shape + (1,) * (a.ndim - on.ndim)), a, b)


def pick_tree(on: Tensor, a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Tree:
    """`pick` over every leaf."""
    return {name: pick(on, a[name], b[name]) for name in a}


def map_tree(f: Callable[..., Tensor], *trees: Mapping[str, Tensor]) -> Tree:
    """Apply `f` leaf by leaf."""
    return {name: f(*(tree[name] for tree in trees)) for name in trees[0]}


def take_rows(x: Tensor, rows: Tensor) -> Tensor:
    """Each member's own choice of rows.

    Shapes: x (M, B, …) with rows (M, R), or x (B, …) with rows (R,); gives (M, R, …) or (R, …).
    """
    index = rows.reshape(rows.shape + (1,) * (x.ndim - rows.ndim))
    return torch.take_along_dim(x, index, dim=rows.ndim - 1)


def sum_per_member(x: Tensor, like: Tensor) -> Tensor:
    """Sum everything but the member axis, which is there when `like`, a per-member value, has one."""
    return x.flatten(like.ndim).sum(-1)


def norm_per_member(tree: Mapping[str, Tensor], like: Tensor) -> Tensor:
    """Euclidean norm over all leaves together, one per member."""
    total = torch.zeros_like(like)
    for leaf in tree.values():
        total = total + sum_per_member(leaf * leaf, like)
    return total.sqrt()
